// A search of one stage: every row is looked at, and nothing is written but the few that may be among the closest.
#include <algorithm>
#include <bit>
#include <memory>
#include <vector>

#include "loan.hpp"
#include "parts.hpp"
#include "team.hpp"

namespace swiftreid {
namespace {

constexpr std::size_t kTileBytes = 65536;  // of rows that all queries of a group look at before the next
constexpr std::size_t kManyQueries = 12;   // are worth turning a tile for

struct Tile {
    std::uint32_t segment, row, rows;
};

struct Desk {
    std::vector<std::uint16_t> distances;
    std::vector<std::uint32_t> numbers;
    std::vector<Closest> closest;       // for each query of the group
    std::vector<std::size_t> within;    // how many entries a threshold lets pass
    std::vector<std::uint32_t> bounds;
    std::vector<std::uint64_t> words;
    Buffer<std::uint8_t> workspace;
};

struct Memory {
    std::vector<std::unique_ptr<Desk>> desks;
    std::vector<Tile> tiles;
    Buffer<std::uint16_t> patterns;
};

}  // namespace

void search_exhaustively(const Plan& plan, const Live& live, std::size_t first, std::size_t count, unsigned threads,
                         const Results& results, Tally& tally) {
    const StagePlan& stage = plan.stages[0];
    const Kernel& kernel = *plan.kernel;
    const bool counting = stage.keep == Keep::threshold;
    Stopwatch watch;
    const Loan<Memory> memory;
    const Many* many = count >= kManyQueries && Many::takes(stage.row_bytes) ? kernel.many : nullptr;
    const std::size_t tile_rows =
        many ? kTile : std::clamp<std::size_t>(kTileBytes / stage.row_bytes / 64 * 64, 64, 8192);
    if (many) {
        const std::size_t size = many->patterns_size(stage.row_bytes);
        for (std::size_t q = 0; q < count; ++q)
            many->patterns(stage.query(first + q), stage.row_bytes, memory->patterns.room(count * size) + q * size);
    }
    memory->tiles.clear();
    std::size_t searchable = 0;
    for (std::uint32_t s = 0; s < stage.segments.size(); ++s)
        for (std::size_t row = 0; row < stage.segments[s].count; row += tile_rows) {
            const std::size_t rows = std::min(tile_rows, stage.segments[s].count - row);
            const std::size_t some = live.count(stage.segments[s].first + row, rows);
            searchable += some;
            if (some) memory->tiles.push_back({s, static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(rows)});
        }
    const Ending ending(stage, plan.width, searchable);
    const auto members = static_cast<unsigned>(std::clamp<std::size_t>(memory->tiles.size(), 1, threads));
    while (memory->desks.size() < members) memory->desks.push_back(std::make_unique<Desk>());
    for (unsigned m = 0; m < members; ++m) {
        Desk& desk = *memory->desks[m];
        desk.distances.resize(tile_rows);
        desk.numbers.resize(2 * tile_rows + kSlack);
        if (desk.closest.size() < count) desk.closest = std::vector<Closest>(count);
        desk.within.assign(count, 0);
        desk.bounds.resize(count);
        desk.words.resize(count * (kTile / 64));
        if (many) desk.workspace.room(many->workspace_size(stage.row_bytes, count) + 64);
        for (std::size_t q = 0; q < count; ++q) desk.closest[q].start(ending.most, stage.bits(), ending.limit);
    }
    share_out(members, memory->tiles.size(), [&](std::size_t number, unsigned member) {
        const Tile tile = memory->tiles[number];
        const Segment& segment = stage.segments[tile.segment];
        const std::uint8_t* rows = segment.rows + std::size_t{tile.row} * stage.row_bytes;
        const std::uint32_t from = segment.first + tile.row;
        Desk& desk = *memory->desks[member];
        std::uint16_t* distances = desk.distances.data();
        std::uint32_t *numbers = desk.numbers.data(), *positions = numbers + tile_rows + kSlack;
        const std::size_t some = live.count(from, tile.rows);
        const bool sparse = some * 2 < tile.rows, all = some == tile.rows;
        if (sparse) live.list(from, tile.rows, positions);
        const auto bound_of = [&](std::size_t q) { return counting ? ending.limit + 1 : desk.closest[q].bound(); };
        // Turning the tile pays once most queries know what is too far for them.
        bool together = many && !sparse && tile.rows == kTile;
        for (std::size_t q = 0, open = 0; together && q < count; ++q) {
            desk.bounds[q] = bound_of(q);
            open += desk.bounds[q] > stage.bits();
            together = desk.bounds[q] > 0 && 4 * open <= count;
        }
        if (together) {
            many->nearer(rows, stage.row_bytes, memory->patterns.data(), count, desk.bounds.data(),
                         align(desk.workspace.data()), desk.words.data());
            for (std::size_t q = 0; q < count; ++q) {
                for (std::size_t w = 0; w < kTile / 64; ++w) {
                    std::uint64_t near = desk.words[q * (kTile / 64) + w] & live.word(from + 64 * w);
                    desk.within[q] += static_cast<std::size_t>(std::popcount(near));
                    for (; near; near &= near - 1) {
                        const std::uint32_t i = static_cast<std::uint32_t>(64 * w) + static_cast<std::uint32_t>(std::countr_zero(near));
                        kernel.scan(rows + i * stage.row_bytes, 1, stage.row_bytes, stage.query(first + q), distances);
                        desk.closest[q].offer(from + i, distances[0]);
                    }
                }
            }
            return;
        }
        for (std::size_t q = 0; q < count; ++q) {
            Closest& closest = desk.closest[q];
            const std::uint8_t* query = stage.query(first + q);
            if (sparse)
                kernel.gather(rows, positions, some, from, stage.row_bytes, query, distances);
            else
                kernel.scan(rows, tile.rows, stage.row_bytes, query, distances);
            const std::size_t near = kernel.below(distances, sparse ? some : tile.rows, bound_of(q), numbers);
            for (std::size_t i = 0; i < near; ++i) {
                const std::uint32_t position = sparse ? positions[numbers[i]] : from + numbers[i];
                if (!sparse && !all && !live.has(position)) continue;
                ++desk.within[q];
                closest.offer(position, distances[numbers[i]]);
            }
        }
    });
    for (std::size_t q = 0; q < count; ++q) {
        Desk& own = *memory->desks[0];
        for (unsigned m = 1; m < members; ++m) {
            own.closest[q].join(memory->desks[m]->closest[q]);
            own.within[q] += memory->desks[m]->within[q];
        }
        if (members > 1) own.closest[q].joined();
        write(results, first + q, plan.width, 0, own.closest[q]);
        tally.count(0, searchable, counting ? own.within[q] : ending.kept);
    }
    tally.seconds[0] += watch.lap();
}

}  // namespace swiftreid

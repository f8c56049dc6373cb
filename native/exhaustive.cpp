// A search of one stage: every row is looked at, and nothing is written but the few that may be among the closest.
//
// A certified search looks at every row's sample, and at the rest of those whose sample says that they may be among the
// closest. It orders by the larger of an entry's distance and the least distance that goes with its sample: so the
// result does not depend on who is looked at first, and is that of the exhaustive search wherever no sample misleads.
// Since every rest costs a wait for memory, it looks at some tiles beforehand, to guess how far the k-th closest will be.
#include <algorithm>
#include <bit>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "loan.hpp"
#include "parts.hpp"
#include "team.hpp"

namespace swiftreid {
namespace {

constexpr std::size_t kTileBytes = 65536;  // of rows that all queries of a group look at before the next
constexpr std::size_t kLongTileBytes = 2097152;  // the same for one query, which reads them once
constexpr std::size_t kTileRows = 16384;
constexpr std::size_t kManyQueries = 12;  // are worth turning a tile for
constexpr std::size_t kPilot = 16;  // one tile in so many is looked at beforehand

struct Tile {
    std::uint32_t segment, row, rows;
    std::uint32_t live;  // how many of them may be found
};

struct Desk {
    std::vector<std::uint16_t> distances, others;
    std::vector<std::uint32_t> numbers, listed, near;
    std::vector<Closest> closest;  // for each query of the group
    std::vector<std::size_t> within;  // how many entries a threshold lets pass, or had all their bits compared
    std::vector<std::uint32_t> bounds;
    std::vector<std::uint64_t> words;
    Buffer<std::uint8_t> workspace;
};

struct Memory {
    std::vector<std::unique_ptr<Desk>> desks;
    std::vector<Tile> tiles;
    Buffer<std::uint16_t> patterns;
    std::vector<std::uint32_t> limits;  // how far the results of each query are at most
    std::vector<std::uint16_t> told;
    std::vector<std::pair<std::int32_t, std::int64_t>> order;
};

// How many of `part` entries of `all` must be so close that, nearly surely, k of all are.
std::size_t surely(std::size_t k, std::size_t part, std::size_t all) {
    const double expected = static_cast<double>(k) * static_cast<double>(part) / static_cast<double>(all);
    return static_cast<std::size_t>(expected + 3 * std::sqrt(expected) + 3);
}

class Exhaustive {
public:
    Exhaustive(const Plan& plan, const Live& live, std::size_t first, std::size_t count, unsigned threads)
        : plan_(plan), stage_(plan.stages[0]), sample_(plan.sample), kernel_(*plan.kernel), live_(live), first_(first),
          count_(count), counting_(stage_.keep == Keep::threshold),
          many_(count >= kManyQueries && Many::takes(stage_.row_bytes) ? kernel_.many : nullptr),
          by_sample_(sample_ && sample_.first && !many_),
          scanned_(by_sample_ ? sample_.part : Part{stage_.segments, stage_.queries, stage_.row_bytes}),
          tiles_(memory_->tiles) {
        const std::size_t bytes = (count == 1 ? kLongTileBytes : kTileBytes) / scanned_.row_bytes;
        tile_rows_ = many_ ? kTile : std::clamp<std::size_t>(bytes / 64 * 64, 64, kTileRows);
        cut();
        members_ = static_cast<unsigned>(std::clamp<std::size_t>(tiles_.size(), 1, threads));
        while (memory_->desks.size() < members_) memory_->desks.push_back(std::make_unique<Desk>());
        for (unsigned m = 0; m < members_; ++m) {
            Desk& desk = *memory_->desks[m];
            desk.distances.resize(tile_rows_);
            desk.others.resize(tile_rows_);
            for (auto* numbers : {&desk.numbers, &desk.listed, &desk.near}) numbers->resize(tile_rows_ + kSlack);
            if (desk.closest.size() < count) desk.closest = std::vector<Closest>(count);
            desk.within.assign(count, 0);
            desk.bounds.resize(count);
            desk.words.resize(count * (kTile / 64));
            if (many_) desk.workspace.room(many_->workspace_size(stage_.row_bytes, count) + 64);
        }
        if (!many_) return;
        const std::size_t size = many_->patterns_size(stage_.row_bytes);
        for (std::size_t q = 0; q < count; ++q)
            many_->patterns(query(q), stage_.row_bytes, memory_->patterns.room(count * size) + q * size);
    }

    // With or without a guess at how far the results will be, which may turn out wrong.
    void search(bool guess, const Results& results, Tally& tally) {
        Stopwatch watch;
        const Ending ending(stage_, plan_.width, searchable_);
        std::vector<std::uint32_t>& limits = memory_->limits;
        limits.assign(count_, ending.limit);
        if (by_sample_ && guess) look_beforehand(ending.most);
        start(ending.most);
        share_out(members_, tiles_.size(), [&](std::size_t number, unsigned member) { look(tiles_[number], member); });
        std::vector<std::size_t> again;
        for (std::size_t q = 0; q < count_; ++q) {
            Desk& own = *memory_->desks[0];
            for (unsigned m = 1; m < members_; ++m) {
                own.closest[q].join(memory_->desks[m]->closest[q]);
                own.within[q] += memory_->desks[m]->within[q];
            }
            if (members_ > 1) own.closest[q].joined();
            write(results, first_ + q, plan_.width, 0, own.closest[q]);
            if (sample_) {
                if (static_cast<std::size_t>(results.counts[first_ + q]) < ending.most) again.push_back(first_ + q);
                order_by_distance(q, results);
            }
            tally.count(0, searchable_, counting_ || by_sample_ ? own.within[q] : ending.kept);
        }
        tally.seconds[0] += watch.lap();
        if (!again.empty() && by_sample_ && guess)
            for (const std::size_t query : again) {
                Tally more;
                Exhaustive(plan_, live_, query, 1, members_).search(false, results, more);
                tally.kept[0] += more.kept[0];
                tally.seconds[0] += more.seconds[0];
            }
    }

private:
    const std::uint8_t* query(std::size_t q) const { return stage_.query(first_ + q); }

    void cut() {
        tiles_.clear();
        searchable_ = 0;
        for (std::uint32_t s = 0; s < stage_.segments.size(); ++s)
            for (std::size_t row = 0; row < stage_.segments[s].count; row += tile_rows_) {
                const std::size_t rows = std::min(tile_rows_, stage_.segments[s].count - row);
                const std::size_t some = live_.count(stage_.segments[s].first + row, rows);
                searchable_ += some;
                if (some)
                    tiles_.push_back({s, static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(rows),
                                      static_cast<std::uint32_t>(some)});
            }
    }

    void start(std::size_t most) {
        for (unsigned m = 0; m < members_; ++m)
            for (std::size_t q = 0; q < count_; ++q)
                memory_->desks[m]->closest[q].start(most, stage_.most(), memory_->limits[q],
                                                    by_sample_ ? 64 : most + 1024);
    }

    void look_beforehand(std::size_t most) {
        const std::size_t pilot = tiles_.size() / kPilot;
        if (pilot < 2) return;
        start(most);
        const auto tile = [&](std::size_t number) { return tiles_[number * kPilot + kPilot / 2]; };
        share_out(members_, pilot, [&](std::size_t number, unsigned member) { look(tile(number), member); });
        std::size_t seen = 0;
        for (std::size_t i = 0; i < pilot; ++i) seen += tile(i).live;
        const std::size_t enough = surely(most, seen, searchable_);
        for (std::size_t q = 0; q < count_ && enough <= most; ++q) {
            std::vector<std::uint16_t>& told = memory_->told;
            told.clear();
            for (unsigned m = 0; m < members_; ++m) memory_->desks[m]->closest[q].tell(told);
            if (told.size() < enough) continue;
            std::nth_element(told.begin(), told.begin() + static_cast<std::ptrdiff_t>(enough - 1), told.end());
            memory_->limits[q] = told[enough - 1];
        }
    }

    // Scanned bits that are too many.
    std::uint32_t bound_of(const Desk& desk, std::size_t q) const {
        if (counting_) return memory_->limits[q] + 1;
        const std::uint32_t bound = desk.closest[q].bound();
        return by_sample_ && bound ? sample_.most[bound - 1] + 1u : bound;
    }

    void look(const Tile& tile, unsigned member) {
        Desk& desk = *memory_->desks[member];
        const std::uint32_t from = stage_.segments[tile.segment].first + tile.row;
        const std::size_t row_bytes = scanned_.row_bytes;
        const std::uint8_t* rows = scanned_.segments[tile.segment].rows + std::size_t{tile.row} * row_bytes;
        const bool sparse = tile.live * 2 < tile.rows, all = tile.live == tile.rows;
        if (many_ && !sparse && look_together(tile, rows, from, desk)) return;
        if (sparse) live_.list(from, tile.rows, desk.listed.data());
        std::uint16_t* distances = desk.distances.data();
        for (std::size_t q = 0; q < count_; ++q) {
            if (sparse)
                kernel_.gather(rows, desk.listed.data(), tile.live, from, row_bytes, scanned_.query(first_ + q),
                               distances);
            else
                kernel_.scan(rows, tile.rows, row_bytes, scanned_.query(first_ + q), distances);
            const std::size_t few =
                kernel_.below(distances, sparse ? tile.live : tile.rows, bound_of(desk, q), desk.numbers.data());
            std::size_t near = 0;
            for (std::size_t i = 0; i < few; ++i) {
                const std::uint32_t number = desk.numbers[i], position = sparse ? desk.listed[number] : from + number;
                desk.near[near] = position;
                distances[near] = distances[number];
                near += sparse || all || live_.has(position);
            }
            offer(tile, q, desk, near);
        }
    }

    // Turning the tile pays once most queries know what is too far for them.
    bool look_together(const Tile& tile, const std::uint8_t* rows, std::uint32_t from, Desk& desk) {
        if (tile.rows != kTile) return false;
        for (std::size_t q = 0, open = 0; q < count_; ++q) {
            desk.bounds[q] = bound_of(desk, q);
            open += desk.bounds[q] > stage_.most();
            if (!desk.bounds[q] || 4 * open > count_) return false;
        }
        many_->nearer(rows, stage_.row_bytes, memory_->patterns.data(), count_, desk.bounds.data(),
                      align(desk.workspace.data()), desk.words.data());
        for (std::size_t q = 0; q < count_; ++q) {
            std::size_t near = 0;
            for (std::size_t w = 0; w < kTile / 64; ++w)
                for (std::uint64_t left = desk.words[q * (kTile / 64) + w] & live_.word(from + 64 * w); left;
                     left &= left - 1)
                    desk.near[near++] =
                        from + static_cast<std::uint32_t>(64 * w) + static_cast<std::uint32_t>(std::countr_zero(left));
            if (!near) continue;
            kernel_.gather(rows, desk.near.data(), near, from, stage_.row_bytes, query(q), desk.distances.data());
            offer(tile, q, desk, near);
        }
        return true;
    }

    // The entries desk.near of a tile, whose scanned bits differ by desk.distances.
    void offer(const Tile& tile, std::size_t q, Desk& desk, std::size_t near) {
        Closest& closest = desk.closest[q];
        desk.within[q] += near;
        if (!sample_) {
            for (std::size_t i = 0; i < near; ++i) closest.offer(desk.near[i], desk.distances[i]);
            return;
        }
        const Part& other = by_sample_ ? sample_.rest : sample_.part;
        const Segment& segment = other.segments[tile.segment];
        kernel_.gather(segment.rows, desk.near.data(), near, segment.first, other.row_bytes, other.query(first_ + q),
                       desk.others.data());
        for (std::size_t i = 0; i < near; ++i) {
            const std::uint16_t a = desk.distances[i], b = desk.others[i];
            const auto distance = static_cast<std::uint16_t>(by_sample_ ? a + b : a);
            closest.offer(desk.near[i], std::max(distance, sample_.least[by_sample_ ? a : b]));
        }
    }

    // Replaces what a certified search orders by with distances.
    void order_by_distance(std::size_t q, const Results& results) {
        const std::size_t at = (first_ + q) * plan_.width;
        std::vector<std::pair<std::int32_t, std::int64_t>>& order = memory_->order;
        order.resize(static_cast<std::size_t>(results.counts[first_ + q]));
        for (std::size_t i = 0; i < order.size(); ++i) {
            const auto position = static_cast<std::uint32_t>(results.indices[at + i]);
            const auto after = [](std::uint32_t p, const Segment& s) { return p < s.first; };
            const Segment& segment =
                *(std::upper_bound(stage_.segments.begin(), stage_.segments.end(), position, after) - 1);
            std::uint16_t distance;
            kernel_.gather(segment.rows, &position, 1, segment.first, stage_.row_bytes, query(q), &distance);
            order[i] = {distance, position};
        }
        std::sort(order.begin(), order.end());
        for (std::size_t i = 0; i < order.size(); ++i) {
            results.distances[at + i] = order[i].first;
            results.indices[at + i] = order[i].second;
        }
    }

    const Plan& plan_;
    const StagePlan& stage_;
    const Sample& sample_;
    const Kernel& kernel_;
    const Live& live_;
    const std::size_t first_, count_;
    const bool counting_;
    const Many* const many_;
    // Samples are scanned, and where they say so their rest fetched; else whole rows are scanned.
    const bool by_sample_;
    const Part scanned_;
    const Loan<Memory> memory_;
    std::vector<Tile>& tiles_;
    std::size_t tile_rows_ = 0, searchable_ = 0;
    unsigned members_ = 1;
};

}  // namespace

void search_exhaustively(const Plan& plan, const Live& live, std::size_t first, std::size_t count, unsigned threads,
                         const Results& results, Tally& tally) {
    Exhaustive(plan, live, first, count, threads).search(true, results, tally);
}

}  // namespace swiftreid

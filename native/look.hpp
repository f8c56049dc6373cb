// What one query sees of one chunk at the first stage. Included by first_stages.hpp alone.
#pragma once
#include <algorithm>
#include <bit>
#include <memory>
#include <vector>

#include "chunks.hpp"
#include "compare.hpp"
#include "embedding.hpp"
#include "found.hpp"

namespace swiftreid {
namespace {

// What one member of a team needs for one chunk.
struct Bench {
    std::uint64_t words[kChunk / 64], others[kChunk / 64];
    std::uint32_t positions[kChunk + kSlack];
    std::uint16_t distances[kChunk + kSlack];
    Histogram histogram;
    std::vector<Found> found;           // for each query of the group
    std::vector<GrowingLimit> limits;   // theirs at the second stage
    Buffer<std::uint8_t> sums;          // of the chunk's planes, where many queries look at it
    const void* summed = nullptr;       // they are those of the present chunk; else null
    double first_share = 0, second_share = 0;  // sampled seconds at the first two stages
};

struct GroupMemory {
    std::vector<std::unique_ptr<Bench>> benches;
    std::vector<std::size_t> cursors;
    std::vector<std::uint32_t> counts;  // of entries within a limit, for each chunk
    Buffer<std::uint64_t> digits, among;  // of all chunks' distances, and which entries are still asked about
    std::vector<Cut> cuts;              // of each query at the first stage
    Buffer<std::uint32_t> sorted;
    Histogram histogram;
    Closest closest;
    ByEmbedding by_embedding;
};

class Look {
public:
    // `head`: number of the first stage that compares entries; `first`: the group's first query.
    Look(const Plan& plan, std::size_t head, const Live& live, std::size_t first)
        : plan_(plan), head_(head), live_(live), first_(first) {}

    // The rows that a chunk is of, at the first stage and the next.
    struct View {
        std::uint32_t first;
        const std::uint8_t *rows, *planes, *next;
    };

    View view_of(const Chunk& chunk) const {
        if (chunk.lists) return {chunk.lists->first, chunk.lists->rows, nullptr, chunk.lists->next};
        const Segment& segment = plan_.stages[head_].segments[chunk.segment];
        const StagePlan& next = plan_.stages[std::min(head_ + 1, plan_.stages.size() - 1)];
        return {segment.first, segment.rows, segment.planes, next.segments[chunk.segment].rows};
    }

    // Positions of the chunk's entries that pass the first stage.
    std::size_t pass(const Chunk& chunk, const View& view, std::size_t q, Cut& cut, Bench& bench,
                     std::uint32_t* out) const {
        if (cut.ties != kAllTies) return pass_ties(chunk, view, q, cut, bench, out);
        if (chunk.listed)
            return compare(q).gather_within(view.rows, chunk.listed, chunk.live, view.first, cut.limit, out,
                                            bench.distances);
        const std::size_t words = mask(chunk, view, q, cut.limit, bench, bench.words);
        return plan_.kernel->collect(bench.words, words, view.first + chunk.row, nullptr, 0, out);
    }

    // Of rows of the first stage with one query of the group.
    Compare compare(std::size_t q) const { return {*plan_.kernel, plan_.stages[head_], first_ + q}; }

    // For each entry of a chunk a bit: whether it may be found and is within the limit. Returns the number of words.
    std::size_t mask(const Chunk& chunk, const View& view, std::size_t q, std::uint32_t limit, Bench& bench,
                     std::uint64_t* words) const {
        const StagePlan& stage = plan_.stages[head_];
        const std::size_t count = (chunk.rows + 63) / 64, offset = std::size_t{chunk.row} * stage.row_bytes;
        if (bench.summed) {
            plan_.kernel->within_sums(bench.summed, (chunk.rows + kBlock - 1) / kBlock, stage.query(first_ + q), limit,
                                      words);
        } else if (view.planes) {
            compare(q).within(view.planes + offset, (chunk.rows + kBlock - 1) / kBlock, limit, words);
        } else {
            compare(q).rows_within(view.rows + offset, chunk.rows, limit, words);
        }
        const std::size_t at = view.first + chunk.row;
        if (chunk.rows % 64) words[count - 1] &= (std::uint64_t{1} << (chunk.rows % 64)) - 1;
        if (chunk.lists) {
            if (!live_.everything()) drop_dead(*chunk.lists, chunk.row, words, count);
        } else if (chunk.live < chunk.rows) {
            for (std::size_t w = 0; w < count; ++w) words[w] &= live_.part(at, 64 * w, chunk.rows);
        }
        return count;
    }

private:
    // The same where not every entry at the limit passes.
    std::size_t pass_ties(const Chunk& chunk, const View& view, std::size_t q, Cut& cut, Bench& bench,
                          std::uint32_t* out) const {
        std::size_t passed = 0;
        if (chunk.listed) {
            compare(q).gather(view.rows, chunk.listed, chunk.live, view.first, bench.distances);
            for (std::size_t i = 0; i < chunk.live; ++i) {
                const bool tie = bench.distances[i] == cut.limit && cut.ties > 0;
                cut.ties -= tie;
                if (tie || bench.distances[i] < cut.limit) out[passed++] = chunk.listed[i];
            }
            return passed;
        }
        const std::size_t words = mask(chunk, view, q, cut.limit, bench, bench.words);
        if (cut.limit)
            mask(chunk, view, q, cut.limit - 1, bench, bench.others);
        else
            std::fill_n(bench.others, words, 0);
        for (std::size_t w = 0; w < words; ++w) {
            std::uint64_t ties = bench.words[w] & ~bench.others[w];
            for (; ties && cut.ties; ties &= ties - 1) --cut.ties;
            bench.words[w] &= ~ties;  // those left over
        }
        return plan_.kernel->collect(bench.words, words, view.first + chunk.row, nullptr, 0, out);
    }

    // Entries in lists are not in the order of the bitmap: those that pass are looked up.
    void drop_dead(const ListGroup& lists, std::size_t row, std::uint64_t* words, std::size_t count) const {
        for (std::size_t w = 0; w < count; ++w)
            for (std::uint64_t left = words[w]; left; left &= left - 1) {
                const auto bit = static_cast<std::size_t>(std::countr_zero(left));
                if (!live_.has(lists.first + lists.order[row + 64 * w + bit])) words[w] &= ~(std::uint64_t{1} << bit);
            }
    }

    const Plan& plan_;
    const std::size_t head_;
    const Live& live_;
    const std::size_t first_;
};

}  // namespace
}  // namespace swiftreid

// The first stage of a search, and with it the second where both have thresholds, for a group of queries at once. It
// passes over the gallery in chunks that stay in the second cache while every query of the group looks at them. Included
// by search.cpp alone.
#pragma once
#include <algorithm>
#include <bit>
#include <memory>
#include <vector>

#include "chunks.hpp"
#include "embedding.hpp"
#include "found.hpp"
#include "look.hpp"
#include "parts.hpp"
#include "team.hpp"

namespace swiftreid {
namespace {

constexpr std::size_t kSliceWords = 16;  // words of bits whose rows are asked for at once
constexpr std::size_t kManyQueries = 12;  // are worth preparing a chunk for

class FirstStages {
public:
    FirstStages(const Plan& plan, const Chunks& chunks, const Live& live, std::size_t first, std::size_t count,
                unsigned threads, GroupMemory& memory)
        : plan_(plan), head_(plan.lists.count ? 1 : 0), chunks_(chunks.all()), live_count_(chunks.live()),
          probed_(chunks.probed()), live_(live), look_(plan, head_, live, first), first_(first), count_(count),
          memory_(&memory), cuts_(memory.cuts), least_(alone() ? 0 : std::min(plan.min_candidates, live_count_)),
          fused_(plan.stages.size() > head_ + 2 && plan.stages[head_].keep == Keep::threshold &&
                 plan.stages[head_ + 1].keep == Keep::threshold),
          members_(static_cast<unsigned>(std::min<std::size_t>(threads, std::max<std::size_t>(1, chunks_.size())))) {
        while (memory_->benches.size() < members_) memory_->benches.push_back(std::make_unique<Bench>());
        for (unsigned m = 0; m < members_; ++m) {
            Bench& bench = *memory_->benches[m];
            if (bench.found.size() < count) bench.found.resize(count);
            bench.limits.resize(count);
            bench.first_share = bench.second_share = 0;
            for (std::size_t q = 0; q < count_; ++q) bench.found[q].start();
        }
    }

    unsigned members() const { return members_; }
    std::size_t live() const { return live_count_; }  // entries that may be found

    // Number of the first stage that is left to do.
    std::size_t next() const { return head_ + (fused_ ? 2 : 1); }

    // Leaves what passes with the first member of the team.
    void run(Tally& tally) {
        Stopwatch watch;
        const StagePlan& stage = plan_.stages[head_];
        cuts_.assign(count_,
                     {static_cast<std::uint32_t>(std::min<std::uint64_t>(stage.amount, stage.most())), kAllTies});
        if (stage.keep != Keep::threshold)
            for (std::size_t q = 0; q < count_; ++q) cuts_[q] = cut_by_counting(q, wanted_of(stage), stage.whole_ties);
        scan(0, count_);
        for (std::size_t q = 0; q < count_; ++q) {
            std::size_t passed = fused_ ? found_of(q).came_in : found_of(q).count;
            if (passed < least_) {  // a threshold that lets too few pass
                cuts_[q] = cut_by_counting(q, least_, true);
                for (unsigned m = 0; m < members_; ++m) memory_->benches[m]->found[q].start();
                scan(q, q + 1);
                passed = fused_ ? found_of(q).came_in : found_of(q).count;
            }
            tally.count(head_, live_count_, alone() ? Ending(stage, plan_.width, live_count_).kept : passed);
            if (fused_) tally.count(head_ + 1, passed, found_of(q).count);
        }
        const double seconds = watch.lap();
        double first = 0, second = 0;
        for (unsigned m = 0; m < members_; ++m) {
            first += memory_->benches[m]->first_share;
            second += memory_->benches[m]->second_share;
        }
        const double share = first + second > 0 ? first / (first + second) : 1;
        tally.seconds[head_] += fused_ ? seconds * share : seconds;
        if (fused_) tally.seconds[head_ + 1] += seconds * (1 - share);
    }

private:
    Found& found_of(std::size_t q) { return memory_->benches[0]->found[q]; }

    bool alone() const { return plan_.stages.size() == 1; }

    // The stage behind the first; where there is none, the first itself.
    const StagePlan& following() const { return plan_.stages[std::min(head_ + 1, plan_.stages.size() - 1)]; }

    std::size_t wanted_of(const StagePlan& stage) const {
        if (alone()) return Ending(stage, plan_.width, live_count_).most;
        std::size_t wanted = live_count_;
        if (stage.keep == Keep::top) wanted = std::min<std::size_t>(stage.amount, live_count_);
        if (stage.keep == Keep::share) wanted = share_of(stage.share, live_count_);
        return std::max(wanted, least_);
    }

    // Queries from..to look at every chunk, with their cuts.
    void scan(std::size_t from, std::size_t to) {
        const StagePlan& next = following();
        for (unsigned m = 0; m < members_; ++m)
            for (std::size_t q = from; q < to; ++q)
                memory_->benches[m]->limits[q].start(
                    static_cast<std::uint32_t>(std::min<std::uint64_t>(next.amount, next.most())),
                    fused_ ? plan_.min_candidates : 0, next.most());
        // Of a tie, the first in gallery order pass: that takes one pair of eyes.
        const bool in_order = std::any_of(cuts_.begin() + static_cast<std::ptrdiff_t>(from),
                                          cuts_.begin() + static_cast<std::ptrdiff_t>(to),
                                          [](const Cut& cut) { return cut.ties != kAllTies; });
        share_out(in_order ? 1 : members_, chunks_.size(), [&](std::size_t number, unsigned member) {
            Bench& bench = *memory_->benches[member];
            const bool sample = number % 8 == 0;
            prepare(chunks_[number], to - from, bench);
            for (std::size_t q = from; q < to; ++q) scan_chunk(chunks_[number], q, bench, sample);
            bench.summed = nullptr;
        });
        for (std::size_t q = from; q < to; ++q) {
            for (unsigned m = 1; m < members_; ++m) found_of(q).merge(memory_->benches[m]->found[q]);
            if (fused_) {
                GrowingLimit& limit = memory_->benches[0]->limits[q];
                for (unsigned m = 1; m < members_; ++m) limit.widen(memory_->benches[m]->limits[q]);
                limit.settle(found_of(q), memory_->histogram);
            }
            if (probed_) to_positions(found_of(q));
        }
    }

    // Places on groups become positions in the table, in order.
    void to_positions(Found& found) {
        std::uint32_t* places = found.positions.room(found.count + kSlack);
        std::size_t at = 0;
        for (const ListGroup& group : plan_.lists.groups)
            for (; at < found.count && places[at] - group.first < group.count; ++at)
                places[at] = group.first + group.order[places[at] - group.first];
        sort_positions(places, at, plan_.entries, memory_->sorted, memory_->counts);
    }

    // What many queries need of a chunk's planes is worked out for all of them, and the rows of the next stage, all of
    // which some query or other will want, are read in order rather than fetched one by one.
    void prepare(const Chunk& chunk, std::size_t queries, Bench& bench) const {
        const Look::View view = look_.view_of(chunk);
        if (queries < kManyQueries || chunk.listed) return;
        if (fused_) {
            const std::size_t row_bytes = plan_.stages[head_ + 1].row_bytes;
            const volatile std::uint8_t* rows = view.next + chunk.row * row_bytes;
            for (std::size_t at = 0; at < chunk.rows * row_bytes; at += 64) (void)rows[at];
        }
        if (!view.planes || plan_.stages[head_].row_bytes != 4 || plan_.stages[head_].weights) return;
        const std::size_t blocks = (chunk.rows + kBlock - 1) / kBlock;
        void* sums = align(bench.sums.room(plan_.kernel->sums_size(kChunk / kBlock) + 64));
        plan_.kernel->sum(view.planes + std::size_t{chunk.row} * 4, blocks, sums);
        bench.summed = sums;
    }

    void scan_chunk(const Chunk& chunk, std::size_t q, Bench& bench, bool sample) {
        const StagePlan& next = following();
        const Look::View view = look_.view_of(chunk);
        Found& found = bench.found[q];
        Stopwatch watch;
        if (!fused_) {
            found.make_room(chunk.live);
            const std::size_t passed =
                look_.pass(chunk, view, q, cuts_[q], bench, found.positions.data() + found.count);
            found.count += passed;
            return;
        }
        if (count_ < kManyQueries && !chunk.listed && cuts_[q].ties == kAllTies) {
            scan_by_slices(chunk, view, q, bench, sample, watch);
            return;
        }
        const std::size_t passed = look_.pass(chunk, view, q, cuts_[q], bench, bench.positions);
        if (sample) bench.first_share += watch.lap();
        found.came_in += passed;
        found.make_room(passed);
        GrowingLimit& limit = bench.limits[q];
        found.count += plan_.kernel->gather_within(
            view.next, bench.positions, passed, view.first, next.row_bytes, next.query(first_ + q), limit.limit(),
            found.positions.data() + found.count, found.distances.data() + found.count);
        limit.look(found, bench.histogram);
        if (sample) bench.second_share += watch.lap();
    }

    // The same where few queries want these rows, so that they are not near yet: while those of one slice are on their way,
    // those of the slice before are compared.
    void scan_by_slices(const Chunk& chunk, const Look::View& view, std::size_t q, Bench& bench, bool sample,
                        Stopwatch& watch) {
        const StagePlan& next = plan_.stages[head_ + 1];
        Found& found = bench.found[q];
        GrowingLimit& limit = bench.limits[q];
        const std::size_t words = look_.mask(chunk, view, q, cuts_[q].limit, bench, bench.words);
        if (sample) bench.first_share += watch.lap();
        const std::uint8_t* rows = view.next + std::size_t{chunk.row} * next.row_bytes;
        std::uint32_t* slices[2] = {bench.positions, bench.positions + kChunk / 2};
        std::size_t waiting = 0;
        const auto compare = [&](const std::uint32_t* positions) {
            found.make_room(waiting);
            found.count += plan_.kernel->gather_within(
                view.next, positions, waiting, view.first, next.row_bytes, next.query(first_ + q), limit.limit(),
                found.positions.data() + found.count, found.distances.data() + found.count);
        };
        std::size_t turn = 0;
        for (std::size_t w = 0; w < words; w += kSliceWords, ++turn) {
            const std::size_t first = 64 * w;
            const std::size_t listed =
                plan_.kernel->collect(bench.words + w, std::min(kSliceWords, words - w),
                                      view.first + chunk.row + static_cast<std::uint32_t>(first),
                                      rows + first * next.row_bytes, next.row_bytes, slices[turn % 2]);
            compare(slices[(turn + 1) % 2]);
            found.came_in += waiting = listed;
        }
        compare(slices[(turn + 1) % 2]);
        limit.look(found, bench.histogram);
        if (sample) bench.second_share += watch.lap();
    }

    // The cut that lets exactly `wanted` entries pass (or with `whole_tie` all at its limit). The limit is found digit by
    // digit, the highest first: distances are worked out once, and then only one of their digits is looked at.
    Cut cut_by_counting(std::size_t q, std::size_t wanted, bool whole_tie) {
        const StagePlan& stage = plan_.stages[head_];
        const auto most = static_cast<std::uint32_t>(stage.most());
        if (wanted >= live_count_) return {most, kAllTies};
        if (stage.row_bytes > kMaxSlicedBytes) return cut_of_all(q, wanted, whole_tie);
        const int places = std::bit_width(most);
        const std::size_t chunk_words = kChunk / 64, chunk_digits = chunk_words * static_cast<std::size_t>(places);
        std::uint64_t* among = align(memory_->among.room(chunks_.size() * chunk_words + 8));
        std::uint64_t* digits = align(memory_->digits.room(chunks_.size() * chunk_digits + 8));
        share_out(members_, chunks_.size(), [&](std::size_t number, unsigned) {
            const Chunk& chunk = chunks_[number];
            const Look::View view = look_.view_of(chunk);
            if (!by_digits(chunk, view)) return;
            plan_.kernel->digits(view.planes + std::size_t{chunk.row} * stage.row_bytes, blocks_of(chunk),
                                 stage.row_bytes, stage.query(first_ + q), stage.weights_of(first_ + q), places,
                                 digits + number * chunk_digits);
            std::uint64_t* words = among + number * chunk_words;
            std::fill_n(words, blocks_of(chunk) * kBlockWords, 0);
            for (std::size_t w = 0; 64 * w < chunk.rows; ++w)
                words[w] = live_.part(view.first + chunk.row, 64 * w, chunk.rows);
        });
        std::vector<std::uint32_t>& counts = memory_->counts;
        counts.resize(chunks_.size());
        std::uint32_t limit = 0;
        std::size_t below = 0, below_others = 0;  // how many are below the limit, and how many of those have no digits
        int higher = -1;
        for (int place = places - 1; place >= 0; --place) {
            const std::uint32_t middle = limit + (1u << place) - 1;
            share_out(members_, chunks_.size(), [&](std::size_t number, unsigned member) {
                const Chunk& chunk = chunks_[number];
                counts[number] = static_cast<std::uint32_t>(
                    by_digits(chunk, look_.view_of(chunk))
                        ? plan_.kernel->zeros(among + number * chunk_words, digits + number * chunk_digits,
                                              blocks_of(chunk), places, place, higher)
                        : count_within(chunk, q, middle, *memory_->benches[member]));
            });
            std::size_t found = 0, others = 0;
            for (std::size_t number = 0; number < chunks_.size(); ++number)
                (by_digits(chunks_[number], look_.view_of(chunks_[number])) ? found : others) += counts[number];
            found += others - below_others;
            higher = below + found < wanted;
            if (!higher) continue;
            limit += 1u << place;
            below += found;
            below_others = others;
        }
        return {limit, whole_tie ? kAllTies : wanted - below};
    }

    // Whether a chunk has digits: not if its entries are few, or are in lists.
    static bool by_digits(const Chunk& chunk, const Look::View& view) { return view.planes && !chunk.listed; }
    static std::size_t blocks_of(const Chunk& chunk) { return (chunk.rows + kBlock - 1) / kBlock; }

    // How many entries of a chunk are within a limit.
    std::size_t count_within(const Chunk& chunk, std::size_t q, std::uint32_t limit, Bench& bench) const {
        const Look::View view = look_.view_of(chunk);
        if (chunk.listed)
            return look_.compare(q).gather_within(view.rows, chunk.listed, chunk.live, view.first, limit,
                                                  bench.positions, bench.distances);
        const std::size_t words = look_.mask(chunk, view, q, limit, bench, bench.words);
        std::size_t sum = 0;
        for (std::size_t w = 0; w < words; ++w) sum += static_cast<std::size_t>(std::popcount(bench.words[w]));
        return sum;
    }

    // The same for a code without bit planes: looking at its rows again and again would take too long.
    Cut cut_of_all(std::size_t q, std::size_t wanted, bool whole_tie) {
        const StagePlan& stage = plan_.stages[head_];
        for (unsigned m = 0; m < members_; ++m) memory_->benches[m]->histogram.start(stage.most());
        share_out(members_, chunks_.size(), [&](std::size_t number, unsigned member) {
            const Chunk& chunk = chunks_[number];
            const Segment& segment = stage.segments[chunk.segment];
            Bench& bench = *memory_->benches[member];
            const std::uint32_t* positions = chunk.listed;
            if (!positions && chunk.live < chunk.rows) {
                live_.list(segment.first + chunk.row, chunk.rows, bench.positions);
                positions = bench.positions;
            }
            if (positions)
                plan_.kernel->gather(segment.rows, positions, chunk.live, segment.first, stage.row_bytes,
                                     stage.query(first_ + q), bench.distances);
            else
                plan_.kernel->scan(segment.rows + std::size_t{chunk.row} * stage.row_bytes, chunk.rows, stage.row_bytes,
                                   stage.query(first_ + q), bench.distances);
            bench.histogram.add(bench.distances, chunk.live);
        });
        Histogram& sum = memory_->benches[0]->histogram;
        for (unsigned m = 1; m < members_; ++m) sum.add(memory_->benches[m]->histogram);
        const Cut cut = sum.closest(wanted);
        return {cut.limit, whole_tie ? kAllTies : cut.ties};
    }

    const Plan& plan_;
    const std::size_t head_;  // number of the first stage that compares entries: behind the probing stage, 1
    const std::vector<Chunk>& chunks_;
    const std::size_t live_count_;
    const bool probed_;
    const Live& live_;
    const Look look_;
    const std::size_t first_, count_;
    GroupMemory* const memory_;
    std::vector<Cut>& cuts_;
    const std::size_t least_;
    const bool fused_;
    const unsigned members_;
};

}  // namespace
}  // namespace swiftreid

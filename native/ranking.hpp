// A full ranking in coarse-to-fine order: whoever got furthest first, then by distance, then by the tie rule.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "buffer.hpp"
#include "select.hpp"

#if defined(__GNUC__)
#define SWIFTREID_FETCH_TO_WRITE(at) __builtin_prefetch(at, 1)
#else
#define SWIFTREID_FETCH_TO_WRITE(at) (void)(at)
#endif

namespace swiftreid {

struct Row {
    std::int64_t* indices;
    std::int32_t* distances;
    std::int8_t* stages;
};

// Which entries a stage looks at: those listed, or the first ones.
struct Listed {
    const std::uint32_t* positions;

    std::uint32_t operator[](std::size_t i) const { return positions ? positions[i] : static_cast<std::uint32_t>(i); }
};

class Ranking {
public:
    void start(std::size_t count, bool by_stages) {
        by_stages_ = by_stages;
        if (!by_stages) return;
        order_.room(count + 1);
        next_order_.room(count + 1);
        renamed_.room(count + 1);
        for (std::size_t i = 0; i < count; ++i) order_[i] = static_cast<std::uint32_t>(i);
    }

    // Writes the entries that stop at this stage behind the places of those that go on (at the last stage all stop), and
    // lists those that go on in `going`, which may be what `listed` reads. Spoils the distances. Returns how many passed
    // the cut.
    std::size_t split(Row row, std::int8_t stage, bool last, Listed listed, std::uint32_t* going,
                      std::uint16_t* distances, std::size_t count, Cut cut, std::size_t max_distance) {
        std::size_t passed = 0, first = 0;
        if (last || by_stages_ || cut.ties != kAllTies) {
            passed = passing(distances, count, cut, max_distance);
            first = last ? 0 : passed;
        }
        if (by_stages_ || (!last && cut.ties != kAllTies)) {
            const Cut stop = last ? Cut{0, 0} : cut;
            write_levels(row, stop, first, distances, count, max_distance);
            if (by_stages_)
                place_by_stages(row.indices, listed, going, distances, count, stop);
            else
                place_ties(row.indices, listed, going, distances, count, stop);
        } else {
            first = place(row, last, listed, going, distances, count, last ? 0 : cut.limit, max_distance);
            if (!last) passed = first;
        }
        std::fill(row.stages + first, row.stages + count, stage);
        return passed;
    }

private:
    static std::size_t passing(const std::uint16_t* distances, std::size_t count, Cut cut, std::size_t max_distance) {
        if (cut.limit >= max_distance && cut.ties == kAllTies) return count;
        std::uint32_t below = 0, at_limit = 0;
        for (std::size_t i = 0; i < count; ++i) {
            below += distances[i] < static_cast<std::uint16_t>(cut.limit);
            at_limit += distances[i] == static_cast<std::uint16_t>(cut.limit);
        }
        return below + std::min<std::size_t>(cut.ties, at_limit);
    }

    // The usual cut, by which all within `base` go on, unless this is the last stage. Returns how many go on.
    std::size_t place(Row row, bool last, Listed listed, std::uint32_t* going, std::uint16_t* distances,
                      std::size_t count, std::uint32_t base, std::size_t max_distance) {
        // Those that go on are one run, run 0; whoever stops is in the run of the distance.
        const auto least = static_cast<std::uint16_t>(base);
        for (std::size_t i = 0; base && i < count; ++i)
            distances[i] = static_cast<std::uint16_t>(distances[i] > least ? distances[i] - least : 0);
        const std::size_t runs = max_distance - base + 1;
        const Runs given{distances, runs, static_cast<std::int32_t>(base), last};
        if (count < runs / 4) return sort_few(row, listed, going, count, given);
        if (runs > kManyRuns)
            return listed.positions ? place_in<2, true>(row, listed, going, count, given)
                                    : place_in<2, false>(row, listed, going, count, given);
        return listed.positions ? place_in<8, true>(row, listed, going, count, given)
                                : place_in<8, false>(row, listed, going, count, given);
    }

    struct Runs {
        const std::uint16_t* of;  // each entry's
        std::size_t count;
        std::int32_t base;        // distance in run 0
        bool last;                // stage: run 0 stops too
    };

    // Puts every entry down behind those before it in its run: no branch depends on a distance. An entry waits for the one
    // before it in the same run, and where runs are few that is soon: so several parts of the list are put down at once,
    // each with its own part of every run. Positions are not read where they can be worked out, because a read has to
    // wait for writes whose place is not known yet. Places come in no order, so memory that is in no cache would be waited
    // for again and again: it is asked for while entries are counted.
    template <std::size_t kParts, bool kListed>
    std::size_t place_in(Row row, Listed listed, std::uint32_t* going, std::size_t count, Runs runs) {
        next_.assign(kParts * runs.count, 0);
        std::uint32_t* next = next_.data();  // for each run, part by part
        const std::uint16_t* run_of = runs.of;
        const std::size_t length = count / kParts;
        for (std::size_t i = 0; i < length; ++i) {
            SWIFTREID_FETCH_TO_WRITE(row.indices + kParts * i);
            for (std::size_t part = 0; part < kParts; ++part) ++next[kParts * run_of[i + part * length] + part];
        }
        for (std::size_t i = kParts * length; i < count; ++i) ++next[kParts * run_of[i] + kParts - 1];
        std::uint32_t to = 0, first = 0;
        for (std::size_t run = 0; run < runs.count; ++run) {
            const std::uint32_t start = to;
            for (std::size_t part = 0; part < kParts; ++part) to += std::exchange(next[kParts * run + part], to);
            if (run == 0 && !runs.last)
                first = to;
            else
                std::fill(row.distances + start, row.distances + to, runs.base + static_cast<std::int32_t>(run));
        }
        const auto put = [&](std::size_t i, std::size_t part) {
            row.indices[next[kParts * run_of[i] + part]++] =
                kListed ? listed.positions[i] : static_cast<std::uint32_t>(i);
        };
        for (std::size_t i = 0; i < length; ++i)
            for (std::size_t part = 0; part < kParts; ++part) put(i + part * length, part);
        for (std::size_t i = kParts * length; i < count; ++i) put(i, kParts - 1);
        for (std::size_t i = 0; i < first; ++i) going[i] = static_cast<std::uint32_t>(row.indices[i]);
        return first;
    }

    // The same where runs are many more than entries.
    std::size_t sort_few(Row row, Listed listed, std::uint32_t* going, std::size_t count, Runs runs) {
        next_.resize(count);
        std::size_t first = 0;
        for (std::uint32_t i = 0; i < count; ++i) {
            next_[i] = std::uint32_t{runs.of[i]} << 16 | i;
            first += !runs.last && runs.of[i] == 0;
        }
        std::sort(next_.begin(), next_.end());
        for (std::size_t i = first; i < count; ++i) {
            row.indices[i] = listed[next_[i] & 0xffff];
            row.distances[i] = runs.base + static_cast<std::int32_t>(next_[i] >> 16);
        }
        // Last, because `listed` may read what this writes.
        for (std::size_t i = 0; i < first; ++i) going[i] = listed[next_[i] & 0xffff];
        return first;
    }

    // Distances of those that stop, who follow `going` others: they come in runs, so nothing is scattered. Notes where the
    // run of each distance starts. Of `stop.limit`, the first `stop.ties` entries go on.
    void write_levels(Row row, Cut stop, std::size_t going, const std::uint16_t* distances, std::size_t count,
                      std::size_t max_distance) {
        histogram_.count(distances, count, max_distance);
        starts_.resize(max_distance + 1);
        std::size_t to = going;
        for (std::size_t d = stop.limit; d < starts_.size(); ++d) {
            starts_[d] = static_cast<std::uint32_t>(to);
            const std::size_t run = histogram_[d] - (d == stop.limit ? std::min(stop.ties, histogram_[d]) : 0);
            std::fill_n(row.distances + to, run, static_cast<std::int32_t>(d));
            to += run;
        }
    }

    // The same where only some of the entries at the limit go on.
    void place_ties(std::int64_t* indices, Listed listed, std::uint32_t* going, const std::uint16_t* distances,
                    std::size_t count, Cut stop) {
        std::uint32_t* starts = starts_.data();
        std::size_t next = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint32_t d = distances[i];
            if (d < stop.limit || (d == stop.limit && stop.ties > 0)) {
                stop.ties -= d == stop.limit;
                going[next++] = listed[i];
                continue;
            }
            indices[starts[d]++] = listed[i];
        }
    }

    // The same, but entries at one distance keep the order that the stages before gave them.
    void place_by_stages(std::int64_t* indices, Listed listed, std::uint32_t* going, const std::uint16_t* distances,
                         std::size_t count, Cut stop) {
        // Which entries pass is a matter of gallery order...
        std::size_t next = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const bool tie = distances[i] == stop.limit && stop.ties > 0;
            stop.ties -= tie;
            renamed_[i] = distances[i] < stop.limit || tie ? static_cast<std::uint32_t>(next++) : kStopped;
        }
        // ...and how they follow each other is not.
        next_.assign(histogram_.bins() + 1, 0);
        for (std::size_t i = 0; i < count; ++i)
            if (renamed_[i] != kStopped) ++next_[distances[i] + 1u];
        for (std::size_t d = 1; d < next_.size(); ++d) next_[d] += next_[d - 1];
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint32_t entry = order_[i];
            const std::uint16_t d = distances[entry];
            if (renamed_[entry] == kStopped)
                indices[starts_[d]++] = listed[entry];
            else
                next_order_[next_[d]++] = renamed_[entry];
        }
        for (std::size_t i = 0; i < count; ++i)
            if (renamed_[i] != kStopped) going[renamed_[i]] = listed[i];
        order_.swap(next_order_);
    }

    static constexpr std::uint32_t kStopped = 0xffffffff;
    static constexpr std::size_t kManyRuns = 1024;  // parts of so many would fill the first cache
    bool by_stages_ = false;
    Buffer<std::uint32_t> order_, next_order_, renamed_;
    Histogram histogram_;
    std::vector<std::uint32_t> starts_, next_;
};

}  // namespace swiftreid

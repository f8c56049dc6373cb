// A full ranking in coarse-to-fine order: whoever got furthest first, then by distance, then by the tie rule.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "buffer.hpp"
#include "select.hpp"

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
        const std::size_t passed = passing(distances, count, cut, max_distance);
        const std::size_t first = last ? 0 : passed;
        std::fill(row.stages + first, row.stages + count, stage);
        if (by_stages_ || (!last && cut.ties != kAllTies)) {
            const Cut stop = last ? Cut{0, 0} : cut;
            write_levels(row, stop, first, distances, count, max_distance);
            if (by_stages_)
                place_by_stages(row.indices, listed, going, distances, count, stop);
            else
                place_ties(row.indices, listed, going, distances, count, stop);
            return passed;
        }
        // Runs of equal entries, in order: those that go on are one, and whoever stops is in that of the distance.
        const std::uint16_t base = static_cast<std::uint16_t>(last ? 0 : cut.limit);
        const std::size_t runs = max_distance - base + 1;
        if (base)
            for (std::size_t i = 0; i < count; ++i)
                distances[i] = static_cast<std::uint16_t>(distances[i] > base ? distances[i] - base : 0);
        if (count < runs / 4)
            sort_few(row, listed, going, distances, count, first, base);
        else if (listed.positions)
            place<true>(row, listed.positions, going, distances, count, first, base, runs);
        else
            place<false>(row, nullptr, going, distances, count, first, base, runs);
        return passed;
    }

private:
    static std::size_t passing(const std::uint16_t* distances, std::size_t count, Cut cut, std::size_t max_distance) {
        if (cut.limit >= max_distance && cut.ties == kAllTies) return count;
        const std::uint16_t limit = static_cast<std::uint16_t>(cut.limit);
        std::uint32_t within = 0, at_limit = 0;
        for (std::size_t i = 0; i < count; ++i) within += distances[i] <= limit;
        if (cut.ties == kAllTies) return within;
        for (std::size_t i = 0; i < count; ++i) at_limit += distances[i] == limit;
        return within - at_limit + std::min<std::size_t>(cut.ties, at_limit);
    }

    // Puts every entry down behind those before it in its run: no branch depends on a distance. An entry waits for the one
    // before it in the same run, and runs are few: so eight parts of the list are put down at once, each with its own
    // part of every run. Positions that need not be read are worked out, because a read waits for writes whose place is
    // not known yet.
    template <bool kListed>
    void place(Row row, const std::uint32_t* positions, std::uint32_t* going, const std::uint16_t* run_of,
               std::size_t count, std::size_t first, std::uint16_t base, std::size_t runs) {
        next_.assign(kParts * runs, 0);
        std::uint32_t* next = next_.data();  // for each run, part by part
        const std::size_t length = count / kParts;
        for (std::size_t i = 0; i < length; ++i)
            for (std::size_t part = 0; part < kParts; ++part) ++next[kParts * run_of[i + part * length] + part];
        for (std::size_t i = kParts * length; i < count; ++i) ++next[kParts * run_of[i] + kParts - 1];
        std::uint32_t to = 0;
        for (std::size_t run = 0; run < runs; ++run) {
            const std::uint32_t start = to;
            for (std::size_t part = 0; part < kParts; ++part) to += std::exchange(next[kParts * run + part], to);
            if (start >= first) std::fill_n(row.distances + start, to - start, static_cast<std::int32_t>(base + run));
        }
        const auto put = [&](std::size_t i, std::size_t part) {
            row.indices[next[kParts * run_of[i] + part]++] = kListed ? positions[i] : static_cast<std::uint32_t>(i);
        };
        for (std::size_t i = 0; i < length; ++i)
            for (std::size_t part = 0; part < kParts; ++part) put(i + part * length, part);
        for (std::size_t i = kParts * length; i < count; ++i) put(i, kParts - 1);
        for (std::size_t i = 0; i < first; ++i) going[i] = static_cast<std::uint32_t>(row.indices[i]);
    }

    // The same where runs are many more than entries.
    void sort_few(Row row, Listed listed, std::uint32_t* going, const std::uint16_t* run_of, std::size_t count,
                  std::size_t first, std::uint16_t base) {
        next_.resize(count);
        for (std::size_t i = 0; i < count; ++i) next_[i] = static_cast<std::uint32_t>(run_of[i]) << 16 | static_cast<std::uint32_t>(i);
        std::sort(next_.begin(), next_.end());
        for (std::size_t i = first; i < count; ++i) {
            row.indices[i] = listed[next_[i] & 0xffff];
            row.distances[i] = static_cast<std::int32_t>(base + (next_[i] >> 16));
        }
        // Last, because `listed` may read what this writes.
        for (std::size_t i = 0; i < first; ++i) going[i] = listed[next_[i] & 0xffff];
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
    static constexpr std::size_t kParts = 8;
    bool by_stages_ = false;
    Buffer<std::uint32_t> order_, next_order_, renamed_;
    Histogram histogram_;
    std::vector<std::uint32_t> starts_, next_;
};

}  // namespace swiftreid

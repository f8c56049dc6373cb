// A full ranking in coarse-to-fine order: whoever got furthest first, then by distance, then by the tie rule.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "buffer.hpp"
#include "select.hpp"

namespace swiftreid {

struct Row {
    std::int64_t* indices;
    std::int32_t* distances;
    std::int8_t* stages;
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
    // moves the positions of those that go on to the front. Returns how many passed the cut.
    std::size_t split(Row row, std::int8_t stage, bool last, std::uint32_t* positions, const std::uint16_t* distances,
                      std::size_t count, Cut cut, std::size_t max_distance) {
        histogram_.count(distances, count, max_distance);
        const std::size_t at_limit = std::min(cut.ties, histogram_[cut.limit]);
        std::size_t passed = at_limit;
        for (std::size_t d = 0; d < cut.limit; ++d) passed += histogram_[d];
        const std::size_t going = last ? 0 : passed;
        const Cut stop = last ? Cut{0, 0} : Cut{cut.limit, at_limit};
        write_levels(row, stage, stop, going, count);
        if (by_stages_)
            place_by_stages(row.indices, positions, distances, count, stop);
        else
            place(row.indices, positions, distances, count, stop);
        return passed;
    }

private:
    // Stages and distances of those that stop, who follow `going` others: they come in runs, so nothing is scattered. Notes
    // where the run of each distance starts. Of `stop.limit`, the first `stop.ties` entries go on.
    void write_levels(Row row, std::int8_t stage, Cut stop, std::size_t going, std::size_t count) {
        std::fill(row.stages + going, row.stages + count, stage);
        starts_.resize(histogram_.bins());
        std::size_t to = going;
        for (std::size_t d = stop.limit; d < starts_.size(); ++d) {
            starts_[d] = static_cast<std::uint32_t>(to);
            const std::size_t run = histogram_[d] - (d == stop.limit ? stop.ties : 0);
            std::fill_n(row.distances + to, run, static_cast<std::int32_t>(d));
            to += run;
        }
    }

    void place(std::int64_t* indices, std::uint32_t* positions, const std::uint16_t* distances, std::size_t count,
               Cut stop) {
        std::uint32_t* starts = starts_.data();
        std::size_t next = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint32_t d = distances[i];
            if (d < stop.limit || (d == stop.limit && stop.ties > 0)) {
                stop.ties -= d == stop.limit;
                positions[next++] = positions[i];
                continue;
            }
            indices[starts[d]++] = positions[i];
        }
    }

    // The same, but entries at one distance keep the order that the stages before gave them.
    void place_by_stages(std::int64_t* indices, std::uint32_t* positions, const std::uint16_t* distances,
                         std::size_t count, Cut stop) {
        // Which entries pass is a matter of gallery order...
        std::size_t next = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const bool tie = distances[i] == stop.limit && stop.ties > 0;
            stop.ties -= tie;
            renamed_[i] = distances[i] < stop.limit || tie ? static_cast<std::uint32_t>(next++) : kStopped;
        }
        // ...and how they follow each other is not.
        going_.assign(histogram_.bins() + 1, 0);
        for (std::size_t i = 0; i < count; ++i)
            if (renamed_[i] != kStopped) ++going_[distances[i] + 1u];
        for (std::size_t d = 1; d < going_.size(); ++d) going_[d] += going_[d - 1];
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint32_t entry = order_[i];
            const std::uint16_t d = distances[entry];
            if (renamed_[entry] == kStopped)
                indices[starts_[d]++] = positions[entry];
            else
                next_order_[going_[d]++] = renamed_[entry];
        }
        for (std::size_t i = 0; i < count; ++i)
            if (renamed_[i] != kStopped) positions[renamed_[i]] = positions[i];
        order_.swap(next_order_);
    }

    static constexpr std::uint32_t kStopped = 0xffffffff;
    bool by_stages_ = false;
    Buffer<std::uint32_t> order_, next_order_, renamed_;
    std::vector<std::uint32_t> starts_, going_;
    Histogram histogram_;
};

}  // namespace swiftreid

// A full ranking in coarse-to-fine order: whoever got furthest first, then by distance, then by the tie rule.
#pragma once
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

class Ranking {
public:
    void start(std::size_t count, bool by_stages) {
        by_stages_ = by_stages;
        order_.room(count + 1);
        sorted_.room(count + 1);
        renamed_.room(count + 1);
        passes_.room(count + 1);
        for (std::size_t i = 0; i < count; ++i) order_[i] = static_cast<std::uint32_t>(i);
    }

    // Notes which of the entries that came in pass the cut; returns how many.
    std::size_t mark(const std::uint16_t* distances, std::size_t count, Cut cut) {
        std::size_t passed = 0, ties = cut.ties;
        for (std::size_t i = 0; i < count; ++i) {
            const bool tie = distances[i] == cut.limit;
            const bool pass = (distances[i] < cut.limit) | (tie & (ties > 0));
            ties -= tie & (ties > 0);
            passes_[i] = pass;
            renamed_[i] = static_cast<std::uint32_t>(passed);
            passed += pass;
        }
        return passed;
    }

    // Writes those that stop at this stage behind the `passed` places of those that go on (at the last stage all stop),
    // and moves the positions of those that go on to the front.
    void place(Row row, std::int8_t stage, bool last, std::uint32_t* positions, const std::uint16_t* distances,
               std::size_t count, std::size_t passed, std::size_t max_distance) {
        starts_.assign(max_distance + 2, 0);
        for (std::size_t i = 0; i < count; ++i) ++starts_[distances[i] + 1u];
        for (std::size_t b = 1; b < starts_.size(); ++b) starts_[b] += starts_[b - 1];
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint32_t entry = order_[i];
            sorted_[starts_[distances[entry]]++] = entry;
        }
        std::size_t to = last ? 0 : passed, next = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint32_t entry = sorted_[i];
            if (!last && passes_[entry]) {
                order_[next] = by_stages_ ? renamed_[entry] : static_cast<std::uint32_t>(next);
                ++next;
                continue;
            }
            row.indices[to] = positions[entry];
            row.distances[to] = distances[entry];
            row.stages[to++] = stage;
        }
        if (last) return;
        for (std::size_t i = 0; i < count; ++i)
            if (passes_[i]) positions[renamed_[i]] = positions[i];
    }

private:
    bool by_stages_ = false;
    Buffer<std::uint32_t> order_, sorted_, renamed_;
    Buffer<std::uint8_t> passes_;
    std::vector<std::uint32_t> starts_;
};

}  // namespace swiftreid

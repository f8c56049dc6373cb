// The last stage by float embeddings: few entries, so they are simply sorted.
#pragma once
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "buffer.hpp"
#include "cascade.hpp"

namespace swiftreid {

class ByEmbedding {
public:
    // Measures the entries at ascending `positions`, and sorts the `most` closest by distance, then position.
    void sort(const Kernel& kernel, const StagePlan& stage, std::size_t query, const std::uint32_t* positions,
              std::size_t count, std::size_t most) {
        float* distances = distances_.room(count + 1);
        std::size_t done = 0;
        for (const Segment& segment : stage.segments) {
            const std::size_t stop = static_cast<std::size_t>(
                std::lower_bound(positions + done, positions + count, std::uint64_t{segment.first} + segment.count) -
                positions);
            if (stop > done)
                kernel.cosine(segment.rows, stage.rows == Rows::halves, stage.size(), positions + done, stop - done,
                              segment.first, stage.vector(query), distances + done);
            done = stop;
        }
        // Bits of floats that are not negative are in order as whole numbers.
        keys_.resize(count);
        for (std::size_t i = 0; i < count; ++i)
            keys_[i] = std::uint64_t{std::bit_cast<std::uint32_t>(distances[i])} << 32 | positions[i];
        const auto end = keys_.begin() + static_cast<std::ptrdiff_t>(std::min(most, count));
        std::partial_sort(keys_.begin(), end, keys_.end());
    }

    std::uint32_t position(std::size_t place) const { return static_cast<std::uint32_t>(keys_[place]); }
    std::int32_t distance(std::size_t place) const { return static_cast<std::int32_t>(keys_[place] >> 32); }

private:
    Buffer<float> distances_;
    std::vector<std::uint64_t> keys_;
};

}  // namespace swiftreid

// Which entries may be found: all, or those whose bit is set.
#pragma once
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "buffer.hpp"

namespace swiftreid {

class Live {
public:
    Live(const std::uint8_t* bitmap, std::size_t entries) : bitmap_(bitmap), entries_(entries), count_(entries) {
        if (!bitmap) return;
        for (std::size_t at = 0; at < entries; at += 64) {
            std::uint64_t word = 0;
            const std::size_t bytes = (std::min<std::size_t>(64, entries - at) + 7) / 8;
            for (std::size_t b = 0; b < bytes; ++b) word |= static_cast<std::uint64_t>(bitmap[at / 8 + b]) << (8 * b);
            if (entries - at < 64) word &= (std::uint64_t{1} << (entries - at)) - 1;
            for (; word; word &= word - 1)
                list_.push_back(static_cast<std::uint32_t>(at + static_cast<std::size_t>(std::countr_zero(word))));
        }
        count_ = list_.size();
    }

    std::size_t count() const { return count_; }
    bool everything() const { return !bitmap_; }
    bool has(std::uint32_t position) const { return bitmap_[position >> 3] >> (position & 7) & 1; }

    // Reading every row in order beats fetching rows one by one unless few are live.
    bool scan_all() const { return !bitmap_ || count_ > entries_ / 8; }

    // Ascending live positions; null when everything is live.
    const std::uint32_t* list() const { return bitmap_ ? list_.data() : nullptr; }

    void copy_to(Buffer<std::uint32_t>& positions) const {
        std::uint32_t* out = positions.room(count_ + 1);
        if (!bitmap_)
            for (std::size_t i = 0; i < count_; ++i) out[i] = static_cast<std::uint32_t>(i);
        else if (count_)
            std::memcpy(out, list_.data(), count_ * sizeof(std::uint32_t));
    }

    // Keeps the live ones of ascending positions, in place; returns how many.
    std::size_t drop_dead(std::uint32_t* positions, std::size_t count) const {
        std::size_t kept = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint32_t position = positions[i];
            positions[kept] = position;
            kept += has(position);
        }
        return kept;
    }

private:
    const std::uint8_t* bitmap_;
    std::size_t entries_, count_;
    std::vector<std::uint32_t> list_;
};

}  // namespace swiftreid

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
    // Positions are listed if few entries are live or `listed` asks for it; for most searches of a gallery with some
    // deletions the bits are enough, and listing half a million positions would take longer than the search.
    Live(const std::uint8_t* bitmap, std::size_t entries, bool listed)
        : bitmap_(bitmap), entries_(entries), count_(entries) {
        if (!bitmap) return;
        count_ = 0;
        for (std::size_t at = 0; at < entries; at += 64) count_ += static_cast<std::size_t>(std::popcount(word(at)));
        if (scan_all() && !listed) return;
        list_.reserve(count_);
        for (std::size_t at = 0; at < entries; at += 64)
            for (std::uint64_t bits = word(at); bits; bits &= bits - 1)
                list_.push_back(static_cast<std::uint32_t>(at + static_cast<std::size_t>(std::countr_zero(bits))));
    }

    std::size_t count() const { return count_; }
    bool everything() const { return !bitmap_; }
    bool has(std::uint32_t position) const { return bitmap_[position >> 3] >> (position & 7) & 1; }

    // Reading every row in order beats fetching rows one by one unless few are live.
    bool scan_all() const { return !bitmap_ || count_ > entries_ / 8; }

    // Ascending live positions, where they were listed; null when everything is live.
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
    // The bits of the 64 entries from `at` on, without any past the end.
    std::uint64_t word(std::size_t at) const {
        const std::size_t left = std::min<std::size_t>(64, entries_ - at);
        std::uint64_t bits = 0;
        if (std::endian::native == std::endian::little && left == 64) {
            std::memcpy(&bits, bitmap_ + at / 8, 8);
            return bits;
        }
        for (std::size_t b = 0; b < (left + 7) / 8; ++b)
            bits |= static_cast<std::uint64_t>(bitmap_[at / 8 + b]) << (8 * b);
        return left < 64 ? bits & ((std::uint64_t{1} << left) - 1) : bits;
    }

    const std::uint8_t* bitmap_;
    std::size_t entries_, count_;
    std::vector<std::uint32_t> list_;
};

}  // namespace swiftreid

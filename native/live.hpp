// Which entries may be found: all, or those whose bit is set.
#pragma once
#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "buffer.hpp"

namespace swiftreid {

class Live {
public:
    Live(const std::uint8_t* bitmap, std::size_t entries) : bitmap_(bitmap), entries_(entries) {}

    bool everything() const { return !bitmap_; }
    bool has(std::uint32_t position) const { return !bitmap_ || (bitmap_[position >> 3] >> (position & 7) & 1); }

    // The bits of the 64 entries from `at` on, none past the last entry.
    std::uint64_t word(std::size_t at) const {
        const std::size_t left = entries_ - at;
        std::uint64_t bits = ~std::uint64_t{0};
        if (bitmap_) {
            const std::uint8_t* from = bitmap_ + at / 8;
            const std::size_t bytes = (entries_ + 7) / 8 - at / 8, shift = at % 8;
            bits = 0;
            if (std::endian::native == std::endian::little && bytes >= 8)
                std::memcpy(&bits, from, 8);
            else
                for (std::size_t b = 0; b < std::min<std::size_t>(bytes, 8); ++b)
                    bits |= static_cast<std::uint64_t>(from[b]) << (8 * b);
            if (shift) bits = bits >> shift | (bytes > 8 ? static_cast<std::uint64_t>(from[8]) << (64 - shift) : 0);
        }
        return left < 64 ? bits & ((std::uint64_t{1} << left) - 1) : bits;
    }

    // How many of the `count` entries from `at` on.
    std::size_t count(std::size_t at, std::size_t count) const {
        if (!bitmap_) return count;
        std::size_t live = 0;
        for (std::size_t i = 0; i < count; i += 64) live += static_cast<std::size_t>(std::popcount(part(at, i, count)));
        return live;
    }

    // Writes their positions, ascending; returns how many.
    std::size_t list(std::size_t at, std::size_t count, std::uint32_t* out) const {
        std::uint32_t* end = out;
        for (std::size_t i = 0; i < count; i += 64)
            for (std::uint64_t bits = part(at, i, count); bits; bits &= bits - 1)
                *end++ = static_cast<std::uint32_t>(at + i) + static_cast<std::uint32_t>(std::countr_zero(bits));
        return static_cast<std::size_t>(end - out);
    }

    // Those of the 64 entries from at + i on that lie before at + count.
    std::uint64_t part(std::size_t at, std::size_t i, std::size_t count) const {
        const std::uint64_t bits = word(at + i);
        return count - i < 64 ? bits & ((std::uint64_t{1} << (count - i)) - 1) : bits;
    }

private:
    const std::uint8_t* bitmap_;
    std::size_t entries_;
};

}  // namespace swiftreid

// Rows to bit planes and to samples (see kernel.hpp): bits are turned in squares of 8 entries by 8 bits.
#include <cstring>
#include <vector>

#include "kernel.hpp"

namespace swiftreid {
namespace {

// Byte i holds bits of entry i; afterwards byte b holds bit b of all eight entries (Hacker's Delight, section 7-3).
inline std::uint64_t turn(std::uint64_t x) {
    std::uint64_t t = (x ^ (x >> 7)) & 0x00AA00AA00AA00AAULL;
    x ^= t ^ (t << 7);
    t = (x ^ (x >> 14)) & 0x0000CCCC0000CCCCULL;
    x ^= t ^ (t << 14);
    t = (x ^ (x >> 28)) & 0x00000000F0F0F0F0ULL;
    return x ^ t ^ (t << 28);
}

}  // namespace

void slice(const std::uint8_t* rows, std::size_t count, std::size_t row_bytes, std::uint8_t* planes) {
    constexpr std::size_t line = kBlock / 8;
    for (std::size_t first = 0; first < count; first += kBlock, planes += kBlock * row_bytes) {
        const std::size_t entries = count - first < kBlock ? count - first : kBlock;
        if (entries < kBlock) std::memset(planes, 0, kBlock * row_bytes);
        for (std::size_t eight = 0; eight < entries; eight += 8) {
            const std::uint8_t* row = rows + (first + eight) * row_bytes;
            const std::size_t some = entries - eight < 8 ? entries - eight : 8;
            for (std::size_t byte = 0; byte < row_bytes; ++byte) {
                std::uint64_t square = 0;
                for (std::size_t i = 0; i < some; ++i)
                    square |= static_cast<std::uint64_t>(row[i * row_bytes + byte]) << (8 * i);
                square = turn(square);
                std::uint8_t* to = planes + byte * 8 * line + eight / 8;
                for (std::size_t bit = 0; bit < 8; ++bit)
                    to[bit * line] = static_cast<std::uint8_t>(square >> (8 * bit));
            }
        }
    }
}

namespace {

// Many rows: what is chosen of each byte is looked up, for every value that it may have, instead of bit by bit.
void pick_by_table(const std::uint8_t* rows, std::size_t count, std::size_t row_bytes, const std::uint16_t* chosen,
                   std::size_t out_bytes, std::uint8_t* out) {
    std::vector<std::uint8_t> table(256 * row_bytes), widths(row_bytes);
    for (std::size_t i = 0; i < 8 * out_bytes; ++i) {
        const std::size_t byte = chosen[i] / 8;
        for (std::size_t value = 0; value < 256; ++value)
            table[256 * byte + value] |= static_cast<std::uint8_t>((value >> (chosen[i] % 8) & 1u) << widths[byte]);
        ++widths[byte];
    }
    for (const std::uint8_t* row = rows; row < rows + count * row_bytes; row += row_bytes) {
        std::uint64_t waiting = 0;  // bits that do not make a byte yet
        unsigned width = 0;
        for (std::size_t byte = 0; byte < row_bytes; ++byte) {
            waiting |= std::uint64_t{table[256 * byte + row[byte]]} << width;
            width += widths[byte];
            for (; width >= 8; width -= 8, waiting >>= 8) *out++ = static_cast<std::uint8_t>(waiting);
        }
    }
}

}  // namespace

void pick(const std::uint8_t* rows, std::size_t count, std::size_t row_bytes, const std::uint16_t* chosen,
          std::size_t out_bytes, std::uint8_t* out) {
    if (count >= 1024) return pick_by_table(rows, count, row_bytes, chosen, out_bytes, out);
    for (const std::uint8_t* row = rows; row < rows + count * row_bytes; row += row_bytes)
        for (std::size_t byte = 0; byte < out_bytes; ++byte) {
            unsigned bits = 0;
            for (std::size_t i = 0; i < 8; ++i) {
                const std::size_t bit = chosen[8 * byte + i];
                bits |= (row[bit / 8] >> (bit % 8) & 1u) << i;
            }
            *out++ = static_cast<std::uint8_t>(bits);
        }
}

}  // namespace swiftreid

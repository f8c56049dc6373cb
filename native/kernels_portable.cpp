// The kernel that runs everywhere: 64-bit words and std::popcount.
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel.hpp"

namespace swiftreid {
namespace {

static inline unsigned popcount(std::uint64_t word) { return static_cast<unsigned>(std::popcount(word)); }

#include "rows.hpp"

void scan(const std::uint8_t* rows, std::size_t count, std::size_t row_bytes, const std::uint8_t* query,
          std::uint16_t* out) {
    switch (row_bytes) {
        case 4: return scan_rows<Row4>(rows, count, row_bytes, query, out);
        case 16: return scan_rows<FixedRow<2>>(rows, count, row_bytes, query, out);
        default: return scan_rows<AnyRow>(rows, count, row_bytes, query, out);
    }
}

void gather(const std::uint8_t* rows, const std::uint32_t* positions, std::size_t count, std::uint32_t base,
            std::size_t row_bytes, const std::uint8_t* query, std::uint16_t* out) {
    switch (row_bytes) {
        case 4: return gather_rows<Row4>(rows, positions, count, base, row_bytes, query, out);
        case 16: return gather_rows<FixedRow<2>>(rows, positions, count, base, row_bytes, query, out);
        default: return gather_rows<AnyRow>(rows, positions, count, base, row_bytes, query, out);
    }
}

std::size_t within(const std::uint8_t* rows, std::size_t count, std::size_t row_bytes, const std::uint8_t* query,
                   std::uint32_t limit, std::uint32_t first, std::uint32_t* out) {
    if (row_bytes == 4) return rows_within<Row4>(rows, count, row_bytes, query, limit, first, out);
    return rows_within<AnyRow>(rows, count, row_bytes, query, limit, first, out);
}

constexpr Kernel kPortable{"portable", scan, gather, within};

}  // namespace

const Kernel* portable_kernel() { return &kPortable; }

}  // namespace swiftreid

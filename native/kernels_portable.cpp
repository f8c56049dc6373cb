// The kernel that runs everywhere: 64-bit words and std::popcount.
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel.hpp"

namespace swiftreid {
namespace {

static inline unsigned popcount(std::uint64_t word) { return static_cast<unsigned>(std::popcount(word)); }
static inline unsigned trailing_zeros(std::uint64_t word) { return static_cast<unsigned>(std::countr_zero(word)); }
#if defined(__GNUC__)
typedef std::uint64_t Vector __attribute__((vector_size(16)));
#else
typedef std::uint64_t Vector;
#endif

#include "rows.hpp"
#include "sliced.hpp"
#include "vectors.hpp"

#if defined(__GNUC__)
// Counting in pairs, fours and bytes of bits, for whole vectors at once: many processors that this is compiled for can
// count bits, but it must run on those that can't.
template <std::size_t Vectors>  // rows of Vectors x 16 bytes, at most 31 (byte sums stay below 256)
struct VectorRow {
    static constexpr std::size_t bytes(std::size_t) { return Vectors * 16; }
    static inline unsigned distance(const std::uint8_t* row, const std::uint8_t* query, std::size_t) {
        constexpr std::uint64_t pairs = 0x5555555555555555, fours = 0x3333333333333333, bytes = 0x0f0f0f0f0f0f0f0f;
        Vector sum{};
        for (std::size_t v = 0; v < Vectors; ++v) {
            Vector x = load_plane(row + 16 * v) ^ load_plane(query + 16 * v);
            x -= (x >> 1) & pairs;
            x = (x & fours) + ((x >> 2) & fours);
            sum += (x + (x >> 4)) & bytes;
        }
        sum = (sum & 0x00ff00ff00ff00ff) + ((sum >> 8) & 0x00ff00ff00ff00ff);
        return static_cast<unsigned>((sum[0] + sum[1]) * 0x0001000100010001 >> 48);
    }
};
#endif

template <class Call>
auto with_row(std::size_t row_bytes, Call call) {
    switch (row_bytes) {
        case 4: return call(Row4{});
        case 8: return call(FixedRow<1>{});
        case 12: return call(OddRow<1>{});
        case 20: return call(OddRow<2>{});
        case 24: return call(FixedRow<3>{});
#if defined(__GNUC__)
        case 16: return call(VectorRow<1>{});
        case 32: return call(VectorRow<2>{});
        case 64: return call(VectorRow<4>{});
        case 128: return call(VectorRow<8>{});
        case 256: return call(VectorRow<16>{});
#endif
        default: return call(AnyRow{});
    }
}

#include "row_loops.hpp"

constexpr Kernel kPortable{"portable", scan,      gather, gather_within, rows_within, within, within_weighted, digits,
                           zeros,      sums_size, sum,    within_sums,   collect,     below,  cosine,          nullptr};

}  // namespace

const Kernel* portable_kernel() { return &kPortable; }

}  // namespace swiftreid

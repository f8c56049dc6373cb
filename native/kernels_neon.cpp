// The NEON kernel (64-bit ARM).
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel.hpp"

#if defined(__aarch64__) && defined(__ARM_NEON) && defined(__GNUC__)
#include <arm_neon.h>

namespace swiftreid {
namespace {

static inline unsigned popcount(std::uint64_t word) { return static_cast<unsigned>(__builtin_popcountll(word)); }
static inline unsigned trailing_zeros(std::uint64_t word) {
    return word ? static_cast<unsigned>(__builtin_ctzll(word)) : 64;
}
typedef std::uint64_t Vector __attribute__((vector_size(16)));

#include "rows.hpp"
#include "sliced.hpp"
#include "vectors.hpp"

template <int Vectors>  // rows of Vectors x 16 bytes, at most 31 (byte sums stay below 256)
struct VectorRow {
    static constexpr std::size_t bytes(std::size_t) { return Vectors * 16; }
    static inline unsigned distance(const std::uint8_t* row, const std::uint8_t* query, std::size_t) {
        uint8x16_t sum = vdupq_n_u8(0);
        for (int v = 0; v < Vectors; ++v)
            sum = vaddq_u8(sum, vcntq_u8(veorq_u8(vld1q_u8(row + 16 * v), vld1q_u8(query + 16 * v))));
        return vaddlvq_u8(sum);
    }
};

template <class Call>
auto with_row(std::size_t row_bytes, Call call) {
    switch (row_bytes) {
        case 4: return call(Row4{});
        case 8: return call(FixedRow<1>{});
        case 12: return call(OddRow<1>{});
        case 16: return call(VectorRow<1>{});
        case 20: return call(OddRow<2>{});
        case 24: return call(FixedRow<3>{});
        case 32: return call(VectorRow<2>{});
        case 64: return call(VectorRow<4>{});
        case 128: return call(VectorRow<8>{});
        case 256: return call(VectorRow<16>{});
        default: return call(AnyRow{});
    }
}

#include "row_loops.hpp"

constexpr Kernel kNeon{"neon", scan,      gather, gather_within, rows_within, within, within_weighted, digits,
                       zeros,  sums_size, sum,    within_sums,   collect,     below,  cosine,          nullptr};

}  // namespace

const Kernel* neon_kernel_if_compiled() { return &kNeon; }

}  // namespace swiftreid

#else

namespace swiftreid {
const Kernel* neon_kernel_if_compiled() { return nullptr; }
}  // namespace swiftreid

#endif

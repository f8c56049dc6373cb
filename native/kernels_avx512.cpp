// The AVX-512 kernel, for processors that count the bits of whole vectors (VPOPCNTDQ). Compiled with those switched on
// for this file alone, so it includes nothing that has inline code which the linker could share with other files.
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel.hpp"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512VL__) && defined(__AVX512VPOPCNTDQ__)
#include <immintrin.h>

namespace swiftreid {
namespace {

static inline unsigned popcount(std::uint64_t word) { return static_cast<unsigned>(__builtin_popcountll(word)); }
static inline unsigned trailing_zeros(std::uint64_t word) { return static_cast<unsigned>(_tzcnt_u64(word)); }
typedef std::uint64_t Vector __attribute__((vector_size(64)));

#include "rows.hpp"
#include "sliced.hpp"
#include "vectors.hpp"

template <int Vectors>  // rows of Vectors x 64 bytes
struct WideRow {
    static constexpr std::size_t bytes(std::size_t) { return Vectors * 64; }
    static inline unsigned distance(const std::uint8_t* row, const std::uint8_t* query, std::size_t) {
        __m512i sum = _mm512_setzero_si512();
        for (int v = 0; v < Vectors; ++v)
            sum = _mm512_add_epi64(sum, _mm512_popcnt_epi64(_mm512_xor_si512(_mm512_loadu_si512(row + 64 * v),
                                                                             _mm512_loadu_si512(query + 64 * v))));
        return static_cast<unsigned>(_mm512_reduce_add_epi64(sum));
    }
};

void scan4(const std::uint8_t* rows, std::size_t count, const std::uint8_t* query, std::uint16_t* out) {
    std::int32_t word;
    std::memcpy(&word, query, 4);
    const __m512i q = _mm512_set1_epi32(word);
    std::size_t i = 0;
    for (; i + 16 <= count; i += 16) {
        const __m512i distances = _mm512_popcnt_epi32(_mm512_xor_si512(_mm512_loadu_si512(rows + 4 * i), q));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), _mm512_cvtepi32_epi16(distances));
    }
    scan_rows<Row4>(rows + 4 * i, count - i, 4, query, out + i);
}

template <class Call>
auto with_row(std::size_t row_bytes, Call call) {
    switch (row_bytes) {
        case 4: return call(Row4{});
        case 8: return call(FixedRow<1>{});
        case 12: return call(OddRow<1>{});
        case 16: return call(FixedRow<2>{});
        case 20: return call(OddRow<2>{});
        case 24: return call(FixedRow<3>{});
        case 32: return call(FixedRow<4>{});
        case 64: return call(WideRow<1>{});
        case 128: return call(WideRow<2>{});
        case 256: return call(WideRow<4>{});
        case 512: return call(WideRow<8>{});
        default: return call(AnyRow{});
    }
}

#include "row_loops.hpp"

void scan_all(const std::uint8_t* rows, std::size_t count, std::size_t row_bytes, const std::uint8_t* query,
              std::uint16_t* out) {
    if (row_bytes == 4) return scan4(rows, count, query, out);
    scan(rows, count, row_bytes, query, out);
}

void rows_within_all(const std::uint8_t* rows, std::size_t count, std::size_t row_bytes, const std::uint8_t* query,
                     std::uint32_t limit, std::uint64_t* words) {
    if (row_bytes != 4) return rows_within(rows, count, row_bytes, query, limit, words);
    std::int32_t word;
    std::memcpy(&word, query, 4);
    const __m512i q = _mm512_set1_epi32(word), most = _mm512_set1_epi32(static_cast<int>(limit < 32 ? limit : 32));
    const auto look = [&](const std::uint8_t* some) {
        const __m512i distances = _mm512_popcnt_epi32(_mm512_xor_si512(_mm512_loadu_si512(some), q));
        return _mm512_cmple_epi32_mask(distances, most);
    };
    std::size_t i = 0;
    for (; i + 64 <= count; i += 64) {
        const std::uint8_t* some = rows + 4 * i;
        // Masks are put together as masks: where GCC 12 spills one that is made a wider number, it writes 16 bits and reads
        // back 64.
        words[i / 64] = _mm512_kunpackd(_mm512_kunpackw(look(some + 192), look(some + 128)),
                                        _mm512_kunpackw(look(some + 64), look(some)));
    }
    rows_within(rows + 4 * i, count - i, 4, query, limit, words + i / 64);
}

constexpr Kernel kAlone{"avx512", scan_all,  gather, gather_within, rows_within_all, within, within_weighted, digits,
                        zeros,    sums_size, sum,    within_sums,   collect,         below,  cosine,          nullptr};

}  // namespace

const Kernel* avx2_kernel_if_compiled();

// Many queries look at a tile as AVX2 has it: adding planes up for all of them is several times as quick as counting the
// bits of one row after the other, be it with VPOPCNTDQ. Whoever has AVX-512 has AVX2.
const Kernel* avx512_kernel_if_compiled() {
    static const Kernel kernel = [] {
        Kernel with = kAlone;
        if (const Kernel* avx2 = avx2_kernel_if_compiled()) with.many = avx2->many;
        return with;
    }();
    return &kernel;
}

}  // namespace swiftreid

#else

namespace swiftreid {
const Kernel* avx512_kernel_if_compiled() { return nullptr; }
}  // namespace swiftreid

#endif

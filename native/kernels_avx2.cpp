// The AVX2 kernel. Compiled with AVX2 switched on for this file alone, so it includes nothing that has inline code
// which the linker could share with other files.
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel.hpp"

#if defined(__AVX2__) && defined(__BMI__) && defined(__POPCNT__)
#include <immintrin.h>

namespace swiftreid {
namespace {

static inline unsigned popcount(std::uint64_t word) { return static_cast<unsigned>(__builtin_popcountll(word)); }
static inline unsigned trailing_zeros(std::uint64_t word) { return static_cast<unsigned>(_tzcnt_u64(word)); }
typedef std::uint64_t Vector __attribute__((vector_size(32)));

#include "rows.hpp"
#include "sliced.hpp"
#include "vectors.hpp"

// Bits set in each byte, by looking up both nibbles.
inline __m256i byte_counts(__m256i v) {
    const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4,  //
                                           0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
    const __m256i low = _mm256_set1_epi8(15);
    const __m256i a = _mm256_shuffle_epi8(table, _mm256_and_si256(v, low));
    const __m256i b = _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(v, 4), low));
    return _mm256_add_epi8(a, b);
}

inline __m256i load(const std::uint8_t* at) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at)); }

template <int Vectors>  // rows of Vectors x 32 bytes, at most 31 (byte sums stay below 256)
struct VectorRow {
    static constexpr std::size_t bytes(std::size_t) { return Vectors * 32; }
    static inline unsigned distance(const std::uint8_t* row, const std::uint8_t* query, std::size_t) {
        __m256i sum = _mm256_setzero_si256();
        for (int v = 0; v < Vectors; ++v)
            sum = _mm256_add_epi8(sum, byte_counts(_mm256_xor_si256(load(row + 32 * v), load(query + 32 * v))));
        const __m256i wide = _mm256_sad_epu8(sum, _mm256_setzero_si256());
        const __m128i half = _mm_add_epi64(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
        return static_cast<unsigned>(_mm_cvtsi128_si64(half) + _mm_extract_epi64(half, 1));
    }
};

// 2048 bits: eight vectors are added up to planes of ones, twos and fours before anything is looked up (see sliced.hpp).
template <>
inline unsigned VectorRow<8>::distance(const std::uint8_t* row, const std::uint8_t* query, std::size_t) {
    const auto differ = [&](int v) { return (Vector)_mm256_xor_si256(load(row + 32 * v), load(query + 32 * v)); };
    const auto counts = [](Vector v) { return byte_counts((__m256i)v); };
    Vector ones = differ(0), a, b, c, fours;
    add(ones, differ(1), differ(2), a);
    add(ones, differ(3), differ(4), b);
    add(ones, differ(5), differ(6), c);
    add(a, b, c, fours);
    __m256i sum = counts(fours);
    sum = _mm256_add_epi8(counts(a), _mm256_add_epi8(sum, sum));
    sum = _mm256_add_epi8(_mm256_add_epi8(counts(ones), counts(differ(7))), _mm256_add_epi8(sum, sum));
    const __m256i wide = _mm256_sad_epu8(sum, _mm256_setzero_si256());
    const __m128i half = _mm_add_epi64(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
    return static_cast<unsigned>(_mm_cvtsi128_si64(half) + _mm_extract_epi64(half, 1));
}

// Distances of 32 rows of 4 bytes, as bytes, in order.
inline __m256i distances_of_32(const std::uint8_t* rows, __m256i query) {
    const __m256i ones = _mm256_set1_epi8(1);
    __m256i pairs[4];
    for (int v = 0; v < 4; ++v)
        pairs[v] = _mm256_maddubs_epi16(byte_counts(_mm256_xor_si256(load(rows + 32 * v), query)), ones);
    const __m256i ab = _mm256_hadd_epi16(pairs[0], pairs[1]);
    const __m256i cd = _mm256_hadd_epi16(pairs[2], pairs[3]);
    // hadd and pack work in 128-bit lanes; the permutation brings groups of four rows back in order.
    return _mm256_permutevar8x32_epi32(_mm256_packus_epi16(ab, cd), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

inline __m256i broadcast4(const std::uint8_t* query) {
    std::int32_t word;
    std::memcpy(&word, query, 4);
    return _mm256_set1_epi32(word);
}

void scan4(const std::uint8_t* rows, std::size_t count, const std::uint8_t* query, std::uint16_t* out) {
    const __m256i q = broadcast4(query);
    std::size_t i = 0;
    for (; i + 32 <= count; i += 32) {
        const __m256i d = distances_of_32(rows + 4 * i, q);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), _mm256_cvtepu8_epi16(_mm256_castsi256_si128(d)));
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i + 16),
                            _mm256_cvtepu8_epi16(_mm256_extracti128_si256(d, 1)));
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
        case 32: return call(VectorRow<1>{});
        case 64: return call(VectorRow<2>{});
        case 128: return call(VectorRow<4>{});
        case 256: return call(VectorRow<8>{});
        case 512: return call(VectorRow<16>{});
        default: return call(AnyRow{});
    }
}

#include "row_loops.hpp"
#include "many.hpp"

void scan_all(const std::uint8_t* rows, std::size_t count, std::size_t row_bytes, const std::uint8_t* query,
              std::uint16_t* out) {
    if (row_bytes == 4) return scan4(rows, count, query, out);
    scan(rows, count, row_bytes, query, out);
}

void rows_within_all(const std::uint8_t* rows, std::size_t count, std::size_t row_bytes, const std::uint8_t* query,
                     std::uint32_t limit, std::uint64_t* words) {
    if (row_bytes != 4) return rows_within(rows, count, row_bytes, query, limit, words);
    const __m256i q = broadcast4(query), most = _mm256_set1_epi8(static_cast<char>(limit < 32 ? limit : 32));
    const auto look = [&](const std::uint8_t* some) {
        const __m256i beyond = _mm256_cmpgt_epi8(distances_of_32(some, q), most);
        return static_cast<std::uint64_t>(static_cast<std::uint32_t>(~_mm256_movemask_epi8(beyond)));
    };
    std::size_t i = 0;
    for (; i + 64 <= count; i += 64) words[i / 64] = look(rows + 4 * i) | look(rows + 4 * (i + 32)) << 32;
    rows_within(rows + 4 * i, count - i, 4, query, limit, words + i / 64);
}

constexpr Many kMany{[](std::size_t row_bytes) { return slabs_of(row_bytes) * kTriples; }, patterns_of,
                     nearer_workspace, nearer};
constexpr Kernel kAvx2{"avx2", scan_all,  gather, gather_within, rows_within_all, within, within_weighted, digits,
                       zeros,  sums_size, sum,    within_sums,   collect,         below,  cosine,          &kMany};

}  // namespace

const Kernel* avx2_kernel_if_compiled() { return &kAvx2; }

}  // namespace swiftreid

#else

namespace swiftreid {
const Kernel* avx2_kernel_if_compiled() { return nullptr; }
}  // namespace swiftreid

#endif

// The loops of a kernel, written once over a row-distance function. Included by each kernels_*.cpp, inside its
// own anonymous namespace: code compiled for one instruction set must never be merged with another's by the linker.
//
// Needs, before inclusion: <cstddef>, <cstdint>, <cstring>, `popcount(std::uint64_t)` and `trailing_zeros(std::uint64_t)`,
// which is 64 for nothing.

template <std::size_t Words>  // rows of Words x 8 bytes
struct FixedRow {
    static constexpr std::size_t bytes(std::size_t) { return Words * 8; }
    static inline unsigned distance(const std::uint8_t* row, const std::uint8_t* query, std::size_t) {
        unsigned sum = 0;
        for (std::size_t w = 0; w < Words; ++w) {
            std::uint64_t a, b;
            std::memcpy(&a, row + 8 * w, 8);
            std::memcpy(&b, query + 8 * w, 8);
            sum += popcount(a ^ b);
        }
        return sum;
    }
};

struct Row4 {
    static constexpr std::size_t bytes(std::size_t) { return 4; }
    static inline unsigned distance(const std::uint8_t* row, const std::uint8_t* query, std::size_t) {
        std::uint32_t a, b;
        std::memcpy(&a, row, 4);
        std::memcpy(&b, query, 4);
        return popcount(a ^ b);
    }
};

template <std::size_t Words>  // rows of Words x 8 + 4 bytes, as attributes often have
struct OddRow {
    static constexpr std::size_t bytes(std::size_t) { return Words * 8 + 4; }
    static inline unsigned distance(const std::uint8_t* row, const std::uint8_t* query, std::size_t) {
        return FixedRow<Words>::distance(row, query, 0) + Row4::distance(row + 8 * Words, query + 8 * Words, 0);
    }
};

struct AnyRow {  // any multiple of 4 bytes
    static std::size_t bytes(std::size_t row_bytes) { return row_bytes; }
    static inline unsigned distance(const std::uint8_t* row, const std::uint8_t* query, std::size_t row_bytes) {
        unsigned sum = 0;
        std::size_t at = 0;
        for (; at + 8 <= row_bytes; at += 8) {
            std::uint64_t a, b;
            std::memcpy(&a, row + at, 8);
            std::memcpy(&b, query + at, 8);
            sum += popcount(a ^ b);
        }
        if (at < row_bytes) sum += Row4::distance(row + at, query + at, 4);
        return sum;
    }
};

constexpr std::size_t kScanAhead = 1024;  // bytes
constexpr std::size_t kStreams = 4;  // that a long scan reads side by side...
constexpr std::size_t kStreamBytes = 16384;  // ...where each is so long at least

// A macro: GCC takes a function that does nothing but prefetch for one without effect, and drops its calls.
#if defined(__GNUC__)
#define SWIFTREID_PREFETCH(at) __builtin_prefetch(at)
#if defined(__AVX512F__)
// Xeons of the Sapphire Rapids kind read several times as slowly with the hint that rows are wanted once.
#define SWIFTREID_PREFETCH_ONCE(at) __builtin_prefetch(at)
#else
#define SWIFTREID_PREFETCH_ONCE(at) __builtin_prefetch(at, 0, 0)
#endif
#else
#define SWIFTREID_PREFETCH(at) (void)(at)
#define SWIFTREID_PREFETCH_ONCE(at) (void)(at)
#endif

template <class Row>
void scan_rows(const std::uint8_t* rows, std::size_t count, std::size_t row_bytes, const std::uint8_t* query,
               std::uint16_t* out) {
    const std::size_t step = Row::bytes(row_bytes);
    const auto look = [&](std::size_t i) {
        out[i] = static_cast<std::uint16_t>(Row::distance(rows + i * step, query, step));
    };
    std::size_t done = 0;
    // One stream of reads meets a memory page after the other, and with it one memory channel after the other: four far
    // apart are quicker. Long rows leave the processor's own prefetching behind; it does not mind addresses past
    // the end. They are wanted once, and need not push anything else out of the caches.
    const std::size_t length = count / kStreams;
    if (step >= 64 && length * step >= kStreamBytes) {
        for (std::size_t i = 0; i < length; ++i)
            for (std::size_t s = 0; s < kStreams; ++s) {
                const std::uint8_t* row = rows + (s * length + i) * step;
                for (std::size_t line = 0; line < step; line += 64) SWIFTREID_PREFETCH_ONCE(row + kScanAhead + line);
                look(s * length + i);
            }
        done = kStreams * length;
    }
    for (std::size_t i = done; i < count; ++i) look(i);
}

template <class Row>
void gather_rows(const std::uint8_t* rows, const std::uint32_t* positions, std::size_t count, std::uint32_t base,
                 std::size_t row_bytes, const std::uint8_t* query, std::uint16_t* out) {
    const std::size_t step = Row::bytes(row_bytes);
    // Far enough to hide a DRAM read, near enough that long rows do not push each other out of the first cache.
    const std::size_t ahead = step <= 64 ? 24 : 8;
    const auto row = [&](std::size_t i) { return rows + static_cast<std::size_t>(positions[i] - base) * step; };
    for (std::size_t i = 0; i < ahead && i < count; ++i)
        for (std::size_t line = 0; line < step; line += 64) SWIFTREID_PREFETCH(row(i) + line);
    std::size_t i = 0;
    for (; i + ahead < count; ++i) {
        for (std::size_t line = 0; line < step; line += 64) SWIFTREID_PREFETCH(row(i + ahead) + line);
        out[i] = static_cast<std::uint16_t>(Row::distance(row(i), query, step));
    }
    for (; i < count; ++i) out[i] = static_cast<std::uint16_t>(Row::distance(row(i), query, step));
}

constexpr std::size_t kCompared = 32;

// For each of kCompared distances a bit: whether it is <= limit.
inline std::uint32_t compare(const std::uint16_t* distances, std::uint32_t limit) {
#if defined(__AVX512BW__)
    return _mm512_cmple_epu16_mask(_mm512_loadu_si512(distances), _mm512_set1_epi16(static_cast<short>(limit)));
#elif defined(__AVX2__)
    const __m256i most = _mm256_set1_epi16(static_cast<short>(limit));
    const auto within = [&](const std::uint16_t* at) {
        const __m256i some = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
        return _mm256_cmpeq_epi16(_mm256_min_epu16(some, most), some);
    };
    const __m256i bytes = _mm256_packs_epi16(within(distances), within(distances + 16));  // in lanes of 128 bits
    return static_cast<std::uint32_t>(_mm256_movemask_epi8(_mm256_permute4x64_epi64(bytes, 0xd8)));
#else
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < kCompared; ++i) bits |= std::uint32_t{distances[i] <= limit} << i;
    return bits;
#endif
}

// Branches on what a row's distance is would be mispredicted too often: the distances of some rows are written down, and
// then compared all at once.
template <class Row>
std::size_t gather_rows_within(const std::uint8_t* rows, const std::uint32_t* positions, std::size_t count,
                               std::uint32_t base, std::size_t row_bytes, const std::uint8_t* query,
                               std::uint32_t limit, std::uint32_t* out, std::uint16_t* distances) {
    const std::size_t step = Row::bytes(row_bytes);
    constexpr std::size_t ahead = 8, some = 256;
    std::uint16_t here[some];
    std::size_t kept = 0;
    for (std::size_t from = 0; from < count; from += some) {
        const std::size_t number = count - from < some ? count - from : some;
        for (std::size_t i = 0; i < number; ++i) {
            if (step > 64 && from + i + ahead < count)  // shorter rows were asked for by `collect`
                for (std::size_t line = 0; line < step; line += 64)
                    SWIFTREID_PREFETCH(rows + std::size_t{positions[from + i + ahead] - base} * step + line);
            here[i] = static_cast<std::uint16_t>(
                Row::distance(rows + std::size_t{positions[from + i] - base} * step, query, step));
        }
        for (std::size_t i = number; i % kCompared; ++i) here[i] = 0xffff;
        for (std::size_t at = 0; at < number; at += kCompared)
            for (std::uint32_t left = compare(here + at, limit); left; left &= left - 1) {
                const std::size_t i = at + trailing_zeros(left);
                out[kept] = positions[from + i];
                distances[kept++] = here[i];
            }
    }
    return kept;
}

// `Most` bits of a word are taken without looking whether there are so many: a few too many cost less than a
// mispredicted branch.
template <int Most, class Fetch>
inline std::size_t collect_bits(const std::uint64_t* words, std::size_t count, std::uint32_t first, Fetch fetch,
                                std::uint32_t* out) {
    std::uint32_t* end = out;
    for (std::size_t w = 0; w < count; ++w) {
        std::uint64_t left = words[w];
        const std::uint32_t from = first + static_cast<std::uint32_t>(64 * w);
        std::uint32_t* at = end;
        end += popcount(left);
        do {
            for (int j = 0; j < Most; ++j) {
                const std::size_t i = trailing_zeros(left);
                *at++ = from + static_cast<std::uint32_t>(i);
                fetch(w, i);
                left &= left - 1;
            }
        } while (left);
    }
    return static_cast<std::size_t>(end - out);
}

template <class Fetch>
inline std::size_t collect_as(const std::uint64_t* words, std::size_t count, std::uint32_t first, Fetch fetch,
                              std::uint32_t* out) {
    std::size_t total = 0;
    for (std::size_t w = 0; w < count; ++w) total += popcount(words[w]);
    if (total == 0) return 0;
    if (total <= count / 2) return collect_bits<1>(words, count, first, fetch, out);
    if (total <= 2 * count) return collect_bits<3>(words, count, first, fetch, out);
    if (total <= 6 * count) return collect_bits<8>(words, count, first, fetch, out);
    return collect_bits<12>(words, count, first, fetch, out);
}

inline std::size_t collect(const std::uint64_t* words, std::size_t count, std::uint32_t first, const std::uint8_t* rows,
                           std::size_t row_bytes, std::uint32_t* out) {
    if (!rows) return collect_as(words, count, first, [](std::size_t, std::size_t) {}, out);
    if (row_bytes == 16)  // the usual one; a shift is quicker than a product
        return collect_as(
            words, count, first, [=](std::size_t w, std::size_t i) { SWIFTREID_PREFETCH(rows + 1024 * w + 16 * i); },
            out);
    return collect_as(
        words, count, first, [=](std::size_t w, std::size_t i) { SWIFTREID_PREFETCH(rows + (64 * w + i) * row_bytes); },
        out);
}

inline std::size_t below(const std::uint16_t* distances, std::size_t count, std::uint32_t bound, std::uint32_t* out) {
    std::size_t found = 0, i = 0;
    const auto look = [&](std::size_t end) {
        for (; i < end; ++i) {
            out[found] = static_cast<std::uint32_t>(i);
            found += distances[i] < bound;
        }
    };
    for (; i + 32 <= count;) {
        // The compiler makes vectors of this; in most groups there is nothing.
        std::uint16_t any = 0;
        for (std::size_t j = 0; j < 32; ++j) any = static_cast<std::uint16_t>(any | (distances[i + j] < bound));
        if (any)
            look(i + 32);
        else
            i += 32;
    }
    look(count);
    return found;
}

// Many queries over one tile of rows. Included by kernels_avx2.cpp, inside its anonymous namespace, after sliced.hpp.
//
// Counting distances one row at a time costs about 65 instructions for 2048 bits. Here the tile is turned into bit
// planes, and the sums of every three planes are worked out for all queries (see sliced.hpp). A query then only adds up
// the planes that its bits name: about 28 instructions an entry, all of them logic, which the processor does four at a
// time.

constexpr std::size_t kTriples = 16;  // in a slab, whose sums stay in the first cache
constexpr std::size_t kSlabPlanes = 3 * kTriples;
constexpr std::size_t kSlabSums = kTriples * 8 * 2;  // vectors
constexpr int kPlaces = 13;  // digits of a count of up to 2048, started at 4096 - bound

constexpr std::size_t slabs_of(std::size_t row_bytes) { return (row_bytes * 8 + kSlabPlanes - 1) / kSlabPlanes; }

// Where a query finds its sums: for each i, the number that its bits 3i..3i+2 make, in bytes from those of triple i on
// (zero to the end of the last slab).
void patterns_of(const std::uint8_t* query, std::size_t row_bytes, std::uint16_t* out) {
    const std::size_t bits = row_bytes * 8;
    for (std::size_t i = 0; i < slabs_of(row_bytes) * kTriples; ++i) {
        unsigned pattern = 0;
        for (std::size_t j = 0; j < 3; ++j) {
            const std::size_t bit = 3 * i + j;
            if (bit < bits) pattern |= (query[bit / 8] >> (bit % 8) & 1u) << j;
        }
        out[i] = static_cast<std::uint16_t>(pattern * 2 * sizeof(Vector));
    }
}

// kTile rows as planes of one vector each.
void turn_tile(const std::uint8_t* rows, std::size_t row_bytes, Vector* planes) {
    auto* out = reinterpret_cast<std::uint32_t*>(planes);
    for (std::size_t group = 0; group < kTile; group += 32)
        for (std::size_t column = 0; column < row_bytes; column += 16) {
            __m256i a[16], b[16];
            for (std::size_t i = 0; i < 16; ++i) {
                const std::uint8_t* low = rows + (group + i) * row_bytes + column;
                a[i] = _mm256_inserti128_si256(
                    _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(low))),
                    _mm_loadu_si128(reinterpret_cast<const __m128i*>(low + 16 * row_bytes)), 1);
            }
            // Four rounds of zipping halves turn 16 x 16 bytes.
            for (int round = 0; round < 4; ++round) {
                for (int i = 0; i < 8; ++i) {
                    b[2 * i] = _mm256_unpacklo_epi8(a[i], a[i + 8]);
                    b[2 * i + 1] = _mm256_unpackhi_epi8(a[i], a[i + 8]);
                }
                for (int i = 0; i < 16; ++i) a[i] = b[i];
            }
            for (std::size_t i = 0; i < 16; ++i) {
                __m256i bytes = a[i];
                for (int bit = 7; bit >= 0; --bit) {
                    out[((column + i) * 8 + static_cast<std::size_t>(bit)) * (kTile / 32) + group / 32] =
                        static_cast<std::uint32_t>(_mm256_movemask_epi8(bytes));
                    bytes = _mm256_add_epi8(bytes, bytes);
                }
            }
        }
}

// For each triple of a slab's planes and each pattern the sum of (plane ^ pattern bit): ones, then twos.
void sums_of(const Vector* planes, Vector* sums) {
    for (std::size_t i = 0; i < kTriples; ++i)
        sums_of_three(planes[3 * i], planes[3 * i + 1], planes[3 * i + 2], sums + 16 * i);
}

inline void half_add(Vector& sum, Vector& carry) {
    const Vector both = sum & carry;
    sum ^= carry;
    carry = both;
}

// Adds a slab's sums, as the patterns choose them, to a count.
inline void add_slab(const Vector* sums, const std::uint16_t* patterns, Vector* count) {
    Vector ones = count[0], twos = count[1], fours = count[2], eights = count[3];
    const auto sum = [&](std::size_t i) {
        return reinterpret_cast<const Vector*>(reinterpret_cast<const char*>(sums + 16 * i) + patterns[i]);
    };
    // Four triples: three carries of weight four.
    const auto add4 = [&](std::size_t i, Vector& x, Vector& y, Vector& z) {
        const Vector *p = sum(i), *q = sum(i + 1), *r = sum(i + 2), *s = sum(i + 3);
        Vector a;
        add(ones, p[0], q[0], a);
        add(twos, a, p[1], x);
        add(ones, r[0], s[0], a);
        add(twos, a, q[1], y);
        add(twos, r[1], s[1], z);
    };
    // Eight triples: three carries of weight eight.
    const auto add_8 = [&](std::size_t i, Vector& x, Vector& y, Vector& z) {
        Vector a, b, c, d;
        add4(i, a, b, c);
        add(fours, a, b, x);
        add4(i + 4, a, b, d);
        add(fours, a, b, y);
        add(fours, c, d, z);
    };
    Vector a, b, c, d, e, f, carry;
    add_8(0, a, b, c);
    add(eights, a, b, e);
    add_8(8, a, b, d);
    add(eights, a, b, f);
    add(eights, c, d, carry);
    count[0] = ones, count[1] = twos, count[2] = fours, count[3] = eights;
    // e, f and carry weigh sixteen.
    Vector more;
    add(count[4], e, f, more);
    half_add(count[4], carry);
    add(count[5], more, carry, e);
    for (int place = 6; place < kPlaces; ++place) half_add(count[place], e);
}

std::size_t nearer_workspace(std::size_t row_bytes, std::size_t queries) {
    return (slabs_of(row_bytes) * kSlabPlanes + kSlabSums + queries * kPlaces) * sizeof(Vector);
}

void nearer(const std::uint8_t* rows, std::size_t row_bytes, const std::uint16_t* patterns, std::size_t queries,
            const std::uint32_t* bounds, void* workspace, std::uint64_t* words) {
    auto* planes = static_cast<Vector*>(workspace);
    Vector* sums = planes + slabs_of(row_bytes) * kSlabPlanes;
    Vector* counts = sums + kSlabSums;
    turn_tile(rows, row_bytes, planes);
    std::memset(planes + row_bytes * 8, 0, (slabs_of(row_bytes) * kSlabPlanes - row_bytes * 8) * sizeof(Vector));
    for (std::size_t q = 0; q < queries; ++q)
        for (int place = 0; place < kPlaces; ++place) counts[q * kPlaces + place] = digit(4096 - bounds[q], place);
    const std::size_t stride = slabs_of(row_bytes) * kTriples;
    for (std::size_t slab = 0; slab < slabs_of(row_bytes); ++slab) {
        sums_of(planes + slab * kSlabPlanes, sums);
        for (std::size_t q = 0; q < queries; ++q)
            add_slab(sums, patterns + q * stride + slab * kTriples, counts + q * kPlaces);
    }
    for (std::size_t q = 0; q < queries; ++q)
        store_inverted(words + q * (kTile / 64), counts[q * kPlaces + kPlaces - 1]);
}

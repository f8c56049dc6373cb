// Counting with bit planes, written once for any vector type. Included by each kernels_*.cpp, inside its own anonymous
// namespace (see rows.hpp), after `Vector`: a GCC/Clang vector of 64-bit words, at most 64 bytes, and rows.hpp.
//
// A full adder turns three planes of one weight into a sum of the same weight and a carry of twice that; adding up all
// planes of a code that way leaves the entries' distances, one binary digit a plane, for about 6 operations a plane,
// whatever the number of entries in a vector.

constexpr std::size_t kLine = 64;                        // bytes of one plane of a block
constexpr std::size_t kParts = kLine / sizeof(Vector);   // vectors in a line

inline Vector load_plane(const std::uint8_t* at) {
    Vector v;
    std::memcpy(&v, at, sizeof v);
    return v;
}

#if defined(__AVX512F__)
inline Vector majority(Vector a, Vector b, Vector c) {
    return (Vector)_mm512_ternarylogic_epi64((__m512i)a, (__m512i)b, (__m512i)c, 0xe8);
}
inline Vector parity(Vector a, Vector b, Vector c) {
    return (Vector)_mm512_ternarylogic_epi64((__m512i)a, (__m512i)b, (__m512i)c, 0x96);
}
inline void add(Vector& sum, Vector a, Vector b, Vector& carry) {
    const Vector before = sum;
    sum = parity(before, a, b);
    carry = majority(before, a, b);
}
#else
inline Vector majority(Vector a, Vector b, Vector c) { return (a & b) | ((a ^ b) & c); }
inline void add(Vector& sum, Vector a, Vector b, Vector& carry) {
    const Vector x = a ^ b;
    carry = (a & b) | (x & sum);
    sum ^= x;
}
#endif

// Adds 8 planes from `plane` on, each inverted where the query's bit is set, to ones, twos and fours; returns the
// eights that come out.
inline Vector add8(const std::uint8_t* plane, const Vector* query, Vector& ones, Vector& twos, Vector& fours) {
    const auto bit = [&](std::size_t i) { return load_plane(plane + kLine * i) ^ query[i]; };
    Vector a, b, c, d, eights;
    add(ones, bit(0), bit(1), a);
    add(ones, bit(2), bit(3), b);
    add(twos, a, b, c);
    add(ones, bit(4), bit(5), a);
    add(ones, bit(6), bit(7), b);
    add(twos, a, b, d);
    add(fours, c, d, eights);
    return eights;
}

// All bits of a vector for each bit of the query.
inline void spread(const std::uint8_t* query, std::size_t bits, Vector* out) {
    for (std::size_t i = 0; i < bits; ++i) out[i] = Vector{} - (query[i / 8] >> (i % 8) & 1);
}

// Bits of a number, each in all bits of a vector.
inline Vector digit(std::uint32_t number, int place) { return Vector{} - (number >> place & 1); }

inline void store_inverted(std::uint64_t* to, Vector v) {
    v = ~v;
    std::memcpy(to, &v, sizeof v);
}

// 32 planes. Counting starts at 31 - limit, so that a distance above the limit shows as a carry to 32 or beyond: no
// comparison is needed.
inline void within32(const std::uint8_t* planes, std::size_t blocks, const std::uint8_t* query, std::uint32_t limit,
                     std::uint64_t* words) {
    Vector q[32], start[5];
    spread(query, 32, q);
    for (int i = 0; i < 5; ++i) start[i] = digit(31 - limit, i);
    for (std::size_t part = 0; part < blocks * kParts; ++part) {
        const std::size_t block = part / kParts, inside = part % kParts;
        const std::uint8_t* plane = planes + block * 32 * kLine + inside * sizeof(Vector);
        Vector ones = start[0], twos = start[1], fours = start[2], eights = start[3], a, b, c, d, e;
        a = add8(plane, q, ones, twos, fours);
        b = add8(plane + 8 * kLine, q + 8, ones, twos, fours);
        add(eights, a, b, e);
        c = add8(plane + 16 * kLine, q + 16, ones, twos, fours);
        d = add8(plane + 24 * kLine, q + 24, ones, twos, fours);
        store_inverted(words + part * (sizeof(Vector) / 8), majority(start[4], e, majority(eights, c, d)));
    }
}

// Up to 8 * kMaxSlicedBytes planes, a multiple of 32: the distances of such codes have at most kDigits - 1 binary digits.
constexpr int kDigits = 9;

// Adds the distances of one vector of entries to the number in digits[0..kDigits - 1].
inline void add_bits(const std::uint8_t* plane, const Vector* query, std::size_t bits, Vector* digits) {
    for (std::size_t at = 0; at < bits; at += 16) {
        const Vector a = add8(plane + at * kLine, query + at, digits[0], digits[1], digits[2]);
        const Vector b = add8(plane + (at + 8) * kLine, query + at + 8, digits[0], digits[1], digits[2]);
        Vector carry;
        add(digits[3], a, b, carry);
        for (int i = 4; i < kDigits; ++i) {
            const Vector both = digits[i] & carry;
            digits[i] ^= carry;
            carry = both;
        }
    }
}

inline void within_any(const std::uint8_t* planes, std::size_t blocks, std::size_t row_bytes, const std::uint8_t* query,
                       std::uint32_t limit, std::uint64_t* words) {
    const std::size_t bits = row_bytes * 8;
    Vector q[8 * kMaxSlicedBytes];
    spread(query, bits, q);
    const std::uint32_t most = (1u << (kDigits - 1)) - 1;  // counting starts so that `limit` ends here
    for (std::size_t part = 0; part < blocks * kParts; ++part) {
        const std::size_t block = part / kParts, inside = part % kParts;
        const std::uint8_t* plane = planes + block * bits * kLine + inside * sizeof(Vector);
        Vector digits[kDigits];
        for (int i = 0; i < kDigits; ++i) digits[i] = digit(most - limit, i);
        add_bits(plane, q, bits, digits);
        store_inverted(words + part * (sizeof(Vector) / 8), digits[kDigits - 1]);
    }
}

inline void within(const std::uint8_t* planes, std::size_t blocks, std::size_t row_bytes, const std::uint8_t* query,
                   std::uint32_t limit, std::uint64_t* words) {
    if (blocks == 0) return;  // there may be no words either
    if (limit >= row_bytes * 8)
        std::memset(words, 0xff, blocks * kBlockWords * sizeof(std::uint64_t));
    else if (row_bytes == 4)
        within32(planes, blocks, query, limit, words);
    else
        within_any(planes, blocks, row_bytes, query, limit, words);
}

// Bits that count by weights: planes are numbers of one binary digit, and a weight times a plane is one of several, added
// like numbers on paper.
constexpr int kMostPlaces = 16;  // of the sum of 8 * kMaxSlicedBytes weights below 256

class StatedBits {
public:
    StatedBits(std::size_t row_bytes, const std::uint8_t* query, const std::uint8_t* weights) {
        for (std::size_t i = 0; i < row_bytes * 8; ++i)
            if (weights[i]) {
                bits_[count_++] = {i * kLine, Vector{} - (query[i / 8] >> (i % 8) & 1), weights[i]};
                most_ += weights[i];
            }
    }
    std::uint32_t most() const { return most_; }  // no distance is above it

    // Adds the distances of one vector of entries to the number in `digits`; returns what is carried beyond `places`.
    Vector add_to(Vector* digits, int places, const std::uint8_t* plane) const {
        Vector above{};
        for (std::size_t b = 0; b < count_; ++b) {
            const Vector differs = load_plane(plane + bits_[b].offset) ^ bits_[b].query;
            Vector carry{};
            for (int i = 0; i < places; ++i)
                add(digits[i], bits_[b].weight >> i & 1 ? differs : Vector{}, carry, carry);
            above |= carry;
        }
        return above;
    }

private:
    struct Bit {
        std::size_t offset;  // of its plane in a block
        Vector query;
        unsigned weight;
    } bits_[8 * kMaxSlicedBytes];
    std::size_t count_ = 0;
    std::uint32_t most_ = 0;
};

inline const std::uint8_t* plane_of(const std::uint8_t* planes, std::size_t part, std::size_t row_bytes) {
    return planes + part / kParts * row_bytes * 8 * kLine + part % kParts * sizeof(Vector);
}

inline void within_weighted(const std::uint8_t* planes, std::size_t blocks, std::size_t row_bytes,
                            const std::uint8_t* query, const std::uint8_t* weights, std::uint32_t limit,
                            std::uint64_t* words) {
    if (blocks == 0) return;
    const StatedBits stated(row_bytes, query, weights);
    if (limit >= stated.most()) {
        std::memset(words, 0xff, blocks * kBlockWords * sizeof(std::uint64_t));
        return;
    }
    int places = 1;
    while (stated.most() >> places) ++places;
    const std::uint32_t start = (1u << places) - 1 - limit;  // so that a distance above the limit shows as a carry
    for (std::size_t part = 0; part < blocks * kParts; ++part) {
        Vector digits[kMostPlaces];
        for (int i = 0; i < places; ++i) digits[i] = digit(start, i);
        store_inverted(words + part * (sizeof(Vector) / 8),
                       stated.add_to(digits, places, plane_of(planes, part, row_bytes)));
    }
}

template <class AddTo>
void store_digits(std::size_t blocks, int places, std::uint64_t* words, AddTo add_to) {
    for (std::size_t part = 0; part < blocks * kParts; ++part) {
        Vector digits[kMostPlaces] = {};
        add_to(digits, part);
        std::uint64_t* to = words + part / kParts * static_cast<std::size_t>(places) * kBlockWords +
                            part % kParts * (sizeof(Vector) / 8);
        for (int i = 0; i < places; ++i)
            std::memcpy(to + static_cast<std::size_t>(i) * kBlockWords, &digits[i], sizeof(Vector));
    }
}

inline void digits(const std::uint8_t* planes, std::size_t blocks, std::size_t row_bytes, const std::uint8_t* query,
                   const std::uint8_t* weights, int places, std::uint64_t* words) {
    if (weights) {
        const StatedBits stated(row_bytes, query, weights);
        return store_digits(blocks, places, words, [&](Vector* to, std::size_t part) {
            stated.add_to(to, places, plane_of(planes, part, row_bytes));
        });
    }
    const std::size_t bits = row_bytes * 8;
    Vector q[8 * kMaxSlicedBytes];
    spread(query, bits, q);
    store_digits(blocks, places, words,
                 [&](Vector* to, std::size_t part) { add_bits(plane_of(planes, part, row_bytes), q, bits, to); });
}

inline std::size_t zeros(std::uint64_t* among, const std::uint64_t* digits, std::size_t blocks, int places, int place,
                         int higher) {
    std::size_t count = 0;
    for (std::size_t b = 0; b < blocks;
         ++b, among += kBlockWords, digits += static_cast<std::size_t>(places) * kBlockWords) {
        const std::uint64_t* here = digits + static_cast<std::size_t>(place) * kBlockWords;
        if (higher >= 0)
            for (std::size_t w = 0; w < kBlockWords; ++w)
                among[w] &= higher ? here[kBlockWords + w] : ~here[kBlockWords + w];
        for (std::size_t w = 0; w < kBlockWords; ++w) count += popcount(among[w] & ~here[w]);
    }
    return count;
}

// ---- Many queries over the same planes: for every three planes and each of the eight ways in which a query's three
// bits can be set, the sums of the three differences are worked out once (the method of the Four Russians): a plane of
// ones and a plane of twos. A query only adds up those that its bits name.

// For three planes and each pattern the sum of (plane ^ pattern bit): ones, then twos, by pattern.
inline void sums_of_three(Vector a, Vector b, Vector c, Vector* sums) {
    const Vector odd = a ^ b ^ c;
    const Vector twos[4] = {majority(a, b, c), majority(~a, b, c), majority(a, ~b, c), majority(~a, ~b, c)};
    for (unsigned pattern = 0; pattern < 8; ++pattern) {
        sums[2 * pattern] = popcount(pattern) % 2 ? ~odd : odd;
        sums[2 * pattern + 1] = pattern < 4 ? twos[pattern] : ~twos[7 - pattern];
    }
}

// Of 32 planes: ten triples, and the two left over, each as it is and inverted.
constexpr std::size_t kSums32 = 10 * 16 + 2 * 2;

inline std::size_t sums_size(std::size_t blocks) { return blocks * kParts * kSums32 * sizeof(Vector); }

inline void sum(const std::uint8_t* planes, std::size_t blocks, void* sums) {
    auto* to = static_cast<Vector*>(sums);
    for (std::size_t part = 0; part < blocks * kParts; ++part, to += kSums32) {
        const std::uint8_t* plane = planes + part / kParts * 32 * kLine + part % kParts * sizeof(Vector);
        const auto bit = [&](std::size_t i) { return load_plane(plane + kLine * i); };
        for (std::size_t i = 0; i < 10; ++i) sums_of_three(bit(3 * i), bit(3 * i + 1), bit(3 * i + 2), to + 16 * i);
        for (std::size_t i = 0; i < 2; ++i) {
            to[160 + 2 * i] = bit(30 + i);
            to[161 + 2 * i] = ~bit(30 + i);
        }
    }
}

inline void within_sums(const void* sums, std::size_t blocks, const std::uint8_t* query, std::uint32_t limit,
                        std::uint64_t* words) {
    if (limit >= 32) {
        std::memset(words, 0xff, blocks * kBlockWords * sizeof(std::uint64_t));
        return;
    }
    std::uint32_t bits = query[0] | query[1] << 8 | query[2] << 16 | static_cast<std::uint32_t>(query[3]) << 24;
    std::size_t at[12];  // where the query's sums are
    for (std::size_t i = 0; i < 10; ++i, bits >>= 3) at[i] = 16 * i + 2 * (bits & 7);
    at[10] = 160 + (bits & 1);
    at[11] = 162 + (bits >> 1);
    Vector start[5];
    for (int i = 0; i < 5; ++i) start[i] = digit(31 - limit, i);  // as in within32
    const auto* from = static_cast<const Vector*>(sums);
    for (std::size_t part = 0; part < blocks * kParts; ++part, from += kSums32) {
        Vector ones = start[0], twos = start[1], fours = start[2], eights = start[3], a, b, c, d, e, f;
        const auto add2 = [&](std::size_t i, Vector& four, Vector& other) {  // two triples: two carries of weight four
            Vector two;
            add(ones, from[at[i]], from[at[i + 1]], two);
            add(twos, two, from[at[i] + 1], four);
            other = from[at[i + 1] + 1];
        };
        Vector p, q, r, s;
        add2(0, a, p);
        add2(2, b, q);
        add(twos, p, q, c);
        add(fours, a, b, d);
        add2(4, a, p);
        add(fours, c, a, e);
        add2(6, b, q);
        add(twos, p, q, c);
        add(fours, b, c, f);
        add(eights, d, e, r);
        add2(8, a, p);
        add(ones, from[at[10]], from[at[11]], q);
        add(twos, p, q, b);
        add(fours, a, b, d);
        add(eights, f, d, s);
        store_inverted(words + part * (sizeof(Vector) / 8), majority(start[4], r, s));
    }
}

// Float embeddings: cosine distances of listed rows. Included by each kernels_*.cpp, inside its own anonymous namespace
// (see rows.hpp); the compiler makes vectors of the loops for each instruction set.
//
// Sums of floats depend on their order, so the order is part of the definition: sixteen running sums, entry i in sum
// i % 16, folded in halves. Products are rounded before they are added (no fused operations). That way every kernel, and
// the reference, gives the same bits.

constexpr std::size_t kSums = 16;

inline float load_float(float value) { return value; }

inline float load_float(std::uint16_t half) {
    // Moved into a float's place, a half is too small by 2^112, below its smallest normal numbers too.
    std::uint32_t bits = (half & 0x7fffu) << 13;
    float value;
    std::memcpy(&value, &bits, 4);
    value *= 0x1p112f;
    std::memcpy(&bits, &value, 4);
    bits |= ((half & 0x7c00u) == 0x7c00u ? 0x7f800000u : 0u) | (half & 0x8000u) << 16;
    std::memcpy(&value, &bits, 4);
    return value;
}

inline float fold(float* sums) {
    for (std::size_t half = kSums / 2; half; half /= 2)
        for (std::size_t i = 0; i < half; ++i) sums[i] += sums[i + half];
    return sums[0];
}

template <class Number>
void cosine_rows(const Number* rows, std::size_t size, const std::uint32_t* positions, std::size_t count,
                 std::uint32_t base, const float* query, float* out) {
    float own[kSums] = {};
    for (std::size_t i = 0; i < size; ++i) own[i % kSums] += query[i] * query[i];
    const float length = __builtin_sqrtf(fold(own));
    const auto row = [&](std::size_t i) { return rows + static_cast<std::size_t>(positions[i] - base) * size; };
    // Short rows are asked for whole, some rows ahead. Of long ones, which would push one another out of the first cache,
    // the beginning of the next is enough: the processor sees that what follows is wanted.
    const bool brief = size * sizeof(Number) <= 1024;
    const std::size_t ahead = brief ? 4 : 1, wanted = brief ? size : 512 / sizeof(Number);
    for (std::size_t i = 0; i < count; ++i) {
        if (i + ahead < count)
            for (std::size_t at = 0; at < wanted; at += 64 / sizeof(Number)) SWIFTREID_PREFETCH(row(i + ahead) + at);
        const Number* x = row(i);
        float dot[kSums] = {}, square[kSums] = {};
        std::size_t at = 0;
        for (; at + kSums <= size; at += kSums)
#pragma GCC unroll 1  // unrolled first, as GCC 12 does with floats, the loop becomes scalars and not vectors
            for (std::size_t j = 0; j < kSums; ++j) {
                const float value = load_float(x[at + j]);
                dot[j] += query[at + j] * value;
                square[j] += value * value;
            }
        for (std::size_t j = 0; at + j < size; ++j) {
            const float value = load_float(x[at + j]);
            dot[j] += query[at + j] * value;
            square[j] += value * value;
        }
        const float lengths = length * __builtin_sqrtf(fold(square));
        const float distance = 1.0f - fold(dot) / lengths;
        // To nothing, and to what is not a number, there is no angle: that is neither near nor far. Rounding may end just
        // below zero.
        out[i] = !(lengths > 0.0f) || distance != distance ? 1.0f : distance > 0.0f ? distance : 0.0f;
    }
}

void cosine(const void* rows, bool half, std::size_t size, const std::uint32_t* positions, std::size_t count,
            std::uint32_t base, const float* query, float* out) {
    if (half)
        cosine_rows(static_cast<const std::uint16_t*>(rows), size, positions, count, base, query, out);
    else
        cosine_rows(static_cast<const float*>(rows), size, positions, count, base, query, out);
}

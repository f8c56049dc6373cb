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

template <class Call>
auto with_row(std::size_t row_bytes, Call call) {
    switch (row_bytes) {
        case 4: return call(Row4{});
        case 16: return call(FixedRow<2>{});
        default: return call(AnyRow{});
    }
}

#include "row_loops.hpp"

constexpr Kernel kPortable{"portable", scan, gather, gather_within, within, sums_size, sum, within_sums, collect, below, cosine, nullptr};

}  // namespace

const Kernel* portable_kernel() { return &kPortable; }

}  // namespace swiftreid

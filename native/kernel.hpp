// What a kernel is: three loops over packed rows. Everything else (rules, selection, threads) is shared.
#pragma once
#include <cstddef>
#include <cstdint>

namespace swiftreid {

// `within` may write this many positions past those that it reports.
constexpr std::size_t kSlack = 64;

struct Kernel {
    const char* name;

    // Distances of `count` consecutive rows to one query.
    void (*scan)(const std::uint8_t* rows, std::size_t count, std::size_t row_bytes, const std::uint8_t* query,
                 std::uint16_t* out);

    // Distances of the rows at positions[i] - base, in any order.
    void (*gather)(const std::uint8_t* rows, const std::uint32_t* positions, std::size_t count, std::uint32_t base,
                   std::size_t row_bytes, const std::uint8_t* query, std::uint16_t* out);

    // Positions (first + i, ascending) of the rows with distance <= limit; returns how many.
    std::size_t (*within)(const std::uint8_t* rows, std::size_t count, std::size_t row_bytes,
                          const std::uint8_t* query, std::uint32_t limit, std::uint32_t first, std::uint32_t* out);
};

const Kernel* portable_kernel();
// Null where this build or this processor has no AVX2.
const Kernel* avx2_kernel();

// The kernel called `name`, or null.
const Kernel* find_kernel(const char* name);

}  // namespace swiftreid

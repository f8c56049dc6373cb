// What a kernel is: the loops over packed codes that are worth writing for an instruction set. Everything else (rules,
// selection, threads) is shared.
#pragma once
#include <cstddef>
#include <cstdint>

namespace swiftreid {

// Functions that report positions may write this many past those that they report.
constexpr std::size_t kSlack = 64;

// Bit planes: rows in blocks of 512, and in each block one 64-byte line for each bit of the code, with that bit of all
// 512 entries. Logic on whole lines then counts 512 entries at once. The last block is padded with zero rows.
constexpr std::size_t kBlock = 512;
constexpr std::size_t kBlockWords = kBlock / 64;
constexpr std::size_t kMaxSlicedBytes = 24;  // codes longer than 192 bits have no planes

// Many queries look at a tile of so many rows together.
constexpr std::size_t kTile = 256;

struct Kernel {
    const char* name;

    // Distances of `count` consecutive rows to one query.
    void (*scan)(const std::uint8_t* rows, std::size_t count, std::size_t row_bytes, const std::uint8_t* query,
                 std::uint16_t* out);

    // Distances of the rows at positions[i] - base.
    void (*gather)(const std::uint8_t* rows, const std::uint32_t* positions, std::size_t count, std::uint32_t base,
                   std::size_t row_bytes, const std::uint8_t* query, std::uint16_t* out);

    // Of the rows at positions[i] - base those with distance <= limit: their positions, in the same order, and
    // distances; returns how many. `out` may be `positions`.
    std::size_t (*gather_within)(const std::uint8_t* rows, const std::uint32_t* positions, std::size_t count,
                                 std::uint32_t base, std::size_t row_bytes, const std::uint8_t* query,
                                 std::uint32_t limit, std::uint32_t* out, std::uint16_t* distances);

    // For each of `count` rows a bit: whether its distance is <= limit ((count + 63) / 64 words).
    void (*rows_within)(const std::uint8_t* rows, std::size_t count, std::size_t row_bytes, const std::uint8_t* query,
                        std::uint32_t limit, std::uint64_t* words);

    // For each entry of `blocks` blocks of bit planes a bit: whether its distance is <= limit (kBlockWords words a
    // block).
    void (*within)(const std::uint8_t* planes, std::size_t blocks, std::size_t row_bytes, const std::uint8_t* query,
                   std::uint32_t limit, std::uint64_t* words);

    // The same for distances that count each differing bit by its weight (one for each bit of a row); planes whose weight
    // is 0 are not read.
    void (*within_weighted)(const std::uint8_t* planes, std::size_t blocks, std::size_t row_bytes,
                            const std::uint8_t* query, const std::uint8_t* weights, std::uint32_t limit,
                            std::uint64_t* words);

    // The distances themselves, weighted unless `weights` is null, as numbers of `places` binary digits: for each block a
    // line for each digit, the lowest first (kBlockWords words a line).
    void (*digits)(const std::uint8_t* planes, std::size_t blocks, std::size_t row_bytes, const std::uint8_t* query,
                   const std::uint8_t* weights, int places, std::uint64_t* words);

    // Of such digits: how many of the entries whose bit is set in `among` (kBlockWords words a block) have a 0 at
    // `place`. First those are dropped from `among` whose digit one place higher is not `higher`, unless it is -1.
    std::size_t (*zeros)(std::uint64_t* among, const std::uint64_t* digits, std::size_t blocks, int places, int place,
                         int higher);

    // As `within` for many queries that look at the same planes of 32 bits: `sum` works out what they have in common
    // (sums_size bytes, aligned to 64), and `within_sums` uses it.
    std::size_t (*sums_size)(std::size_t blocks);
    void (*sum)(const std::uint8_t* planes, std::size_t blocks, void* sums);
    void (*within_sums)(const void* sums, std::size_t blocks, const std::uint8_t* query, std::uint32_t limit,
                        std::uint64_t* words);

    // Positions (first + i, ascending) of the set bits of `count` words; returns how many. Asks the processor to fetch
    // the row at rows + i * row_bytes of each, which the next stage will want, unless `rows` is null.
    std::size_t (*collect)(const std::uint64_t* words, std::size_t count, std::uint32_t first, const std::uint8_t* rows,
                           std::size_t row_bytes, std::uint32_t* out);

    // Numbers i, ascending, of the distances below `bound`; returns how many.
    std::size_t (*below)(const std::uint16_t* distances, std::size_t count, std::uint32_t bound, std::uint32_t* out);

    // Cosine distances, 0 to 2, of the float rows (halves or floats, `size` to a row) at positions[i] - base.
    void (*cosine)(const void* rows, bool half, std::size_t size, const std::uint32_t* positions, std::size_t count,
                   std::uint32_t base, const float* query, float* out);

    // Many queries over one tile of rows, where that is quicker than one by one; else null.
    const struct Many* many;
};

// For codes of 128 to 2048 bits.
struct Many {
    constexpr static bool takes(std::size_t row_bytes) { return row_bytes % 16 == 0 && row_bytes <= 256; }

    std::size_t (*patterns_size)(std::size_t row_bytes);  // numbers, for each query
    void (*patterns)(const std::uint8_t* query, std::size_t row_bytes, std::uint16_t* out);
    std::size_t (*workspace_size)(std::size_t row_bytes, std::size_t queries);  // bytes, aligned to 64

    // For each query (given by its patterns) and row of a tile a bit: whether its distance is below the query's bound,
    // which is 1 to 4096 (kTile / 64 words a query).
    void (*nearer)(const std::uint8_t* rows, std::size_t row_bytes, const std::uint16_t* patterns, std::size_t queries,
                   const std::uint32_t* bounds, void* workspace, std::uint64_t* words);
};

// Rows as bit planes: (count + 511) / 512 blocks of 512 * row_bytes bytes.
void slice(const std::uint8_t* rows, std::size_t count, std::size_t row_bytes, std::uint8_t* planes);

// The bits of each row that are `chosen` (ascending numbers of bits, 8 for each byte that a row of `out` has).
void pick(const std::uint8_t* rows, std::size_t count, std::size_t row_bytes, const std::uint16_t* chosen,
          std::size_t out_bytes, std::uint8_t* out);

// All kernels that this machine can run, quickest first, ending in null.
const Kernel* const* able_kernels();

// The kernel called `name`, or null.
const Kernel* find_kernel(const char* name);

}  // namespace swiftreid

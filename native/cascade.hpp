// What a search is, as plain pointers: filled by module.cpp, run by cascade.cpp.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "kernel.hpp"

namespace swiftreid {

struct Segment {
    const std::uint8_t* rows;
    std::size_t count;
    std::uint32_t first;         // position of its first row in the whole table
    const std::uint8_t* planes;  // the same rows as bit planes, or null
};

// What the rows of a stage are: packed bits, or an embedding's numbers (the last stage only).
enum class Rows { bits, halves, floats };

// Entries first..first+count of the table once more, ordered by list: what the two stages behind the probing stage compare.
// Their places here have the same range as their positions in the table.
struct ListGroup {
    std::uint32_t first;
    std::size_t count;
    const std::uint32_t* starts;     // of each list, and the end of the last one: places, counted from `first`
    const std::uint32_t* order;      // position in the table of each place, counted from `first`
    const std::uint8_t* rows;        // of the stage behind
    const std::uint8_t* next;        // of the stage behind that, or null
};

// The inverted lists, by groups of segments. Entries of segments behind the last group are in no list yet.
struct InvertedLists {
    const std::uint8_t* centres = nullptr;
    std::size_t count = 0;  // none: there is no probing stage
    std::vector<ListGroup> groups;
    std::size_t segments = 0;  // that the groups cover
};

constexpr std::size_t kMaxStages = 8;

// `nprobe` is the first stage's: the nearest lists that hold a share of the entries.
enum class Keep { all, threshold, top, share, nprobe };

struct StagePlan {
    std::span<const Segment> segments;  // as many, and as long, as those of every other stage
    Rows rows;
    const std::uint8_t* queries;    // [query count, row_bytes]; of an embedding float [query count, size()]
    std::size_t row_bytes;
    const std::uint8_t* weights;    // of the bits, [query count, bits()]; null: all count as 1
    std::size_t heaviest;           // the largest sum of a query's weights
    Keep keep;
    std::uint64_t amount;  // of threshold and top
    double share;
    bool whole_ties;  // top and share: keep all that tie with the last one, not only the first of them

    std::size_t bits() const { return row_bytes * 8; }
    const std::uint8_t* query(std::size_t number) const { return queries + number * row_bytes; }

    std::size_t most() const { return weights ? heaviest : bits(); }  // no distance is above it
    const std::uint8_t* weights_of(std::size_t number) const { return weights ? weights + number * bits() : nullptr; }

    bool embedding() const { return rows != Rows::bits; }
    std::size_t size() const { return row_bytes / (rows == Rows::halves ? 2 : 4); }
    const float* vector(std::size_t number) const { return reinterpret_cast<const float*>(queries) + number * size(); }
};

// Some bits of a code, the same of every entry.
struct Part {
    std::span<const Segment> segments;  // as the stage's
    const std::uint8_t* queries = nullptr;
    std::size_t row_bytes = 0;

    const std::uint8_t* query(std::size_t number) const { return queries + number * row_bytes; }
};

// What a certified search looks at: of every entry bits chosen at random, of some the others as well. Many of the sample
// differ only where many of all do, but for a stated chance.
struct Sample {
    Part part, rest;  // none: the search is not certified
    const std::uint16_t* most = nullptr;   // at each distance of whole codes, how many bits of the sample may differ
    const std::uint16_t* least = nullptr;  // for each number of those, the least distance where so many may
    bool first = false;  // whether to scan samples and fetch some rests, rather than to scan whole rows

    explicit operator bool() const { return most != nullptr; }
};

enum class Order { search, rank_by_gallery, rank_by_stages };

struct Plan {
    const Kernel* kernel;
    std::vector<StagePlan> stages;
    InvertedLists lists;
    Sample sample;  // of the only stage
    std::size_t entries;
    std::size_t queries;
    const std::uint8_t* bitmap;  // one bit an entry, little-endian; null: all may be found
    std::size_t width;           // columns of the results: k, or for rankings the number of live entries
    std::size_t min_candidates;
    Order order;
    unsigned threads;
};

struct Results {
    std::int64_t* indices;     // [queries, width], -1 where a row has ended
    std::int32_t* distances;   // [queries, width], -1 where a row has ended; of an embedding the bits of a float
    std::int8_t* stages;       // [queries, width], -1 where a row has ended
    std::int64_t* counts;      // [queries]
    double* entries_in;        // [stages], over all queries; numbers of entries, which a double holds up to 2^53
    double* kept;              // [stages], over all queries
    double* seconds;           // [stages], summed over groups of queries
};

// Throws std::bad_alloc; otherwise arguments must have been checked.
void run(const Plan& plan, const Results& results);

}  // namespace swiftreid

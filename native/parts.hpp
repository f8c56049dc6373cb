// The parts that a search is run in (see cascade.cpp), and what they share.
#pragma once
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "cascade.hpp"
#include "chunks.hpp"
#include "embedding.hpp"
#include "live.hpp"
#include "select.hpp"

namespace swiftreid {

class Stopwatch {
public:
    double lap() {
        const auto now = std::chrono::steady_clock::now();
        const double seconds = std::chrono::duration<double>(now - last_).count();
        last_ = now;
        return seconds;
    }

private:
    std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

// What the stages did, for the report.
struct Tally {
    std::array<std::size_t, kMaxStages> entries_in{}, kept{};
    std::array<double, kMaxStages> seconds{};

    void count(std::size_t stage, std::size_t in, std::size_t out) {
        entries_in[stage] += in;
        kept[stage] += out;
    }
    void add_to(const Results& results, std::size_t stages) const {
        for (std::size_t s = 0; s < stages; ++s) {
            results.entries_in[s] += static_cast<double>(entries_in[s]);
            results.kept[s] += static_cast<double>(kept[s]);
            results.seconds[s] += seconds[s];
        }
    }
};

// What the rule of the last stage leaves of the `in` entries that reach it.
struct Ending {
    std::size_t kept;     // by a rule that is not a threshold
    std::size_t most;     // results
    std::uint32_t limit;  // highest distance

    Ending(const StagePlan& stage, std::size_t width, std::size_t in)
        : kept(in), limit(static_cast<std::uint32_t>(stage.most())) {
        if (stage.keep == Keep::threshold)
            limit = static_cast<std::uint32_t>(std::min<std::uint64_t>(stage.amount, limit));
        if (stage.keep == Keep::top) kept = static_cast<std::size_t>(std::min<std::uint64_t>(stage.amount, in));
        if (stage.keep == Keep::share) kept = share_of(stage.share, in);
        most = std::min(std::min(width, in), kept);
    }
};

inline void end_row(const Results& results, std::size_t query, std::size_t width, std::size_t stage,
                    std::size_t found) {
    const std::size_t at = query * width;
    std::fill_n(results.stages + at, found, static_cast<std::int8_t>(stage));
    std::fill_n(results.stages + at + found, width - found, std::int8_t{-1});
    std::fill_n(results.indices + at + found, width - found, std::int64_t{-1});
    std::fill_n(results.distances + at + found, width - found, std::int32_t{-1});
    results.counts[query] = static_cast<std::int64_t>(found);
}

inline void write(const Results& results, std::size_t query, std::size_t width, std::size_t stage, Closest& closest) {
    const std::size_t at = query * width;
    end_row(results, query, width, stage, closest.finish(results.indices + at, results.distances + at));
}

inline void write(const Results& results, std::size_t query, std::size_t width, std::size_t stage,
                  const ByEmbedding& order, std::size_t count) {
    const std::size_t at = query * width;
    for (std::size_t i = 0; i < count; ++i) {
        results.indices[at + i] = order.position(i);
        results.distances[at + i] = order.distance(i);
    }
    end_row(results, query, width, stage, count);
}

// Queries first..first+count, two stages or more or one by weighted bits, by up to `threads` threads.
void search_group(const Plan& plan, const Chunks& chunks, const Live& live, std::size_t first, std::size_t count,
                  unsigned threads, const Results& results, Tally& tally);

// The same for one stage.
void search_exhaustively(const Plan& plan, const Live& live, std::size_t first, std::size_t count, unsigned threads,
                         const Results& results, Tally& tally);

// The same for one stage that compares embeddings; `everything` as below.
void search_embeddings(const Plan& plan, const std::uint32_t* everything, std::size_t live, std::size_t query,
                       const Results& results, Tally& tally);

// A full ranking for one query; `everything` lists the positions of all that may be found, or is null if that is all.
void rank_one(const Plan& plan, const std::uint32_t* everything, std::size_t live, std::size_t query,
              const Results& results, Tally& tally);

}  // namespace swiftreid

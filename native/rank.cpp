// A full ranking of the gallery in coarse-to-fine order, for evaluation.
#include <algorithm>

#include "buffer.hpp"
#include "compare.hpp"
#include "loan.hpp"
#include "parts.hpp"
#include "ranking.hpp"

namespace swiftreid {
namespace {

struct Memory {
    Buffer<std::uint32_t> positions;
    Buffer<std::uint16_t> distances;
    Histogram histogram;
    Ranking ranking;
    ByEmbedding by_embedding;
};

// Positions of the entries that may be found, to be changed.
std::uint32_t* start(Memory& memory, const std::uint32_t* everything, std::size_t live) {
    std::uint32_t* positions = memory.positions.room(live + 1);
    for (std::size_t i = 0; i < live; ++i) positions[i] = Listed{everything}[i];
    return positions;
}

}  // namespace

void search_embeddings(const Plan& plan, const std::uint32_t* everything, std::size_t live, std::size_t query,
                       const Results& results, Tally& tally) {
    Stopwatch watch;
    const Loan<Memory> memory;
    const std::uint32_t* positions = start(*memory, everything, live);
    const Ending ending(plan.stages[0], plan.width, live);
    memory->by_embedding.sort(*plan.kernel, plan.stages[0], query, positions, live, ending.most);
    write(results, query, plan.width, 0, memory->by_embedding, ending.most);
    tally.count(0, live, ending.kept);
    tally.seconds[0] += watch.lap();
}

void rank_one(const Plan& plan, const std::uint32_t* everything, std::size_t live, std::size_t query,
              const Results& results, Tally& tally) {
    Stopwatch watch;
    const Loan<Memory> memory;
    const std::size_t at = query * plan.width, last = plan.stages.size() - 1;
    const Row row{results.indices + at, results.distances + at, results.stages + at};
    std::uint32_t* going = memory->positions.room(live + 1);
    Listed listed{everything};
    std::uint16_t* distances = memory->distances.room(live + 1);
    memory->ranking.start(live, plan.order == Order::rank_by_stages);
    std::size_t count = live;
    for (std::size_t s = 0; s <= last; ++s) {
        const StagePlan& stage = plan.stages[s];
        if (stage.embedding()) {
            const Ending ending(stage, live, count);
            if (s == 0) start(*memory, everything, live);
            memory->by_embedding.sort(*plan.kernel, stage, query, going, count, count);
            for (std::size_t i = 0; i < count; ++i) {
                row.indices[i] = memory->by_embedding.position(i);
                row.distances[i] = memory->by_embedding.distance(i);
                row.stages[i] = static_cast<std::int8_t>(s);
            }
            tally.count(s, count, ending.kept);
            tally.seconds[s] += watch.lap();
            break;
        }
        std::size_t done = 0;
        const Compare compare(*plan.kernel, stage, query);
        for (const Segment& segment : stage.segments) {
            const std::uint64_t end = std::uint64_t{segment.first} + segment.count;
            const std::uint32_t* positions = listed.positions;
            const std::size_t stop =
                positions
                    ? static_cast<std::size_t>(std::lower_bound(positions + done, positions + count, end) - positions)
                    : static_cast<std::size_t>(end);
            if (stop - done == segment.count)
                compare.scan(segment.rows, segment.count, distances + done);
            else if (stop > done)
                compare.gather(segment.rows, positions + done, stop - done, segment.first, distances + done);
            done = stop;
        }
        const std::size_t in = count;
        const Cut cut = cut_of(stage, s == last ? 0 : plan.min_candidates, distances, in, memory->histogram);
        count = memory->ranking.split(row, static_cast<std::int8_t>(s), s == last, listed, going, distances, in, cut,
                                      stage.most());
        listed.positions = going;
        tally.count(s, in, count);
        tally.seconds[s] += watch.lap();
    }
    results.counts[query] = static_cast<std::int64_t>(live);
}

}  // namespace swiftreid

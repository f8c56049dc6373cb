// Shares the queries of a search out: many of them in groups, a group to a thread, so that a group's queries look at
// rows together; few of them to a team of threads, which shares out the gallery.
#include "cascade.hpp"

#include <algorithm>
#include <memory>
#include <mutex>
#include <vector>

#include "loan.hpp"
#include "parts.hpp"
#include "team.hpp"

namespace swiftreid {
namespace {

constexpr std::size_t kGroup = 64;                          // queries that share a pass over the gallery at most
constexpr std::size_t kExhaustiveGroup = 256;               // where all that a query keeps are its few closest
constexpr std::size_t kGroupEntries = std::size_t{1} << 25;  // of the lists that they may need

struct JobMemory {
    Chunks chunks;
    std::vector<std::unique_ptr<Chunks>> probed;  // for each member of the team
    Buffer<std::uint32_t> everything;
};

std::size_t group_of(const Plan& plan, std::size_t live) {
    std::size_t group = std::max<std::size_t>(1, (plan.queries + plan.threads - 1) / plan.threads);
    const StagePlan& first = plan.stages[plan.lists.count > 0];
    std::size_t each = plan.width;
    if (plan.stages.size() > 1) each = first.keep == Keep::threshold ? live / 16 : live;
    return std::min({group, plan.stages.size() > 1 ? kGroup : kExhaustiveGroup,
                     std::max<std::size_t>(1, kGroupEntries / std::max<std::size_t>(1, each))});
}

}  // namespace

void run(const Plan& plan, const Results& results) {
    if (!plan.queries) return;
    const Live live(plan.bitmap, plan.entries);
    const Loan<JobMemory> memory;
    const std::size_t depth = plan.stages.size();
    std::mutex guard;
    const auto tell = [&](const Tally& tally) {
        const std::lock_guard<std::mutex> lock(guard);
        tally.add_to(results, depth);
    };
    if (plan.order != Order::search || plan.stages[0].embedding()) {
        std::size_t count = plan.entries;
        std::uint32_t* everything = nullptr;
        if (plan.bitmap) {
            count = live.count(0, plan.entries);
            everything = memory->everything.room(count + 1);
            live.list(0, plan.entries, everything);
        }
        share_out(plan.threads, plan.queries, [&](std::size_t query, unsigned) {
            Tally tally;
            if (plan.order == Order::search)
                search_embeddings(plan, everything, count, query, results, tally);
            else
                rank_one(plan, everything, count, query, results, tally);
            tell(tally);
        });
        return;
    }
    const bool probing = plan.lists.count > 0;
    const std::size_t findable = probing ? live.count(0, plan.entries) : 0;
    // Where a filter leaves few entries, comparing these alone is quicker than probing lists.
    if (probing && findable * kSparse > plan.entries) {
        // Every query probes lists of its own.
        const bool team = plan.queries < plan.threads;
        memory->chunks.cut(plan.stages[1].segments, live, static_cast<std::uint32_t>(plan.lists.segments));
        while (memory->probed.size() < plan.threads) memory->probed.push_back(std::make_unique<Chunks>());
        share_out(team ? 1 : plan.threads, plan.queries, [&](std::size_t query, unsigned member) {
            Tally tally;
            Stopwatch watch;
            Chunks& chunks = *memory->probed[member];
            chunks.probe(plan, query, memory->chunks, live, std::min(plan.min_candidates, findable));
            tally.count(0, plan.lists.count, chunks.live());
            tally.seconds[0] += watch.lap();
            search_group(plan, chunks, live, query, 1, team ? plan.threads : 1, results, tally);
            tell(tally);
        });
        return;
    }
    std::size_t searchable = plan.entries;
    const bool exhaustive = depth == 1 && !plan.stages[0].weights;
    if (!exhaustive) {
        memory->chunks.cut(plan.stages[probing].segments, live);
        searchable = memory->chunks.live();
    }
    const std::size_t group = group_of(plan, searchable);
    const std::size_t groups = (plan.queries + group - 1) / group;
    const bool together = groups < plan.threads;
    const unsigned team = together ? plan.threads : 1;
    share_out(together ? 1 : plan.threads, groups, [&](std::size_t number, unsigned) {
        Tally tally;
        const std::size_t first = number * group, count = std::min(group, plan.queries - first);
        if (probing) tally.count(0, 0, count * searchable);  // no list was probed
        if (exhaustive)
            search_exhaustively(plan, live, first, count, team, results, tally);
        else
            search_group(plan, memory->chunks, live, first, count, team, results, tally);
        tell(tally);
    });
}

}  // namespace swiftreid

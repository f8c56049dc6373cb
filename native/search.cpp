// A search of two stages or more, or of one by weighted bits, for a group of queries at once: the first stages (see first_stages.hpp), and those
// behind them, which fetch the rows of what is left.
#include <algorithm>
#include <vector>

#include "chunks.hpp"
#include "compare.hpp"
#include "embedding.hpp"
#include "first_stages.hpp"
#include "found.hpp"
#include "loan.hpp"
#include "parts.hpp"
#include "team.hpp"

namespace swiftreid {
namespace {

class Group {
public:
    Group(const Plan& plan, const Chunks& chunks, const Live& live, std::size_t first, std::size_t count,
          unsigned threads, Tally& tally)
        : plan_(plan), first_(first), count_(count), tally_(tally),
          first_stages_(plan, chunks, live, first, count, threads, *memory_) {}

    void search(const Results& results) {
        first_stages_.run(tally_);
        Stopwatch watch;
        const std::size_t last = plan_.stages.size() - 1;
        for (std::size_t s = first_stages_.next(); s < last; ++s) {
            fetch_distances(s);
            for (std::size_t q = 0; q < count_; ++q) {
                Found& found = found_of(q);
                const std::size_t in = found.count;
                found.keep(
                    cut_of(plan_.stages[s], plan_.min_candidates, found.distances.data(), in, memory_->histogram));
                tally_.count(s, in, found.count);
            }
            tally_.seconds[s] += watch.lap();
        }
        const bool embedding = plan_.stages[last].embedding();
        if (!embedding) fetch_distances(last);
        for (std::size_t q = 0; q < count_; ++q) {
            if (embedding)
                finish_by_embedding(q, results);
            else
                finish(q, results);
        }
        tally_.seconds[last] += watch.lap();
    }

private:
    Found& found_of(std::size_t q) { return memory_->benches[0]->found[q]; }

    // Distances, at stage s, of what is left for every query.
    void fetch_distances(std::size_t s) {
        const StagePlan& stage = plan_.stages[s];
        std::size_t total = 0;
        for (std::size_t q = 0; q < count_; ++q) {
            found_of(q).make_room(0);
            total += found_of(q).count;
        }
        if (first_stages_.members() > 1) {
            fetch_together(stage);
        } else if (count_ == 1) {
            fetch(stage, 0, 0, found_of(0).count);
        } else if (total < 2 * plan_.entries) {  // few rows are wanted twice
            for (std::size_t q = 0; q < count_; ++q)
                if (found_of(q).count) fetch(stage, q, 0, found_of(q).count);
        } else {
            // Queries look at the same rows while these are near.
            const std::size_t window = (std::size_t{1} << 17) / stage.row_bytes;
            memory_->cursors.assign(count_, 0);
            for (std::size_t end = window; end < plan_.entries + window; end += window)
                for (std::size_t q = 0; q < count_; ++q) {
                    Found& found = found_of(q);
                    const std::uint32_t* positions = found.positions.data();
                    std::size_t& at = memory_->cursors[q];
                    const std::size_t stop = static_cast<std::size_t>(
                        std::lower_bound(positions + at, positions + found.count, end) - positions);
                    if (stop > at) fetch(stage, q, at, stop);
                    at = stop;
                }
        }
    }

    void fetch_together(const StagePlan& stage) {
        constexpr std::size_t slice = 512;
        std::vector<std::size_t>& starts = memory_->cursors;  // number of the first slice of each query
        starts.assign(count_ + 1, 0);
        for (std::size_t q = 0; q < count_; ++q) starts[q + 1] = starts[q] + (found_of(q).count + slice - 1) / slice;
        share_out(first_stages_.members(), starts[count_], [&](std::size_t number, unsigned) {
            const std::size_t q =
                static_cast<std::size_t>(std::upper_bound(starts.begin(), starts.end(), number) - starts.begin()) - 1;
            const std::size_t from = (number - starts[q]) * slice;
            fetch(stage, q, from, std::min(from + slice, found_of(q).count));
        });
    }

    // Distances of a query's entries from..to.
    void fetch(const StagePlan& stage, std::size_t q, std::size_t from, std::size_t to) {
        Found& found = found_of(q);
        const std::uint32_t* positions = found.positions.data();
        const auto after = [&](const Segment& segment) { return std::uint64_t{segment.first} + segment.count; };
        auto segment = std::upper_bound(stage.segments.begin(), stage.segments.end(), positions[from],
                                        [&](std::uint32_t position, const Segment& s) { return position < after(s); });
        for (; from < to; ++segment) {
            const std::size_t stop =
                positions[to - 1] < after(*segment)
                    ? to
                    : static_cast<std::size_t>(std::lower_bound(positions + from, positions + to, after(*segment)) -
                                               positions);
            if (stop > from)
                Compare(*plan_.kernel, stage, first_ + q)
                    .gather(segment->rows, positions + from, stop - from, segment->first,
                            found.distances.data() + from);
            from = stop;
        }
    }

    void finish(std::size_t q, const Results& results) {
        const std::size_t last = plan_.stages.size() - 1;
        const StagePlan& stage = plan_.stages[last];
        Found& found = found_of(q);
        const Ending ending(stage, plan_.width, last ? found.count : first_stages_.live());  // of what came in
        Closest& closest = memory_->closest;
        closest.start(ending.most, stage.most(), ending.limit, ending.most + 1024);
        std::uint32_t* numbers = memory_->benches[0]->positions;
        for (std::size_t at = 0; at < found.count; at += kChunk) {
            const std::uint16_t* distances = found.distances.data() + at;
            const std::size_t some = std::min(kChunk, found.count - at);
            const std::size_t near = plan_.kernel->below(distances, some, closest.bound(), numbers);
            for (std::size_t i = 0; i < near; ++i)
                closest.offer(found.positions[at + numbers[i]], distances[numbers[i]]);
        }
        std::size_t kept = ending.kept;
        if (stage.keep == Keep::threshold) {
            kept = 0;
            for (std::size_t i = 0; i < found.count; ++i) kept += found.distances[i] <= ending.limit;
        }
        write(results, first_ + q, plan_.width, last, closest);
        if (last) tally_.count(last, found.count, kept);  // the first stages have counted
    }

    void finish_by_embedding(std::size_t q, const Results& results) {
        const std::size_t last = plan_.stages.size() - 1;
        Found& found = found_of(q);
        const Ending ending(plan_.stages[last], plan_.width, found.count);
        ByEmbedding& order = memory_->by_embedding;
        order.sort(*plan_.kernel, plan_.stages[last], first_ + q, found.positions.room(1), found.count, ending.most);
        write(results, first_ + q, plan_.width, last, order, ending.most);
        tally_.count(last, found.count, ending.kept);
    }

    const Plan& plan_;
    const std::size_t first_, count_;
    Tally& tally_;
    const Loan<GroupMemory> memory_;
    FirstStages first_stages_;
};

}  // namespace

void search_group(const Plan& plan, const Chunks& chunks, const Live& live, std::size_t first, std::size_t count,
                  unsigned threads, const Results& results, Tally& tally) {
    Group(plan, chunks, live, first, count, threads, tally).search(results);
}

}  // namespace swiftreid

// Runs a cascade for each query: lists of surviving positions, always ascending, that get shorter from stage to stage.
#include "cascade.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>

#include "buffer.hpp"
#include "live.hpp"
#include "loan.hpp"
#include "ranking.hpp"
#include "select.hpp"

namespace swiftreid {
namespace {

// Rows whose distances stay in the first cache between being computed and being looked at.
constexpr std::size_t kChunk = 4096;

// What a thread needs to answer queries; lent from search to search, because fresh memory costs more than a short search.
struct Scratch {
    Buffer<std::uint32_t> positions;  // survivors, ascending
    Buffer<std::uint16_t> distances;  // theirs
    Histogram histogram;
    Closest closest;
    Ranking ranking;
};

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

// One thread's view of a search, with its tallies.
class Worker {
public:
    Worker(const Plan& plan, const Live& live, const Results& results)
        : plan_(plan), live_(live), results_(results) {}

    void answer(std::size_t query) {
        if (plan_.order == Order::search)
            search(query);
        else
            rank(query);
    }

    void add_tallies() const {
        for (std::size_t s = 0; s < plan_.stages.size(); ++s) {
            results_.entries_in[s] += static_cast<std::int64_t>(entries_in_[s]);
            results_.kept[s] += static_cast<std::int64_t>(kept_[s]);
            results_.seconds[s] += seconds_[s];
        }
    }

private:
    const std::uint8_t* code(std::size_t stage, std::size_t query) const {
        return plan_.stages[stage].queries + query * plan_.stages[stage].row_bytes;
    }

    void tally(std::size_t stage, std::size_t in, std::size_t kept) {
        entries_in_[stage] += in;
        kept_[stage] += kept;
        seconds_[stage] += watch_.lap();
    }

    void search(std::size_t query) {
        watch_.lap();
        std::size_t count = live_.count();
        const std::size_t last = plan_.stages.size() - 1;
        for (std::size_t s = 0; s < last; ++s) {
            const std::size_t in = count;
            count = s == 0 ? first_stage(query) : next_stage(s, query, in);
            tally(s, in, count);
        }
        const StagePlan& stage = plan_.stages[last];
        const std::size_t in = count;
        std::size_t wanted = std::min(plan_.width, in), kept = in;
        auto limit = static_cast<std::uint32_t>(stage.row_bytes * 8);
        if (stage.keep == Keep::threshold) limit = static_cast<std::uint32_t>(std::min<std::uint64_t>(stage.amount, limit));
        if (stage.keep == Keep::top) kept = static_cast<std::size_t>(std::min<std::uint64_t>(stage.amount, in));
        if (stage.keep == Keep::share) kept = share_of(stage.share, in);
        closest_.start(std::min(wanted, kept), stage.row_bytes * 8, limit);
        std::size_t passing = 0;
        if (last == 0 && live_.scan_all()) {
            passing = last_of_all(query, limit);
        } else {
            if (last == 0) live_.copy_to(positions_);
            gather(last, query, in);
            passing = offer(distances_.data(), in, limit, [this](std::size_t i) { return positions_[i]; });
        }
        if (stage.keep == Keep::threshold) kept = passing;
        const std::size_t at = query * plan_.width;
        const std::size_t found = closest_.finish(results_.indices + at, results_.distances + at);
        std::fill_n(results_.stages + at, found, static_cast<std::int8_t>(last));
        results_.counts[query] = static_cast<std::int64_t>(found);
        tally(last, in, kept);
    }

    // Survivors of the first stage into positions_.
    std::size_t first_stage(std::size_t query) {
        const StagePlan& stage = plan_.stages[0];
        const std::size_t least = std::min(plan_.min_candidates, live_.count());
        if (stage.keep == Keep::threshold && live_.scan_all()) {
            const auto most = static_cast<std::uint32_t>(stage.row_bytes * 8);
            auto limit = static_cast<std::uint32_t>(std::min<std::uint64_t>(stage.amount, most));
            std::size_t kept = within(query, limit);
            if (kept >= least) return kept;
            // Too few: look again with growing limits, then take back what the smallest sufficient threshold excludes.
            for (std::uint32_t step = std::max(1u, most / 32); kept < least; step *= 2) {
                limit = std::min(most, limit + step);
                kept = within(query, limit);
            }
            return next_stage(0, query, kept);
        }
        const std::size_t in = all_distances(0, query);
        const Cut cut = cut_of(stage, plan_.min_candidates, distances_.data(), in, histogram_);
        positions_.room(in);
        if (const std::uint32_t* list = live_.list()) return keep(cut, in, [list](std::size_t i) { return list[i]; });
        return keep(cut, in, [](std::size_t i) { return static_cast<std::uint32_t>(i); });
    }

    std::size_t next_stage(std::size_t s, std::size_t query, std::size_t in) {
        gather(s, query, in);
        const Cut cut = cut_of(plan_.stages[s], plan_.min_candidates, distances_.data(), in, histogram_);
        return keep(cut, in, [this](std::size_t i) { return positions_[i]; });
    }

    // The first stage's threshold without writing a single distance.
    std::size_t within(std::size_t query, std::uint32_t limit) {
        const StagePlan& stage = plan_.stages[0];
        std::size_t kept = 0;
        for (const Segment& segment : stage.segments) {
            for (std::size_t at = 0; at < segment.count; at += kChunk) {
                const std::size_t rows = std::min(kChunk, segment.count - at);
                std::uint32_t* out = positions_.room(kept + rows + kSlack) + kept;
                const std::size_t found =
                    plan_.kernel->within(segment.rows + at * stage.row_bytes, rows, stage.row_bytes, code(0, query),
                                         limit, segment.first + static_cast<std::uint32_t>(at), out);
                kept += live_.everything() ? found : live_.drop_dead(out, found);
            }
        }
        return kept;
    }

    // Distances of all live entries, in gallery order, into distances_.
    std::size_t all_distances(std::size_t s, std::size_t query) {
        const StagePlan& stage = plan_.stages[s];
        if (!live_.scan_all()) {
            live_.copy_to(positions_);
            gather(s, query, live_.count());
            return live_.count();
        }
        std::uint16_t* out = distances_.room(plan_.entries);
        for (const Segment& segment : stage.segments)
            plan_.kernel->scan(segment.rows, segment.count, stage.row_bytes, code(s, query), out + segment.first);
        if (const std::uint32_t* list = live_.list())
            for (std::size_t i = 0; i < live_.count(); ++i) out[i] = out[list[i]];
        return live_.count();
    }

    // Distances of positions_[0..count) into distances_, segment by segment.
    void gather(std::size_t s, std::size_t query, std::size_t count) {
        const StagePlan& stage = plan_.stages[s];
        std::uint16_t* out = distances_.room(count);
        const std::uint32_t* from = positions_.data();
        std::size_t done = 0;
        for (const Segment& segment : stage.segments) {
            const std::uint64_t end = static_cast<std::uint64_t>(segment.first) + segment.count;
            const std::size_t stop =
                end >= plan_.entries ? count
                                     : static_cast<std::size_t>(std::lower_bound(from + done, from + count, end) - from);
            if (stop > done)
                plan_.kernel->gather(segment.rows, from + done, stop - done, segment.first, stage.row_bytes,
                                     code(s, query), out + done);
            done = stop;
        }
    }

    // A search of one stage: nothing is written but the few that may be among the closest.
    std::size_t last_of_all(std::size_t query, std::uint32_t limit) {
        const StagePlan& stage = plan_.stages[0];
        std::uint16_t* out = distances_.room(kChunk);
        std::size_t passing = 0;
        for (const Segment& segment : stage.segments) {
            for (std::size_t at = 0; at < segment.count; at += kChunk) {
                const std::size_t rows = std::min(kChunk, segment.count - at);
                plan_.kernel->scan(segment.rows + at * stage.row_bytes, rows, stage.row_bytes, code(0, query), out);
                const std::uint32_t first = segment.first + static_cast<std::uint32_t>(at);
                passing += offer(out, rows, limit, [first](std::size_t i) { return first + static_cast<std::uint32_t>(i); });
            }
        }
        return passing;
    }

    // Offers entries to closest_; returns how many live ones are within the limit (counted for threshold rules only).
    template <class Position>
    std::size_t offer(const std::uint16_t* distances, std::size_t count, std::uint32_t limit, Position position) {
        const bool counting = plan_.stages.back().keep == Keep::threshold;
        const bool check = !live_.everything() && plan_.stages.size() == 1 && live_.scan_all();
        std::size_t passing = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint16_t d = distances[i];
            if (counting ? d > limit : d >= closest_.bound()) continue;
            if (check && !live_.has(position(i))) continue;
            ++passing;
            if (d < closest_.bound()) closest_.push(position(i), d);
        }
        return passing;
    }

    // Moves what passes the cut to the front of positions_.
    template <class Position>
    std::size_t keep(Cut cut, std::size_t count, Position position) {
        std::size_t kept = 0, ties = cut.ties;
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint16_t d = distances_[i];
            const bool tie = d == cut.limit;
            positions_[kept] = position(i);
            kept += (d < cut.limit) | (tie & (ties > 0));
            ties -= tie & (ties > 0);
        }
        return kept;
    }

    void rank(std::size_t query) {
        watch_.lap();
        const std::size_t at = query * plan_.width, last = plan_.stages.size() - 1;
        Row row{results_.indices + at, results_.distances + at, results_.stages + at};
        std::size_t count = live_.count();
        live_.copy_to(positions_);
        ranking_.start(count, plan_.order == Order::rank_by_stages);
        for (std::size_t s = 0; s <= last; ++s) {
            const StagePlan& stage = plan_.stages[s];
            const std::size_t in = count;
            if (s == 0 && live_.scan_all())
                all_distances(s, query);
            else
                gather(s, query, in);
            const std::size_t least = s == last ? 0 : plan_.min_candidates;
            const Cut cut = cut_of(stage, least, distances_.data(), in, histogram_);
            const std::size_t passed = ranking_.split(row, static_cast<std::int8_t>(s), s == last, positions_.data(),
                                                      distances_.data(), in, cut, stage.row_bytes * 8);
            count = passed;
            tally(s, in, passed);
        }
        results_.counts[query] = static_cast<std::int64_t>(live_.count());
    }

    const Plan& plan_;
    const Live& live_;
    const Results& results_;
    std::array<std::size_t, kMaxStages> entries_in_{}, kept_{};
    std::array<double, kMaxStages> seconds_{};
    const Loan<Scratch> scratch_;
    Buffer<std::uint32_t>& positions_ = scratch_->positions;
    Buffer<std::uint16_t>& distances_ = scratch_->distances;
    Histogram& histogram_ = scratch_->histogram;
    Closest& closest_ = scratch_->closest;
    Ranking& ranking_ = scratch_->ranking;
    Stopwatch watch_;
};

}  // namespace

void run(const Plan& plan, const Results& results) {
    // A scan by threshold and a search of one stage look up single bits; everything else goes through the positions.
    const bool bits_do = plan.order == Order::search &&
                         (plan.stages.size() == 1 || plan.stages[0].keep == Keep::threshold);
    const Live live(plan.bitmap, plan.entries, !bits_do);
    std::atomic<std::size_t> next{0};
    std::mutex guard;
    std::exception_ptr failure;
    const auto work = [&] {
        try {
            Worker worker(plan, live, results);
            for (std::size_t query; (query = next.fetch_add(1)) < plan.queries;) worker.answer(query);
            const std::lock_guard<std::mutex> lock(guard);
            worker.add_tallies();
        } catch (...) {
            const std::lock_guard<std::mutex> lock(guard);
            failure = std::current_exception();
            next = plan.queries;
        }
    };
    std::vector<std::thread> others;
    for (std::size_t t = 1; t < std::min<std::size_t>(plan.threads, plan.queries); ++t) {
        try {
            others.emplace_back(work);
        } catch (const std::system_error&) {
            break;  // fewer threads than asked for: slower, same answers
        }
    }
    work();
    for (std::thread& other : others) other.join();
    if (failure) std::rethrow_exception(failure);
}

}  // namespace swiftreid

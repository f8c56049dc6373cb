// A full ranking in coarse-to-fine order: whoever got furthest first, then by distance, then by the tie rule.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "buffer.hpp"
#include "select.hpp"

namespace swiftreid {

struct Row {
    std::int64_t* indices;
    std::int32_t* distances;
    std::int8_t* stages;
};

class Ranking {
public:
    void start(std::size_t count, bool by_stages) {
        by_stages_ = by_stages;
        if (!by_stages) return;
        order_.room(count + 1);
        next_order_.room(count + 1);
        renamed_.room(count + 1);
        for (std::size_t i = 0; i < count; ++i) order_[i] = static_cast<std::uint32_t>(i);
    }

    // Writes the entries that stop at this stage behind the places of those that go on (at the last stage all stop), and
    // moves the positions of those that go on to the front. Returns how many passed the cut.
    std::size_t split(Row row, std::int8_t stage, bool last, std::uint32_t* positions, const std::uint16_t* distances,
                      std::size_t count, Cut cut, std::size_t max_distance) {
        count_quarters(distances, count, max_distance + 1);
        const std::size_t at_limit = std::min<std::size_t>(cut.ties, histogram_[cut.limit]);
        std::size_t passed = at_limit;
        for (std::size_t d = 0; d < cut.limit; ++d) passed += histogram_[d];
        const std::size_t going = last ? 0 : passed;
        const Cut stop = last ? Cut{0, 0} : Cut{cut.limit, at_limit};
        write_levels(row, stage, stop, going, count);
        if (by_stages_)
            place_by_stages(row.indices, positions, distances, count, stop);
        else if (stop.ties > 0 && stop.ties < histogram_[stop.limit])
            place_ties(row.indices, positions, distances, count, stop);
        else
            place(row.indices, positions, distances, count, stop, going);
        return passed;
    }

private:
    // Stages and distances of those that stop, who follow `going` others: they come in runs, so nothing is scattered. Notes
    // where the run of each distance starts. Of `stop.limit`, the first `stop.ties` entries go on.
    void write_levels(Row row, std::int8_t stage, Cut stop, std::size_t going, std::size_t count) {
        std::fill(row.stages + going, row.stages + count, stage);
        starts_.resize(histogram_.size());
        std::size_t to = going;
        for (std::size_t d = stop.limit; d < starts_.size(); ++d) {
            starts_[d] = static_cast<std::uint32_t>(to);
            const std::size_t run = histogram_[d] - (d == stop.limit ? stop.ties : 0);
            std::fill_n(row.distances + to, run, static_cast<std::int32_t>(d));
            to += run;
        }
    }

    // How often each distance comes, in each quarter of the entries.
    void count_quarters(const std::uint16_t* distances, std::size_t count, std::size_t bins) {
        quarters_.assign(kQuarters * bins, 0);
        std::uint32_t *a = quarters_.data(), *b = a + bins, *c = b + bins, *d = c + bins;
        const std::size_t length = count / kQuarters;
        const std::uint16_t *e = distances, *f = e + length, *g = f + length, *h = g + length;
        for (std::size_t i = 0; i < length; ++i) ++a[e[i]], ++b[f[i]], ++c[g[i]], ++d[h[i]];
        for (std::size_t i = kQuarters * length; i < count; ++i) ++d[distances[i]];
        histogram_.resize(bins);
        for (std::size_t bin = 0; bin < bins; ++bin) histogram_[bin] = a[bin] + b[bin] + c[bin] + d[bin];
    }

    // Puts every entry down behind those before it in its run, those that go on in a run of their own: no branch
    // depends on a distance. Four quarters at once, because an entry waits for the one before it in the same run.
    void place(std::int64_t* indices, std::uint32_t* positions, const std::uint16_t* distances, std::size_t count,
               Cut stop, std::size_t going) {
        const std::size_t bins = histogram_.size();
        const std::size_t first = stop.limit + (stop.ties > 0);  // the smallest distance that stops
        run_of_.resize(bins);
        for (std::size_t d = 0; d < bins; ++d) run_of_[d] = static_cast<std::uint16_t>(d < first ? 0 : d - first + 1);
        const std::size_t runs = bins - first + 1;
        runs_.resize(kQuarters * runs);
        std::uint32_t before = 0;  // of those that go on, in the quarters before
        for (std::size_t quarter = 0; quarter < kQuarters; ++quarter) {
            const std::uint32_t* counted = quarters_.data() + quarter * bins;
            std::uint32_t* next = runs_.data() + quarter * runs;
            next[0] = before;
            for (std::size_t d = 0; d < first; ++d) before += counted[d];
            for (std::size_t d = first; d < bins; ++d)
                next[d - first + 1] = quarter == 0 ? starts_[d] : (next - runs)[d - first + 1] + (counted - bins)[d];
        }
        std::uint32_t* placed = placed_.room(count + 1);
        const std::uint16_t* run_of = run_of_.data();
        const std::size_t length = count / kQuarters;
        std::uint32_t *a = runs_.data(), *b = a + runs, *c = b + runs, *d = c + runs;
        for (std::size_t i = 0, j = length, k = 2 * length, l = 3 * length; i < length; ++i, ++j, ++k, ++l) {
            placed[a[run_of[distances[i]]]++] = positions[i];
            placed[b[run_of[distances[j]]]++] = positions[j];
            placed[c[run_of[distances[k]]]++] = positions[k];
            placed[d[run_of[distances[l]]]++] = positions[l];
        }
        for (std::size_t i = kQuarters * length; i < count; ++i) placed[d[run_of[distances[i]]]++] = positions[i];
        std::copy_n(placed, going, positions);
        for (std::size_t i = going; i < count; ++i) indices[i] = placed[i];
    }

    // The same where only some of the entries at the limit go on.
    void place_ties(std::int64_t* indices, std::uint32_t* positions, const std::uint16_t* distances, std::size_t count,
                    Cut stop) {
        std::uint32_t* starts = starts_.data();
        std::size_t next = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint32_t d = distances[i];
            if (d < stop.limit || (d == stop.limit && stop.ties > 0)) {
                stop.ties -= d == stop.limit;
                positions[next++] = positions[i];
                continue;
            }
            indices[starts[d]++] = positions[i];
        }
    }

    // The same, but entries at one distance keep the order that the stages before gave them.
    void place_by_stages(std::int64_t* indices, std::uint32_t* positions, const std::uint16_t* distances,
                         std::size_t count, Cut stop) {
        // Which entries pass is a matter of gallery order...
        std::size_t next = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const bool tie = distances[i] == stop.limit && stop.ties > 0;
            stop.ties -= tie;
            renamed_[i] = distances[i] < stop.limit || tie ? static_cast<std::uint32_t>(next++) : kStopped;
        }
        // ...and how they follow each other is not.
        going_.assign(histogram_.size() + 1, 0);
        for (std::size_t i = 0; i < count; ++i)
            if (renamed_[i] != kStopped) ++going_[distances[i] + 1u];
        for (std::size_t d = 1; d < going_.size(); ++d) going_[d] += going_[d - 1];
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint32_t entry = order_[i];
            const std::uint16_t d = distances[entry];
            if (renamed_[entry] == kStopped)
                indices[starts_[d]++] = positions[entry];
            else
                next_order_[going_[d]++] = renamed_[entry];
        }
        for (std::size_t i = 0; i < count; ++i)
            if (renamed_[i] != kStopped) positions[renamed_[i]] = positions[i];
        order_.swap(next_order_);
    }

    static constexpr std::uint32_t kStopped = 0xffffffff;
    bool by_stages_ = false;
    Buffer<std::uint32_t> order_, next_order_, renamed_;
    Buffer<std::uint32_t> placed_;
    static constexpr std::size_t kQuarters = 4;
    std::vector<std::uint32_t> histogram_, quarters_, starts_, going_, runs_;
    std::vector<std::uint16_t> run_of_;
};

}  // namespace swiftreid

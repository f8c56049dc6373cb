// Choosing by distance: all distances are small integers, so everything here counts instead of comparing.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "buffer.hpp"
#include "cascade.hpp"

namespace swiftreid {

// What passes: every distance below `limit`, and the first `ties` (in gallery order) of those at `limit`.
struct Cut {
    std::uint32_t limit;
    std::size_t ties;
};

constexpr std::size_t kAllTies = std::numeric_limits<std::size_t>::max();

class Histogram {
public:
    // Counts over 0..max_distance.
    void count(const std::uint16_t* distances, std::size_t count, std::size_t max_distance) {
        start(max_distance);
        add(distances, count);
    }

    void start(std::size_t max_distance) {
        bins_ = max_distance + 1;
        tables_.assign(kTables * bins_, 0);
    }

    void add(const std::uint16_t* distances, std::size_t count) {
        // Four tables: neighbours often fall in one bin, and a bin must not wait for its own last increment. For a short
        // list adding them up would take longer than that.
        std::uint32_t* t = tables_.data();
        std::size_t i = 0;
        if (count > 2 * bins_) {
            for (; i + 4 <= count; i += 4) {
                ++t[distances[i]];
                ++t[bins_ + distances[i + 1]];
                ++t[2 * bins_ + distances[i + 2]];
                ++t[3 * bins_ + distances[i + 3]];
            }
            for (std::size_t b = 0; b < bins_; ++b) {
                t[b] += t[bins_ + b] + t[2 * bins_ + b] + t[3 * bins_ + b];
                t[bins_ + b] = t[2 * bins_ + b] = t[3 * bins_ + b] = 0;
            }
        }
        for (; i < count; ++i) ++t[distances[i]];
    }

    void add(const Histogram& other) {
        for (std::size_t b = 0; b < bins_; ++b) tables_[b] += other.tables_[b];
    }

    // The cut that passes exactly the `wanted` closest; `wanted` is at least 1 and at most the number counted.
    Cut closest(std::size_t wanted) const {
        std::size_t below = 0;
        for (std::size_t b = 0; b < bins_; ++b) {
            if (below + tables_[b] >= wanted) return {static_cast<std::uint32_t>(b), wanted - below};
            below += tables_[b];
        }
        return {static_cast<std::uint32_t>(bins_ - 1), kAllTies};
    }

    std::size_t operator[](std::size_t bin) const { return tables_[bin]; }
    std::size_t bins() const { return bins_; }

private:
    static constexpr std::size_t kTables = 4;
    std::vector<std::uint32_t> tables_;
    std::size_t bins_ = 0;
};

// ceil(share * count), forgiving the rounding of products such as 0.07 * 100; the reference computes the same.
inline std::size_t share_of(double share, std::size_t count) {
    const double exact = std::ceil(share * static_cast<double>(count) - 1e-9);
    return std::min(count, static_cast<std::size_t>(std::max(exact, 0.0)));
}

// The cut of a stage's rule over the distances of the entries that came in.
inline Cut cut_of(const StagePlan& stage, std::size_t at_least, const std::uint16_t* distances, std::size_t count,
                  Histogram& histogram) {
    const std::size_t max_distance = stage.most();
    const Cut everything{static_cast<std::uint32_t>(max_distance), kAllTies};
    at_least = std::min(at_least, count);
    if (count == 0 || stage.keep == Keep::all) return everything;
    if (stage.keep == Keep::threshold) {
        const auto limit = static_cast<std::uint16_t>(std::min<std::uint64_t>(stage.amount, max_distance));
        std::uint32_t passing = 0;
        for (std::size_t i = 0; i < count && at_least; ++i) passing += distances[i] <= limit;
        if (passing >= at_least) return {limit, kAllTies};
        histogram.count(distances, count, max_distance);
        return {histogram.closest(at_least).limit, kAllTies};
    }
    std::size_t wanted = stage.keep == Keep::top
                             ? static_cast<std::size_t>(std::min<std::uint64_t>(stage.amount, count))
                             : share_of(stage.share, count);
    wanted = std::max(wanted, at_least);
    if (wanted == count) return everything;
    histogram.count(distances, count, max_distance);
    const Cut cut = histogram.closest(wanted);
    return {cut.limit, stage.whole_ties ? kAllTies : cut.ties};
}

// Sorts positions below `entries`: by their low bits, then by their high bits.
inline void sort_positions(std::uint32_t* positions, std::size_t count, std::size_t entries,
                           Buffer<std::uint32_t>& other, std::vector<std::uint32_t>& starts) {
    if (count < 256) return std::sort(positions, positions + count);
    constexpr int bits = 12;
    std::uint32_t *from = positions, *to = other.room(count);
    for (int shift = 0; shift == 0 || entries >> shift; shift += bits) {
        starts.assign((std::size_t{1} << bits) + 1, 0);
        const auto digit = [&](std::uint32_t position) { return position >> shift & ((1u << bits) - 1); };
        for (std::size_t i = 0; i < count; ++i) ++starts[digit(from[i]) + 1];
        for (std::size_t d = 1; d < starts.size(); ++d) starts[d] += starts[d - 1];
        for (std::size_t i = 0; i < count; ++i) to[starts[digit(from[i])]++] = from[i];
        std::swap(from, to);
    }
    if (from != positions) std::copy_n(from, count, positions);
}

// The k closest of a stream of (position, distance) with ascending positions.
class Closest {
public:
    // The bound falls whenever `spare` more than k were pushed: often, where finding an entry costs more than that.
    void start(std::size_t k, std::size_t max_distance, std::uint32_t limit, std::size_t spare) {
        k_ = k;
        max_distance_ = max_distance;
        bound_ = k ? limit + 1 : 0;
        size_ = 0;
        room_ = k + spare;
        positions_.room(room_);
        distances_.room(room_);
    }

    // Only distances below this can still enter: of equals the earlier position wins.
    std::uint32_t bound() const { return bound_; }

    // Adds the distances of all that it holds.
    void tell(std::vector<std::uint16_t>& out) { out.insert(out.end(), distances_.data(), distances_.data() + size_); }

    void push(std::uint32_t position, std::uint16_t distance) {
        positions_[size_] = position;
        distances_[size_] = distance;
        if (++size_ == room_) shrink();
    }

    // Takes all of another one, which looked at other positions: then the order of positions is restored.
    void join(Closest& other) {
        other.settle();
        for (std::size_t i = 0; i < other.size_; ++i) keys_.push_back(key(other.positions_[i], other.distances_[i]));
    }
    void joined() {
        settle();
        for (std::size_t i = 0; i < size_; ++i) keys_.push_back(key(positions_[i], distances_[i]));
        std::sort(keys_.begin(), keys_.end());
        size_ = std::min(keys_.size(), k_);
        for (std::size_t i = 0; i < size_; ++i) {
            positions_[i] = static_cast<std::uint32_t>(keys_[i]);
            distances_[i] = static_cast<std::uint16_t>(keys_[i] >> 32);
        }
        keys_.clear();
    }

    // The same for an entry that may have become too far since it was looked at.
    void offer(std::uint32_t position, std::uint16_t distance) {
        if (distance < bound_) push(position, distance);
    }

    // Writes them by distance, then position; returns how many.
    std::size_t finish(std::int64_t* indices, std::int32_t* distances) {
        settle();
        starts_.assign(max_distance_ + 2, 0);
        for (std::size_t i = 0; i < size_; ++i) ++starts_[distances_[i] + 1u];
        for (std::size_t b = 1; b < starts_.size(); ++b) starts_[b] += starts_[b - 1];
        for (std::size_t i = 0; i < size_; ++i) {
            const std::size_t to = starts_[distances_[i]]++;
            indices[to] = positions_[i];
            distances[to] = distances_[i];
        }
        return size_;
    }

private:
    static std::uint64_t key(std::uint32_t position, std::uint16_t distance) {
        return std::uint64_t{distance} << 32 | position;
    }

    void settle() {
        if (size_ > k_) shrink();
    }

    void shrink() {
        histogram_.count(distances_.data(), size_, max_distance_);
        const Cut cut = histogram_.closest(k_);
        std::size_t kept = 0, ties = cut.ties;
        for (std::size_t i = 0; i < size_; ++i) {
            const std::uint16_t d = distances_[i];
            if (d > cut.limit || (d == cut.limit && ties == 0)) continue;
            ties -= d == cut.limit;
            positions_[kept] = positions_[i];
            distances_[kept++] = d;
        }
        size_ = kept;
        bound_ = cut.limit;
    }

    std::size_t k_ = 0, size_ = 0, room_ = 0, max_distance_ = 0;
    std::uint32_t bound_ = 0;
    Buffer<std::uint32_t> positions_;
    Buffer<std::uint16_t> distances_;
    std::vector<std::uint64_t> keys_;
    std::vector<std::uint32_t> starts_;
    Histogram histogram_;
};

}  // namespace swiftreid

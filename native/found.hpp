// What is left of a gallery for one query: ascending positions, with their distances at the last stage.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "buffer.hpp"
#include "kernel.hpp"
#include "select.hpp"

namespace swiftreid {

struct Found {
    Buffer<std::uint32_t> positions;
    Buffer<std::uint16_t> distances;
    std::size_t count = 0;
    std::size_t came_in = 0;  // how many of the stage before were looked at for it

    void start() { count = came_in = 0; }

    void make_room(std::size_t more) {
        positions.room(count + more + kSlack);
        distances.room(count + more + kSlack);
    }

    // Keeps what passes, in place.
    void keep(Cut cut) {
        std::size_t kept = 0, ties = cut.ties;
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint16_t d = distances[i];
            const bool tie = (d == cut.limit) & (ties > 0);
            positions[kept] = positions[i];
            distances[kept] = d;
            kept += (d < cut.limit) | tie;
            ties -= tie;
        }
        count = kept;
    }

    // Takes in what another member of the team found elsewhere in the gallery.
    void merge(Found& other) {
        came_in += other.came_in;
        if (!other.count) return;
        make_room(other.count);
        std::size_t a = count, b = other.count, to = a + b;
        count = to;
        while (b) {  // from the back, so that nothing is in the way
            if (a && positions[a - 1] > other.positions[b - 1]) {
                positions[--to] = positions[--a];
                distances[to] = distances[a];
            } else {
                positions[--to] = other.positions[--b];
                distances[to] = other.distances[b];
            }
        }
    }
};

// A threshold that must let `least` entries pass, over a stream of entries: as long as too few are within the
// threshold, the closest of the others are kept as well.
class GrowingLimit {
public:
    void start(std::uint32_t threshold, std::size_t least, std::size_t bits) {
        threshold_ = threshold;
        least_ = least;
        bits_ = bits;
        limit_ = least ? static_cast<std::uint32_t>(bits) : threshold;
        look_at_ = 2 * least + 256;
    }

    // Entries beyond this are surely out.
    std::uint32_t limit() const { return limit_; }

    // Takes in what another member of the team knows: its entries have joined.
    void widen(const GrowingLimit& other) { limit_ = std::max(limit_, other.limit_); }

    // To be called as entries come in.
    void look(Found& found, Histogram& histogram) {
        if (limit_ > threshold_ && found.count >= look_at_) settle(found, histogram);
    }

    // Drops what does not pass; of the entries so far, and so in the end of all.
    void settle(Found& found, Histogram& histogram) {
        if (limit_ > threshold_) {
            histogram.count(found.distances.data(), found.count, bits_);
            const std::uint32_t closest =
                least_ < found.count ? histogram.closest(least_).limit : static_cast<std::uint32_t>(bits_);
            const std::uint32_t now = std::max(threshold_, closest);
            if (now < limit_) found.keep({now, kAllTies});
            limit_ = now;
            look_at_ = 2 * found.count + 256;
        }
    }

private:
    std::uint32_t threshold_ = 0, limit_ = 0;
    std::size_t least_ = 0, bits_ = 0, look_at_ = 0;
};

}  // namespace swiftreid

// A gallery cut into chunks that fit a processor's caches, without those that no filter lets through or, with lists, that
// a query does not look into.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "buffer.hpp"
#include "cascade.hpp"
#include "live.hpp"
#include "select.hpp"

namespace swiftreid {

struct Chunk {
    std::uint32_t segment;
    std::uint32_t row;  // first row, in its segment (a multiple of kBlock) or list group
    std::uint32_t rows;
    std::uint32_t live;  // how many of them may be found (of a list group: perhaps)
    const std::uint32_t* listed;  // their positions, where they are so few that looking at each is quicker; else null
    const ListGroup* lists;  // null: a part of a segment
};

constexpr std::size_t kChunk = 16 * kBlock;

// One live entry in so many, or fewer, is fetched by itself.
constexpr std::size_t kSparse = 24;

class Chunks {
public:
    // Of the segments from `from` on.
    void cut(std::span<const Segment> segments, const Live& live, std::uint32_t from = 0) {
        chunks_.clear();
        live_ = 0;
        probed_ = false;
        std::size_t listed = 0;
        for (std::uint32_t s = from; s < segments.size(); ++s) {
            for (std::size_t row = 0; row < segments[s].count; row += kChunk) {
                const std::size_t rows = std::min(kChunk, segments[s].count - row);
                const std::size_t some = live.count(segments[s].first + row, rows);
                if (!some) continue;
                chunks_.push_back({s, static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(rows),
                                   static_cast<std::uint32_t>(some), nullptr, nullptr});
                live_ += some;
                if (some * kSparse <= rows) listed += some;
            }
        }
        std::uint32_t* to = positions_.room(listed + 1);
        for (Chunk& chunk : chunks_) {
            if (std::size_t{chunk.live} * kSparse > chunk.rows) continue;
            chunk.listed = to;
            to += live.list(segments[chunk.segment].first + chunk.row, chunk.rows, to);
        }
    }

    // Of the lists nearest to a query's code, and then those of `plain`. As many lists as hold the share of what is in
    // lists, and with `plain` as many entries that may be found as the next stage must pass on.
    void probe(const Plan& plan, std::size_t query, const Chunks& plain, const Live& live, std::size_t least) {
        const InvertedLists& lists = plan.lists;
        const StagePlan& stage = plan.stages[0];
        distances_.resize(lists.count);
        plan.kernel->scan(lists.centres, lists.count, stage.row_bytes, stage.query(query), distances_.data());
        std::size_t covered = 0;
        held_.assign(lists.count, 0);
        for (const ListGroup& group : lists.groups) {
            covered += group.count;
            for (std::size_t c = 0; c < lists.count; ++c) held_[c] += group.starts[c + 1] - group.starts[c];
        }
        // By distance, then number, until they hold enough.
        starts_.assign(stage.bits() + 2, 0);
        for (const std::uint16_t distance : distances_) ++starts_[distance + 1u];
        for (std::size_t d = 1; d < starts_.size(); ++d) starts_[d] += starts_[d - 1];
        order_.resize(lists.count);
        for (std::size_t c = 0; c < lists.count; ++c) order_[starts_[distances_[c]]++] = static_cast<std::uint32_t>(c);
        const std::size_t wanted = share_of(stage.share, covered);
        std::size_t held = 0, chosen = 0, alive = plain.live();
        while (held < wanted) held += held_[order_[chosen++]];
        for (std::size_t i = 0; i < lists.count && alive < least; ++i) {
            alive += live_in(lists, order_[i], live);
            if (i < chosen) continue;
            held += held_[order_[i]];
            ++chosen;
        }
        chosen_.assign(lists.count, 0);
        for (std::size_t i = 0; i < chosen; ++i) chosen_[order_[i]] = 1;
        chunks_.clear();
        for (const ListGroup& group : lists.groups)
            for (std::size_t c = 0; c < lists.count;) {
                const std::size_t from = c;
                while (c < lists.count && chosen_[c]) ++c;  // neighbours are read in one go
                if (c > from) add(group, group.starts[from], group.starts[c]);
                c += c == from;
            }
        live_ = held + plain.live();
        probed_ = true;
        chunks_.insert(chunks_.end(), plain.all().begin(), plain.all().end());
    }

    const std::vector<Chunk>& all() const { return chunks_; }
    bool probed() const { return probed_; }
    std::size_t live() const { return live_; }

private:
    std::size_t live_in(const InvertedLists& lists, std::size_t list, const Live& live) const {
        if (live.everything()) return held_[list];
        std::size_t sum = 0;
        for (const ListGroup& group : lists.groups)
            for (std::size_t row = group.starts[list]; row < group.starts[list + 1]; ++row)
                sum += live.has(group.first + group.order[row]);
        return sum;
    }

    void add(const ListGroup& group, std::uint32_t from, std::uint32_t to) {
        while (from < to) {
            const std::uint32_t end = static_cast<std::uint32_t>(std::min<std::size_t>(to, from + kChunk));
            chunks_.push_back({0, from, end - from, end - from, nullptr, &group});
            from = end;
        }
    }

    std::vector<Chunk> chunks_;
    Buffer<std::uint32_t> positions_;
    std::vector<std::uint16_t> distances_;
    std::vector<std::size_t> held_;
    std::vector<std::uint32_t> starts_, order_;
    std::vector<std::uint8_t> chosen_;
    std::size_t live_ = 0;
    bool probed_ = false;
};

}  // namespace swiftreid

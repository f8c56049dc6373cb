// A gallery cut into chunks that fit a processor's caches, without those that no filter lets through.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "buffer.hpp"
#include "cascade.hpp"
#include "live.hpp"

namespace swiftreid {

struct Chunk {
    std::uint32_t segment;
    std::uint32_t row;   // first row, in its segment; a multiple of kBlock
    std::uint32_t rows;
    std::uint32_t live;  // how many of them may be found
    const std::uint32_t* listed;  // their positions, where they are so few that looking at each is quicker; else null
};

constexpr std::size_t kChunk = 16 * kBlock;

// One live entry in so many, or fewer, is fetched by itself.
constexpr std::size_t kSparse = 24;

class Chunks {
public:
    void cut(const std::vector<Segment>& segments, const Live& live) {
        chunks_.clear();
        live_ = 0;
        std::size_t listed = 0;
        for (std::uint32_t s = 0; s < segments.size(); ++s) {
            for (std::size_t row = 0; row < segments[s].count; row += kChunk) {
                const std::size_t rows = std::min(kChunk, segments[s].count - row);
                const std::size_t some = live.count(segments[s].first + row, rows);
                if (!some) continue;
                chunks_.push_back({s, static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(rows),
                                   static_cast<std::uint32_t>(some), nullptr});
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

    const std::vector<Chunk>& all() const { return chunks_; }
    std::size_t live() const { return live_; }

private:
    std::vector<Chunk> chunks_;
    Buffer<std::uint32_t> positions_;
    std::size_t live_ = 0;
};

}  // namespace swiftreid

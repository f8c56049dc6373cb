// Memory of large results, kept for the next ones when nobody looks at them any more. Memory that the system has just
// given comes page by page, which takes longer than to fill it.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <vector>

namespace swiftreid {

// For one thread at a time: the interpreter's lock is held.
class Spares {
public:
    struct Block {
        std::uint8_t* data;
        std::size_t size;
    };

    Spares() { idle_.reserve(kMost / kLeast + 1); }

    // At least so many bytes.
    Block take(std::size_t size) {
        size = (std::max(size, kLeast) + 4095) & ~std::size_t{4095};
        auto best = idle_.end();  // of several the latest, which caches may still hold
        for (auto block = idle_.begin(); block != idle_.end(); ++block)
            if (block->size >= size && block->size <= 2 * size && (best == idle_.end() || block->size <= best->size))
                best = block;
        if (best == idle_.end()) {
            auto* data = static_cast<std::uint8_t*>(std::malloc(size));
            if (!data) throw std::bad_alloc();
            return {data, size};
        }
        const Block found = *best;
        idle_.erase(best);
        total_ -= found.size;
        return found;
    }

    void give(Block block) {
        if (block.size > kMost) return std::free(block.data);
        for (; total_ + block.size > kMost; idle_.erase(idle_.begin())) {  // the one that has been idle longest
            total_ -= idle_.front().size;
            std::free(idle_.front().data);
        }
        idle_.push_back(block);
        total_ += block.size;
    }

private:
    static constexpr std::size_t kLeast = 65536, kMost = std::size_t{16} << 20;
    std::vector<Block> idle_;
    std::size_t total_ = 0;
};

}  // namespace swiftreid

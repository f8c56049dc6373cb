// Distances where bits count by weights: those that a description states, and no others. Plain loops over tables of what
// each byte of a row adds; whole galleries are looked at by bit planes instead (`within_weighted` of a kernel).
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

#include "kernel.hpp"

namespace swiftreid {

class Weighted {
public:
    // `weights`: one for each bit of a row of at most kMaxSlicedBytes.
    Weighted(const std::uint8_t* query, const std::uint8_t* weights, std::size_t row_bytes) {
        for (std::size_t byte = 0; byte < row_bytes; ++byte) {
            const std::uint8_t* of = weights + 8 * byte;
            bool any = false;
            for (std::size_t i = 0; i < 8; ++i) any |= of[i] != 0;
            if (any) tables_[count_++].fill(byte, query[byte], of);
        }
    }

    std::uint16_t distance(const std::uint8_t* row) const {
        unsigned sum = 0;
        for (std::size_t t = 0; t < count_; ++t) sum += tables_[t].adds[row[tables_[t].byte]];
        return static_cast<std::uint16_t>(sum);
    }

private:
    struct Table {
        std::size_t byte;
        std::uint16_t adds[256];

        void fill(std::size_t at, std::uint8_t query, const std::uint8_t* weights) {
            byte = at;
            unsigned nothing = 0;  // what a byte of zeros adds
            for (std::size_t i = 0; i < 8; ++i) nothing += (query >> i & 1) * weights[i];
            adds[0] = static_cast<std::uint16_t>(nothing);
            for (std::size_t i = 0; i < 8; ++i)
                for (std::size_t v = 0; v < std::size_t{1} << i; ++v) {
                    const unsigned bit = query >> i & 1 ? 0u - weights[i] : weights[i];
                    adds[v + (std::size_t{1} << i)] = static_cast<std::uint16_t>(adds[v] + bit);
                }
        }
    };
    std::array<Table, kMaxSlicedBytes> tables_;
    std::size_t count_ = 0;
};

}  // namespace swiftreid

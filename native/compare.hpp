// Comparing rows with one of a stage's queries: by all bits, which kernels do, or by weighted bits.
#pragma once
#include <cstddef>
#include <cstdint>

#include "cascade.hpp"
#include "kernel.hpp"
#include "weighted.hpp"

namespace swiftreid {

class Compare {
public:
    Compare(const Kernel& kernel, const StagePlan& stage, std::size_t query)
        : kernel_(kernel), row_bytes_(stage.row_bytes), query_(stage.query(query)), weights_(stage.weights_of(query)) {}

    // The functions of a `Kernel`, less what is known here.
    void scan(const std::uint8_t* rows, std::size_t count, std::uint16_t* out) const {
        if (!weights_) return kernel_.scan(rows, count, row_bytes_, query_, out);
        const Weighted weighted(query_, weights_, row_bytes_);
        for (std::size_t i = 0; i < count; ++i) out[i] = weighted.distance(rows + i * row_bytes_);
    }

    void gather(const std::uint8_t* rows, const std::uint32_t* positions, std::size_t count, std::uint32_t base,
                std::uint16_t* out) const {
        if (!weights_) return kernel_.gather(rows, positions, count, base, row_bytes_, query_, out);
        const Weighted weighted(query_, weights_, row_bytes_);
        for (std::size_t i = 0; i < count; ++i)
            out[i] = weighted.distance(rows + std::size_t{positions[i] - base} * row_bytes_);
    }

    std::size_t gather_within(const std::uint8_t* rows, const std::uint32_t* positions, std::size_t count,
                              std::uint32_t base, std::uint32_t limit, std::uint32_t* out,
                              std::uint16_t* distances) const {
        if (!weights_)
            return kernel_.gather_within(rows, positions, count, base, row_bytes_, query_, limit, out, distances);
        const Weighted weighted(query_, weights_, row_bytes_);
        std::size_t kept = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint16_t distance = weighted.distance(rows + std::size_t{positions[i] - base} * row_bytes_);
            out[kept] = positions[i];
            distances[kept] = distance;
            kept += distance <= limit;
        }
        return kept;
    }

    void within(const std::uint8_t* planes, std::size_t blocks, std::uint32_t limit, std::uint64_t* words) const {
        if (!weights_) return kernel_.within(planes, blocks, row_bytes_, query_, limit, words);
        kernel_.within_weighted(planes, blocks, row_bytes_, query_, weights_, limit, words);
    }

    void rows_within(const std::uint8_t* rows, std::size_t count, std::uint32_t limit, std::uint64_t* words) const {
        if (!weights_) return kernel_.rows_within(rows, count, row_bytes_, query_, limit, words);
        const Weighted weighted(query_, weights_, row_bytes_);
        for (std::size_t from = 0; from < count; from += 64) {
            std::uint64_t word = 0;
            for (std::size_t i = from; i < count && i < from + 64; ++i)
                word |= std::uint64_t{weighted.distance(rows + i * row_bytes_) <= limit} << (i - from);
            words[from / 64] = word;
        }
    }

private:
    const Kernel& kernel_;
    const std::size_t row_bytes_;
    const std::uint8_t* query_;
    const std::uint8_t* weights_;  // or null
};

}  // namespace swiftreid

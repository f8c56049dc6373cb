// Every kernel that the processor can run, against counting bits one by one, on random shapes. Needs no Python, so that
// it can be built for another processor and run under an emulator. Arrays are as short as kernel.hpp allows.
//
//     native_kernels ROUNDS [SEED]
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "kernel.hpp"

using namespace swiftreid;

namespace {

std::mt19937_64 g_random;
std::size_t g_checks = 0;

std::size_t below(std::size_t bound) { return g_random() % bound; }

template <class T>
T one_of(std::initializer_list<T> values) {
    return values.begin()[below(values.size())];
}

void check(bool ok, const Kernel& kernel, const char* what, std::size_t row_bytes, std::size_t count, std::size_t at) {
    ++g_checks;
    if (ok) return;
    std::printf("kernel %s: %s is wrong for rows of %zu bytes, count %zu, at %zu\n", kernel.name, what, row_bytes,
                count, at);
    std::exit(1);
}

unsigned distance(const std::uint8_t* a, const std::uint8_t* b, std::size_t row_bytes) {
    unsigned sum = 0;
    for (std::size_t bit = 0; bit < row_bytes * 8; ++bit) sum += (a[bit / 8] ^ b[bit / 8]) >> (bit % 8) & 1u;
    return sum;
}

// Memory without room to spare, that may start at any address.
class Bytes {
public:
    explicit Bytes(std::size_t size) : offset_(below(4)), memory_(size + offset_) {}
    std::uint8_t* data() { return memory_.data() + offset_; }

private:
    std::size_t offset_;
    std::vector<std::uint8_t> memory_;
};

struct Rows {
    std::size_t row_bytes, count;
    Bytes memory;
    std::vector<std::uint8_t> query;
    std::vector<unsigned> distances;

    Rows(std::size_t width, std::size_t number)
        : row_bytes(width), count(number), memory(width * number), query(width) {
        for (auto& byte : query) byte = static_cast<std::uint8_t>(g_random());
        for (std::size_t i = 0; i < count; ++i) {
            std::uint8_t* row = memory.data() + i * row_bytes;
            for (std::size_t b = 0; b < row_bytes; ++b) row[b] = static_cast<std::uint8_t>(g_random());
            const auto kind = below(16);
            if (kind < 6)  // near the query
                for (std::size_t b = 0; b < row_bytes; ++b)
                    row[b] = query[b] ^ (below(8) ? 0 : row[b] & row[(b + 1) % row_bytes]);
            if (kind == 6) std::memcpy(row, query.data(), row_bytes);
            if (kind == 7)  // as far as can be
                for (std::size_t b = 0; b < row_bytes; ++b) row[b] = static_cast<std::uint8_t>(~query[b]);
        }
        for (std::size_t i = 0; i < count; ++i)
            distances.push_back(distance(rows() + i * row_bytes, query.data(), row_bytes));
    }
    const std::uint8_t* rows() { return memory.data(); }
    std::uint32_t some_limit() const {
        const std::size_t bits = row_bytes * 8;
        if (count && below(4)) return distances[below(count)];
        return static_cast<std::uint32_t>(one_of<std::size_t>({0, 1, bits / 4, bits / 2, bits - 1, bits, bits + 7}));
    }
};

std::size_t some_count() {
    return below(2) ? one_of<std::size_t>({0, 1, 7, 8, 31, 32, 33, 63, 64, 65, 511, 512, 513, 1024}) : below(1300);
}

void check_rows(const Kernel& kernel) {
    Rows rows(one_of<std::size_t>({4, 8, 12, 16, 20, 24, 32, 48, 64, 96, 128, 256, 512, 516, 8188}), 0);
    rows = Rows(rows.row_bytes, rows.row_bytes > 1000 ? below(20) : some_count());
    const std::size_t width = rows.row_bytes, count = rows.count;
    std::vector<std::uint16_t> out(count);
    kernel.scan(rows.rows(), count, width, rows.query.data(), out.data());
    for (std::size_t i = 0; i < count; ++i) check(out[i] == rows.distances[i], kernel, "scan", width, count, i);

    const auto base = static_cast<std::uint32_t>(one_of<std::size_t>({0, 1, 70000, 4'000'000'000}));
    const std::size_t density = 1 + below(10);
    std::vector<std::uint32_t> positions;
    for (std::size_t i = 0; i < count; ++i)
        if (below(10) < density) positions.push_back(base + static_cast<std::uint32_t>(i));
    std::vector<std::uint16_t> gathered(positions.size());
    kernel.gather(rows.rows(), positions.data(), positions.size(), base, width, rows.query.data(), gathered.data());
    for (std::size_t i = 0; i < positions.size(); ++i)
        check(gathered[i] == rows.distances[positions[i] - base], kernel, "gather", width, positions.size(), i);

    const std::uint32_t limit = rows.some_limit();
    std::vector<std::uint32_t> kept;
    for (const std::uint32_t position : positions)
        if (rows.distances[position - base] <= limit) kept.push_back(position);
    for (const bool in_place : {false, true}) {
        std::vector<std::uint32_t> given = positions, found(kept.size() + kSlack);
        std::vector<std::uint16_t> distances(kept.size() + kSlack);
        std::uint32_t* to = in_place ? given.data() : found.data();
        const std::size_t some = kernel.gather_within(rows.rows(), given.data(), given.size(), base, width,
                                                      rows.query.data(), limit, to, distances.data());
        check(some == kept.size(), kernel, "gather_within's number", width, positions.size(), limit);
        for (std::size_t i = 0; i < some; ++i)
            check(to[i] == kept[i] && distances[i] == rows.distances[kept[i] - base], kernel, "gather_within", width,
                  positions.size(), i);
    }
    std::vector<std::uint64_t> words((count + 63) / 64);
    kernel.rows_within(rows.rows(), count, width, rows.query.data(), limit, words.data());
    for (std::size_t i = 0; i < 64 * words.size(); ++i)
        check((words[i / 64] >> (i % 64) & 1) == (i < count && rows.distances[i] <= limit), kernel, "rows_within",
              width, count, i);
    const std::uint32_t bound = rows.some_limit();
    std::vector<std::uint32_t> nearer;
    for (std::size_t i = 0; i < count; ++i)
        if (rows.distances[i] < bound) nearer.push_back(static_cast<std::uint32_t>(i));
    std::vector<std::uint32_t> numbers(nearer.size() + kSlack);
    const std::size_t some = kernel.below(out.data(), count, bound, numbers.data());
    check(some == nearer.size(), kernel, "below's number", width, count, bound);
    for (std::size_t i = 0; i < some; ++i) check(numbers[i] == nearer[i], kernel, "below", width, count, i);
}

// Distances by weighted bits, or by all alike, and their digits.
void check_weighted(const Kernel& kernel, Rows& rows, const std::uint8_t* planes, std::size_t blocks) {
    const std::size_t width = rows.row_bytes, bits = width * 8, of = below(bits + 1);
    const unsigned most = one_of<unsigned>({1, 15, 255});
    const bool alike = below(3) == 0;
    std::vector<std::uint8_t> weights(bits, alike);
    if (!alike)
        for (auto& weight : weights) weight = below(bits) < of ? static_cast<std::uint8_t>(1 + below(most)) : 0;
    unsigned sum = 0;
    for (const auto weight : weights) sum += weight;
    std::vector<unsigned> distances(rows.count);
    for (std::size_t i = 0; i < rows.count; ++i)
        for (std::size_t bit = 0; bit < bits; ++bit)
            distances[i] += weights[bit] * ((rows.rows()[i * width + bit / 8] ^ rows.query[bit / 8]) >> (bit % 8) & 1u);
    std::vector<std::uint64_t> words(blocks * kBlockWords);
    const std::uint32_t limit =
        rows.count && below(4) ? distances[below(rows.count)] : static_cast<std::uint32_t>(below(sum + 2));
    kernel.within_weighted(planes, blocks, width, rows.query.data(), weights.data(), limit, words.data());
    for (std::size_t i = 0; i < rows.count; ++i)
        check((words[i / 64] >> (i % 64) & 1) == (distances[i] <= limit), kernel, "within_weighted", width, rows.count,
              i);

    int places = 1;
    while (sum >> places) ++places;
    const auto lines = static_cast<std::size_t>(places);
    std::vector<std::uint64_t> digits(blocks * lines * kBlockWords);
    kernel.digits(planes, blocks, width, rows.query.data(), alike ? nullptr : weights.data(), places, digits.data());
    const auto digit = [&](std::size_t i, std::size_t place) {
        return digits[(i / kBlock * lines + place) * kBlockWords + i % kBlock / 64] >> (i % 64) & 1;
    };
    for (std::size_t i = 0; i < rows.count; ++i) {
        std::uint64_t number = 0;
        for (std::size_t place = 0; place < lines; ++place) number |= digit(i, place) << place;
        check(number == distances[i], kernel, "digits", width, rows.count, i);
    }
    std::vector<std::uint64_t> among(blocks * kBlockWords), left(among);
    for (std::size_t i = 0; i < rows.count; ++i) among[i / 64] |= std::uint64_t{below(4) > 0} << (i % 64);
    const int place = static_cast<int>(below(lines)), higher = place + 1 < places ? static_cast<int>(below(3)) - 1 : -1;
    std::size_t expected = 0;
    for (std::size_t i = 0; i < rows.count; ++i) {
        const bool stays =
            (among[i / 64] >> (i % 64) & 1) &&
            (higher < 0 || digit(i, static_cast<std::size_t>(place) + 1) == static_cast<std::uint64_t>(higher));
        left[i / 64] |= std::uint64_t{stays} << (i % 64);
        expected += stays && !digit(i, static_cast<std::size_t>(place));
    }
    check(kernel.zeros(among.data(), digits.data(), blocks, places, place, higher) == expected, kernel, "zeros", width,
          rows.count, lines);
    check(among == left, kernel, "zeros' entries", width, rows.count, lines);
}

void check_planes(const Kernel& kernel) {
    Rows rows(4 * (1 + below(kMaxSlicedBytes / 4)), some_count());
    const std::size_t width = rows.row_bytes, blocks = (rows.count + kBlock - 1) / kBlock, line = kBlock / 8;
    Bytes planes(blocks * kBlock * width);
    slice(rows.rows(), rows.count, width, planes.data());
    for (std::size_t i = 0; i < blocks * kBlock; ++i) {
        const std::uint8_t* block = planes.data() + i / kBlock * kBlock * width;
        bool same = true;
        for (std::size_t bit = 0; bit < width * 8; ++bit) {
            const unsigned there = block[bit * line + i % kBlock / 8] >> (i % 8) & 1;
            same &= there == (i < rows.count ? rows.rows()[i * width + bit / 8] >> (bit % 8) & 1u : 0u);
        }
        check(same, kernel, "slice", width, rows.count, i);
    }
    const std::uint32_t limit = rows.some_limit();
    std::vector<std::uint64_t> words(blocks * kBlockWords);
    kernel.within(planes.data(), blocks, width, rows.query.data(), limit, words.data());
    for (std::size_t i = 0; i < rows.count; ++i)
        check((words[i / 64] >> (i % 64) & 1) == (rows.distances[i] <= limit), kernel, "within", width, rows.count, i);
    check_weighted(kernel, rows, planes.data(), blocks);
}

void check_collect(const Kernel& kernel) {
    std::vector<std::uint64_t> words(below(40));
    const std::size_t density = one_of<std::size_t>({0, 1, 3, 8, 32, 64});
    for (auto& word : words)
        for (int bit = 0; bit < 64; ++bit) word |= std::uint64_t{below(64) < density} << bit;
    const auto first = static_cast<std::uint32_t>(one_of<std::size_t>({0, 13, 4'000'000'000}));
    std::vector<std::uint32_t> expected;
    for (std::size_t i = 0; i < 64 * words.size(); ++i)
        if (words[i / 64] >> (i % 64) & 1) expected.push_back(first + static_cast<std::uint32_t>(i));
    std::vector<std::uint32_t> out(expected.size() + kSlack);
    const std::uint8_t row = 0;  // is fetched from, never read
    const std::size_t some =
        kernel.collect(words.data(), words.size(), first, &row, one_of<std::size_t>({0, 16, 256}), out.data());
    check(some == expected.size(), kernel, "collect's number", 0, words.size(), density);
    for (std::size_t i = 0; i < some; ++i) check(out[i] == expected[i], kernel, "collect", 0, words.size(), i);
}

void check_many(const Kernel& kernel) {
    const std::size_t width = 16 * (1 + below(16)), queries = 1 + below(30);
    if (!kernel.many || !Many::takes(width)) return;
    const Many& many = *kernel.many;
    Rows rows(width, kTile);
    std::vector<std::vector<std::uint8_t>> asked(queries, rows.query);
    std::vector<std::uint32_t> bounds(queries);
    const std::size_t size = many.patterns_size(width);
    std::vector<std::uint16_t> patterns(queries * size);
    for (std::size_t q = 0; q < queries; ++q) {
        if (q)
            for (auto& byte : asked[q])
                if (below(3) == 0) byte = static_cast<std::uint8_t>(g_random());
        bounds[q] = static_cast<std::uint32_t>(
            one_of<std::size_t>({1, 1 + below(4096), 1 + below(width * 8), 1 + std::size_t{rows.some_limit()},
                                 width * 8, width * 8 + 1, 4096}));
        many.patterns(asked[q].data(), width, patterns.data() + q * size);
    }
    const std::size_t bytes = many.workspace_size(width, queries);
    void* workspace = ::operator new(bytes, std::align_val_t{64});
    std::vector<std::uint64_t> words(queries * (kTile / 64));
    many.nearer(rows.rows(), width, patterns.data(), queries, bounds.data(), workspace, words.data());
    ::operator delete(workspace, std::align_val_t{64});
    for (std::size_t q = 0; q < queries; ++q)
        for (std::size_t i = 0; i < kTile; ++i) {
            const bool near = distance(rows.rows() + i * width, asked[q].data(), width) < bounds[q];
            check((words[q * (kTile / 64) + i / 64] >> (i % 64) & 1) == near, kernel, "nearer", width, queries, i);
        }
}

double number_of(std::uint16_t half) {
    const int exponent = half >> 10 & 31, fraction = half & 1023;
    const double size = exponent ? std::ldexp(1024 + fraction, exponent - 25) : std::ldexp(fraction, -24);
    return half >> 15 ? -size : size;
}

double number_of(float value) { return value; }

// Near the angle in double precision, and the very bits of every other kernel.
template <class Number, class Draw>
void check_cosine(const Kernel& kernel, const Draw& draw) {
    const std::size_t size = 1 + below(below(2) ? 40 : 600), count = below(50);
    const bool half = sizeof(Number) == 2;
    std::vector<Number> rows(count * size);
    std::vector<float> query(size);
    for (auto& number : rows) number = draw();
    for (auto& number : query) number = std::normal_distribution<float>()(g_random);
    if (count)  // nothing has no direction
        for (std::size_t i = 0; i < size; ++i) rows[i] = Number{};
    const auto base = static_cast<std::uint32_t>(one_of<std::size_t>({0, 5, 4'000'000'000}));
    std::vector<std::uint32_t> positions;
    for (std::size_t i = 0; i < count; ++i)
        if (below(3)) positions.push_back(base + static_cast<std::uint32_t>(i));
    std::vector<float> out(positions.size()), same(positions.size());
    kernel.cosine(rows.data(), half, size, positions.data(), positions.size(), base, query.data(), out.data());
    find_kernel("portable")
        ->cosine(rows.data(), half, size, positions.data(), positions.size(), base, query.data(), same.data());
    for (std::size_t i = 0; i < positions.size(); ++i) {
        double dot = 0, own = 0, other = 0;
        for (std::size_t j = 0; j < size; ++j) {
            const double x = number_of(rows[(positions[i] - base) * size + j]), y = query[j];
            dot += x * y, own += x * x, other += y * y;
        }
        const double angle = own > 0 && other > 0 ? 1 - dot / std::sqrt(own * other) : 1;
        check(std::abs(out[i] - angle) < 1e-5 && out[i] >= 0, kernel, "cosine", size, positions.size(), i);
        check(std::memcmp(&out[i], &same[i], sizeof(float)) == 0, kernel, "cosine's last bit", size, positions.size(),
              i);
    }
}

void check_embeddings(const Kernel& kernel) {
    check_cosine<float>(kernel, [] { return std::normal_distribution<float>()(g_random); });
    check_cosine<std::uint16_t>(kernel, [] {  // the smallest halves, too, but no infinities
        const auto half = static_cast<std::uint16_t>(g_random());
        return static_cast<std::uint16_t>((half >> 10 & 31) == 31 ? half & 0xbfff : half);
    });
}

}  // namespace

int main(int count, char** arguments) {
    const long rounds = count > 1 ? std::atol(arguments[1]) : 100;
    g_random.seed(count > 2 ? static_cast<std::uint64_t>(std::atol(arguments[2])) : 1);
    if (find_kernel("abacus")) return std::puts("there is a kernel that nobody wrote"), 1;
    for (const Kernel* const* kernel = able_kernels(); *kernel; ++kernel) {
        if (find_kernel((*kernel)->name) != *kernel) return std::puts("a kernel is not found by its name"), 1;
        g_checks = 0;
        for (long round = 0; round < rounds; ++round) {
            check_rows(**kernel);
            check_planes(**kernel);
            check_collect(**kernel);
            check_many(**kernel);
            check_embeddings(**kernel);
        }
        std::printf("%s: %zu values are right\n", (*kernel)->name, g_checks);
    }
}

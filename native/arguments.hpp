// What Python passes to the native module, checked: everything that could make a search read or write outside an array.
// Included by module.cpp alone.
#pragma once
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <limits>
#include <numeric>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "cascade.hpp"
#include "kernel.hpp"

namespace nb = nanobind;
using namespace swiftreid;

namespace {

template <class T, class... Shape>
using Array = nb::ndarray<T, Shape..., nb::c_contig, nb::device::cpu>;
using Codes = Array<const std::uint8_t, nb::ndim<2>>;
using Numbers = Array<const std::uint32_t, nb::ndim<1>>;
using Distances = Array<const std::uint16_t, nb::ndim<1>>;

constexpr std::size_t kMaxRowBytes = 8188;  // distances fit 16 bits
constexpr unsigned kMostThreads = 256;  // asking for more gives as many (see team.cpp)

void check(bool ok, const char* what) {
    if (!ok) throw std::invalid_argument(what);
}

// Only arrays: nanobind would follow a null pointer in NumPy's date scalars, which say that they are buffers.
PyObject* g_ndarray = nullptr;  // numpy.ndarray, from the import of this module on

template <class Wanted>
Wanted array_of(nb::handle object) {
    if (PyObject_IsInstance(object.ptr(), g_ndarray) != 1) throw nb::type_error("a NumPy array is wanted");
    return nb::cast<Wanted>(object, false);
}

const Kernel& kernel_of(const std::string& name) {
    const Kernel* kernel = find_kernel(name.c_str());
    check(kernel, "this kernel is not available on this machine");
    return *kernel;
}

std::size_t planes_bytes(std::size_t rows, std::size_t row_bytes) {
    return (rows + kBlock - 1) / kBlock * kBlock * row_bytes;
}

// Rows of a column, bits or numbers, as bytes.
struct Raw {
    Rows rows;
    const std::uint8_t* data;
    std::size_t count, row_bytes;
};

Raw raw_of(nb::handle object) {
    const auto array = array_of<Array<nb::ndim<2>, nb::ro>>(object);
    const std::size_t item = array.itemsize();
    const nb::dlpack::dtype type = array.dtype();
    Rows rows = Rows::bits;
    if (type != nb::dtype<std::uint8_t>()) {
        check(type.code == static_cast<std::uint8_t>(nb::dlpack::dtype_code::Float) && (item == 2 || item == 4),
              "a column is uint8, float16 or float32");
        rows = item == 2 ? Rows::halves : Rows::floats;
    }
    return {rows, static_cast<const std::uint8_t*>(array.data()), array.shape(0), array.shape(1) * item};
}

// One column of a table, checked once: a search trusts it. Its arrays are borrowed, never copied.
class Column {
public:
    // Arrays of rows, one for each segment, and for each its bit planes, or none.
    Column(nb::list segments, nb::object planes)
        : kept_(nb::make_tuple(nb::tuple(segments), planes.is_none() ? nb::tuple() : nb::tuple(planes))) {
        check(nb::len(segments) > 0, "a column has at least one segment");
        for (nb::handle segment : segments) {
            const Raw raw = raw_of(segment);
            if (segments_.empty()) {
                rows_ = raw.rows;
                row_bytes_ = raw.row_bytes;
            }
            check(raw.rows == rows_ && raw.row_bytes == row_bytes_, "the segments' widths differ");
            check(raw.count < std::numeric_limits<std::uint32_t>::max() - count_, "more than 4 billion entries");
            segments_.push_back({raw.data, raw.count, static_cast<std::uint32_t>(count_), nullptr});
            count_ += raw.count;
        }
        const std::size_t most = rows_ == Rows::bits ? kMaxRowBytes : 8 * kMaxRowBytes;
        check(row_bytes_ > 0 && row_bytes_ % 4 == 0 && row_bytes_ <= most, "bad row width");
        if (planes.is_none()) return;
        check(rows_ == Rows::bits && row_bytes_ <= kMaxSlicedBytes && nb::len(planes) == segments_.size(),
              "planes do not fit the column");
        std::size_t s = 0;
        for (nb::handle item : planes) {
            const auto bits = array_of<Array<const std::uint8_t, nb::ndim<1>>>(item);
            check(bits.shape(0) == planes_bytes(segments_[s].count, row_bytes_), "planes do not fit their rows");
            segments_[s++].planes = bits.data();
        }
    }
    Rows rows() const { return rows_; }
    std::size_t row_bytes() const { return row_bytes_; }
    std::size_t count() const { return count_; }
    std::span<const Segment> segments() const { return segments_; }

private:
    nb::tuple kept_;
    Rows rows_ = Rows::bits;
    std::size_t row_bytes_ = 0, count_ = 0;
    std::vector<Segment> segments_;
};

struct Rule {
    Keep keep;
    double amount;
    bool whole_ties;
};

// The rules of a cascade's stages, checked once.
class Rules {
public:
    Rules(const std::vector<std::string>& keeps, const std::vector<double>& amounts,
          const std::vector<bool>& whole_ties) {
        const std::size_t depth = keeps.size();
        check(depth > 0 && depth <= kMaxStages, "a cascade has 1 to 8 stages");
        check(amounts.size() == depth && whole_ties.size() == depth, "stages do not match");
        for (std::size_t s = 0; s < depth; ++s) {
            const double amount = amounts[s];
            const Keep keep = keep_of(keeps[s]);
            check(amount >= 0 && amount <= 9e15, "bad amount");
            check((keep != Keep::share && keep != Keep::nprobe) || amount <= 1, "bad share");
            check(keep != Keep::nprobe || s == 0, "nprobe comes first");
            rules_.push_back({keep, amount, whole_ties[s]});
        }
    }
    std::size_t depth() const { return rules_.size(); }
    const Rule& operator[](std::size_t stage) const { return rules_[stage]; }

private:
    static Keep keep_of(const std::string& name) {
        if (name == "threshold") return Keep::threshold;
        if (name == "top") return Keep::top;
        if (name == "share") return Keep::share;
        if (name == "nprobe") return Keep::nprobe;
        check(name == "all", "unknown rule");
        return Keep::all;
    }
    std::vector<Rule> rules_;
};

// Weights of a stage's bits, one row for each query, or None.
void give_weights(StagePlan& stage, std::size_t queries, nb::handle given) {
    if (given.is_none()) return;
    const auto weights = array_of<Codes>(given);
    check(!stage.embedding() && stage.row_bytes <= kMaxSlicedBytes, "only short codes are compared by weighted bits");
    check(stage.keep != Keep::threshold && stage.keep != Keep::nprobe, "weighted bits have no threshold and no lists");
    check(weights.shape(0) == queries && weights.shape(1) == stage.bits(), "weights do not match the queries");
    stage.weights = weights.data();
    for (std::size_t q = 0; q < queries; ++q) {
        const std::uint8_t* of = stage.weights_of(q);
        stage.heaviest = std::max(stage.heaviest, std::accumulate(of, of + stage.bits(), std::size_t{0}));
    }
}

StagePlan stage_of(const Column& column, const Raw& asked, const Rule& rule) {
    StagePlan stage{};
    stage.segments = column.segments();
    stage.rows = column.rows();
    stage.row_bytes = column.row_bytes();
    stage.queries = asked.data;
    check(asked.rows == (stage.embedding() ? Rows::floats : Rows::bits),
          "bits are compared with bits, floats with floats");
    check(asked.row_bytes == stage.row_bytes * (stage.rows == Rows::halves ? 2 : 1), "column and query widths differ");
    stage.keep = rule.keep;
    stage.amount = static_cast<std::uint64_t>(rule.amount);
    stage.share = rule.amount;
    stage.whole_ties = rule.whole_ties;
    return stage;
}

bool same_segments(std::span<const Segment> a, std::span<const Segment> b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](const Segment& x, const Segment& y) { return x.count == y.count; });
}

// The order of a group of lists, checked once: a search trusts it.
class ListOrder {
public:
    ListOrder(nb::object starts, nb::object order)
        : starts_(array_of<Numbers>(starts)), order_(array_of<Numbers>(order)) {
        const std::size_t count = order_.shape(0);
        check(starts_.shape(0) > 1 && starts_.data()[0] == 0 && starts_.data()[nlist()] == count,
              "bad starts of lists");
        check(std::is_sorted(starts_.data(), starts_.data() + starts_.shape(0)), "bad starts of lists");
        check(std::all_of(order_.data(), order_.data() + count, [&](std::uint32_t row) { return row < count; }),
              "bad order of lists");
    }
    std::size_t nlist() const { return starts_.shape(0) - 1; }
    std::size_t count() const { return order_.shape(0); }
    const std::uint32_t* starts() const { return starts_.data(); }
    const std::uint32_t* order() const { return order_.data(); }

private:
    Numbers starts_, order_;
};

// Centres, the number of segments that groups cover, and for each group (order, rows, next rows or None).
void give_lists(Plan& plan, nb::handle given) {
    check(plan.stages.size() > 2 && plan.stages[0].keep == Keep::nprobe && plan.order == Order::search, "bad lists");
    const auto parts = nb::cast<nb::tuple>(given);
    check(parts.size() == 3, "bad lists");
    const auto centres = array_of<Codes>(parts[0]);
    plan.lists.centres = centres.data();
    plan.lists.count = centres.shape(0);
    plan.lists.segments = nb::cast<std::size_t>(parts[1]);
    check(plan.lists.count > 0 && centres.shape(1) == plan.stages[0].row_bytes, "bad centres of lists");
    check(plan.lists.segments <= plan.stages[0].segments.size(), "bad number of segments");
    const StagePlan &scanned = plan.stages[1], &next = plan.stages[2];
    check(scanned.keep == Keep::threshold && scanned.row_bytes <= kMaxSlicedBytes, "lists precede a short threshold");
    const bool fused = plan.stages.size() > 3 && next.keep == Keep::threshold;
    std::size_t first = 0;
    for (nb::handle item : nb::cast<nb::list>(parts[2])) {
        const auto group = nb::cast<nb::tuple>(item);
        check(group.size() == 3, "bad group");
        const ListOrder& order = nb::cast<const ListOrder&>(group[0]);
        const auto rows = array_of<Codes>(group[1]);
        check(order.nlist() == plan.lists.count, "a group has other lists");
        check(rows.shape(0) == order.count() && rows.shape(1) == scanned.row_bytes, "rows do not fit their group");
        const std::uint8_t* next_rows = nullptr;
        if (!group[2].is_none()) {
            const auto codes = array_of<Codes>(group[2]);
            check(codes.shape(0) == order.count() && codes.shape(1) == next.row_bytes, "rows do not fit their group");
            next_rows = codes.data();
        }
        check(next_rows || !fused, "the second stage needs rows in the group");
        plan.lists.groups.push_back({static_cast<std::uint32_t>(first), order.count(), order.starts(), order.order(),
                                     rows.data(), fused ? next_rows : nullptr});
        first += order.count();
    }
    std::size_t covered = 0;
    for (std::size_t s = 0; s < plan.lists.segments; ++s) covered += plan.stages[0].segments[s].count;
    check(covered == first, "groups and segments do not match");
}

Part part_of(const Plan& plan, nb::handle column_, nb::handle queries) {
    const Column& column = nb::cast<const Column&>(column_);
    const Raw asked = raw_of(queries);
    check(column.rows() == Rows::bits && asked.rows == Rows::bits && asked.row_bytes == column.row_bytes() &&
              asked.count == plan.queries,
          "samples do not match");
    check(same_segments(column.segments(), plan.stages[0].segments), "samples and codes have different segments");
    return {column.segments(), asked.data, asked.row_bytes};
}

// Columns of samples and of rests, the queries' samples and rests, the tables of `Sample`, and whether samples come first.
void give_sample(Plan& plan, nb::handle given) {
    const StagePlan& stage = plan.stages[0];
    check(plan.stages.size() == 1 && plan.order == Order::search && stage.keep == Keep::all && !stage.embedding(),
          "only an exhaustive search can be certified");
    const auto parts = nb::cast<nb::tuple>(given);
    check(parts.size() == 7, "bad sample");
    const Part part = part_of(plan, parts[0], parts[2]), rest = part_of(plan, parts[1], parts[3]);
    const auto most = array_of<Distances>(parts[4]), least = array_of<Distances>(parts[5]);
    check(part.row_bytes + rest.row_bytes == stage.row_bytes, "samples do not match");
    const std::size_t bits = part.row_bytes * 8;
    check(most.shape(0) == stage.bits() + 1 && least.shape(0) == bits + 1, "bad tables of a sample");
    check(std::all_of(most.data(), most.data() + most.shape(0), [&](std::uint16_t few) { return few <= bits; }) &&
              std::all_of(least.data(), least.data() + bits + 1, [&](std::uint16_t d) { return d <= stage.bits(); }),
          "bad tables of a sample");
    plan.sample = {part, rest, most.data(), least.data(), nb::cast<bool>(parts[6])};
}

}  // namespace

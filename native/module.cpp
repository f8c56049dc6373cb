// The Python face of the kernels: checks everything that could make them read or write outside an array.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <limits>
#include <stdexcept>
#include <string>

#include "cascade.hpp"
#include "kernel.hpp"
#include "live.hpp"

namespace nb = nanobind;
using namespace swiftreid;

namespace {

template <class T, class... Shape>
using Array = nb::ndarray<T, Shape..., nb::c_contig, nb::device::cpu>;
using Codes = Array<const std::uint8_t, nb::ndim<2>>;

constexpr std::size_t kMaxRowBytes = 8188;  // distances fit 16 bits

void check(bool ok, const char* what) {
    if (!ok) throw std::invalid_argument(what);
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
    const auto array = nb::cast<Array<nb::ndim<2>, nb::ro>>(object, false);
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

StagePlan stage_of(nb::handle columns, nb::handle queries, const std::string& keep, double amount, bool whole_ties) {
    StagePlan stage{};
    const Raw asked = raw_of(queries);
    stage.rows = asked.rows;
    stage.row_bytes = asked.row_bytes;
    stage.queries = asked.data;
    check(asked.rows != Rows::halves, "an embedding's queries are float32");
    check(stage.row_bytes > 0 && stage.row_bytes % 4 == 0 && stage.row_bytes <= kMaxRowBytes * 8, "bad row width");
    check(stage.embedding() || stage.row_bytes <= kMaxRowBytes, "bad row width");
    std::size_t first = 0;
    for (nb::handle column : columns) {
        const Raw raw = raw_of(column);
        if (first == 0 && stage.segments.empty() && stage.embedding() && raw.rows == Rows::halves) {
            stage.rows = Rows::halves;
            stage.row_bytes /= 2;
        }
        check(raw.rows == stage.rows && raw.row_bytes == stage.row_bytes, "column and query widths differ");
        check(raw.count < std::numeric_limits<std::uint32_t>::max() - first, "more than 4 billion entries");
        stage.segments.push_back({raw.data, raw.count, static_cast<std::uint32_t>(first), nullptr});
        first += raw.count;
    }
    if (keep == "threshold") stage.keep = Keep::threshold;
    else if (keep == "top") stage.keep = Keep::top;
    else if (keep == "share") stage.keep = Keep::share;
    else if (keep == "cells") stage.keep = Keep::cells;
    else check(keep == "all", "unknown rule");
    check(amount >= 0 && amount <= 9e15, "bad amount");
    check((stage.keep != Keep::share && stage.keep != Keep::cells) || amount <= 1, "bad share");
    stage.amount = static_cast<std::uint64_t>(amount);
    stage.share = amount;
    stage.whole_ties = whole_ties;
    return stage;
}

std::size_t rows_of(const StagePlan& stage) {
    return stage.segments.empty() ? 0 : stage.segments.back().first + stage.segments.back().count;
}

bool same_segments(const StagePlan& a, const StagePlan& b) {
    return std::equal(a.segments.begin(), a.segments.end(), b.segments.begin(), b.segments.end(),
                      [](const Segment& x, const Segment& y) { return x.count == y.count; });
}

void give_planes(StagePlan& stage, nb::handle planes) {
    check(stage.row_bytes <= kMaxSlicedBytes && nb::len(planes) == stage.segments.size(), "planes do not fit the stage");
    std::size_t s = 0;
    for (nb::handle item : planes) {
        const auto bits = nb::cast<Array<const std::uint8_t, nb::ndim<1>>>(item, false);
        Segment& segment = stage.segments[s++];
        check(bits.shape(0) == planes_bytes(segment.count, stage.row_bytes), "planes do not fit their rows");
        segment.planes = bits.data();
    }
}

// One shelf's order, checked once: a search trusts it.
class ShelfOrder {
public:
    ShelfOrder(Array<const std::uint32_t, nb::ndim<1>> starts, Array<const std::uint32_t, nb::ndim<1>> order)
        : starts_(std::move(starts)), order_(std::move(order)) {
        const std::size_t count = order_.shape(0);
        check(starts_.shape(0) > 1 && starts_.data()[0] == 0 && starts_.data()[cells()] == count, "bad starts of cells");
        check(std::is_sorted(starts_.data(), starts_.data() + starts_.shape(0)), "bad starts of cells");
        check(std::all_of(order_.data(), order_.data() + count, [&](std::uint32_t row) { return row < count; }),
              "bad order of a shelf");
    }
    std::size_t cells() const { return starts_.shape(0) - 1; }
    std::size_t count() const { return order_.shape(0); }
    const std::uint32_t* starts() const { return starts_.data(); }
    const std::uint32_t* order() const { return order_.data(); }

private:
    Array<const std::uint32_t, nb::ndim<1>> starts_, order_;
};

// Centres, the number of segments that shelves cover, and for each shelf (order, planes, rows or None).
void give_cells(Plan& plan, nb::handle given) {
    check(plan.stages.size() > 2 && plan.stages[0].keep == Keep::cells && plan.order == Order::search, "bad cells");
    const auto parts = nb::cast<nb::tuple>(given);
    check(parts.size() == 3, "bad cells");
    const auto centres = nb::cast<Codes>(parts[0], false);
    plan.cells.centres = centres.data();
    plan.cells.count = centres.shape(0);
    plan.cells.segments = nb::cast<std::size_t>(parts[1]);
    check(plan.cells.count > 0 && centres.shape(1) == plan.stages[0].row_bytes, "bad centres of cells");
    check(plan.cells.segments <= plan.stages[0].segments.size(), "bad number of segments");
    const StagePlan &scanned = plan.stages[1], &next = plan.stages[2];
    check(scanned.keep == Keep::threshold && scanned.row_bytes <= kMaxSlicedBytes, "cells precede a short threshold");
    const bool fused = plan.stages.size() > 3 && next.keep == Keep::threshold;
    std::size_t first = 0;
    for (nb::handle item : nb::cast<nb::list>(parts[2])) {
        const auto shelf = nb::cast<nb::tuple>(item);
        check(shelf.size() == 3, "bad shelf");
        const ShelfOrder& order = nb::cast<const ShelfOrder&>(shelf[0]);
        const auto planes = nb::cast<Array<const std::uint8_t, nb::ndim<1>>>(shelf[1], false);
        check(order.cells() == plan.cells.count, "a shelf has other cells");
        check(planes.shape(0) == planes_bytes(order.count(), scanned.row_bytes), "planes do not fit their shelf");
        const std::uint8_t* rows = nullptr;
        if (!shelf[2].is_none()) {
            const auto codes = nb::cast<Codes>(shelf[2], false);
            check(codes.shape(0) == order.count() && codes.shape(1) == next.row_bytes, "rows do not fit their shelf");
            rows = codes.data();
        }
        check(rows || !fused, "the second stage needs rows on the shelf");
        plan.cells.shelves.push_back({static_cast<std::uint32_t>(first), order.count(), order.starts(), order.order(),
                                      planes.data(), fused ? rows : nullptr});
        first += order.count();
    }
    std::size_t covered = 0;
    for (std::size_t s = 0; s < plan.cells.segments; ++s) covered += plan.stages[0].segments[s].count;
    check(covered == first, "shelves and segments do not match");
}

// Arrays are borrowed, never copied; the caller keeps them alive for the time of the call.
void cascade(nb::list columns, nb::object planes, nb::object cells, nb::list queries, const std::vector<std::string>& keeps,
             const std::vector<double>& amounts, const std::vector<bool>& whole_ties, nb::object bitmap, std::size_t min_candidates,
             const std::string& order, unsigned threads, const std::string& kernel,
             Array<std::int64_t, nb::ndim<2>> indices, Array<std::int32_t, nb::ndim<2>> distances,
             Array<std::int8_t, nb::ndim<2>> stages, Array<std::int64_t, nb::ndim<1>> counts,
             Array<std::int64_t, nb::ndim<1>> entries_in, Array<std::int64_t, nb::ndim<1>> kept,
             Array<double, nb::ndim<1>> seconds) {
    Plan plan{};
    plan.kernel = &kernel_of(kernel);
    const std::size_t depth = nb::len(columns);
    check(depth > 0 && depth <= kMaxStages, "a cascade has 1 to 8 stages");
    check(nb::len(queries) == depth && keeps.size() == depth && amounts.size() == depth &&
              whole_ties.size() == depth, "stages do not match");
    plan.queries = raw_of(queries[0]).count;
    for (std::size_t s = 0; s < depth; ++s) {
        check(raw_of(queries[s]).count == plan.queries, "codes have different numbers of queries");
        plan.stages.push_back(stage_of(columns[s], queries[s], keeps[s], amounts[s], whole_ties[s]));
        check(!plan.stages[s].embedding() || s + 1 == depth, "only the last stage compares embeddings");
        check(!plan.stages[s].embedding() || plan.stages[s].keep != Keep::threshold, "an embedding has no threshold");
        check(same_segments(plan.stages[s], plan.stages[0]), "columns have different segments");
    }
    check(std::none_of(plan.stages.begin() + 1, plan.stages.end(),
                       [](const StagePlan& stage) { return stage.keep == Keep::cells; }), "cells come first");
    check((plan.stages[0].keep == Keep::cells) == !cells.is_none(), "a cells stage needs cells");
    if (!planes.is_none()) give_planes(plan.stages[cells.is_none() || depth == 1 ? 0 : 1], planes);
    plan.entries = rows_of(plan.stages[0]);
    plan.min_candidates = min_candidates;
    plan.threads = std::max(threads, 1u);
    if (order == "search") plan.order = Order::search;
    else if (order == "gallery") plan.order = Order::rank_by_gallery;
    else if (order == "stages") plan.order = Order::rank_by_stages;
    else check(false, "unknown order");
    if (!cells.is_none()) give_cells(plan, cells);
    std::size_t live = plan.entries;
    if (!bitmap.is_none()) {
        const auto bits = nb::cast<Array<const std::uint8_t, nb::ndim<1>>>(bitmap, false);
        check(bits.shape(0) == (plan.entries + 7) / 8, "the bitmap does not match the entries");
        plan.bitmap = bits.data();
        live = Live(plan.bitmap, plan.entries).count(0, plan.entries);
    }
    plan.width = indices.shape(1);
    check(plan.order == Order::search || plan.width == live, "a ranking has one column for each live entry");
    const auto fits = [&](const auto& array) { return array.shape(0) == plan.queries && array.shape(1) == plan.width; };
    check(fits(indices) && fits(distances) && fits(stages) && counts.shape(0) == plan.queries, "bad result shape");
    check(entries_in.shape(0) == depth && kept.shape(0) == depth && seconds.shape(0) == depth, "bad report shape");
    const Results results{indices.data(), distances.data(),  stages.data(), counts.data(),
                          entries_in.data(), kept.data(), seconds.data()};
    nb::gil_scoped_release release;
    run(plan, results);
}

// For each row the number of the nearest centre, the first of several.
void nearest(Codes rows, Codes centres, const std::string& name, Array<std::uint32_t, nb::ndim<1>> out) {
    const Kernel& kernel = kernel_of(name);
    const std::size_t row_bytes = rows.shape(1), count = centres.shape(0);
    check(row_bytes > 0 && row_bytes % 4 == 0 && row_bytes <= kMaxRowBytes, "bad row width");
    check(centres.shape(1) == row_bytes && count > 0, "rows and centres differ");
    check(out.shape(0) == rows.shape(0), "bad result shape");
    nb::gil_scoped_release release;
    std::vector<std::uint16_t> distances(count);
    for (std::size_t i = 0; i < rows.shape(0); ++i) {
        kernel.scan(centres.data(), count, row_bytes, rows.data() + i * row_bytes, distances.data());
        out.data()[i] = static_cast<std::uint32_t>(std::min_element(distances.begin(), distances.end()) - distances.begin());
    }
}

void hamming(Codes column, Codes queries, const std::string& name, Array<std::int32_t, nb::ndim<2>> out) {
    const Kernel& kernel = kernel_of(name);
    const std::size_t row_bytes = column.shape(1), rows = column.shape(0), count = queries.shape(0);
    check(row_bytes > 0 && row_bytes % 4 == 0 && row_bytes <= kMaxRowBytes, "bad row width");
    check(queries.shape(1) == row_bytes, "column and query widths differ");
    check(out.shape(0) == count && out.shape(1) == rows, "bad result shape");
    nb::gil_scoped_release release;
    // Rows that stay in the second cache while all queries pass over them.
    const std::size_t chunk = std::clamp<std::size_t>(131072 / row_bytes, 64, 8192);
    std::vector<std::uint16_t> distances(chunk);
    for (std::size_t at = 0; at < rows; at += chunk) {
        const std::size_t some = std::min(chunk, rows - at);
        for (std::size_t q = 0; q < count; ++q) {
            kernel.scan(column.data() + at * row_bytes, some, row_bytes, queries.data() + q * row_bytes,
                        distances.data());
            std::copy_n(distances.data(), some, out.data() + q * rows + at);
        }
    }
}

void make_planes(Codes rows, Array<std::uint8_t, nb::ndim<1>> out) {
    check(out.shape(0) == planes_bytes(rows.shape(0), rows.shape(1)), "bad result shape");
    nb::gil_scoped_release release;
    slice(rows.data(), rows.shape(0), rows.shape(1), out.data());
}

std::vector<std::string> kernels() {
    std::vector<std::string> names;
    for (const Kernel* const* kernel = able_kernels(); *kernel; ++kernel) names.emplace_back((*kernel)->name);
    return names;
}

}  // namespace

NB_MODULE(_native, m) {
    m.doc() = "Search kernels of SwiftReID; call them through swiftreid.search.kernels.";
    m.def("kernels", &kernels, "Names of the kernels that this machine can run, quickest first.");
    nb::class_<ShelfOrder>(m, "ShelfOrder")
        .def(nb::init<Array<const std::uint32_t, nb::ndim<1>>, Array<const std::uint32_t, nb::ndim<1>>>(),
             nb::arg("starts").noconvert(), nb::arg("order").noconvert());
    m.def("nearest", &nearest, nb::arg("rows").noconvert(), nb::arg("centres").noconvert(), nb::arg("kernel"),
          nb::arg("out").noconvert());
    m.def("cascade", &cascade, nb::arg("columns"), nb::arg("planes").none(), nb::arg("cells").none(), nb::arg("queries"), nb::arg("keeps"), nb::arg("amounts"), nb::arg("whole_ties"),
          nb::arg("bitmap").none(), nb::arg("min_candidates"), nb::arg("order"), nb::arg("threads"), nb::arg("kernel"),
          nb::arg("indices").noconvert(), nb::arg("distances").noconvert(), nb::arg("stages").noconvert(),
          nb::arg("counts").noconvert(), nb::arg("entries_in").noconvert(), nb::arg("kept").noconvert(),
          nb::arg("seconds").noconvert());
    m.def("slice", &make_planes, nb::arg("rows").noconvert(), nb::arg("out").noconvert());
    m.def("hamming", &hamming, nb::arg("column").noconvert(), nb::arg("queries").noconvert(), nb::arg("kernel"),
          nb::arg("out").noconvert());
}

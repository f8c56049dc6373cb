// The Python face of the kernels (see arguments.hpp for what is checked).
#include <algorithm>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "live.hpp"
#include "spares.hpp"
#include "team.hpp"

namespace {

// The caller keeps columns and arrays alive, and does not write to them, for the time of the call.
void cascade(const std::vector<const Column*>& columns, nb::object lists, nb::object sample, nb::list queries,
             nb::list weights, const Rules& rules, nb::object bitmap, std::size_t min_candidates,
             const std::string& order, unsigned threads, const std::string& kernel,
             Array<std::int64_t, nb::ndim<2>> indices, Array<std::int32_t, nb::ndim<2>> distances,
             Array<std::int8_t, nb::ndim<2>> stages, Array<std::int64_t, nb::ndim<1>> counts,
             Array<double, nb::ndim<2>> figures) {
    Plan plan{};
    plan.kernel = &kernel_of(kernel);
    const std::size_t depth = rules.depth();
    check(columns.size() == depth && nb::len(queries) == depth && nb::len(weights) == depth, "stages do not match");
    for (std::size_t s = 0; s < depth; ++s) {
        check(columns[s] != nullptr, "a column is missing");
        const Raw asked = raw_of(queries[s]);
        if (s == 0) plan.queries = asked.count;
        check(asked.count == plan.queries, "codes have different numbers of queries");
        plan.stages.push_back(stage_of(*columns[s], asked, rules[s]));
        give_weights(plan.stages[s], plan.queries, weights[s]);
        check(!plan.stages[s].embedding() || s + 1 == depth, "only the last stage compares embeddings");
        check(!plan.stages[s].embedding() || plan.stages[s].keep != Keep::threshold, "an embedding has no threshold");
        check(same_segments(plan.stages[s].segments, plan.stages[0].segments), "columns have different segments");
    }
    check((plan.stages[0].keep == Keep::nprobe) == !lists.is_none(), "a probing stage needs lists");
    plan.entries = columns[0]->count();
    plan.min_candidates = min_candidates;
    plan.threads = std::clamp(threads, 1u, kMostThreads);
    if (order == "search")
        plan.order = Order::search;
    else if (order == "gallery")
        plan.order = Order::rank_by_gallery;
    else if (order == "stages")
        plan.order = Order::rank_by_stages;
    else
        check(false, "unknown order");
    if (!lists.is_none()) give_lists(plan, lists);
    if (!sample.is_none()) give_sample(plan, sample);
    std::size_t live = plan.entries;
    if (!bitmap.is_none()) {
        const auto bits = array_of<Array<const std::uint8_t, nb::ndim<1>>>(bitmap);
        check(bits.shape(0) == (plan.entries + 7) / 8, "the bitmap does not match the entries");
        plan.bitmap = bits.data();
        live = Live(plan.bitmap, plan.entries).count(0, plan.entries);
    }
    plan.width = indices.shape(1);
    check(plan.order == Order::search || plan.width == live, "a ranking has one column for each live entry");
    const auto fits = [&](const auto& array) { return array.shape(0) == plan.queries && array.shape(1) == plan.width; };
    check(fits(indices) && fits(distances) && fits(stages) && counts.shape(0) == plan.queries, "bad result shape");
    check(figures.shape(0) == 3 && figures.shape(1) == depth, "bad report shape");
    const Results results{
        indices.data(),         distances.data(),          stages.data(), counts.data(), figures.data(),
        figures.data() + depth, figures.data() + 2 * depth};
    nb::gil_scoped_release release;
    run(plan, results);
}

// For each row the number of the nearest centre, the first of several.
void nearest(nb::object rows_, nb::object centres_, unsigned threads, const std::string& name,
             Array<std::uint32_t, nb::ndim<1>> out) {
    const auto rows = array_of<Codes>(rows_), centres = array_of<Codes>(centres_);
    const Kernel& kernel = kernel_of(name);
    const std::size_t row_bytes = rows.shape(1), count = centres.shape(0);
    check(row_bytes > 0 && row_bytes % 4 == 0 && row_bytes <= kMaxRowBytes, "bad row width");
    check(centres.shape(1) == row_bytes && count > 0, "rows and centres differ");
    check(out.shape(0) == rows.shape(0), "bad result shape");
    nb::gil_scoped_release release;
    constexpr std::size_t some = 64;
    const unsigned members = std::clamp(threads, 1u, kMostThreads);
    std::vector<std::uint16_t> all(members * count);
    share_out(members, (rows.shape(0) + some - 1) / some, [&](std::size_t number, unsigned member) {
        std::uint16_t* distances = all.data() + member * count;
        for (std::size_t i = number * some; i < std::min(rows.shape(0), (number + 1) * some); ++i) {
            kernel.scan(centres.data(), count, row_bytes, rows.data() + i * row_bytes, distances);
            // Two simple passes, which the compiler makes vectors of, unlike std::min_element.
            std::uint16_t least = distances[0];
            for (std::size_t c = 0; c < count; ++c) least = std::min(least, distances[c]);
            out.data()[i] = static_cast<std::uint32_t>(std::find(distances, distances + count, least) - distances);
        }
    });
}

void hamming(nb::object column_, nb::object queries_, const std::string& name, Array<std::int32_t, nb::ndim<2>> out) {
    const auto column = array_of<Codes>(column_), queries = array_of<Codes>(queries_);
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

void make_planes(nb::object rows_, Array<std::uint8_t, nb::ndim<1>> out) {
    const auto rows = array_of<Codes>(rows_);
    check(out.shape(0) == planes_bytes(rows.shape(0), rows.shape(1)), "bad result shape");
    nb::gil_scoped_release release;
    slice(rows.data(), rows.shape(0), rows.shape(1), out.data());
}

Spares& spares() {
    static Spares* const only = new Spares;  // never destroyed: arrays may outlive the module
    return *only;
}

// Memory for results, with anything in it.
nb::ndarray<nb::numpy, std::uint8_t, nb::ndim<1>> room(std::size_t size) {
    check(size <= std::size_t{1} << 40, "too large");
    auto* block = new Spares::Block(spares().take(size));
    nb::capsule owner(block, [](void* given) noexcept {
        auto* back = static_cast<Spares::Block*>(given);
        spares().give(*back);
        delete back;
    });
    return {block->data, {size}, owner};
}

void pick_bits(nb::object rows_, nb::object chosen_, Array<std::uint8_t, nb::ndim<2>> out) {
    const auto rows = array_of<Codes>(rows_);
    const auto chosen = array_of<Distances>(chosen_);
    check(out.shape(0) == rows.shape(0) && 8 * out.shape(1) == chosen.shape(0), "bad result shape");
    check(std::all_of(chosen.data(), chosen.data() + chosen.shape(0),
                      [&](std::uint16_t bit) { return bit < 8 * rows.shape(1); }),
          "no such bit");
    const std::uint16_t* end = chosen.data() + chosen.shape(0);
    check(std::adjacent_find(chosen.data(), end, std::greater_equal<>()) == end, "bits must ascend");
    nb::gil_scoped_release release;
    pick(rows.data(), rows.shape(0), rows.shape(1), chosen.data(), out.shape(1), out.data());
}

// Reads all rows, from four places side by side, as scans do (see rows.hpp), and does next to nothing with them.
std::uint64_t read_rows(nb::object rows_) {
    const auto rows = array_of<Codes>(rows_);
    nb::gil_scoped_release release;
    constexpr std::size_t streams = 4, line = 64;
    const std::size_t length = rows.shape(0) * rows.shape(1) / streams / line;
    std::uint64_t seen[line / 8] = {};
    for (std::size_t i = 0; i < length; ++i)
        for (std::size_t s = 0; s < streams; ++s) {
            std::uint64_t words[line / 8];
            std::memcpy(words, rows.data() + (s * length + i) * line, line);
            for (std::size_t w = 0; w < line / 8; ++w) seen[w] ^= words[w];
        }
    std::uint64_t all = 0;
    for (const std::uint64_t word : seen) all ^= word;
    return all;
}

std::vector<std::string> kernels() {
    std::vector<std::string> names;
    for (const Kernel* const* kernel = able_kernels(); *kernel; ++kernel) names.emplace_back((*kernel)->name);
    return names;
}

}  // namespace

NB_MODULE(_native, m) {
    g_ndarray = nb::object(nb::module_::import_("numpy").attr("ndarray")).release().ptr();
    m.doc() = "Search kernels of SwiftReID; call them through swiftreid.search.kernels.";
    m.def("kernels", &kernels, "Names of the kernels that this machine can run, quickest first.");
    nb::class_<ListOrder>(m, "ListOrder").def(nb::init<nb::object, nb::object>(), nb::arg("starts"), nb::arg("order"));
    m.def("nearest", &nearest, nb::arg("rows").noconvert(), nb::arg("centres").noconvert(), nb::arg("threads"),
          nb::arg("kernel"), nb::arg("out").noconvert());
    nb::class_<Column>(m, "Column")
        .def(nb::init<nb::list, nb::object>(), nb::arg("segments"), nb::arg("planes").none());
    nb::class_<Rules>(m, "Rules")
        .def(nb::init<const std::vector<std::string>&, const std::vector<double>&, const std::vector<bool>&>(),
             nb::arg("keeps"), nb::arg("amounts"), nb::arg("whole_ties"));
    m.def("cascade", &cascade, nb::arg("columns"), nb::arg("lists").none(), nb::arg("sample").none(),
          nb::arg("queries"), nb::arg("weights"), nb::arg("rules"), nb::arg("bitmap").none(), nb::arg("min_candidates"),
          nb::arg("order"), nb::arg("threads"), nb::arg("kernel"), nb::arg("indices").noconvert(),
          nb::arg("distances").noconvert(), nb::arg("stages").noconvert(), nb::arg("counts").noconvert(),
          nb::arg("figures").noconvert());
    m.def("room", &room, nb::arg("size"), "Memory that others may have used, uint8 [size].");
    m.def("slice", &make_planes, nb::arg("rows").noconvert(), nb::arg("out").noconvert());
    m.def("pick", &pick_bits, nb::arg("rows").noconvert(), nb::arg("bits").noconvert(), nb::arg("out").noconvert());
    m.def("read", &read_rows, nb::arg("rows").noconvert());
    m.def("hamming", &hamming, nb::arg("column").noconvert(), nb::arg("queries").noconvert(), nb::arg("kernel"),
          nb::arg("out").noconvert());
}

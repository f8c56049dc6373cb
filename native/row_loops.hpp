// The loops of rows.hpp for the row types of this kernel. Included after `with_row(row_bytes, call)`, which calls with
// an object of the row type for that width.

void scan(const std::uint8_t* rows, std::size_t count, std::size_t row_bytes, const std::uint8_t* query,
          std::uint16_t* out) {
    with_row(row_bytes, [&](auto row) { scan_rows<decltype(row)>(rows, count, row_bytes, query, out); });
}

void gather(const std::uint8_t* rows, const std::uint32_t* positions, std::size_t count, std::uint32_t base,
            std::size_t row_bytes, const std::uint8_t* query, std::uint16_t* out) {
    with_row(row_bytes,
             [&](auto row) { gather_rows<decltype(row)>(rows, positions, count, base, row_bytes, query, out); });
}

void rows_within(const std::uint8_t* rows, std::size_t count, std::size_t row_bytes, const std::uint8_t* query,
                 std::uint32_t limit, std::uint64_t* words) {
    with_row(row_bytes, [&](auto row) {
        using Row = decltype(row);
        const std::size_t step = Row::bytes(row_bytes);
        for (std::size_t from = 0; from < count; from += 64) {
            std::uint64_t word = 0;
            for (std::size_t i = from; i < count && i < from + 64; ++i)
                word |= std::uint64_t{Row::distance(rows + i * step, query, step) <= limit} << (i - from);
            words[from / 64] = word;
        }
    });
}

std::size_t gather_within(const std::uint8_t* rows, const std::uint32_t* positions, std::size_t count,
                          std::uint32_t base, std::size_t row_bytes, const std::uint8_t* query, std::uint32_t limit,
                          std::uint32_t* out, std::uint16_t* distances) {
    return with_row(row_bytes, [&](auto row) {
        return gather_rows_within<decltype(row)>(rows, positions, count, base, row_bytes, query, limit, out, distances);
    });
}

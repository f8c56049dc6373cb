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

std::size_t gather_within(const std::uint8_t* rows, const std::uint32_t* positions, std::size_t count,
                          std::uint32_t base, std::size_t row_bytes, const std::uint8_t* query, std::uint32_t limit,
                          std::uint32_t* out, std::uint16_t* distances) {
    return with_row(row_bytes, [&](auto row) {
        return gather_rows_within<decltype(row)>(rows, positions, count, base, row_bytes, query, limit, out, distances);
    });
}

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from swiftreid.errors import UsageError
from swiftreid.search.codes import CodeSpec, bits_of, check_packed, pack_bits, row_bytes_of, unpack_bits


@given(hnp.arrays(bool, st.tuples(st.integers(0, 20), st.integers(1, 140))))
def test_packing_round_trips_and_pads_with_zeros(bits: np.ndarray) -> None:
    packed = pack_bits(bits)
    count = bits.shape[1]
    assert packed.shape == (len(bits), row_bytes_of(f"id{count}"))
    assert packed.shape[1] % 4 == 0
    np.testing.assert_array_equal(unpack_bits(packed, count), bits)
    assert not np.unpackbits(packed, axis=1, bitorder="little")[:, count:].any()


def test_a_bit_is_whether_the_value_is_positive_lowest_first() -> None:
    values = np.array([[0.5, -1.0, 0.0, 2.0, -0.0, 0.0, 0.0, 0.0, 1e-30]])
    assert pack_bits(values).tolist() == [[0b1001, 1, 0, 0]]


def test_values_that_cannot_be_packed() -> None:
    with pytest.raises(UsageError, match="NaN"):
        pack_bits(np.array([[1.0, np.nan]]))
    with pytest.raises(UsageError, match="shape"):
        pack_bits(np.zeros(8))


def test_names_state_their_bits() -> None:
    assert (bits_of("id2048"), row_bytes_of("id2048"), row_bytes_of("attr30"), row_bytes_of("id8")) == (2048, 256, 4, 4)
    for name in ("2048", "id", "id0", "id-8", "ID32", "id32 "):
        with pytest.raises(UsageError, match="bit length"):
            bits_of(name)
    with pytest.raises(UsageError, match="twice"):
        CodeSpec.parse("id32 id32")


def test_a_packed_column_is_checked() -> None:
    assert check_packed("id128", np.zeros((5, 16), np.uint8)) == 5
    for wrong in (np.zeros((5, 15), np.uint8), np.zeros((5, 16), np.int8), np.zeros(16, np.uint8), [[0] * 16]):
        with pytest.raises(UsageError, match="id128"):
            check_packed("id128", wrong)  # type: ignore[arg-type]

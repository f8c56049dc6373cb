from __future__ import annotations

import pytest

from swiftreid.search.cascade import Cascade
from swiftreid.search.storage import bytes_per_entry


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id2048", 256),
        ("id32", 4),
        ("id2048:miss=1e-6", 2 * 256),
        ("id32<=11 > id128<=45 > id512<=195 > id2048", 4 + 16 + 64 + 256 + 4),
        ("id512:top=50 > id2048", 64 + 256),
        ("id2048:nprobe=0.1 > id32<=11 > id2048", 4 + 256 + 4 + (4 + 4 + 256)),
    ],
)
def test_codes_and_what_is_kept_a_second_time(text: str, expected: int) -> None:
    assert bytes_per_entry(Cascade.parse(text)) == expected


def test_rows_of_other_widths() -> None:
    assert bytes_per_entry(Cascade.parse("id32:top=9 > embedding"), {"id32": 4, "embedding": 512}) == 4 + 512 + 4

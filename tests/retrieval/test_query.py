"""What can be asked, and what is refused before anything is searched."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from PIL import Image

from swiftreid.errors import UsageError
from swiftreid.gallery.filters import Filters
from swiftreid.reranking.reciprocal import Reciprocal
from swiftreid.retrieval.query import PersonDescription, Query
from swiftreid.search.cascade import Cascade

HAT = PersonDescription(has=["hat"])


def test_one_or_several_of_each() -> None:
    pixels = np.zeros((64, 32, 3), np.uint8)
    assert len(tuple(Query(pictures=pixels).pictures)) == 1
    assert len(tuple(Query(pictures=[pixels, "a.jpg"]).pictures)) == 2
    assert Query(ids="a").ids == ("a",)
    assert Query(ids=["a", "b"]).ids == ("a", "b")
    assert Query(ids="a", cascade="id32<=9 > id128").cascade == Cascade.parse("id32<=9 > id128")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "needs pictures, vectors, codes, ids or a description"),
        ({"ids": "a", "k": 0}, "k must be a whole number of at least 1"),
        ({"ids": "a", "colour": "cmyk"}, "'rgb' or 'bgr'"),
        ({"ids": "a", "cascade": "id128", "exact": True}, "one of the two"),
        ({"ids": "a", "threshold": "near"}, "'calibrated' or None"),
        ({"ids": "a", "threshold": True}, "'calibrated' or None"),
        ({"ids": "a", "filters": {"cameras": ["door"]}}, r"write filters=Filters\("),
        ({"ids": "a", "description": "hat"}, r"write description=PersonDescription\("),
        ({"codes": np.zeros((1, 4), np.uint8)}, "write codes="),
        ({"pictures": np.zeros(8, np.float32)}, "give embeddings as vectors="),
        ({"pictures": "a.jpg", "colour": "bgr"}, "arrays of pixels"),
        ({"pictures": Image.new("RGB", (64, 128))}, r"numpy.asarray\(image"),
        ({"description": HAT, "exact": True}, "a description alone is one attribute stage"),
        ({"description": HAT, "threshold": 3.0}, "a description alone is one attribute stage"),
        ({"description": HAT, "cascade": "id128"}, "a description alone is one attribute stage"),
        ({"description": HAT, "reranking": Reciprocal()}, "a description alone is one attribute stage"),
    ],
)
def test_what_cannot_be_asked_is_refused(fields: dict, message: str) -> None:
    with pytest.raises(UsageError, match=message) as error:
        Query(**fields)
    assert "--" not in str(error.value)


def test_times_are_seconds_or_iso() -> None:
    moment = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
    assert Filters(after="2026-11-20T12:00:00").after == moment
    assert Filters(after=moment).after == moment
    with pytest.raises(UsageError, match="after: 'soon' is no time"):
        Filters(after="soon")
    with pytest.raises(UsageError, match="no time is both"):
        Filters(after=5, before=5)
    with pytest.raises(UsageError, match=r"pass \['door'\]"):
        Filters(cameras="door")
    assert Filters(after=datetime(2026, 11, 20, 12, tzinfo=UTC)).after == moment
    with pytest.raises(UsageError, match="has no time zone"):
        Filters(after=datetime(2026, 11, 20, 12))
    with pytest.raises(UsageError, match="persons must be texts, got 7: write '7'"):
        Filters(persons=[7])  # type: ignore[list-item]
    assert hash(Filters(cameras=["door"])) == hash(Filters(cameras=("door",)))

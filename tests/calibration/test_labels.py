"""Person labels that are no integers are refused by whatever thresholds are fitted by, in the same words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from swiftreid.calibration.labels import people_and_places
from swiftreid.calibration.nprobe import fit_nprobe
from swiftreid.calibration.pairs import pair_histograms
from swiftreid.calibration.recall import recall_thresholds
from swiftreid.calibration.same_person import fit_same_person
from swiftreid.calibration.short_list import fit_short_list
from swiftreid.errors import UsageError
from swiftreid.search import inverted_lists
from swiftreid.search.codes import pack_bits
from swiftreid.search.inverted_lists import InvertedLists
from swiftreid.search.table import CodeTable

NUMBERS, CAMERAS = np.repeat(np.arange(60), 2), np.tile([0, 1], 60)


def codes() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {f"id{bits}": pack_bits((rng.random((60, bits)) > 0.5)[NUMBERS]) for bits in (32, 128)}


def certified_nprobe(held: dict[str, np.ndarray], persons: Any, cameras: Any) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inverted_lists, "SMALLEST_SEGMENT", 100)
        table = InvertedLists.fit("id128", held["id128"], nlist=4).arrange(CodeTable(held))
    return fit_nprobe(table, held, persons, cameras, share=0.8)


FITS: dict[str, Callable[..., Any]] = {
    "recall_thresholds": lambda *held: recall_thresholds(*held, share=0.9),
    "fit_same_person": lambda held, *who: fit_same_person(held["id128"], *who, code="id128"),
    "fit_short_list": fit_short_list,
    "pair_histograms": lambda *held: [(h.code, h.relevant.tolist()) for h in pair_histograms(*held).values()],
    "fit_nprobe": certified_nprobe,
}


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize(
    ("persons", "kind"),
    [
        (np.char.add("p", NUMBERS.astype(str)), "<U"),
        (np.char.add("p", NUMBERS.astype(str)).astype(object), "object"),
        (NUMBERS.astype(float), "float64"),
        (NUMBERS > 3, "bool"),
    ],
)
def test_persons_that_are_no_integers_are_refused(fit: str, persons: np.ndarray, kind: str) -> None:
    with pytest.raises(UsageError, match=rf"integers \[120\], got {kind}.*np\.unique\(names, return_inverse=True\)"):
        FITS[fit](codes(), persons, CAMERAS)


@pytest.mark.parametrize("fit", FITS)
def test_the_advice_works(fit: str) -> None:
    names = np.char.add("p", np.char.zfill(NUMBERS.astype(str), 3))
    made = np.unique(names, return_inverse=True)[1]
    assert FITS[fit](codes(), made, CAMERAS) == FITS[fit](codes(), NUMBERS.astype(np.uint16), CAMERAS)


def test_no_pictures_have_no_kind() -> None:
    persons, cameras = people_and_places([], [], 0)
    assert (persons.dtype, len(cameras)) == (np.int64, 0)

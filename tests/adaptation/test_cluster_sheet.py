"""The contact sheet of clusters: which are drawn, and how doubtful they are."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
from PIL import Image

from swiftreid.adaptation.cluster_sheet import doubts, draw_clusters
from swiftreid.cli.adapt import _draw
from swiftreid.cli.console import Report
from swiftreid.clustering.strangers import CAP, NO_PAIRS, Pairs
from swiftreid.clustering.two_stage import PeopleClusters
from swiftreid.data.samples import Sample
from swiftreid.errors import UsageError

if TYPE_CHECKING:
    from swiftreid.adaptation.adapt import Adapted

PEOPLE = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, -1])
TRACKLETS = np.array([0, 0, 1, 2, 3, 4, 4, 4, 4, 5])
CLOSE = Pairs(np.array([0, 2, 1]), np.array([1, 3, 2]), np.array([0.01, 0.9, 0.5], np.float32))


def test_doubt_is_the_mean_over_a_groups_links() -> None:
    found = doubts(PeopleClusters(PEOPLE, TRACKLETS, CLOSE, 2, 0.5, 0.9))
    np.testing.assert_allclose(found, [0.01, 0.9, 0], rtol=1e-6)
    chain = PeopleClusters(np.zeros(3, np.int64), np.arange(3), CLOSE.of(np.array([True, False, False])), 1, 0.5, 0.9)
    np.testing.assert_allclose(doubts(chain), [np.sqrt(0.01 * CAP)], rtol=1e-6)


def test_largest_then_most_doubtful(tmp_path: Path) -> None:
    samples = []
    for place in range(10):
        colour = (200, 20 * place, 0)
        Image.new("RGB", (32, 64), colour).save(tmp_path / f"{place}.png")
        samples.append(Sample(tmp_path / f"{place}.png", None, str(place % 2)))
    clusters = PeopleClusters(PEOPLE, TRACKLETS, CLOSE, 2, 0.5, 0.9)
    sheet = np.asarray(draw_clusters(clusters, samples, "Clusters", rows=2, columns=2, crop_height=64)).astype(int)
    tops = [row for row in range(1, len(sheet)) if sheet[row, 30, 0] == 200 and sheet[row - 1, 30, 0] != 200]
    # Groups of 4 and 3 pictures, then those of 0.9 and 0.01 strangers; their first picture of the first camera.
    assert [sheet[top + 5, 30, 1] // 20 for top in tops] == [6, 0, 4, 0]
    with pytest.raises(UsageError, match="every picture is alone"):
        draw_clusters(PeopleClusters(np.full(10, -1), np.arange(10), NO_PAIRS, 0, 0, 0), samples, "Clusters")


def test_where_nobody_was_seen_twice_adapt_draws_nothing_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples = [Sample(tmp_path / f"{place}.png", None, "1") for place in range(10)]
    nobody = PeopleClusters(np.full(10, -1), np.arange(10), NO_PAIRS, 0, 0, 0)
    some = PeopleClusters(PEOPLE, TRACKLETS, CLOSE, 2, 0.5, 0.9)
    done = SimpleNamespace(before=some, after=nobody, pictures=SimpleNamespace(samples=samples))
    drawn = _draw(Report(as_json=False, quiet=True), cast("Adapted", done), tmp_path)
    assert drawn == [str(tmp_path / "clusters-before.png")]
    assert (tmp_path / "clusters-before.png").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "clusters-after.png").exists()
    assert "every picture is alone" in capsys.readouterr().err

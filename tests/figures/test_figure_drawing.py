"""Figures are files of the expected kind and size, the same every time, and hold what they should say."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from figure_samples import card, people, split
from PIL import Image

from swiftreid.calibration.short_list import fit_short_list
from swiftreid.errors import UsageError
from swiftreid.figures import style
from swiftreid.figures.accuracy_time import draw_time, timed_rankings
from swiftreid.figures.adaptation_curve import AdaptationCurve, EpochClusters, HeldOutLeads, draw_curve
from swiftreid.figures.beta import beta_figure, draw_beta, dto_cascades
from swiftreid.figures.camera_map import camera_map, draw_camera_map
from swiftreid.figures.cards import choose_pair, choose_rows
from swiftreid.figures.changes import draw_changes, rank_changes
from swiftreid.figures.cmc import cmc_curves, draw_cmc
from swiftreid.figures.distances import distance_histograms, draw_distances
from swiftreid.figures.distractors import draw_growing, growing_galleries
from swiftreid.figures.labels import _spread
from swiftreid.figures.ranked import choose_queries, draw_ranked, picture_bytes, ranked_lists, ranking_metrics
from swiftreid.figures.short_lists import draw_short_lists, short_list_figure
from swiftreid.figures.values import draw_values, value_histograms
from swiftreid.search.cascade import Cascade

pytest.importorskip("matplotlib")

QUERY, GALLERY = split(people(1))
ABOUT = ["crowd · 3 queries", "encoder made"]
CARDS = [card(1, "one"), card(2, "two")]


def cmc(text: style.TextSize) -> Any:
    return draw_cmc(cmc_curves(choose_rows(CARDS, ["id32", "id128"], [])), CARDS, text=text)


def time(text: style.TextSize) -> Any:
    return draw_time(timed_rankings(choose_rows(CARDS[:1], ["id32", "id128", "CtF"], [])), CARDS[:1], text=text)


def changes(text: style.TextSize) -> Any:
    return draw_changes(rank_changes(*choose_pair(CARDS, [])), ABOUT, text=text)


def beta(text: style.TextSize) -> Any:
    cascades = dto_cascades(people(7, first=100), [0.5, 2, 8])
    return draw_beta(beta_figure(cascades, QUERY, GALLERY, fitted_on="others", calibrated=2), ABOUT, text=text)


def short_lists(text: style.TextSize) -> Any:
    other = people(7, first=100)
    fitted = fit_short_list(other.codes, other.persons, other.cameras)
    return draw_short_lists(short_list_figure(fitted, QUERY, GALLERY, fitted_on="others"), ABOUT, text=text)


def distances(text: style.TextSize) -> Any:
    histograms = distance_histograms(QUERY, GALLERY, {"id32": [(9, "goes on"), (12, "also")]})
    return draw_distances(histograms, ABOUT, ["Thresholds."], text=text)


def values(text: style.TextSize) -> Any:
    rng = np.random.default_rng(3)
    given = {code: rng.normal(size=(50, bits)).astype(np.float32) for code, bits in (("id32", 32), ("id128", 128))}
    return draw_values(value_histograms(given, "tanh"), ABOUT, text=text)


def growing(text: style.TextSize) -> Any:
    few = card(1)
    sweep = [few, few.model_copy(update={"protocol": few.protocol.model_copy(update={"distractors": 500})})]
    return draw_growing(growing_galleries(sweep), sweep, text=text)


def curve(text: style.TextSize) -> Any:
    epochs = [EpochClusters(30 + 9 * epoch, 0.5 - 0.05 * epoch, 0.1 * epoch - 0.02) for epoch in range(4)]
    return draw_curve(AdaptationCurve(epochs, HeldOutLeads(1.2, 1.6, 0.1, 700), believed=True), ABOUT, text=text)


def mapped(text: style.TextSize) -> Any:
    rng = np.random.default_rng(4)
    cameras = [f"place {number % 11}" for number in range(330)]
    points = rng.normal(size=(330, 6)).astype(np.float32)
    before = points + np.array([[int(name.split()[1]), 0, 0, 0, 0, 0] for name in cameras], np.float32)
    return draw_camera_map(camera_map(before, points, cameras), ABOUT, text=text)


DRAWINGS = [cmc, time, growing, changes, beta, short_lists, distances, values, curve, mapped]


@pytest.mark.parametrize("draw", DRAWINGS)
@pytest.mark.parametrize("text", ["normal", pytest.param("large", marks=pytest.mark.slow)])
def test_figure_is_a_picture_that_nothing_sticks_out_of(draw: Callable[..., Any], text: style.TextSize) -> None:
    figure = draw(text)
    picture = Image.open(io.BytesIO(style.image_of(figure, ".png")))
    width, height = (round(200 * inches) for inches in figure.get_size_inches())
    assert abs(picture.width - width) <= 1
    assert abs(picture.height - height) <= 1
    pixels = np.asarray(picture.convert("L"))
    assert (pixels < 128).mean() > 0.005
    rim = np.concatenate([pixels[:4].ravel(), pixels[-4:].ravel(), pixels[:, :4].ravel(), pixels[:, -4:].ravel()])
    assert rim.min() == 255, "something is cut off at the rim"


@pytest.mark.parametrize("suffix", style.SUFFIXES)
def test_the_same_numbers_give_the_same_bytes(suffix: str) -> None:
    first, second = (style.image_of(cmc("normal"), suffix) for _ in range(2))
    assert first == second
    assert first.startswith({".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[suffix])
    for word in (b"Matplotlib", b"CreationDate", b"dc:date"):
        assert word not in first


def test_names_are_written_at_the_lines() -> None:
    said = " ".join(text.get_text() for text in cmc("normal").findobj(match=lambda artist: hasattr(artist, "get_text")))
    assert "one: id32 exhaustive, " in said
    assert "crowd · " in said
    assert "single query, cross-camera" in said


def test_looks_differ_in_every_property_and_in_grey() -> None:
    for field in ("colour", "dashes", "marker", "hatch"):
        assert len({str(getattr(look, field)) for look in style.LOOKS}) == len(style.LOOKS)


def test_a_users_own_settings_change_nothing() -> None:
    import matplotlib as mpl

    plain = style.image_of(cmc("normal"), ".svg")
    with mpl.rc_context({"font.size": 30, "axes.facecolor": "red", "svg.hashsalt": "other"}):
        assert style.image_of(cmc("normal"), ".svg") == plain
        assert mpl.rcParams["font.size"] == 30


def test_drawing_leaves_pyplot_alone() -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests/figures'); import test_figure_drawing as t; "
        "t.style.image_of(t.cmc('normal'), '.png'); assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_numbers_need_no_matplotlib() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None; sys.path.insert(0, 'tests/figures')\n"
        "import figure_samples as f\n"
        "from swiftreid.figures import cmc, cards, style\n"
        "cmc.cmc_curves(cards.choose_rows([f.card(1)], ['id32'], []))\n"
        "try: style.load()\n"
        "except Exception as error: print(error)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert 'pip install "swiftreid[figures]"' in ran.stdout


def test_ticks_are_those_of_the_layout_whatever_the_size_of_text() -> None:
    figure = distances("large")
    before = [[tick.get_text() for tick in axes.get_yticklabels()] for axes in figure.axes]
    style.image_of(figure, ".png")
    assert [[tick.get_text() for tick in axes.get_yticklabels()] for axes in figure.axes] == before


def test_unknown_sizes_and_kinds_are_refused() -> None:
    with pytest.raises(UsageError, match="normal or large"):
        cmc("huge")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"\.gif"):
        style.image_of(cmc("normal"), ".gif")


def test_too_many_curves_are_refused() -> None:
    chosen = choose_rows(CARDS, ["id32"], []) * 5
    with pytest.raises(UsageError, match="at most 8"):
        cmc_curves(chosen)


def test_names_are_spread_within_limits_in_their_order() -> None:
    centres = _spread([50.0, 50.0, 51.0, 99.0, 99.0], 10, 0, 100)
    assert all(b - a >= 10 - 1e-9 for a, b in pairwise(centres))
    assert centres[-1] <= 95
    assert centres[0] >= 5
    assert _spread([20.0, 70.0], 10, 0, 100) == [20.0, 70.0]


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".svg", ".pdf"])
def test_ranked_lists_are_drawn_with_ignored_ones_marked(suffix: str) -> None:
    cascade = Cascade.parse("id128")
    metrics = ranking_metrics(cascade, QUERY, GALLERY)
    lists = ranked_lists(choose_queries(metrics, best=2), cascade, QUERY, GALLERY, metrics)
    grey = np.full((64, 32, 3), 90, np.uint8)

    def drawn() -> bytes:
        picture = draw_ranked(
            lists, QUERY, GALLERY, read_query=lambda _: grey, read_entry=lambda _: grey, title="made", text="large"
        )
        return picture_bytes(picture, suffix)

    content = drawn()
    assert content == drawn()
    assert content.startswith({".png": b"\x89PNG", ".jpg": b"\xff\xd8", ".svg": b"<svg", ".pdf": b"%PDF"}[suffix])
    assert b"CreationDate" not in content

"""The encoders that come with the package: what their cards say, and that `rendered` is the better one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from command import run_in
from swiftreid.encoding.encoder import SHIPPED, open_encoder
from swiftreid.search.description import attribute_names

STATION = Path(__file__).resolve().parents[2] / "examples" / "station"
LARGEST = 12_000_000


@pytest.mark.parametrize("name", SHIPPED)
def test_cards_state_what_was_learned_from_and_calibrate_nothing(name: str) -> None:
    card = open_encoder(name).card
    assert card.name == name
    assert card.licence == "Apache-2.0"
    assert "rendered" in card.provenance
    assert card.calibration is None, "thresholds depend on the cameras of whoever uses it"
    assert SHIPPED[name].stat().st_size < LARGEST
    for measured in card.metrics:
        assert 0 < measured["rank1"] <= 1
        assert 0 < measured["map"] <= 1


def test_rendered_learned_from_rendered_people_and_names_its_teacher() -> None:
    card = open_encoder("rendered").card
    assert "taught by person-reidentification-retail-0286" in card.provenance
    assert card.spec == "id32 id128 id512 id2048 attr144"
    measured = {row["data"].split(",")[0] for row in card.metrics}
    assert len(measured) >= 3, "honest figures on rendered people and on two real data sets"
    assert [score.name for score in card.attribute_scores] == attribute_names(card.attributes)


def evaluated(encoder: str) -> dict[str, float]:
    """mAP by ranking on the rendered station."""
    ran = run_in(Path.cwd())("evaluate", STATION, "--encoder", encoder, "--untimed", "--no-per-query", "--json")
    return {row["ranking"]: row["map_standard"] for row in ran.json["rows"]}


def test_rendered_finds_people_of_an_older_renderer_better_than_stripes() -> None:
    rendered, stripes = evaluated("rendered"), evaluated("stripes")
    assert rendered["id2048 exhaustive"] > stripes["id2048 exhaustive"]
    assert rendered["id128 exhaustive"] > 0.8


def test_rendered_gives_what_its_card_says() -> None:
    encoder = open_encoder("rendered")
    assert encoder.size == (128, 64)
    rng = np.random.default_rng(0)
    found = encoder.encode(rng.integers(0, 256, (3, *encoder.size, 3), np.uint8))
    assert found.embedding is not None
    assert found.embedding.shape == (3, 256)
    assert found.codes["id32"].shape == (3, 4)

"""`studies/ship.py`: what goes onto the card of the shipped encoder, and whose figures do not."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from pathlib import Path

import pytest

from command import run_in
from swiftreid.encoding.encoder import open_encoder
from swiftreid.evaluation.card import ResultCard
from swiftreid.search.description import Description
from warm import run_python

SCRIPT = Path(__file__).resolve().parents[2] / "studies" / "ship.py"


def ship(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run_python(SCRIPT, *arguments, folder=folder)


def test_the_card_has_the_figures_of_result_cards_and_no_calibration(drawn_people: Path, tmp_path: Path) -> None:
    swiftreid = run_in(tmp_path)
    swiftreid("calibrate", "stripes", drawn_people, "-o", "fitted.safetensors", "--beta", 2)
    swiftreid("evaluate", drawn_people, "--encoder", "fitted.safetensors", "--untimed", "--card", "card.json")
    arguments = (
        "fitted.safetensors",
        "-o",
        "shipped.safetensors",
        "--card",
        "card.json",
        "--provenance",
        "nobody real",
    )
    done = ship(tmp_path, *arguments)
    assert done.returncode == 0, done.stderr
    made, shipped = open_encoder(tmp_path / "fitted.safetensors"), open_encoder(tmp_path / "shipped.safetensors")
    assert made.card.calibration is not None
    assert shipped.card.calibration is None
    assert (shipped.card.name, shipped.fingerprint) == ("rendered", made.fingerprint)
    assert shipped.card.provenance == f"nobody real; {made.card.provenance}"
    rows = {row.ranking: row for row in ResultCard.load(tmp_path / "card.json").rows}
    told = {row["ranking"]: row["map"] for row in shipped.card.metrics}
    assert set(told) == {*(f"id{length} exhaustive" for length in (32, 128, 512, 2048)), "float embedding"}
    assert told["id128 exhaustive"] == rows["id128 exhaustive"].map_standard
    card = (tmp_path / "card.json").read_text()
    (tmp_path / "card.json").write_text(card.replace(made.fingerprint, "f00d" * 16))
    assert "the card of drawn is of another encoder" in ship(tmp_path, *arguments).stderr


def test_words_added_later_leave_figures_and_fingerprint_as_they_are(tmp_path: Path) -> None:
    before = open_encoder("rendered")
    source = SCRIPT.parents[1] / "src/swiftreid/encoding/rendered.safetensors"
    done = ship(tmp_path, str(source), "-o", "again.safetensors", "--record", "random_erasing=none at all")
    assert done.returncode == 0, done.stderr
    after = open_encoder(tmp_path / "again.safetensors")
    assert after.fingerprint == before.fingerprint
    assert after.card.training == {**before.card.training, "random_erasing": "none at all"}
    assert after.card.model_copy(update={"training": before.card.training}) == before.card
    wrong = ship(tmp_path, str(source), "-o", "again.safetensors", "--record", "random_erasing")
    assert "--record takes FIELD=WORDS, got 'random_erasing'" in wrong.stderr


def test_the_shipped_encoder_names_the_sampler_it_was_trained_with() -> None:
    assert "log-uniform" in open_encoder("rendered").card.training["random_erasing"]


def test_how_well_attributes_are_told_goes_with_it(hashed_station: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    swiftreid = run_in(tmp_path)
    station = SCRIPT.parents[1] / "examples" / "station"
    shutil.copy(hashed_station, tmp_path / "hashed.safetensors")
    swiftreid("evaluate", station, "--encoder", "hashed.safetensors", "--untimed", "--card", "card.json")
    done = ship(tmp_path, "hashed.safetensors", "-o", "shipped.safetensors", "--card", "card.json")
    assert done.returncode == 0, done.stderr
    shipped = open_encoder(tmp_path / "shipped.safetensors").card
    assert shipped.calibration is None
    assert shipped.known_scores == ResultCard.load(tmp_path / "card.json").attributes
    assert shipped.known_scores != open_encoder(tmp_path / "hashed.safetensors").card.known_scores, "of other people"
    assert set(shipped.reliability) <= set(shipped.attributes)
    shown = swiftreid("encoder", "info", "shipped.safetensors").out
    assert "attributes: accuracy" in shown
    row = next(line for line in shown.splitlines() if line.startswith("│ backpack "))
    (score,) = (score for score in shipped.known_scores if score.name == "backpack")
    assert f"{100 * score.accuracy:.1f}" in row
    # Descriptions go by it.
    swiftreid("gallery", "create", "g", "--encoder", "shipped.safetensors")
    swiftreid("gallery", "add", "g", station / "query")
    asked = ("search", "g", "--has", "backpack", "--not", "hat", "--no-picture", "--json")
    weights = Description({"backpack": True, "hat": False}).weights(shipped.attributes, shipped.reliability)
    stated = weights[weights > 0].tolist()
    assert len(set(stated)) > 1, "one is told better than the other"
    found = {hit["distance"] for hit in swiftreid(*asked, "-k", 60).json["queries"][0]["hits"]}
    assert found <= {sum(some) for r in range(len(stated) + 1) for some in itertools.combinations(stated, r)}
    assert shipped.fingerprint == open_encoder(tmp_path / "hashed.safetensors").fingerprint

"""`studies/equal_time.py`: shorter codes beside attributes first, in the same time, over several encoders."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from pathlib import Path

import pytest

from command import run_in
from warm import run_python

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "studies" / "equal_time.py"
STATION = ROOT / "examples" / "station"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return run_python(SCRIPT, *arguments)


def test_equal_work_is_the_papers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Table 8: 30 attributes and 2048 bits, 15,912 pictures."""
    monkeypatch.syspath_prepend(str(SCRIPT.parent))
    spec = importlib.util.spec_from_file_location("equal_time", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.ideal(128, 30, 2048, 15912) == 761
    assert script.ideal(32, 144, 2048, 15912) == 0


@pytest.fixture
def some_people(tmp_path: Path) -> Path:
    """Eight of the station's test people, whom its short codes do not all tell apart."""
    for folder in ("query", "bounding_box_test"):
        (tmp_path / folder).mkdir()
        pictures = sorted((STATION / folder).iterdir())
        persons = sorted({picture.name[:4] for picture in pictures})[:8]
        for picture in pictures:
            if picture.name[:4] in persons:
                (tmp_path / folder / picture.name).symlink_to(picture)
    return tmp_path


def test_the_same_encoder_twice_deviates_by_nothing(some_people: Path) -> None:
    ran = run("rendered", "rendered", str(some_people), "--steps", "3")
    assert ran.returncode == 0, ran.stderr
    table, ladder = (part.splitlines() for part in ran.stdout.split("\n\n")[1:])
    codes = {line.split()[0]: line for line in table[1:]}
    assert list(codes)[-1] == "id2048"
    assert all("± 0.0" in line for line in codes.values())
    assert codes["id32"].split()[2:] != codes["id2048"].split()[2:]
    last = ladder[-1].split()  # the whole gallery is the exhaustive search
    whole = codes["id2048"].split()[2:]
    assert last[2 : 2 + len(whole)] == whole


@pytest.mark.slow
def test_each_length_may_have_an_encoder_of_its_own(some_people: Path, tmp_path: Path) -> None:
    """As in the SSR paper's Table 8: each encoder is searched by its own code, AFR is by the longest."""
    swiftreid = run_in(tmp_path)
    for bits in (64, 256):
        few = ("training.epochs=1", f"training.lengths=[{bits}]", "attributes=true", "attribute_bits=1")
        changes = [part for change in few for part in ("--set", change)]
        swiftreid("hash", STATION, "--encoder", "stripes", *changes, "-o", f"{bits}.safetensors", "-q")
    encoders = [str(tmp_path / f"{bits}.safetensors") for bits in (256, 64)]
    ran = run(*encoders, str(some_people), "--steps", "3")
    assert ran.returncode == 0, ran.stderr
    table, ladder = (part.splitlines() for part in ran.stdout.split("\n\n")[1:])
    assert [line.split()[0] for line in table[1:]] == ["id64", "id256"]
    alone = {}
    for bits, encoder in zip((256, 64), encoders, strict=True):
        swiftreid("evaluate", some_people, "--encoder", encoder, "--untimed", "--card", "card.json", "-q")
        row = json.loads((tmp_path / "card.json").read_text())["rows"][0]
        assert row["ranking"] == f"id{bits} exhaustive"
        alone[bits] = f"{100 * row['rank1']:.1f} / {100 * row['map_standard']:.1f}"
    found = {line.split()[0]: " ".join(line.split()[2:5]) for line in table[1:]}
    assert found == {"id64": alone[64], "id256": alone[256]}
    rank1, _, mean, _, over_list, matched = ladder[-1].split()[2:]
    assert f"{rank1} / {mean}" == alone[256]
    assert over_list == mean  # the whole gallery is on the list
    assert matched == "100.0"
    uneven = run(*encoders, encoders[0], str(some_people))
    assert uneven.returncode == 1
    assert "as many encoders of each kind are needed" in uneven.stderr


def test_an_encoder_without_attributes_is_refused() -> None:
    ran = run("stripes", str(STATION))
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: ")

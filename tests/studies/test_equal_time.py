"""`studies/equal_time.py`: shorter codes beside attributes first, in the same time, over several encoders."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path

import pytest

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
    assert last[2:] == codes["id2048"].split()[2:]


def test_an_encoder_without_attributes_is_refused() -> None:
    ran = run("stripes", str(STATION))
    assert ran.returncode == 1
    assert ran.stderr.startswith("error: ")

"""`studies/reencode.py`: a gallery moved from its pictures has the figures of its pictures."""

from __future__ import annotations

import re
from pathlib import Path

import swiftreid
from warm import run_python

SCRIPT = Path(__file__).resolve().parents[2] / "studies" / "reencode.py"


def test_from_sources_it_finds_what_an_evaluation_finds_and_thumbnails_come_beside_it(drawn_people: Path) -> None:
    done = run_python(SCRIPT, drawn_people, "--before", "rendered", "--to", "stripes")
    rows = {
        title: re.findall(r"[\d.]+ / [\d.]+", line)
        for line in done.stdout.splitlines()
        for title in ("from source pictures", "from thumbnails")
        if line.startswith(title)
    }
    card = swiftreid.evaluate(drawn_people, "stripes", swiftreid.EvaluationSettings(timed=False))
    figures = {row.ranking: f"{100 * row.rank1:.1f} / {100 * row.map_standard:.1f}" for row in card.rows}
    codes = ("id32", "id128", "id512", "id2048")
    expected = [figures[f"{code} exhaustive"] for code in codes]
    assert rows["from source pictures"][:4] == expected
    assert len(rows["from thumbnails"]) == len(rows["from source pictures"]) == 5

"""The curve of adapting, read from a run's log."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.figures.adaptation_curve import AdaptationCurve, EpochClusters, HeldOutLeads, load_curve

LINES = [
    {"kind": "run", "step": 0, "seed": 1},
    {"kind": "targets", "step": 0, "groups": 5, "alone": 0.5, "beyond_chance": 0.1},
    {"kind": "train", "step": 4, "total": 1.0},
    {"kind": "targets", "step": 4, "groups": 6, "alone": 0.4, "beyond_chance": 0.2},
    {"kind": "targets", "step": 4, "groups": 7, "alone": 0.3, "beyond_chance": 0.3},  # begun again, from a checkpoint
]
GUARD = {"lead_before": 1.1, "lead_after": 1.5, "error": 0.1, "clusters": 90, "believed": "yes"}


def write(folder: Path, lines: list[dict[str, object]]) -> None:
    folder.mkdir(exist_ok=True, parents=True)
    (folder / "log.jsonl").write_text("\n".join(map(json.dumps, lines)) + "\n")


def test_epochs_and_the_last_verdict(tmp_path: Path) -> None:
    epochs = [EpochClusters(5, 0.5, 0.1), EpochClusters(7, 0.3, 0.3)]
    write(tmp_path / "training", LINES)
    assert load_curve(tmp_path) == load_curve(tmp_path / "training") == AdaptationCurve(epochs, None, None)
    write(
        tmp_path / "training",
        [*LINES, {"kind": "guard", "step": 8, **GUARD, "believed": "no"}, {"kind": "guard", **GUARD}],
    )
    assert load_curve(tmp_path) == AdaptationCurve(epochs, HeldOutLeads(1.1, 1.5, 0.1, 90), True)
    write(tmp_path / "training", [*LINES, {"kind": "guard", "clusters": 20, "believed": "no"}])
    assert load_curve(tmp_path) == AdaptationCurve(epochs, None, False)


@pytest.mark.parametrize(
    ("lines", "error", "message"),
    [
        (None, UsageError, "has no log.jsonl"),
        ([{"kind": "targets", "step": 0, "groups": 5, "classes": 5}], UsageError, "no epoch with clusters"),
        ([{"step": 0}], SwiftReIDError, "cannot be read as a run's log"),
        ([{"kind": "guard", "step": 1}, LINES[1]], SwiftReIDError, "cannot be read"),
    ],
)
def test_what_is_no_log_of_adapting(
    lines: list[dict[str, object]] | None, error: type[Exception], message: str, tmp_path: Path
) -> None:
    if lines is not None:
        write(tmp_path, lines)
    with pytest.raises(error, match=message):
        load_curve(tmp_path)

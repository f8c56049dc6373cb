from __future__ import annotations

import csv
from pathlib import Path

import pytest

from command import run_in


def test_the_command_renders_and_tells(tmp_path: Path) -> None:
    pytest.importorskip("anny")
    options = [
        "--people",
        2,
        "--cameras",
        2,
        "--seen-by",
        1,
        "--shots",
        1,
        "--scenes",
        1,
        "--height",
        64,
        "--width",
        32,
    ]
    run = run_in(tmp_path)
    told = run(
        "synth", "people", *options, "--distractors", 1, "--without", "occlusion,wear", "--workers", 1, "--json"
    ).json
    assert told["counts"] == {"bounding_box_train": 1, "query": 1, "bounding_box_test": 1}
    assert told["distractors"] == 1
    with (tmp_path / "people" / "attributes.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 2
    assert "`" not in run("synth", "people", *options, code=1).err


def test_more_cameras_a_person_than_there_are_is_refused(tmp_path: Path) -> None:
    error = run_in(tmp_path)("synth", "people", "--cameras", 3, "--seen-by", 4, code=2).err
    assert "--seen-by 4 is more than the 3 cameras" in error
    assert not (tmp_path / "people").exists()


def test_an_unknown_ingredient_is_named(tmp_path: Path) -> None:
    error = run_in(tmp_path)("synth", "people", "--without", "hats", code=2).err
    assert "hats" in error
    assert "backgrounds, light, occlusion, patterns, crops, wear" in " ".join(error.split())
    assert not (tmp_path / "people").exists()

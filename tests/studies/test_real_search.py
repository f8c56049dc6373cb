"""The counted searches against rankings made picture by picture, with a second data set that numbers people alike."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from drawn_figures import draw_person
from swiftreid.data.market import parse_name
from swiftreid.data.pictures import find_pictures
from swiftreid.encoding.encoder import open_encoder
from swiftreid.encoding.stream import encode_all

SCRIPT = Path(__file__).resolve().parents[2] / "studies" / "real_search.py"
SHOTS = 3


def run(tmp_path: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), *map(str, arguments), "--encoder", "stripes"]
    return subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "TMPDIR": str(tmp_path)}, capture_output=True, text=True, check=False
    )


def measured(tmp_path: Path, *folders: Path) -> dict[str, Any]:
    ran = run(tmp_path, *folders, "--json", "out.json")
    assert ran.returncode == 0, ran.stderr
    figures: dict[str, Any] = json.loads((tmp_path / "out.json").read_text())
    assert f"{figures['first']:.1%} at the first place, {figures['among_five']:.1%} among" in ran.stdout
    assert not list(tmp_path.glob("swiftreid-*")), "the gallery must be removed"
    return figures


def similar_people(root: Path) -> Path:
    """People in one of two coats, so that neither all nor none of the searches are right."""
    for person in range(1, 13):
        for camera in (1, 2):
            for shot in range(SHOTS):
                folder = "query" if shot == 0 else "bounding_box_test"
                path = root / folder / f"{person:04d}_c{camera}_{shot:02d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                draw_person(person % 2, camera, 100 * person + shot).save(path)
    return root


def naive(folders: list[Path]) -> tuple[float, float]:
    """Shares of camera 1's queries with a right picture at the first place and among five, bit by bit."""
    encoder = open_encoder("stripes")
    entries = [(number, path) for number, folder in enumerate(folders) for path in find_pictures(folder)]
    codes = encode_all(encoder, [path for _, path in entries])[1].codes["id2048"]
    first = five = searches = 0
    for row, (number, path) in enumerate(entries):
        person, camera = parse_name(path.stem) or (0, 0)
        if number or camera != 1 or path.parent.name != "query":
            continue
        ranking = []
        for other, (folder, shown) in enumerate(entries):
            who, where = parse_name(shown.stem) or (0, 0)
            if where != 1:
                distance = sum((int(a) ^ int(b)).bit_count() for a, b in zip(codes[row], codes[other], strict=True))
                ranking.append((distance, other, who == person and folder == 0))
        right = [verdict for _, _, verdict in sorted(ranking)]
        first, five, searches = first + right[0], five + any(right[:5]), searches + 1
    return first / searches, five / searches


def test_shares_agree_with_naive_rankings(tmp_path: Path) -> None:
    people = similar_people(tmp_path / "people")
    figures = measured(tmp_path, people)
    assert (figures["stored"], figures["searches"], figures["unreadable"]) == (12 * 2 * SHOTS, 12, 0)
    assert 0 < figures["first"] < figures["among_five"] < 1, "these people must tell the two shares apart"
    assert (figures["first"], figures["among_five"]) == pytest.approx(naive([people]))
    assert figures["pictures_per_second"] == pytest.approx(figures["stored"] / figures["adding_seconds"])


def test_strangers_with_the_same_number_are_not_right(tmp_path: Path) -> None:
    people, others = similar_people(tmp_path / "people"), tmp_path / "others"
    (others / "bounding_box_test").mkdir(parents=True)
    for query in (people / "query").glob("*_c1_*"):  # the very query, as another data set's person of that number
        (others / "bounding_box_test" / query.name.replace("_c1_", "_c2_")).write_bytes(query.read_bytes())
    figures = measured(tmp_path, people, others)
    assert figures["stored"] == 12 * 2 * SHOTS + 12
    assert figures["first"] == 0
    assert (figures["first"], figures["among_five"]) == pytest.approx(naive([people, others]))


def test_a_data_set_without_camera_1_is_refused(tmp_path: Path) -> None:
    people = similar_people(tmp_path / "people")
    for query in (people / "query").glob("*_c1_*"):
        query.unlink()
    ran = run(tmp_path, people)
    assert ran.returncode == 1
    assert "no query by camera 1" in ran.stderr

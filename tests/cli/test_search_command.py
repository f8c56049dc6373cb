"""What `swiftreid search` says of its options, and where it writes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from typer.testing import CliRunner

from command import Ran
from drawn_figures import draw_person
from swiftreid.cli import searching
from swiftreid.cli.main import app
from swiftreid.search.cascade import Cascade

Run = Callable[..., Ran]


def test_filters_are_told_by_their_options(swiftreid: Run, tmp_path: Path) -> None:
    draw_person(1, 1, 1).save(tmp_path / "a.png")
    (tmp_path / "list.csv").write_text("path,camera,time\na.png,door,2026-11-01\n")
    swiftreid("gallery", "create", "g")
    swiftreid("gallery", "add", "g", "--manifest", "list.csv")
    late = swiftreid("search", "g", "a.png", "--no-picture", "--after", "2026-11-02")
    assert "no entry passes --after 2026-11-02\n" in late.err
    between = swiftreid("search", "g", "a.png", "--no-picture", "--not-camera", "door", "--before", "2026-11-02")
    assert "no entry passes --not-camera door --before 2026-11-02 together" in between.err


def test_the_picture_is_written_like_every_other_file(swiftreid: Run, filled: Path, tmp_path: Path) -> None:
    query = filled / "0015_c2s1_000001_01.jpg"
    (tmp_path / "file").touch()
    refused = swiftreid("search", "g", query, "--picture", "file/new/a.png", code=2)
    assert "--picture file/new/a.png can't be written" in refused.err
    assert "is no folder" in refused.err
    assert not refused.out, "it is refused before the search"
    for path, told in (("new/deeper/a.png", "(in a new folder)"), ("new/deeper/b.webp", ""), ("c.jpg", "")):
        ran = swiftreid("search", "g", query, "--picture", path)
        assert f"picture: {path} {told}".strip() in ran.out.splitlines()
        assert Image.open(tmp_path / path).format in ("PNG", "WEBP", "JPEG")
    assert len(list((tmp_path / "new" / "deeper").iterdir())) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--exact", "--cascade", "id2048"], "--exact and --cascade exclude each other"),
        (["--no-picture", "--picture", "y.png"], "--no-picture and --picture exclude each other"),
        (["--no-unknown", "--same-person", 0], "--no-unknown and --same-person exclude each other"),
        (["--k1", 20], "--k1 without --rerank would do nothing"),
        (["--k2", 3, "--lambda", 0], "--k2 and --lambda without --rerank would do nothing"),
        (["--after", "2026-11-22", "--before", "2026-11-21"], "both from --after 2026-11-22 on and before --before"),
        (["--after", "10", "--before", "10"], "both from --after 10 on and before --before 10"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    options: list[str], message: str, swiftreid: Run, filled: Path, tmp_path: Path
) -> None:
    query = filled / "0015_c2s1_000001_01.jpg"
    ran = swiftreid("search", "g", query, *options, code=2)
    assert message in ran.err
    assert not ran.out
    assert not list(tmp_path.glob("*.png"))


def test_a_search_says_which_cascade_it_used_and_why(swiftreid: Run, filled: Path) -> None:
    query = filled / "0015_c2s1_000001_01.jpg"
    swiftreid("calibrate", "stripes", filled.parent, "-o", "c.safetensors", "--beta", "2")
    search = ("search", "g", query, "--no-picture")
    plain = swiftreid(*search).out
    assert "cascade: id2048 (every entry: the encoder stripes has no calibration" in plain
    assert "`swiftreid calibrate ENCODER DATA -o COPY` and give it with --encoder COPY" in plain
    calibrated = swiftreid(*search, "--encoder", "c.safetensors").out
    assert "cascade: id32<=" in calibrated
    assert "(calibrated on drawn train)" in calibrated
    exact = swiftreid(*search, "--encoder", "c.safetensors", "--exact").out
    assert "cascade: id2048 (every entry, as --exact asks)" in exact
    given = swiftreid(*search, "--cascade", "id32:top=9>id512", "--quiet").out
    assert "cascade: id32:top=9 > id512 (given by --cascade)" in given
    assert swiftreid(*search, "--cascade", "id512", "--json").json["cascade"] == "id512"


def test_no_more_threads_search_than_there_are_processors(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = filled / "0015_c2s1_000001_01.jpg"
    used: list[int] = []
    plain = Cascade.search

    def noting(self: Cascade, *arguments: Any, threads: int, **others: Any) -> Any:
        used.append(threads)
        return plain(self, *arguments, threads=threads, **others)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Cascade, "search", noting)
    monkeypatch.setattr(searching, "processors", lambda: 3)
    for wanted, told in (("64", True), ("3", False), ("2", False)):
        ran = CliRunner().invoke(app, ["search", "g", str(query), "--no-picture", "--threads", wanted])
        assert ("may use 3 processors, so 3 threads search" in ran.output) == told
    assert used == [3, 3, 2]


def test_files_with_people_in_them_are_their_owners_alone(swiftreid: Run, filled: Path, tmp_path: Path) -> None:
    query = next(filled.iterdir())
    (tmp_path / "search.png").touch(0o666)
    before = os.umask(0)
    try:
        swiftreid("search", "g", query, "-k", 1)
        swiftreid("explain", "stripes", query, "--patch", 32, "--stride", 32, "-o", "why.png")
        swiftreid("encode", query, "-o", "codes.safetensors")
        swiftreid("doctor", filled.parent, "--sheet", "sheet.png", "--no-decode")
    finally:
        os.umask(before)
    for name in ("search.png", "why.png", "codes.safetensors", "sheet.png"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600, name

"""`swiftreid bench` as a user runs it, small."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from command import COMMAND, Ran
from swiftreid.cli.bench import size_of
from swiftreid.errors import UsageError

HAS_FAISS = importlib.util.find_spec("faiss") is not None


def test_search_is_measured_beside_peers(swiftreid: Callable[..., Ran], tmp_path: Path) -> None:
    ran = swiftreid(
        "bench", "search", "--n", "2k", "--n", "1000", "--queries", 20, "--judged", 10, "--batch", 8, "-k", 30,
        "--rounds", 1, "--only", "ours", "--only", "numpy", "--cascade", "id32:top=100 > id2048",
        "--cache", "codes", "--card", "card.json", "--seed", 3, "--json",
    )  # fmt: skip
    figures = ran.json
    assert json.loads((tmp_path / "card.json").read_text()) == figures
    assert figures["seed"] == 3
    assert {"processor", "processors", "kernel", "versions"} <= set(figures["machine"])
    assert figures["machine"]["versions"]["numpy"]
    assert [size["entries"] for size in figures["sizes"]] == [2000, 1000]
    assert len(list((tmp_path / "codes").iterdir())) == 2
    for size in figures["sizes"]:
        rows = {(row["name"], row["batch"]): row for row in size["rows"]}
        exhaustive = rows["ours exhaustive", 1]
        assert exhaustive["recall"] == 1
        assert rows["numpy exhaustive", 1]["positives_found"] == pytest.approx(exhaustive["positives_found"], abs=0.02)
        assert rows["ours CtF 11/45/195", 1]["bytes_per_entry"] == 344
        assert rows["ours id32:top=100 > id2048", 8]["ms"] > 0
        assert rows["ours exhaustive, 2 threads", 8]["threads"] == 2
        assert all(row["ms"] >= row["best_ms"] > 0 and row["ratio"] > 0 for row in size["rows"])
        assert size["read_gb_per_s"] > 0
        assert 0 < size["processor_share"] < 1.5
        assert size["full_ranking"]["equal"]
        baseline = rows[size["baseline"], 1]
        assert baseline["ratio"] == 1
        assert exhaustive["ratio"] == pytest.approx(baseline["ms"] / exhaustive["ms"])
        assert size["baseline"] == ("faiss IndexBinaryFlat" if HAS_FAISS else "numpy exhaustive")
        assert not [one for one in size["missing"] if not one["name"].startswith("faiss")]


@pytest.mark.skipif(not HAS_FAISS, reason="faiss-cpu is not installed")
def test_peers_are_shown_in_the_table(swiftreid: Callable[..., Ran]) -> None:
    ran = swiftreid(
        "bench", "search", "--n", "1k", "--queries", 6, "--judged", 4, "--batch", 0, "--rounds", 1, "--only", "faiss*"
    )
    for name in ("faiss IndexBinaryFlat", "faiss IVF32 nprobe 16", "faiss HNSW16 ef 128", "faiss IndexFlatIP 512"):
        assert name in ran.out
    assert "ours" not in ran.out.split("full CtF ranking")[0]
    assert "GB/s" in ran.out


def test_missing_packages_are_said(tmp_path: Path) -> None:
    for package in ("faiss", "usearch"):
        (tmp_path / f"{package}.py").write_text(
            f"raise ModuleNotFoundError('No module named {package}', name='{package}')"
        )
    command = [COMMAND, "bench", "search", "--n", "1k", "--queries", "6", "--rounds", "1", "--only", "usearch*"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 2, ran.stderr
    assert 'pip install "swiftreid[bench]"' in ran.stderr


def test_growth_is_measured_and_extended(swiftreid: Callable[..., Ran], tmp_path: Path) -> None:
    ran = swiftreid(
        "bench", "growth", "--upto", "24k", "--queries", 16, "--batch", 16, "--rounds", 1,
        "--plot", "charts/growth.svg", "--card", "card.json",
    )  # fmt: skip
    assert "1,000,000,000" in ran.out
    assert "chart: charts/growth.svg (in a new folder)" in ran.out.splitlines()
    figures = json.loads((tmp_path / "card.json").read_text())
    assert {point["entries"] for point in figures["points"]} == {16_000, 24_000}
    assert "is a guess" in figures["doubt"]
    assert f"warning: {figures['doubt']}" in ran.err
    assert set(figures["models"]) == {"single", "batch of 16"}
    for row in figures["paper"]:
        per_entry = 256 if row["search"] == "exhaustive" else 344
        assert row["memory_gb"] == pytest.approx(per_entry * row["entries"] / 1e9)
        assert row["single"]["queries_per_second_per_core"] == pytest.approx(1e3 / row["single"]["ms"])
    scanned = {(point["search"], point["entries"]): point["scanned_bytes"] for point in figures["points"]}
    assert scanned["exhaustive", 24_000] == 256 * 24_000
    assert scanned["CtF 11/45/195", 16_000] == 4 * 16_000
    assert ElementTree.parse(tmp_path / "charts" / "growth.svg").getroot().tag.endswith("svg")


def test_one_size_is_extended_to_no_other(swiftreid: Callable[..., Ran], tmp_path: Path) -> None:
    ran = swiftreid(
        "bench", "growth", "--upto", "2k", "--queries", 8, "--batch", 8, "--rounds", 1, "--plot", "one.svg", "--json"
    )  # fmt: skip
    assert (ran.json["paper"], ran.json["shard"]) == ([], [])
    assert "one size, 2,000 entries" in ran.json["doubt"]
    assert "up to 1M or more (--upto)" in ran.err
    assert ElementTree.parse(tmp_path / "one.svg").getroot().tag.endswith("svg")
    told = swiftreid("bench", "growth", "--upto", "1k", "--queries", 4, "--batch", 4, "--rounds", 1)
    assert "One thread, single" in told.out
    assert "On paper" not in told.out
    assert "Shard" not in told.out


@pytest.mark.parametrize("path", ["growth.png", "growth", ".", "file/growth.svg"])
def test_a_chart_that_cannot_be_written_is_refused_at_once(
    swiftreid: Callable[..., Ran], tmp_path: Path, path: str
) -> None:
    (tmp_path / "file").touch()
    ran = swiftreid("bench", "growth", "--upto", "1k", "--plot", path, code=2)
    assert f"--plot {path}" in ran.err
    assert ".svg" in ran.err


def test_only_what_there_is_can_be_asked_for(swiftreid: Callable[..., Ran], tmp_path: Path) -> None:
    ran = swiftreid("bench", "search", "--n", "1k", "--only", "ours", "--only", "fais", code=2)
    assert "no contender fits 'fais'; there are 'faiss IndexBinaryFlat', " in ran.err
    for name in ("'faiss IndexBinaryHNSW'", "'usearch exact'", "'numpy'", "'ours'"):
        assert name in ran.err
    (tmp_path / "folder.json").mkdir()
    for command, card in (("search", "folder.json"), ("search", "card.txt"), ("growth", "card.txt")):
        refused = swiftreid("bench", command, "--card", card, code=2).err
        assert f"--card {card} must be a file name ending in .json" in refused


@pytest.mark.parametrize(
    ("text", "entries"), [("16k", 16_000), ("516k", 516_000), ("2M", 2_000_000), ("1.5M", 1_500_000), ("4096", 4096)]
)
def test_sizes_are_read(text: str, entries: int) -> None:
    assert size_of(text) == entries


@pytest.mark.parametrize("text", ["", "k", "-16k", "many", "10", "1e400", "nan", "9999M"])
def test_impossible_sizes_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="516k"):
        size_of(text)


def test_a_cascade_that_cannot_be_read_is_wrong_usage(swiftreid: Callable[..., Ran]) -> None:
    ran = swiftreid("bench", "search", "--n", "1k", "--cascade", "id64 > id2048", "--only", "ours", code=2)
    assert "id64" in ran.err

"""The scripts behind the figures of re-ranking and calibration, against figures made picture by picture."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from drawn_figures import draw_person
from swiftreid.data.market import read_market
from swiftreid.encoding.encoder import open_encoder
from swiftreid.encoding.labelled import encode_samples
from swiftreid.evaluation.measure import LabelledCodes
from swiftreid.evaluation.protocol import evaluate_rankings
from swiftreid.reranking.gallery_graph import GalleryGraph
from swiftreid.reranking.rerank import rerank_codes
from swiftreid.search import kernels
from swiftreid.search.cascade import Cascade
from swiftreid.search.table import CodeTable
from warm import run_python

SCRIPTS = Path(__file__).resolve().parents[2] / "studies"
Script = Callable[[str], ModuleType]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return importlib.import_module


def run(name: str, tmp_path: Path, *arguments: object) -> tuple[str, Any]:
    ran = run_python(SCRIPTS / name, *arguments, "--json", "out.json", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout, json.loads((tmp_path / "out.json").read_text())


def per_cent(query: LabelledCodes, gallery: LabelledCodes, distances: np.ndarray) -> list[float]:
    rankings = np.argsort(distances, axis=1, kind="stable")
    found = evaluate_rankings(rankings, query.persons, query.cameras, gallery.persons, gallery.cameras)
    return [round(100 * found.rank1, 1), round(100 * found.map_standard, 1)]


def people_in_few_coats(root: Path) -> Path:
    """People in one of four coats, so that neither all nor none of the results are right; two shots by each camera."""
    for person in range(1, 13):
        for camera in (1, 2, 3):
            for shot in (1, 2):
                folder = "query" if shot == 1 else "bounding_box_test"
                path = root / folder / f"{person:04d}_c{camera}_{shot:02d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                draw_person(person % 4, camera, 100 * person + shot).save(path)
    return root


def test_figures_of_reranking(tmp_path: Path) -> None:
    people = people_in_few_coats(tmp_path / "coats")
    arguments = (people, "--encoder", "stripes", "--cache", "kept")
    printed, [found] = run("rerank.py", tmp_path, *arguments)
    assert len(list((tmp_path / "kept").iterdir())) == 2
    assert run("rerank.py", tmp_path, *arguments) == (printed, [found]), "what is kept must be what was encoded"
    data = read_market(people)
    query, gallery = (encode_samples(open_encoder("stripes"), part) for part in (data.query, data.gallery))
    assert (found["queries"], found["gallery"], found["pictures_per_person"]) == (36, 36, 3)
    rows, ids = found["rows"], (query.persons, query.cameras, gallery.persons, gallery.cameras)
    apart = kernels.hamming(gallery.codes["id2048"], query.codes["id2048"])
    plain = rows["plain, id2048"]
    assert plain == per_cent(query, gallery, apart)
    assert 10 < plain[1] < 90, "neither all nor nothing must be right"
    assert "plain, id2048                                {:5.1f} / {:5.1f}".format(*plain) in printed
    again = evaluate_rankings(rerank_codes("id512", query.codes["id512"], gallery.codes["id512"]), *ids)
    assert rows["all together, id512"] == [round(100 * again.rank1, 1), round(100 * again.map_standard, 1)]
    graph = GalleryGraph.of_codes(CodeTable(dict(gallery.codes)), "id2048")
    alone = evaluate_rankings(graph.rerank(np.tile(np.arange(36), (36, 1)), query.codes["id2048"]).indices, *ids)
    assert rows["alone, first 100, id2048"] == [round(100 * alone.rank1, 1), round(100 * alone.map_standard, 1)]
    among = rows["first 100 among themselves, id2048"]
    assert among == pytest.approx(rows["alone, first 100, id2048"], abs=0.5), (
        "it is all of the gallery, but for rounding"
    )
    shares, weights = [], []
    for camera in (1, 2, 3):
        mine, there = query.cameras == camera, gallery.cameras != camera
        shares.append(per_cent(query.take(mine), gallery.take(there), apart[np.ix_(mine, there)]))
        weights.append(mine.sum())
    expected = np.average(shares, axis=0, weights=weights)
    assert rows["other cameras only: plain, id2048"] == pytest.approx(expected, abs=0.1)
    assert rows["other cameras only: plain, id2048"] != plain
    # The query and the gallery's other shot of its person by its camera.
    same = (query.persons[:, None] == gallery.persons) & (query.cameras[:, None] == gallery.cameras)
    assert found["pictures_of_a_query_together"] == 2
    second = kernels.hamming(gallery.codes["id2048"], gallery.codes["id2048"][same.argmax(axis=1)])
    assert rows["together by mean, id2048"] == per_cent(query, gallery, apart + second)
    assert rows["together by nearest, id2048"] == per_cent(query, gallery, np.minimum(apart, second))


def test_cost_of_reranking(tmp_path: Path) -> None:
    printed, found = run("rerank_cost.py", tmp_path, "--pictures", 300, "--queries", 40)
    assert found["largest_difference"] < 1e-5
    assert found["dense"]["cpu_seconds"] > found["sparse"]["cpu_seconds"] > 0
    assert 0 < found["single"]["lists_it_made"] <= 300
    assert f"largest difference of a final distance {found['largest_difference']:.1e}" in printed


def test_the_dense_program_is_the_formulas(script: Script) -> None:
    cost = script("rerank_cost")
    codes = cost.Made(120, 20, seed=3).codes()
    for _ in range(2):
        both = [np.concatenate(list(program(codes, 20))) for program in (cost.dense, cost.sparse)]
        assert both[0].shape == (20, 120)
        assert np.allclose(*both, atol=1e-5)
        codes[60] = codes[5]  # copies: a picture must still be its own nearest


def made(people: int, each: int, seed: int) -> LabelledCodes:
    rng, persons = np.random.default_rng(seed), np.repeat(np.arange(1, people + 1), each)
    codes = {}
    for bits in (32, 128):
        own = rng.random((people, bits)) < 0.5
        codes[f"id{bits}"] = np.packbits(
            own[persons - 1] ^ (rng.random((len(persons), bits)) < 0.2), axis=1, bitorder="little"
        )
    return LabelledCodes(codes, persons, np.tile([1, 2, 3], len(persons))[: len(persons)])


@pytest.mark.parametrize("text", ["id32<=11 > id128", "id32:share=0.3 > id128"])
def test_what_is_kept_is_counted_by_person(script: Script, text: str) -> None:
    calibration, people, reach = script("calibration"), made(9, 5, 1), 45
    cascade, tally = Cascade.parse(text), calibration.Tally(0.9)
    calibration.Judge(people, reach).add(calibration.ChosenCascade(cascade, 0.9), tally)
    near = {name: kernels.hamming(code, code) for name, code in people.codes.items()}
    persons = []
    for person in range(1, 10):
        mine, queries = np.flatnonzero(people.persons == person), []
        for query in mine:
            right = [e for e in mine if people.cameras[e] != people.cameras[query] and near["id128"][query, e] <= reach]
            most = 11 if "<=" in text else sorted(near["id32"][query])[round(0.3 * 45 + 0.5) - 1]
            if right:
                queries.append(np.mean([near["id32"][query, e] <= most for e in right]))
        if queries:
            persons.append(np.mean(queries))
    assert tally.kept == pytest.approx([np.mean(persons)])
    assert 0.3 < tally.kept[0] < 1, "neither all nor nothing must be kept"
    summary = tally.summary()
    assert (summary["divisions"], summary["broken"]) == (1, int(tally.kept[0] < 0.9))


def test_false_accepts_and_finds_are_counted(script: Script) -> None:
    calibration, fitted, unseen = script("calibration"), made(30, 4, 2), made(12, 4, 3)
    [accepts, finds] = calibration.same_person(fitted, unseen, 44, np.random.default_rng(0))
    threshold = calibration.fit_same_person(
        fitted.codes["id128"], fitted.persons, fitted.cameras, code="id128", false_accepts=0.05, gallery=44
    ).threshold
    near = kernels.hamming(unseen.codes["id128"], unseen.codes["id128"]) <= threshold
    accepted, found = [], []
    for i, (person, camera) in enumerate(zip(unseen.persons, unseen.cameras, strict=True)):
        accepted.append(any(near[i, j] for j in range(48) if unseen.persons[j] != person))
        match = [j for j in range(48) if unseen.persons[j] == person and unseen.cameras[j] != camera]
        found.append(any(near[i, j] for j in match))
    assert [accepts, finds] == pytest.approx([np.mean(accepted), np.mean(found)])
    assert 0 < finds < 1 or 0 < accepts < 1


def test_the_share_kept_of_made_codes_is_a_formula(script: Script) -> None:
    calibration, rng = script("calibration"), np.random.default_rng(0)
    values, trials, kept = {"id16": 5, "id64": 17}, 4000, []
    for rate in calibration.RATES:
        passes = np.ones(trials, bool)
        for code, most in values.items():
            wrong = rng.random((2, trials, int(code[2:]))) < rate
            passes &= (wrong[0] ^ wrong[1]).sum(axis=1) <= most
        kept.append(passes.mean())
    assert calibration.truly_kept(values) == pytest.approx(np.mean(kept), abs=0.02)


def test_calibration_of_a_few_people_and_of_made_codes(drawn_people: Path, tmp_path: Path) -> None:
    arguments = (drawn_people, "--encoder", "stripes", "--divisions", 2, "--gallery", 5, "--synthetic", 2)
    printed, found = run("calibration.py", tmp_path, *arguments)
    rows = found[drawn_people.name]["rows"]
    assert rows["recall 99% at 95%"] == {"refused": 2}
    assert "no promise: too few people" in printed
    assert 0 <= rows["DTO gaussian, beta 2"]["least"] <= rows["DTO gaussian, beta 2"]["kept"] <= 1
    assert (found[drawn_people.name]["people"], found[drawn_people.name]["calibrating"]) == (8, 5)
    assert [row["trials"] for row in found["synthetic"]] == [2, 2, 2]


def test_nothing_to_measure_is_wrong_usage(tmp_path: Path) -> None:
    ran = run_python(SCRIPTS / "calibration.py", folder=tmp_path)
    assert ran.returncode == 2
    assert "give data sets and --encoder" in ran.stderr

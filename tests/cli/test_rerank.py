from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from command import Ran
from swiftreid.cli.main import app
from swiftreid.cli.reranking import settings_of
from swiftreid.encoding.encodings_file import load_encodings
from swiftreid.evaluation.card import ResultCard
from swiftreid.reranking.reciprocal import Reciprocal
from swiftreid.reranking.rerank import rerank_codes
from swiftreid.retrieval import ranking
from swiftreid.search import kernels

Run = Callable[..., Ran]


def test_evaluate_with_re_ranking(swiftreid: Run, drawn_people: Path, tmp_path: Path) -> None:
    arguments = ("evaluate", drawn_people, "--rerank", "--k1", 5, "--k2", 2, "--lambda", 0.25)
    ran = swiftreid(*arguments, "--card", "card.json", "--json")
    rows = {row.ranking: row for row in ResultCard.load(tmp_path / "card.json").rows}
    labels = [
        "id2048 first 100 re-ranked",
        "id2048 first 1,000 among themselves",
        "id2048 re-ranked",
        "float embedding re-ranked",
    ]
    assert list(rows)[-4:] == labels
    assert [row["ranking"] for row in ran.json["rows"]] == list(rows)
    page = (Path(__file__).resolve().parents[2] / "docs" / "reranking.md").read_text(encoding="utf-8")
    for label in labels:
        assert f"| {label.removeprefix('id2048 ').removeprefix('float embedding ')}" in page, "rows have one name"
        assert str(rows[label].extra["rules"]).endswith("k-reciprocal k1=5 k2=2 lambda=0.25")
        assert rows[label].microseconds_per_query
        assert "speed_up" not in rows[label].extra
        assert rows[label].map_standard > 0.5
    plain = swiftreid("evaluate", drawn_people, "--untimed")
    assert "re-ranked" not in plain.out
    assert "re-ranking" not in plain.err


def test_a_gallery_of_single_pictures_is_warned_of(swiftreid: Run, drawn_people: Path, tmp_path: Path) -> None:
    for folder, camera, shot in (("query", 1, 1), ("bounding_box_test", 2, 2)):
        (tmp_path / "single" / folder).mkdir(parents=True)
        for picture in (drawn_people / folder).glob(f"*_c{camera}s1_{shot:06d}_01.jpg"):
            (tmp_path / "single" / folder / picture.name).write_bytes(picture.read_bytes())
    assert "1.0 pictures a person" in swiftreid("evaluate", "single", "--rerank", "--untimed").err
    assert "pictures a person" not in swiftreid("evaluate", drawn_people, "--rerank", "--untimed").err


def test_settings_out_of_range(swiftreid: Run, drawn_people: Path) -> None:
    assert "--lambda" in swiftreid("evaluate", drawn_people, "--rerank", "--lambda", 1.5, code=2).err
    assert "--k1" in swiftreid("evaluate", drawn_people, "--rerank", "--k1", 0, code=2).err
    assert "--k1 without --rerank" in swiftreid("evaluate", drawn_people, "--k1", 30, code=2).err


def test_settings_not_given_are_the_papers() -> None:
    assert settings_of(rerank=True, k1=None, k2=None, lambda_=None) == Reciprocal()
    assert settings_of(rerank=True, k1=None, k2=2, lambda_=0.0) == Reciprocal(k2=2, lambda_=0.0)
    assert settings_of(rerank=False, k1=None, k2=None, lambda_=None) is None


def test_search_is_reranked_among_what_the_filters_pass(swiftreid: Run, filled: Path, tmp_path: Path) -> None:
    """As if the entries that pass were all there is: whole rankings by the function that is tested elsewhere."""
    settings = ("--rerank", "--k1", 4, "--k2", 2, "--lambda", 0.1)
    search = ("search", "g", filled, "--no-picture", "--other-cameras", "-k", 7, "--exact")
    told = swiftreid(*search, *settings, "--json").json
    assert told["reranking"] == {"k1": 4, "k2": 2, "lambda": 0.1, "pool": 1000}
    entries, asked = (load_encodings(tmp_path / f"{name}.safetensors") for name in ("gallery", "query"))
    cameras, changed = np.array(entries.header.cameras), 0
    plain = swiftreid(*search, "--json").json
    assert plain["reranking"] is None
    for row, (query, before) in enumerate(zip(told["queries"], plain["queries"], strict=True)):
        others = np.flatnonzero(cameras != asked.header.cameras[row])
        own, codes = asked.encoding.codes["id2048"][row : row + 1], entries.encoding.codes["id2048"][others]
        [ranking] = rerank_codes("id2048", own, codes, Reciprocal(4, 2, 0.1))
        expected = [entries.header.ids[i] for i in others[ranking][:7]]
        assert [Path(hit["id"]).name for hit in query["hits"]] == [Path(id_).name for id_ in expected]
        apart = kernels.hamming(codes, own)[0][ranking][:7]
        assert [hit["distance"] for hit in query["hits"]] == apart.tolist()
        final = [hit["reranked"] for hit in query["hits"]]
        assert final == sorted(final)
        assert 0 <= final[0] <= final[-1] <= 1
        assert {hit["reranked"] for hit in before["hits"]} == {None}
        changed += [hit["id"] for hit in query["hits"]] != [hit["id"] for hit in before["hits"]]
    assert changed > 5, "re-ranking must be seen to do something"
    table = swiftreid(*search, *settings)
    assert "re-ranked" in table.out
    assert "do not count" not in table.err
    assert "re-ranked" not in swiftreid(*search).out


def test_the_query_itself_is_nobodys_neighbour(swiftreid: Run, filled: Path) -> None:
    """Searching like an entry is searching its picture in a gallery without it."""
    name = "0015_c2s1_000002_01.jpg"
    search = ("search", "g", "--rerank", "--no-picture", "-k", 30, "--json")
    like = swiftreid(*search, "--like", name).json["queries"][0]["hits"]
    assert len(like) == 23
    swiftreid("gallery", "delete", "g", name)
    picture = filled.parent / "bounding_box_test" / name
    assert like == swiftreid(*search, picture).json["queries"][0]["hits"]


def test_unknown_goes_by_the_distance_whatever_is_shown_first(swiftreid: Run, filled: Path) -> None:
    search = ("search", "g", filled, "--no-picture", "--other-cameras", "-k", 1, "--exact", "--json")
    plain = swiftreid(*search).json["queries"]
    nearest = sorted(query["hits"][0]["distance"] for query in plain)
    threshold = nearest[len(nearest) // 2]
    settings = ("--rerank", "--k1", 2, "--lambda", 0, "--same-person", threshold)
    again = swiftreid(*search, *settings).json["queries"]
    for query, before in zip(again, plain, strict=True):
        assert query["unknown"] == (before["hits"][0]["distance"] > threshold)
        assert query["hits"][0]["same_person"] == (query["hits"][0]["distance"] <= threshold)
    shown_far = [not query["unknown"] and not query["hits"][0]["same_person"] for query in again]
    assert any(shown_far), "somebody near must be seen to be shown behind somebody further"


def test_a_gallery_larger_than_the_pool_is_told(monkeypatch: pytest.MonkeyPatch, filled: Path, tmp_path: Path) -> None:
    """Only the first results are re-ranked among themselves, and the rest is said not to count."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ranking, "POOL", 9)
    query = str(filled / "0015_c2s1_000001_01.jpg")
    search = ["search", "g", query, "--no-picture", "--exact"]
    ran = CliRunner().invoke(app, [*search, "--rerank", "-k", "5"])
    assert "re-ranked among the first 9 results" in ran.output
    assert "the other 15 entries do not count" in ran.output
    nine = CliRunner().invoke(app, [*search, "-k", "9", "--json"]).output
    best = CliRunner().invoke(app, [*search, "--rerank", "-k", "9", "--json"]).output
    ids = [{hit["id"] for hit in json.loads(text)["queries"][0]["hits"]} for text in (nine, best)]
    assert ids[0] == ids[1]
    more = CliRunner().invoke(app, [*search, "--rerank", "-k", "12", "--json"]).output
    assert json.loads(more)["reranking"]["pool"] == 12
    assert len(json.loads(more)["queries"][0]["hits"]) == 12

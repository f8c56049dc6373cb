"""Evaluations called by name: settings, warnings, unreadable pictures, distractors, re-ranking."""

from __future__ import annotations

import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from miniatures import market1501
from swiftreid.data.pictures import BadPicture
from swiftreid.data.samples import ReidData, Sample
from swiftreid.data.sources import open_data
from swiftreid.encoding.encoder import open_encoder
from swiftreid.errors import SwiftReIDWarning, UsageError
from swiftreid.evaluation.card import ResultCard
from swiftreid.evaluation.protocol import evaluate_rankings
from swiftreid.experiments.distractors import distractor_sizes, first_distractors
from swiftreid.experiments.evaluate import evaluate, evaluations
from swiftreid.experiments.rankings import exhaustive_counterparts, rankings_of
from swiftreid.experiments.settings import EvaluationSettings
from swiftreid.reranking.reciprocal import Reciprocal
from swiftreid.search.codes import pack_bits

UNTIMED = EvaluationSettings(timed=False, per_query=False)


def figures(card: ResultCard) -> dict[str, tuple[float, float]]:
    return {row.ranking: (row.rank1, row.map_standard) for row in card.rows}


def test_a_folder_a_name_and_what_is_open_give_the_same_card(drawn_people: Path) -> None:
    by_path = evaluate(drawn_people, "stripes", UNTIMED)
    opened = evaluate(open_data(drawn_people), open_encoder("stripes"), UNTIMED)
    left_out = {"created"}
    assert by_path.model_dump(exclude=left_out) == opened.model_dump(exclude=left_out)
    assert by_path.run == {
        "command": "evaluate", "cascades": [], "timed": False, "distractor_seed": 0, "rerank": None,
    }  # fmt: skip
    assert all(row.microseconds_per_query is None and row.per_query is None for row in by_path.rows)


def test_further_cascades_are_compared_with_their_own_last_code(drawn_people: Path) -> None:
    text = "id32:share=0.5 > id512"
    card = evaluate(drawn_people, "stripes", replace(UNTIMED, cascades=[text]))
    row, exhaustive = card.find(text), card.find("id512 exhaustive")
    assert row.extra["compared_with"] == "id512 exhaustive"
    assert row.extra["map_lost"] == pytest.approx(exhaustive.map_standard - row.map_standard, abs=1e-6)
    assert card.find("id2048 exhaustive").extra.get("map_lost") is None
    for cascade, message in (
        ("id32 > id64", "compares id64, which the encoder stripes does not have"),
        ("id32:nprobe=0.5 > id32<=11 > id2048", "inverted lists"),
    ):
        with pytest.raises(UsageError, match=message):
            evaluate(drawn_people, "stripes", EvaluationSettings(cascades=[cascade]))


def test_a_cascade_that_ends_in_floats_brings_their_exhaustive_search() -> None:
    rankings = rankings_of(open_encoder("stripes"), ["id32:share=0.5 > embedding"])
    assert "embedding exhaustive" in rankings
    assert "embedding exhaustive" not in rankings_of(open_encoder("stripes"))
    assert exhaustive_counterparts(rankings) == {"id32:share=0.5 > embedding": "embedding exhaustive"}


def test_rankings_by_real_values_are_by_their_cosine(drawn_people: Path) -> None:
    encoder = open_encoder("stripes")
    [found] = evaluations(drawn_people, encoder, replace(UNTIMED, values=True))
    query, gallery, card = found.query, found.gallery, found.card
    assert [row.ranking for row in card.rows[-4:]] == [f"{code} real values" for code in encoder.spec]
    assert query.embedding is not None
    assert gallery.embedding is not None
    for code in encoder.spec:
        asked, kept = (encoder.values_of(part.embedding)[code].astype(np.float64) for part in (query, gallery))
        assert (pack_bits(asked.astype(np.float32)) == query.codes[code]).all(), "their signs are the bits"
        cosines = (asked @ kept.T) / np.linalg.norm(asked, axis=1)[:, None] / np.linalg.norm(kept, axis=1)
        ids = (query.persons, query.cameras, gallery.persons, gallery.cameras)
        naive = evaluate_rankings(np.argsort(-cosines, axis=1, kind="stable"), *ids)
        row = card.find(f"{code} real values")
        assert (row.rank1, row.map_standard) == pytest.approx((naive.rank1, naive.map_standard), abs=1e-6)
        assert row.bytes_per_entry == 4 * asked.shape[1]


def test_unreadable_pictures_are_named_on_the_card_and_warned_of(drawn_people: Path, tmp_path: Path) -> None:
    shutil.copytree(drawn_people, tmp_path / "people")
    bad = next((tmp_path / "people" / "query").iterdir())
    bad.write_bytes(b"no picture")
    with pytest.warns(SwiftReIDWarning, match="1 pictures could not be read and were left out, the first is"):
        card = evaluate(tmp_path / "people", "stripes", UNTIMED)
    assert [file.file for file in card.unreadable_files] == [f"query/{bad.name}"]
    met: list[BadPicture] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # whoever takes them is not warned as well
        assert evaluate(tmp_path / "people", "stripes", UNTIMED, on_bad=met.append).unreadable == 1
    assert [error.name for error in met] == [str(bad)]


def test_people_in_training_and_test_are_warned_of(drawn_people: Path) -> None:
    data = open_data(drawn_people, need=("train", "query", "gallery"))
    leaked = replace(data, train=[*data.train, *data.query[:1]])
    with pytest.warns(SwiftReIDWarning, match="1 queried people are in the training split too"):
        evaluate(leaked, "stripes", UNTIMED)


def test_reranking_warns_where_people_have_one_picture(drawn_people: Path) -> None:
    data = open_data(drawn_people)
    first = {sample.person: sample for sample in data.gallery}
    settings = replace(UNTIMED, rerank=Reciprocal(k1=3, k2=2))
    with pytest.warns(SwiftReIDWarning, match=r"has 1\.0 pictures a person"):
        card = evaluate(replace(data, gallery=list(first.values())), "stripes", settings)
    assert card.run["rerank"] == {"k1": 3, "k2": 2, "lambda": 0.3}
    assert [row.ranking for row in card.rows[-2:]] == ["id2048 re-ranked", "float embedding re-ranked"]


def test_a_sweep_of_distractors_encodes_once_and_gives_the_cards_of_single_runs(tmp_path: Path) -> None:
    root = market1501(tmp_path / "market", distractors="images").root
    tasks: list[str] = []
    sweep = list(
        evaluations(
            root,
            "stripes",
            UNTIMED,
            distractors=[3, 0, "all"],
            on_bad=lambda _: None,
            progress=lambda task, done, total, detail="": tasks.append(task) if done == total else None,
        )
    )
    assert [each.card.protocol.distractors for each in sweep] == [0, 3, 7]
    assert [len(each.gallery) - len(sweep[0].gallery) for each in sweep] == [0, 3, 7]
    assert sorted(task for task in tasks if task.startswith("encoding")) == [
        "encoding distractors", "encoding gallery", "encoding queries",
    ]  # fmt: skip
    alone = evaluate(root, "stripes", UNTIMED, distractors=3, on_bad=lambda _: None)
    assert figures(alone) == figures(sweep[1].card)
    assert alone.data == sweep[1].card.data


def test_numbers_of_distractors() -> None:
    data = ReidData("d", Path(), distractors=[Sample(Path(str(i)), 0, 1) for i in range(20)])
    assert distractor_sizes([0, 5, "all", 5], data) == [0, 5, 20]
    assert distractor_sizes(None, data) == [0]
    assert distractor_sizes(None, replace(data, published="market1501+500k")) == [20]
    assert distractor_sizes([0], ReidData("d", Path())) == [0]
    with pytest.raises(UsageError, match="has 20 distractors"):
        distractor_sizes([21], data)
    with pytest.raises(UsageError, match="0 or more"):
        distractor_sizes([-1], data)
    five, ten = (first_distractors(data.distractors, count) for count in (5, 10))
    assert ten[:5] == five, "fewer are part of more"
    assert five != data.distractors[:5], "in an order that has nothing to do with the files'"


def test_what_cannot_be_is_refused_before_anything_is_encoded(drawn_people: Path) -> None:
    def never(task: str, done: int, total: int, detail: str = "") -> None:
        raise AssertionError(f"{task} has begun")

    for settings, distractors, message in (
        (EvaluationSettings(multi_query=True), None, "no further pictures"),
        (EvaluationSettings(multi_query=True, cameras=False), None, "pools pictures by camera"),
        (EvaluationSettings(), 4, "has 0 distractors"),
    ):
        with pytest.raises(UsageError, match=message):
            evaluate(drawn_people, "stripes", settings, distractors=distractors, progress=never)
    for field, value in (("ap", "area"), ("empty", "one")):
        with pytest.raises(UsageError, match=f"{field} is "):
            EvaluationSettings(**{field: value})  # type: ignore[arg-type]

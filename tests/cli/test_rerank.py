from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from command import Ran

from swiftreid.evaluation.card import ResultCard

Run = Callable[..., Ran]


def test_evaluate_with_re_ranking(swiftreid: Run, drawn_people: Path, tmp_path: Path) -> None:
    arguments = ("evaluate", drawn_people, "--rerank", "--k1", 5, "--k2", 2, "--lambda", 0.25)
    ran = swiftreid(*arguments, "--card", "card.json", "--json")
    rows = {row.ranking: row for row in ResultCard.load(tmp_path / "card.json").rows}
    labels = ["id2048 first 100 re-ranked", "id2048 re-ranked", "float embedding re-ranked"]
    assert list(rows)[-3:] == labels
    assert [row["ranking"] for row in ran.json["rows"]] == list(rows)
    for label in labels:
        assert str(rows[label].extra["rules"]).endswith("k-reciprocal k1=5 k2=2 lambda=0.25")
        assert rows[label].microseconds_per_query
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

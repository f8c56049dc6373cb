"""`swiftreid search --together`: several pictures or entries that show one person are one query."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from command import Ran
from swiftreid.encoding.encodings_file import load_encodings
from swiftreid.reranking.multi_query import fuse_codes
from swiftreid.search.cascade import Cascade
from swiftreid.search.table import CodeTable

Run = Callable[..., Ran]


def test_pictures_together_are_one_query(swiftreid: Run, filled: Path, tmp_path: Path) -> None:
    pictures = sorted(filled.glob("0013_*"))[:2]
    assert len(pictures) == 2
    alone = swiftreid("search", "g", *pictures, "-k", 5, "--json").json
    assert len(alone["queries"]) == 2
    found = swiftreid("search", "g", *pictures, "--together", "-k", 5, "--json").json
    (query,) = found["queries"]
    assert query["query"] == f"{pictures[0]} and 1 more"
    assert query["person"] == "13"
    assert query["camera"] is None, "of two cameras"
    queries, gallery = (load_encodings(tmp_path / f"{name}.safetensors") for name in ("query", "gallery"))
    rows = [[Path(id_).name for id_ in queries.header.ids].index(path.name) for path in pictures]
    codes = fuse_codes({name: code[rows] for name, code in queries.encoding.codes.items()}, np.zeros(2, int))
    cascade = Cascade.parse(found["cascade"])
    expected = cascade.search(CodeTable(gallery.encoding.codes), codes, k=5)
    assert [Path(hit["id"]).name for hit in query["hits"]] == [
        Path(gallery.header.ids[i]).name for i in expected.indices[0]
    ]
    assert [hit["distance"] for hit in query["hits"]] == expected.distances[0].tolist()
    ran = swiftreid("search", "g", *pictures, "--together", "--other-cameras", code=2)
    assert "has no known camera, or several" in ran.err


def test_entries_together_do_not_find_themselves(swiftreid: Run, filled: Path) -> None:
    ids = [
        hit["id"]
        for hit in swiftreid("search", "g", next(filled.iterdir()), "-k", 3, "--json").json["queries"][0]["hits"]
    ]
    likes = [part for id_ in ids for part in ("--like", id_)]
    (query,) = swiftreid("search", "g", *likes, "--together", "-k", 10_000, "--json").json["queries"]
    others = [hit["id"] for hit in query["hits"]]
    assert not set(ids) & set(others)
    entries = swiftreid("gallery", "info", "g", "--json").json["entries"]
    assert len(others) == entries - 3
    (query,) = swiftreid("search", "g", *likes, "--together", "-k", 5, "--json").json["queries"]
    assert [hit["id"] for hit in query["hits"]] == others[:5]


def test_one_picture_together_is_itself(swiftreid: Run, filled: Path) -> None:
    picture = next(filled.iterdir())
    one, same = (swiftreid("search", "g", picture, *more, "--json").json for more in ((), ("--together",)))
    assert one["queries"] == same["queries"]

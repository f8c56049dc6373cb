from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swiftreid.data.attributes import read_attributes
from swiftreid.data.market import parse_name, read_market
from swiftreid.data.samples import SPLITS, Sample, cameras_of, persons_of
from swiftreid.errors import SwiftReIDError


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("0844_c3s2_107328_01", (844, 3)),
        ("-1_c1s1_000401_03", (-1, 1)),
        ("0000_c6s4_019152_02", (0, 6)),
        ("0001_c1_00", (1, 1)),
        ("0002_c12", (2, 12)),
        ("0005_c2_f0046985", (5, 2)),
        ("Thumbs", None),
        ("0001", None),
        ("0001_00", None),
        ("-2_c1_00", None),
        ("x0001_c1_00", None),
        ("_c1_00", None),
        ("0001_c", None),
        ("--1_c1", None),
        ("٣_c1", None),
        ("9" * 30 + "_c1", None),
    ],
)
def test_parse_name(stem: str, expected: tuple[int, int] | None) -> None:
    assert parse_name(stem) == expected


@given(st.integers(-1, 10**9), st.integers(0, 10**6), st.sampled_from(["", "_00", "s1_000151_01", "_x_c9"]))
def test_names_round_trip(person: int, camera: int, rest: str) -> None:
    stem = "-1" if person == -1 else f"{person:04}"
    assert parse_name(f"{stem}_c{camera}{rest}") == (person, camera)


@given(st.text(max_size=20))
def test_any_name_is_parsed_or_not(stem: str) -> None:
    parsed = parse_name(stem)
    assert parsed is None or parsed[0] >= -1


def miniature(root: Path) -> Path:
    for folder, names in {
        "bounding_box_train": ["0002_c1s1_000451_03.jpg", "0002_c2s1_000451_03.jpg"],
        "query": ["0001_c1s1_001051_00.jpg"],
        "bounding_box_test": [
            "-1_c1s1_000401_03.jpg",
            "0000_c1s1_000151_01.jpg",
            "0001_c1s1_001051_03.jpg",
            "0001_c2s1_000301_00.PNG",
            "Thumbs.db",
            "face.jpg",
            "._0001_c2s1_000301_00.jpg",
        ],
    }.items():
        (root / folder).mkdir(parents=True)
        for name in names:
            (root / folder / name).write_bytes(b"")
    return root


def test_read_market(tmp_path: Path) -> None:
    data = read_market(miniature(tmp_path / "mini"))
    assert data.name == "mini"
    assert data.query == [Sample(tmp_path / "mini/query/0001_c1s1_001051_00.jpg", 1, 1)]
    assert persons_of(data.train).tolist() == [2, 2]
    assert cameras_of(data.train).tolist() == [1, 2]
    assert sorted(zip(persons_of(data.gallery).tolist(), cameras_of(data.gallery).tolist(), strict=True)) == [
        (-1, 1),
        (0, 1),
        (1, 1),
        (1, 2),
    ]
    assert [path.name for path in data.unparsable] == ["face.jpg"]
    assert [data.split(name) for name in SPLITS] == [data.train, data.query, data.gallery]


def test_attributes_beside_the_folders_reach_the_samples(tmp_path: Path) -> None:
    root = miniature(tmp_path)
    (root / "attributes.csv").write_text("person,hat\n1,yes\n")
    data = read_market(root)
    assert data.query[0].attributes == {"hat": "yes"}
    assert data.train[0].attributes is None


def test_train_may_be_missing_unless_needed(tmp_path: Path) -> None:
    root = miniature(tmp_path)
    for path in (root / "bounding_box_train").iterdir():
        path.unlink()
    (root / "bounding_box_train").rmdir()
    assert read_market(root).train == []
    with pytest.raises(SwiftReIDError, match="has no bounding_box_train; expected the Market-1501 layout"):
        read_market(root, need=("train",))


def test_missing_folders_are_named_with_the_expected_layout(tmp_path: Path) -> None:
    with pytest.raises(SwiftReIDError, match=r"has no query and no bounding_box_test; expected .*0844_c3s2"):
        read_market(tmp_path)
    with pytest.raises(SwiftReIDError, match="gone does not exist; expected"):
        read_market(tmp_path / "gone")
    (tmp_path / "file").write_text("x")
    with pytest.raises(SwiftReIDError, match="is a file"):
        read_market(tmp_path / "file")
    with pytest.raises(SwiftReIDError, match="has no bounding_box_train"):
        read_market(tmp_path, need=())


def test_the_folder_above_gets_a_hint(tmp_path: Path) -> None:
    miniature(tmp_path / "Market-1501-v15.09.15")
    with pytest.raises(SwiftReIDError, match=r"Did you mean .*Market-1501-v15\.09\.15\?"):
        read_market(tmp_path)


def test_attributes_are_bound_by_name_and_not_by_position(tmp_path: Path) -> None:
    left, right = tmp_path / "left.csv", tmp_path / "right.csv"
    left.write_text("person,hat,upper\n0003,no, red \n\n4,yes,\n")
    right.write_text('\ufeffperson,upper,hat\n3,"red",no\n4,,yes\n', encoding="utf-8")
    assert read_attributes(left) == read_attributes(right)
    assert read_attributes(left) == {3: {"hat": "no", "upper": "red"}, 4: {"hat": "yes", "upper": ""}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'person' first"),
        ("id,hat\n1,no\n", "starts with the column 'id'"),
        ("person,hat,hat\n", "repeated column"),
        ("person,\n", "empty or repeated column"),
        ("person,hat\n1\n", "row 2 has 1 cells"),
        ("person,hat\n1,no\n1,no\n", "row 3: person 1 has a row already"),
        ("person,hat\none,no\n", "person 'one' is not a whole number"),
        ("person,hat\n1,\xff\n", "cannot be read as UTF-8 CSV"),
        ('person,hat\n1,"no\n', "cannot be read as UTF-8 CSV"),
    ],
)
def test_faulty_attribute_files_are_explained(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "attributes.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(SwiftReIDError, match=message):
        read_attributes(path)


def test_missing_attribute_file(tmp_path: Path) -> None:
    with pytest.raises(SwiftReIDError, match="does not exist"):
        read_attributes(tmp_path / "attributes.csv")


@pytest.mark.realdata
def test_counts_of_the_real_cuhk03_pair_1_subset() -> None:
    root = Path(os.environ.get("SWIFTREID_REAL_DATA", "")) / "cuhk03-np-pair1"
    if "SWIFTREID_REAL_DATA" not in os.environ or not root.is_dir():
        pytest.skip("SWIFTREID_REAL_DATA does not name a folder with cuhk03-np-pair1")
    data = read_market(root, need=SPLITS)
    counts = [(len(split), len(set(persons_of(split).tolist()))) for split in (data.train, data.query, data.gallery)]
    assert counts == [(4145, 427), (832, 416), (3200, 416)]
    assert data.unparsable == []

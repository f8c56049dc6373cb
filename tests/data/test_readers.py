from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import miniatures
from miniatures import Miniature
from swiftreid.data.cuhk03 import read_cuhk03
from swiftreid.data.fingerprint import fingerprint_of
from swiftreid.data.folders import EVERY_PICTURE, NO_CAMERAS, read_folders
from swiftreid.data.manifest import read_manifest
from swiftreid.data.market import read_market
from swiftreid.data.msmt17 import parse_line, read_msmt17
from swiftreid.data.samples import ReidData
from swiftreid.errors import SwiftReIDError, UsageError

PARTS = ("train", "query", "gallery", "distractors", "multi_query")


def same(data: ReidData, mini: Miniature) -> None:
    for part in PARTS:
        assert mini.found(getattr(data, part)) == mini.expected.get(part, []), part
    assert data.missing == []


def test_market(tmp_path: Path) -> None:
    mini = miniatures.market1501(tmp_path / "m")
    data = read_market(mini.root)
    same(data, mini)
    assert data.unparsable == []
    assert data.cross_camera
    assert data.notes == []


@pytest.mark.parametrize(
    "place", ["images", "distractors_500k/images", "../images", "../distractors_500k/images", "distractors"]
)
def test_market_500k(tmp_path: Path, place: str) -> None:
    mini = miniatures.market1501(tmp_path / "Market-1501-v15.09.15", distractors=place)
    assert read_market(mini.root).distractors == []  # only when asked for
    same(read_market(mini.root, distractors=True), mini)
    same(read_market(mini.root, distractors=mini.root / place), mini)


def test_market_500k_that_is_not_there(tmp_path: Path) -> None:
    mini = miniatures.market1501(tmp_path / "m")
    (mini.root / "images").mkdir()
    with pytest.raises(SwiftReIDError, match=r"no 500,000 distractors .*m/images, .*SWIFTREID_MARKET1501_500K"):
        read_market(mini.root, distractors=True)


def test_duke_is_in_the_same_layout(tmp_path: Path) -> None:
    mini = miniatures.dukemtmc(tmp_path)
    same(read_market(mini.root), mini)


@pytest.mark.parametrize("boxes", ["labelled", "detected"])
@pytest.mark.parametrize("above", ["", "cuhk03-np/"])
def test_cuhk03_in_folders(tmp_path: Path, boxes: str, above: str) -> None:
    mini = miniatures.cuhk03_folders(tmp_path / above)[boxes]
    for root in (tmp_path, mini.root):
        data = read_cuhk03(root, boxes)  # type: ignore[arg-type]
        same(data, mini)
        assert data.name == data.published == f"cuhk03-np-{boxes}"


def test_cuhk03_never_gives_the_other_boxes(tmp_path: Path) -> None:
    minis = miniatures.cuhk03_folders(tmp_path)
    with pytest.raises(SwiftReIDError, match=r"no detected CUHK03-NP at .*labeled; looked for the folder detected"):
        read_cuhk03(minis["labelled"].root, "detected")


@pytest.mark.parametrize("boxes", ["labelled", "detected"])
@pytest.mark.parametrize("images", ["images_{}", "cuhk03_{}"])
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_cuhk03_by_its_split_file(tmp_path: Path, boxes: str, images: str, suffix: str) -> None:
    mini = miniatures.cuhk03_config(tmp_path, boxes, images=images, suffix=suffix)
    data = read_cuhk03(tmp_path, boxes)  # type: ignore[arg-type]
    same(data, mini)
    assert data.query[0].path.name.startswith("1_002_1_02")
    assert any("cuhk03_new_protocol_config" in note for note in data.notes)


def test_cuhk03_with_missing_pictures(tmp_path: Path) -> None:
    mini = miniatures.cuhk03_config(tmp_path)
    gone = tmp_path / "images_labeled/1_002_1_02.png"
    gone.unlink()
    data = read_cuhk03(tmp_path, "labelled")
    assert data.missing == [gone]
    assert len(data.query) == len(mini.expected["query"]) - 1
    assert any(
        "pictures of cuhk03_new_protocol_config_labeled.mat that do not exist are left out: 1, first" in n
        for n in data.notes
    )
    for path in (tmp_path / "images_labeled").glob("*.png"):
        path.unlink()
    with pytest.raises(SwiftReIDError, match=r"but no pictures; looked for folders .*images_labeled"):
        read_cuhk03(tmp_path, "labelled")
    miniatures.paint(tmp_path / "images_labeled/other.png", 1, 1)
    with pytest.raises(SwiftReIDError, match=r"none of the pictures .* for query and gallery is in .*1_001_1_01.png"):
        read_cuhk03(tmp_path, "labelled")


def test_cuhk03_with_faulty_split_files(tmp_path: Path) -> None:
    from scipy.io import loadmat, savemat

    miniatures.cuhk03_config(tmp_path)
    config = tmp_path / "cuhk03_new_protocol_config_labeled.mat"
    good = {name: value for name, value in loadmat(config).items() if not name.startswith("__")}
    for change, message in [
        ({"query_idx": good["query_idx"] * 0}, "query_idx runs from 0 to 0, but filelist has pictures 1 to 20"),
        ({"gallery_idx": good["gallery_idx"] + 10}, r"gallery_idx runs from 15 to \d+"),
        ({"labels": good["labels"][:-1]}, "lists 20 pictures, but 19 labels and 20 cameras"),
        ({"labels": None}, "has no labels"),
    ]:
        kept = {name: value for name, value in (good | change).items() if value is not None}
        savemat(config, kept)
        with pytest.raises(SwiftReIDError, match=message):
            read_cuhk03(tmp_path, "labelled")
    config.write_bytes(b"not a MATLAB file at all" * 20)
    with pytest.raises(SwiftReIDError, match="cannot be read as a MATLAB file"):
        read_cuhk03(tmp_path, "labelled")


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("inner", ["", "MSMT17_{}"])
def test_msmt17(tmp_path: Path, version: str, inner: str) -> None:
    mini = miniatures.msmt17(tmp_path / inner.format(version.upper()), version)
    data = read_msmt17(tmp_path, version)  # type: ignore[arg-type]
    same(data, mini)
    assert not {s.person for s in data.train} & {s.person for s in data.query + data.gallery}
    assert 0 not in {s.person for s in data.train + data.query + data.gallery}
    assert "train is list_train.txt and list_val.txt (9 pictures)" in data.notes


def test_msmt17_train_alone(tmp_path: Path) -> None:
    mini = miniatures.msmt17(tmp_path)
    data = read_msmt17(tmp_path, "v1", train="train")
    assert mini.found(data.train) == mini.expected["train"][:6]
    assert "train is list_train.txt (6 pictures)" in data.notes
    with pytest.raises(UsageError, match="'val'"):
        read_msmt17(tmp_path, "v1", train="val")  # type: ignore[arg-type]


def test_msmt17_with_lists_or_pictures_missing(tmp_path: Path) -> None:
    mini = miniatures.msmt17(tmp_path)
    (tmp_path / "list_val.txt").unlink()
    data = read_msmt17(tmp_path, "v1")
    assert len(data.train) == 6
    assert "missing: list_val.txt" in data.notes
    with pytest.raises(SwiftReIDError, match=r"has no list_val\.txt"):
        read_msmt17(tmp_path, "v1", need=("train",))
    gone = tmp_path / mini.expected["query"][0][0]
    gone.unlink()
    assert read_msmt17(tmp_path, "v1").missing == [gone]
    (tmp_path / "list_gallery.txt").unlink()
    with pytest.raises(SwiftReIDError, match=r"has no list_gallery\.txt"):
        read_msmt17(tmp_path, "v1")
    shutil.rmtree(tmp_path / "test")
    with pytest.raises(SwiftReIDError, match=r"none of the pictures that the query list names is in .*test"):
        read_msmt17(tmp_path, "v1", need=("query",))
    with pytest.raises(SwiftReIDError, match=r"no MSMT17 v2 at .*mask_train_v2"):
        read_msmt17(tmp_path, "v2")


@pytest.mark.parametrize(
    "line", ["0000/0000_001_01.jpg", "0000/0000.jpg 3", "0000/0000_001_xx_0.jpg 0", "a_b_01_c.jpg -1", "a_b_1.jpg 1041"]
)
def test_msmt17_with_lines_that_make_no_sense(tmp_path: Path, line: str) -> None:
    miniatures.msmt17(tmp_path)
    with (tmp_path / "list_train.txt").open("a") as stream:
        stream.write(line + "\n")
    with pytest.raises(SwiftReIDError, match=r"list_train\.txt line 9"):
        read_msmt17(tmp_path, "v1")


def test_msmt17_line() -> None:
    assert parse_line("0000/0000_000_01_0303morning_0015_0.jpg 0") == ("0000/0000_000_01_0303morning_0015_0.jpg", 0, 1)
    assert parse_line("3059/3059_030_14_0303noon_0245_0_ex.jpg 3059")[1:] == (3059, 14)


@pytest.mark.parametrize("cameras", ["none", "names", "folders"])
def test_person_folders(tmp_path: Path, cameras: str) -> None:
    mini = miniatures.person_folders(tmp_path / "people", cameras=cameras)
    data = read_folders(mini.root)
    same(data, mini)
    assert EVERY_PICTURE in data.notes
    assert data.cross_camera == (cameras != "none")
    assert (NO_CAMERAS in data.notes) == (cameras == "none")
    learn = read_folders(mini.root, need=("train",))
    assert mini.found(learn.train) == mini.expected["query"]
    assert learn.query == learn.gallery == []
    assert EVERY_PICTURE not in learn.notes


def test_split_folders(tmp_path: Path) -> None:
    mini = miniatures.split_folders(tmp_path / "people")
    data = read_folders(mini.root)
    same(data, mini)
    assert not data.cross_camera
    assert EVERY_PICTURE not in data.notes
    assert "people are numbered 1 to 3 in the order of their names" in data.notes


def test_one_camera_or_some_cameras_are_no_cameras(tmp_path: Path) -> None:
    mini = miniatures.person_folders(tmp_path / "one", cameras="names")
    for path in mini.root.glob("*/*_c2_*"):
        path.unlink()
    data = read_folders(mini.root)
    assert not data.cross_camera
    assert {sample.camera for sample in data.query} == {0}
    assert "every picture states the same camera, 1, so it is not used" in data.notes
    mini = miniatures.person_folders(tmp_path / "some", cameras="names")
    miniatures.paint(mini.root / "3/face.jpg", 3, 1)
    data = read_folders(mini.root)
    assert not data.cross_camera
    assert "1 of 10 pictures state no camera, so no camera is used" in data.notes


def test_person_zero_is_somebody_in_folders(tmp_path: Path) -> None:
    for person in (0, 1, 2):
        for shot in (1, 2):
            miniatures.paint(tmp_path / f"{person}/{shot}.png", person, 1)
    data = read_folders(tmp_path)
    assert [sample.person for sample in data.query] == [3, 3, 1, 1, 2, 2]
    assert "person 0 is a real person here and has the number 3, because 0 means distractor" in data.notes


def test_junk_is_no_query_where_there_are_no_splits(tmp_path: Path) -> None:
    for place in ("-1/a.png", "4/b.png", "4/c.png"):
        miniatures.paint(tmp_path / place, 1, 1)
    data = read_folders(tmp_path)
    assert [sample.person for sample in data.query] == [4, 4]
    assert [sample.person for sample in data.gallery] == [-1, 4, 4]


def test_distractor_folders_stay_distractors(tmp_path: Path) -> None:
    for place in ("query/0001/a.png", "gallery/0001/b.png", "gallery/0000/c.png", "gallery/-1/d.png"):
        miniatures.paint(tmp_path / place, 1, 1)
    data = read_folders(tmp_path)
    assert [sample.person for sample in data.gallery] == [-1, 0, 1]


def test_folders_that_say_nothing(tmp_path: Path) -> None:
    with pytest.raises(SwiftReIDError, match="gone does not exist; expected one folder per person"):
        read_folders(tmp_path / "gone")
    miniatures.paint(tmp_path / "a.png", 1, 1)
    with pytest.raises(SwiftReIDError, match=r"no picture in .* states its person; .* or list them in a manifest"):
        read_folders(tmp_path)
    miniatures.paint(tmp_path / "0004_c3_1.png", 4, 3)
    miniatures.paint(tmp_path / "0004_c2_1.png", 4, 2)
    data = read_folders(tmp_path)
    assert [(s.person, s.camera) for s in data.query] == [(4, 2), (4, 3)]
    assert data.unparsable == [tmp_path / "a.png"]
    (tmp_path / "query").mkdir()
    (tmp_path / "gallery").mkdir()
    with pytest.raises(SwiftReIDError, match="has no picture for query and gallery"):
        read_folders(tmp_path)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("cameras", [True, False])
@pytest.mark.parametrize("splits", [True, False])
def test_manifest(tmp_path: Path, suffix: str, cameras: bool, splits: bool) -> None:
    mini, path = miniatures.manifest(tmp_path, suffix, cameras=cameras, splits=splits)
    data = read_manifest(path)
    same(data, mini)
    assert data.cross_camera == cameras
    assert (NO_CAMERAS in data.notes) != cameras
    assert (EVERY_PICTURE in data.notes) != splits
    first = (data.train if splits else data.query)[0]
    assert first.attributes == {"hat": "yes"}
    assert first.time == 1001.0
    assert (data.train if splits else data.query)[1].attributes is None
    moved = tmp_path / f"elsewhere{suffix}"
    path.rename(tmp_path.parent / moved.name)
    again = read_manifest(tmp_path.parent / moved.name, root=tmp_path)
    same(again, mini)


def test_manifest_with_names_and_absolute_paths(tmp_path: Path) -> None:
    pictures, lists = tmp_path / "pictures", tmp_path / "lists"
    lists.mkdir()
    rows = [
        f"{miniatures.paint(pictures / f'{n}.png', n, 1)},{'mia' if n < 3 else 'jon'},door {n % 2},{'' if n else 'a'}"
        for n in range(5)
    ]
    (lists / "m.csv").write_text("path,person,camera,track\n" + "\n".join(rows) + "\n")
    data = read_manifest(lists / "m.csv")
    assert [sample.person for sample in data.query] == [2, 2, 2, 1, 1]
    assert [sample.camera for sample in data.query] == [1, 2, 1, 2, 1]
    assert [sample.tracklet for sample in data.query] == ["a", None, None, None, None]
    assert data.root == tmp_path
    assert "people are numbered 1 to 2 in the order of their names" in data.notes
    assert "cameras are numbered 1 to 2 in the order of their names" in data.notes


def test_manifest_with_relative_and_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lists, far = tmp_path / "lists", tmp_path / "far"
    rows = [f"{miniatures.paint(lists / f'{n}.png', n, 1).name},{n},1" for n in range(1, 3)]
    rows += [f"{miniatures.paint(far / f'{n}.png', n, 2)},{n},2" for n in range(1, 3)]
    (lists / "m.csv").write_text("path,person,camera\n" + "\n".join(rows) + "\n")
    monkeypatch.chdir(lists)
    data = read_manifest("m.csv")
    assert data.root == tmp_path
    assert fingerprint_of(data) == fingerprint_of(read_manifest(lists / "m.csv"))


def test_names_that_may_be_one_person_are_told(tmp_path: Path) -> None:
    lines = [
        f"{miniatures.paint(tmp_path / f'{n}.png', n, 1)},{name},1"
        for n, name in enumerate(["Zo\u00eb", "Zoe\u0308", "zoe", "Mia", "mia "])
    ]
    (tmp_path / "m.csv").write_text("path,person,camera\n" + "\n".join(lines) + "\n,,\n")
    data = read_manifest(tmp_path / "m.csv")
    assert len({sample.person for sample in data.query}) == 5
    [doubt] = data.doubts
    assert doubt.kind == "near-equal-names"
    assert doubt.message.endswith("different people: 'Mia' and 'mia', 'Zoe\\u0308' and 'Zo\\xeb'")


@pytest.mark.parametrize(("mark", "name"), [(";", "semicolons"), ("\t", "tabs"), ("|", "upright strokes")])
def test_other_separators_are_named(tmp_path: Path, mark: str, name: str) -> None:
    (tmp_path / "m.csv").write_text(f"path{mark}person\na.png{mark}1\n")
    with pytest.raises(UsageError, match=f"separates its fields with {name}: save it with commas"):
        read_manifest(tmp_path / "m.csv")


def test_manifest_takes_persons_and_cameras_from_names(tmp_path: Path) -> None:
    for name in ("0003_c1_a.png", "0003_c2_b.png"):
        miniatures.paint(tmp_path / name, 3, 1)
    (tmp_path / "m.csv").write_text("path\n0003_c1_a.png\n0003_c2_b.png\n")
    data = read_manifest(tmp_path / "m.csv")
    assert data.cross_camera
    assert [(s.person, s.camera) for s in data.query] == [(3, 1), (3, 2)]


def test_manifest_with_every_split(tmp_path: Path) -> None:
    rows = ["path,person,camera,split"]
    for number, split in enumerate(["Train", "query", "gallery", "distractors", "multi_query"]):
        miniatures.paint(tmp_path / f"{number}.png", number, 1)
        rows.append(f"{number}.png,{number + 1},1,{split}")
    (tmp_path / "m.csv").write_text("\n".join(rows))
    data = read_manifest(tmp_path / "m.csv")
    assert [len(getattr(data, part)) for part in PARTS] == [1, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "needs a header line with a column 'path'; it has nothing"),
        ("file,person\na.png,1\n", "needs a header line"),
        ("path,person\n", "lists no picture"),
        ("path,person\n,1\n", "line 2 has no path"),
        ("path,person\na.png\n", "line 2 has no person|no column 'person'"),
        ("path\na.png\n", "has no column 'person'; write -1 for junk"),
        ("path,person\na.png,1\nb.png,\n", "line 3 has no person, but others have one"),
        ("path,person,camera\na.png,1,1\nb.png,1,\n", "line 3 has no camera, .* or remove it to evaluate without"),
        ("path,person,split\na.png,1,test\n", "line 2 has the split 'test'; write one of train, query, gallery"),
        ("path,person\na.png,1,2\n", "line 2 has 3 fields, but the header 2"),
        ("path,person\na.png,1\na.png,2\n", r"line 3 lists a\.png again \(line 2\)"),
        ("path,person,hat,hat\na.png,1,a,b\n", "column 'hat' twice"),
        ("path,person,time\na.png,1,noon\n", "line 2: 'noon' is no time"),
        ("path,person\ngone.png,1\n", "none of the 1 pictures in .* exists"),
        ("path,person,split\na.png,1,query\n", "no existing picture with the split gallery"),
        ("path,person\n\xff,1\n", "is not a CSV file in UTF-8"),
    ],
)
def test_faulty_manifests_are_explained(tmp_path: Path, text: str, message: str) -> None:
    for name in ("a.png", "b.png"):
        miniatures.paint(tmp_path / name, 1, 1)
    (tmp_path / "m.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(SwiftReIDError, match=message):
        read_manifest(tmp_path / "m.csv")


def test_manifest_that_is_not_there_or_no_parquet(tmp_path: Path) -> None:
    for suffix in (".csv", ".parquet"):
        with pytest.raises(SwiftReIDError, match="no manifest at"):
            read_manifest(tmp_path / f"gone{suffix}")
    (tmp_path / "m.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(SwiftReIDError, match="cannot be read as a Parquet file"):
        read_manifest(tmp_path / "m.parquet")


def test_extras_are_named_where_they_are_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mini = miniatures.cuhk03_config(tmp_path / "c")
    _, table = miniatures.manifest(tmp_path / "m", ".parquet")
    monkeypatch.setitem(__import__("sys").modules, "scipy.io", None)
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(SwiftReIDError, match=r"needs SciPy: pip install 'swiftreid\[data\]'"):
        read_cuhk03(mini.root, "labelled")
    with pytest.raises(SwiftReIDError, match=r"needs pyarrow: pip install 'swiftreid\[data\]'"):
        read_manifest(table)

"""The readers and the published counts against the real index files of ../shared, which hold no picture."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from swiftreid.data.listing import Present
from swiftreid.data.published import PUBLISHED_DATA_SETS, PublishedCounts
from swiftreid.data.samples import DISTRACTOR, JUNK, SPLITS, ReidData, Split
from swiftreid.data.sources import open_data

SHARED = Path(os.environ.get("SWIFTREID_SHARED") or Path(__file__).resolve().parents[2].parent / "shared") / "data"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not SHARED.is_dir(), reason="the index files are in ../shared/data, which is not here"),
]


def counted(samples: Split) -> PublishedCounts:
    persons = [sample.person for sample in samples]
    return PublishedCounts(
        len(samples),
        len(set(persons) - {JUNK, DISTRACTOR}),
        len({sample.camera for sample in samples}),
        persons.count(JUNK),
        persons.count(DISTRACTOR),
    )


def official(data: ReidData) -> None:
    assert data.published is not None
    assert data.missing == data.unparsable == []
    assert {name: counted(data.split(name)) for name in SPLITS} == dict(PUBLISHED_DATA_SETS[data.published].counts)


def touch(folder: Path, names: list[str]) -> None:
    """Empty files: the readers list pictures and open none."""
    folder.mkdir(parents=True)
    for name in names:
        os.close(os.open(folder / name, os.O_CREAT | os.O_WRONLY))


@pytest.fixture
def market(tmp_path: Path) -> Path:
    """Market-1501 as empty files: the training names are the real ones, the others carry the real person and camera."""
    from scipy.io import loadmat

    index = SHARED / "market1501_index"

    def column(name: str, key: str) -> list[int]:
        return [int(value) for value in loadmat(index / f"{name}.mat")[key].ravel()]

    root = tmp_path / "Market-1501-v15.09.15"
    lines = [line for part in ("train", "val") for line in (index / f"{part}.txt").read_text().splitlines()]
    touch(root / "bounding_box_train", [line.split()[0].split("/")[1] for line in lines])
    for folder, person, camera in (
        ("query", ("queryID", "queryID"), ("queryCam", "queryCAM")),
        ("bounding_box_test", ("testID", "testID"), ("testCam", "testCAM")),
    ):
        stems = ["-1" if number == JUNK else f"{number:04}" for number in column(*person)]
        names = enumerate(zip(stems, column(*camera), strict=True))
        touch(root / folder, [f"{stem}_c{camera}s1_{i:06}_00.jpg" for i, (stem, camera) in names])
    return root


def test_market1501(market: Path) -> None:
    data = open_data(market)
    official(data)
    assert [len(data.train), len(data.query), len(data.gallery)] == [12_936, 3_368, 19_732]
    assert sum(sample.person != JUNK for sample in data.gallery) == 15_913


@pytest.mark.slow
def test_market1501_is_recognised_by_its_counts_where_the_name_does_not_tell(market: Path) -> None:
    renamed = market.rename(market.with_name("anything"))
    assert open_data(renamed).published == "market1501"
    next((renamed / "query").iterdir()).unlink()
    assert open_data(renamed).published is None


@pytest.mark.parametrize("boxes", ["labelled", "detected"])
def test_cuhk03(tmp_path: Path, boxes: str) -> None:
    from scipy.io import loadmat

    spelling = "labeled" if boxes == "labelled" else "detected"
    config = SHARED / f"cuhk03_np/cuhk03_new_protocol_config_{spelling}.mat"
    shutil.copy(config, tmp_path)
    touch(tmp_path / f"images_{spelling}", [str(cell[0]) for cell in loadmat(config)["filelist"].ravel()])
    data = open_data(tmp_path)
    assert data.published == f"cuhk03-np-{boxes}"
    official(data)
    train = (SHARED / f"cuhk03_np/train_cuhk03_{spelling}.txt").read_text().split()[::2]
    assert sorted(sample.path.name for sample in data.train) == sorted(name.split("/")[1] for name in train)
    # The name states the camera too, and its pair and person there stand for one label each.
    assert all(sample.camera == int(sample.path.name.split("_")[2]) for sample in data.query + data.gallery)
    named = {(sample.person, tuple(sample.path.name.split("_")[:2])) for sample in data.train + data.gallery}
    assert len(named) == 1467
    assert not {sample.path for sample in data.train + data.query} & {sample.path for sample in data.gallery}


@pytest.mark.parametrize("version", ["v1", pytest.param("v2", marks=pytest.mark.slow)])
def test_msmt17(tmp_path: Path, version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in (SHARED / "msmt17_lists").iterdir():
        shutil.copy(path, tmp_path)
    folders = ("train", "test") if version == "v1" else ("mask_train_v2", "mask_test_v2")
    for folder in folders:
        (tmp_path / folder).mkdir()
    monkeypatch.setattr(Present, "find", lambda self, listed: self.folder / listed)
    data = open_data(tmp_path)
    assert data.published == f"msmt17-{version}"
    official(data)
    assert (min(s.person for s in data.train), max(s.person for s in data.train)) == (1, 1041)
    assert (min(s.person for s in data.gallery), max(s.person for s in data.gallery)) == (1042, 4101)
    assert data.train[0].path.parent.parent.name == folders[0]
    assert data.query[0].path.parent.parent.name == folders[1]
    alone = open_data(tmp_path, train="train")
    assert counted(alone.train) == PUBLISHED_DATA_SETS["msmt17-v1"].train_only
    assert "train is list_train.txt (30,248 pictures)" in alone.notes


@pytest.mark.slow
def test_msmt17_with_all_its_files(tmp_path: Path) -> None:
    for path in (SHARED / "msmt17_lists").iterdir():
        shutil.copy(path, tmp_path)
        folder = tmp_path / ("train" if path.stem in ("list_train", "list_val") else "test")
        for line in path.read_text().splitlines():
            picture = folder / line.split()[0]
            picture.parent.mkdir(parents=True, exist_ok=True)
            picture.touch()
    official(open_data(tmp_path))

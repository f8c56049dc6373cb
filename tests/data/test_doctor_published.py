"""The doctor on miniatures of every layout: sound ones, and each fault that was planted."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import miniatures
from swiftreid.data.doctor import Examination, SplitCounts, examine
from swiftreid.data.doctor.published_counts import published_findings
from swiftreid.data.published import PUBLISHED_DATA_SETS
from swiftreid.data.samples import ReidData, Sample
from swiftreid.errors import UsageError
from swiftreid.figures.contact_sheet import draw_contact_sheet

pytest.importorskip("scipy", reason="SciPy is not installed: pip install 'swiftreid[data]'")


def market(root: Path) -> Path:
    return miniatures.market1501(root / "Market-1501-v15.09.15").root


def cuhk03_detected(root: Path) -> Path:
    return miniatures.cuhk03_folders(root / "cuhk03-np")["detected"].root


def cuhk03_config(root: Path) -> Path:
    return miniatures.cuhk03_config(root / "cuhk03").root


def msmt17_v1(root: Path) -> Path:
    return miniatures.msmt17(root / "MSMT17_V1").root


def msmt17_v2(root: Path) -> Path:
    return miniatures.msmt17(root / "MSMT17_V2", "v2").root


def folders(root: Path) -> Path:
    return miniatures.person_folders(root / "people").root


def folders_with_cameras(root: Path) -> Path:
    return miniatures.person_folders(root / "people", cameras="folders").root


def splits(root: Path) -> Path:
    return miniatures.split_folders(root / "splits").root


def manifest(root: Path) -> Path:
    return miniatures.manifest(root / "listed", splits=False)[1]


BUILDERS = (
    market,
    cuhk03_detected,
    cuhk03_config,
    msmt17_v1,
    msmt17_v2,
    folders,
    folders_with_cameras,
    splits,
    manifest,
)


@pytest.fixture(params=BUILDERS, ids=lambda build: build.__name__)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    built: Path = request.param(tmp_path / "data")
    return built


def kinds(examination: Examination) -> set[str]:
    return {finding.kind for finding in examination.diagnosis.findings if finding.severity != "note"}


def advice_of(examination: Examination, kind: str) -> str:
    [finding] = [finding for finding in examination.diagnosis.findings if finding.kind == kind]
    assert finding.advice
    return finding.message


def pictures(examination: Examination, split: str) -> list[Sample]:
    assert examination.data is not None
    return examination.data.split(split)  # type: ignore[arg-type]


def published(examination: Examination) -> set[str]:
    return {kind for kind in kinds(examination) if kind.startswith("published-")}


def test_a_sound_miniature_differs_from_the_published_counts_only(source: Path) -> None:
    found = examine(source)
    assert found.diagnosis.ok
    assert found.data is not None
    assert kinds(found) == published(found)
    expected = {f"published-{split}" for split in ("train", "query", "gallery")} if found.data.published else set()
    assert published(found) == expected
    assert found.diagnosis.valid_queries == len([s for s in found.data.query if s.person > 0])
    if not found.data.cross_camera:
        assert "same-camera pictures count" in advice_of(found, "no-cameras")


def test_an_unreadable_picture_is_named(source: Path) -> None:
    victim = pictures(examine(source), "gallery")[0].path
    victim.write_bytes(victim.read_bytes()[:40])
    found = examine(source)
    assert list(found.diagnosis.unreadable) == [str(victim)]
    assert victim.name in advice_of(found, "unreadable")
    assert found.diagnosis.ok


def test_a_picture_under_two_people_is_named(source: Path) -> None:
    gallery = pictures(examine(source), "gallery")
    one = gallery[0]
    other = next(sample for sample in gallery if sample.person not in (one.person, -1, 0))
    shutil.copyfile(one.path, other.path)
    found = examine(source)
    assert "under several persons or cameras: 1 picture" in advice_of(found, "torn-duplicates")
    sheet = draw_contact_sheet(found)
    rows = len([split for split in ("train", "query", "gallery") if pictures(found, split)])
    assert sheet.height > draw_contact_sheet(examine(source, decode=False)).height * rows // (rows + 1)


def test_training_pictures_in_the_test_are_named(source: Path) -> None:
    before = examine(source)
    if not pictures(before, "train"):
        pytest.skip("this layout has no training pictures")
    shutil.copyfile(pictures(before, "train")[0].path, pictures(before, "query")[0].path)
    assert "training and test share pictures" in advice_of(examine(source), "train-test-duplicates")


@pytest.mark.parametrize("build", [cuhk03_config, msmt17_v1, msmt17_v2, manifest])
def test_listed_pictures_that_do_not_exist_are_named(build: Callable[[Path], Path], tmp_path: Path) -> None:
    source = build(tmp_path)
    victim = pictures(examine(source), "gallery")[0].path
    victim.unlink()
    found = examine(source)
    assert victim.name in advice_of(found, "missing-pictures")
    assert [Path(name).name for name in found.diagnosis.missing] == [victim.name]


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize(("part", "ok"), [("train", True), ("val", True), ("query", False), ("gallery", False)])
def test_a_missing_list_is_named(tmp_path: Path, version: str, part: str, ok: bool) -> None:
    root = miniatures.msmt17(tmp_path / f"MSMT17_{version.upper()}", version).root
    (root / f"list_{part}.txt").unlink()
    found = examine(root)
    assert f"list_{part}.txt is missing" in advice_of(found, "missing-list")
    assert found.diagnosis.ok is ok


def test_a_person_in_training_and_test_is_named(tmp_path: Path) -> None:
    root = market(tmp_path)
    miniatures.paint(root / "bounding_box_train" / "0003_c1s1_000777_00.jpg", 3, 1)
    assert "(3)" in next(f.advice for f in examine(root).diagnosis.findings if f.kind == "people-in-both")


def test_queried_people_in_one_camera_are_named(tmp_path: Path) -> None:
    root = market(tmp_path)
    miniatures.paint(root / "query" / "0444_c2s1_000777_00.jpg", 444, 2)
    found = examine(root)
    assert "1 of 4 queried people" in advice_of(found, "one-camera-queries")
    assert "1 because their person is not in the gallery" in advice_of(found, "invalid-queries")


def test_a_single_picture_of_somebody_without_cameras_is_no_query(tmp_path: Path) -> None:
    root = folders(tmp_path)
    miniatures.paint(root / "0099" / "IMG_1.jpg", 99, 1)
    assert "1 because there is no other picture of their person" in advice_of(examine(root), "invalid-queries")


def test_junk_distractors_and_what_comes_besides_are_counted(tmp_path: Path) -> None:
    root = miniatures.market1501(tmp_path / "Market-1501-v15.09.15", distractors="images").root
    found = examine(root, kind="market1501+500k")
    notes = {finding.kind: finding.message for finding in found.diagnosis.findings if finding.severity == "note"}
    assert notes["junk"].endswith("2 pictures")
    assert notes["distractors"].endswith("2 pictures")
    assert notes["further-distractors"].endswith("7 pictures")
    rows = {row[0]: row[1:] for row in found.diagnosis.count_rows()}
    assert rows["distractors"] == (7, 0, 7, 0, 7)
    assert rows["multi_query"][:2] == (12, 3)
    assert "published-distractors" in kinds(found)
    draw_contact_sheet(found)


def test_withdrawn_data_is_refused_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = miniatures.dukemtmc(tmp_path / "DukeMTMC-reID").root
    refused = examine(root)
    assert kinds(refused) == {"withdrawn"}
    assert "never consented" in advice_of(refused, "withdrawn")
    assert refused.data is None
    with pytest.raises(UsageError, match="no picture to draw"):
        draw_contact_sheet(refused)
    monkeypatch.setenv("SWIFTREID_ALLOW_WITHDRAWN", "1")
    assert examine(root).diagnosis.published == "dukemtmc-reid"


def test_published_counts_are_confirmed() -> None:
    original = PUBLISHED_DATA_SETS["market1501"]
    counts = {
        split: SplitCounts(c.pictures, c.persons, c.cameras, c.junk, c.distractors)
        for split, c in original.counts.items()
    }
    data = ReidData("market1501", Path(), published="market1501")
    [finding] = published_findings(data, counts, "train+val")
    assert (finding.severity, finding.kind) == ("note", "as-published")
    counts["query"] = SplitCounts(3_367, 750, 6, 0, 0)
    [finding] = published_findings(data, counts, "train+val")
    assert finding.severity == "warning"
    assert finding.message == "query differs from Market-1501 as published: 3,367 pictures instead of 3,368"


def test_training_lists_that_were_not_asked_for_are_not_missed() -> None:
    original = PUBLISHED_DATA_SETS["msmt17-v1"]
    assert original.train_only is not None
    counts = {"train": SplitCounts(30_248, 1_041, 15, 0, 0)}
    data = ReidData("msmt17-v1", Path(), published="msmt17-v1")
    assert [f.kind for f in published_findings(data, counts, "train")] == ["as-published"]
    assert [f.kind for f in published_findings(data, counts, "train+val")] == ["published-train"]


def test_the_sheet_shows_splits_and_faults(tmp_path: Path) -> None:
    root = market(tmp_path)
    sound = np.asarray(draw_contact_sheet(examine(root)))
    np.testing.assert_array_equal(sound, np.asarray(draw_contact_sheet(examine(root))))
    assert not _red(sound)
    (root / "query" / "0001_c1s1_001052_00.jpg").write_bytes(b"\xff\xd8\xff")
    faulty = np.asarray(draw_contact_sheet(examine(root)))
    assert faulty.shape[0] > sound.shape[0]
    assert _red(faulty)
    with pytest.raises(UsageError, match="columns"):
        draw_contact_sheet(examine(root), columns=1)


def _red(sheet: np.ndarray) -> bool:
    return bool((sheet == (176, 32, 32)).all(axis=2).any())


def test_the_sheet_of_one_person_fills_its_row(tmp_path: Path) -> None:
    for number in range(4):
        miniatures.paint(tmp_path / "people" / "0001" / f"{number}.png", 1, number)
    sheet = draw_contact_sheet(examine(tmp_path / "people"), columns=4, crop_height=32)
    assert isinstance(sheet, Image.Image)
    assert sheet.width == 2 * 16 + 4 * 26 - 10

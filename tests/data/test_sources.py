from __future__ import annotations

from pathlib import Path

import pytest

import miniatures
from swiftreid.data.published import PUBLISHED_DATA_SETS
from swiftreid.data.readers import READERS, recognise
from swiftreid.data.sources import open_data
from swiftreid.errors import SwiftReIDError, UsageError

STATION = Path(__file__).resolve().parents[2] / "examples/station"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {name for original in PUBLISHED_DATA_SETS.values() for name in original.variables}
    for name in (*names, "SWIFTREID_DATA", "SWIFTREID_ALLOW_WITHDRAWN", "SWIFTREID_MARKET1501_500K"):
        monkeypatch.delenv(name, raising=False)


def everything(root: Path) -> dict[str, miniatures.Miniature]:
    """One miniature of every kind, by kind, under their customary names."""
    minis = {
        "market1501": miniatures.market1501(root / "market1501/Market-1501-v15.09.15", distractors="images"),
        "dukemtmc-reid": miniatures.dukemtmc(root / "DukeMTMC-reID"),
        "msmt17-v1": miniatures.msmt17(root / "MSMT17_V1", "v1"),
        "msmt17-v2": miniatures.msmt17(root / "MSMT17_V2", "v2"),
    }
    for boxes, mini in miniatures.cuhk03_folders(root / "cuhk03-np").items():
        minis[f"cuhk03-np-{boxes}"] = mini
    minis["market1501+500k"] = minis["market1501"]
    return minis


def test_every_published_data_set_is_found_by_name_below_one_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    minis = everything(tmp_path)
    monkeypatch.setenv("SWIFTREID_DATA", f"{tmp_path / 'nothing here'}:{tmp_path}")
    monkeypatch.setenv("SWIFTREID_ALLOW_WITHDRAWN", "1")
    assert set(minis) == set(PUBLISHED_DATA_SETS)
    for name, mini in minis.items():
        data = open_data(name)
        assert data.published == data.name == name
        for split in ("train", "query", "gallery"):
            assert mini.found(data.split(split)) == mini.expected[split], name  # type: ignore[arg-type]
        assert bool(data.distractors) == name.startswith("market1501")


def test_every_published_data_set_is_found_by_its_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    minis = everything(tmp_path)
    monkeypatch.setenv("SWIFTREID_ALLOW_WITHDRAWN", "1")
    for name, mini in minis.items():
        with monkeypatch.context() as patch:
            patch.setenv(PUBLISHED_DATA_SETS[name].variables[0], str(mini.root))
            assert mini.found(open_data(name).query) == mini.expected["query"]
            patch.setenv(PUBLISHED_DATA_SETS[name].variables[0], str(tmp_path / "gone"))
            with pytest.raises(
                SwiftReIDError, match=rf"{PUBLISHED_DATA_SETS[name].variables[0]} names .*gone.* unset it"
            ):
                open_data(name)


def test_distractors_are_where_a_variable_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mini = miniatures.market1501(tmp_path / "a/market1501", distractors="../../far/images")
    assert open_data(mini.root).distractors == []
    with pytest.raises(SwiftReIDError, match="no 500,000 distractors"):
        open_data(mini.root, kind="market1501+500k")
    monkeypatch.setenv("SWIFTREID_MARKET1501_500K", str(tmp_path / "far/images"))
    data = open_data(mini.root, kind="market1501+500k")
    assert mini.found(data.distractors) == mini.expected["distractors"]
    monkeypatch.setenv("SWIFTREID_MARKET1501_500K", str(tmp_path / "gone"))
    with pytest.raises(SwiftReIDError, match=r"SWIFTREID_MARKET1501_500K names .*gone"):
        open_data(mini.root, kind="market1501+500k")


def test_every_layout_is_recognised(tmp_path: Path) -> None:
    for name, mini in everything(tmp_path).items():
        if name != "market1501+500k":
            assert recognise(mini.root) == [name]
    assert recognise(tmp_path / "market1501") == ["market1501"]  # the archive's own folder is one below
    assert recognise(tmp_path / "cuhk03-np") == ["cuhk03-np-labelled", "cuhk03-np-detected"]
    assert recognise(miniatures.market1501(tmp_path / "mine").root) == ["market"]
    assert recognise(miniatures.cuhk03_config(tmp_path / "c3").root) == ["cuhk03-np-labelled"]
    for cameras in ("none", "names", "folders"):
        assert recognise(miniatures.person_folders(tmp_path / cameras, cameras=cameras).root) == ["folder"]
    assert recognise(miniatures.split_folders(tmp_path / "splits").root) == ["folder"]
    (tmp_path / "empty").mkdir()
    assert recognise(tmp_path / "empty") == []
    assert recognise(STATION) == ["market"]


def small_folders(root: Path) -> dict[str, Path]:
    """One small folder of every kind in `READERS`, which its own reader recognises."""
    return {
        **{kind: mini.root for kind, mini in everything(root).items()},
        "market": miniatures.market1501(root / "mine").root,
        "folder": miniatures.person_folders(root / "people").root,
    }


@pytest.mark.parametrize("kind", READERS)
def test_every_reader_is_recognised_alone_and_reads(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWIFTREID_ALLOW_WITHDRAWN", "1")
    made = small_folders(tmp_path)
    assert kind in made, f"small_folders() of this file lacks a small folder of kind {kind!r}"
    own = "market1501" if kind == "market1501+500k" else kind  # the same folder, asked for with distractors
    found = recognise(made[kind])
    assert found == [own], f"a folder of kind {kind} is recognised as {found}, not by its reader alone"
    data = open_data(made[kind], kind=kind)
    assert data.query


@pytest.mark.parametrize("kind", [*READERS, "manifest"])
def test_the_page_has_every_kind(kind: str) -> None:
    page = (STATION.parents[1] / "docs/data.md").read_text(encoding="utf-8")
    table = page.partition("## Which kind a folder is")[2].partition("\n## ")[0]
    kinds = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    row = f"| `{kind}` | what its folder is known by |"
    assert any(f"`{kind}`" in each for each in kinds), f"docs/data.md, 'Which kind a folder is', lacks a row '{row}'"


def test_the_rendered_station_opens() -> None:
    data = open_data(STATION)
    assert [len(data.train), len(data.query), len(data.gallery)] == [450, 150, 300]
    assert data.name == "station"
    assert data.published is None


def test_what_could_be_several_is_refused_by_naming_them(tmp_path: Path) -> None:
    everything(tmp_path)
    with pytest.raises(UsageError, match="can be read as cuhk03-np-labelled or as cuhk03-np-detected; give its kind"):
        open_data(tmp_path / "cuhk03-np")
    assert open_data(tmp_path / "cuhk03-np", kind="cuhk03-np-detected").published == "cuhk03-np-detected"
    with pytest.raises(UsageError, match="can be read as msmt17-v1 or as msmt17-v2"):
        open_data(_both_versions(tmp_path / "both"))
    mixed = miniatures.market1501(tmp_path / "mixed").root
    (mixed / "gallery").mkdir()
    with pytest.raises(UsageError, match="can be read as market or as folder"):
        open_data(mixed)


def _both_versions(root: Path) -> Path:
    miniatures.msmt17(root, "v1")
    miniatures.msmt17(root, "v2")
    return root


def test_a_manifest_opens_by_its_suffix(tmp_path: Path) -> None:
    mini, path = miniatures.manifest(tmp_path / "m")
    for kind in (None, "manifest"):
        assert mini.found(open_data(path, kind=kind).query) == mini.expected["query"]
    assert len(open_data(path, root=tmp_path / "m").query) == 1
    with pytest.raises(UsageError, match="is a folder, not a manifest"):
        open_data(mini.root, kind="manifest")
    with pytest.raises(UsageError, match="is a folder, not a manifest"):
        open_data(mini.root, root=tmp_path)
    with pytest.raises(UsageError, match="is a file but no manifest"):
        open_data(path, kind="market")
    with pytest.raises(UsageError, match=r"a\.png is a file but no manifest \(\.csv, \.parquet"):
        open_data(miniatures.paint(tmp_path / "a.png", 1, 1))


def test_duke_needs_to_be_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mini = miniatures.dukemtmc(tmp_path / "harmless")
    for kind in (None, "market", "dukemtmc-reid", "market1501"):
        with pytest.raises(SwiftReIDError, match=r"withdrawn by its authors .* consented .*allow_withdrawn=True"):
            open_data(mini.root, kind=kind)
    data = open_data(mini.root, allow_withdrawn=True)
    assert mini.found(data.gallery) == mini.expected["gallery"]
    assert data.published == "dukemtmc-reid"
    monkeypatch.setenv("SWIFTREID_ALLOW_WITHDRAWN", "1")
    assert len(open_data(mini.root).query) == 2


def test_what_is_not_found_says_where_was_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SwiftReIDError, match=r"found: neither SWIFTREID_MARKET1501 nor SWIFTREID_DATA is set\."):
        open_data("market1501")
    monkeypatch.setenv("SWIFTREID_DATA", str(tmp_path))
    with pytest.raises(
        SwiftReIDError, match=r"MSMT17_V1 and SWIFTREID_MSMT17 not set, .*SWIFTREID_DATA \(.*list_train"
    ):
        open_data("msmt17-v1")
    (tmp_path / "MSMT17_V1").mkdir()
    with pytest.raises(SwiftReIDError, match=r"no MSMT17 v1 at .*MSMT17_V1; looked there"):
        open_data("msmt17-v1")
    with pytest.raises(SwiftReIDError, match=r"nowhere does not exist; give a folder, a manifest"):
        open_data(tmp_path / "nowhere")
    with pytest.raises(
        SwiftReIDError,
        match=r"is no data set that SwiftReID knows. Expected one folder .*\n- Market-1501: bou",
    ):
        open_data(tmp_path)
    with pytest.raises(UsageError, match="no kind of data set is called 'zip'; there are market1501"):
        open_data(tmp_path, kind="zip")
    with pytest.raises(UsageError, match="msmt17-v1 is a published data set, but kind is 'market'"):
        open_data("msmt17-v1", kind="market")


def test_need_and_train_reach_the_readers(tmp_path: Path) -> None:
    miniatures.msmt17(tmp_path / "a")
    assert len(open_data(tmp_path / "a", train="train").train) == 6
    mini = miniatures.person_folders(tmp_path / "b")
    assert len(open_data(mini.root, need=("train",)).train) == 9
    market = miniatures.market1501(tmp_path / "c").root
    for path in (market / "query").iterdir():
        path.unlink()
    (market / "query").rmdir()
    assert len(open_data(market, need=("train",)).train) == 9
    with pytest.raises(SwiftReIDError, match="has no query"):
        open_data(market)


def test_published_data_sets_are_described() -> None:
    assert set(PUBLISHED_DATA_SETS) < set(READERS)
    for name, original in PUBLISHED_DATA_SETS.items():
        assert original.name == name
        assert original.layout
        assert original.source
        assert {"train", "query", "gallery"} <= set(original.counts)
        assert (original.withdrawn is not None) == (name == "dukemtmc-reid")
    assert PUBLISHED_DATA_SETS["market1501"].counts["gallery"].without_junk == 15_913
    large = PUBLISHED_DATA_SETS["market1501+500k"].counts
    assert large["gallery"].without_junk + large["distractors"].pictures == 515_913
    assert (
        PUBLISHED_DATA_SETS["msmt17-v2"].expected("train", train="train") == PUBLISHED_DATA_SETS["msmt17-v1"].train_only
    )
    assert (
        PUBLISHED_DATA_SETS["market1501"].expected("train", train="train")
        == PUBLISHED_DATA_SETS["market1501"].counts["train"]
    )


def test_the_page_shows_the_published_counts() -> None:
    page = (STATION.parents[1] / "docs/data.md").read_text(encoding="utf-8").split("## Attributes")[0]
    rows = {line.split("`")[1]: line.split("|") for line in page.splitlines() if line.startswith("| `")}
    for name, original in PUBLISHED_DATA_SETS.items():
        lacking = f"docs/data.md: the table below '## Published data sets' lacks a row '| `{name}` | folders | ...'"
        assert name in rows, lacking
        cells = [cell.strip().split(" ")[0].replace(",", "") for cell in rows[name][-4:-1]]
        counts = original.counts
        last = counts["gallery"].pictures
        if name == "market1501+500k":
            last = counts["gallery"].without_junk + counts["distractors"].pictures
        assert [int(cell) for cell in cells] == [counts["train"].pictures, counts["query"].pictures, last]
        assert f"`{original.variables[0]}`" in rows[name][3]
        for folder in rows[name][2].split("`")[1::2]:
            assert folder in (*original.folders, "images/")

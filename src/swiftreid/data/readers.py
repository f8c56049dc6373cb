"""Readers of data sets by kind, and what recognises a folder. A new kind is one file and one line in `READERS`."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

from swiftreid.data import published
from swiftreid.data.attribute_files import FILES, attribute_file_of, read_attribute_mat, with_attributes
from swiftreid.data.attributes import ATTRIBUTE_FILE
from swiftreid.data.cuhk03 import SPELLINGS, Boxes, config_file, market_folder, read_cuhk03
from swiftreid.data.folders import has_people, read_folders, split_folders_of
from swiftreid.data.listing import is_picture, names_in
from swiftreid.data.market import FOLDERS, distractors_inside, read_market
from swiftreid.data.matlab import matlab_readable
from swiftreid.data.msmt17 import Version, read_msmt17, version_folder
from swiftreid.data.published import PUBLISHED_DATA_SETS
from swiftreid.data.reader import DataSetReader, Wanted
from swiftreid.data.samples import SPLITS, ReidData
from swiftreid.errors import SwiftReIDError, UsageError

_MARKET_INNER = "Market-1501-v15.09.15"
_DUKE_NAME = re.compile(r"\d{4}_c\d_f\d{7}\.", re.ASCII)
_MARKET_FOLDER_NAME = re.compile(r"market-?_?1501", re.IGNORECASE)


def register_reader(reader: DataSetReader) -> None:
    """Make `open_data` know another kind of data set, for as long as this process runs.

    Raises:
        UsageError: there is such a kind already.
    """
    if reader.kind in READERS or reader.kind == "manifest":
        raise UsageError(f"there is a reader of kind {reader.kind!r} already")
    READERS[reader.kind] = reader


def recognise(root: Path) -> list[str]:
    """The kinds of data set that a folder can be read as, surest first; empty if it looks like none.

    Raises:
        SwiftReIDError: the folder cannot be listed.
    """
    kinds = [kind for kind, reader in READERS.items() if reader.recognises(root)]
    if not kinds and (market := market_root(root)) is not None:
        kinds.append(_market_kind(market))
    if split_folders_of(root) or (not kinds and has_people(root)):
        kinds.append("folder")
    return kinds


def _read_market_kind(kind: str, root: Path, wanted: Wanted) -> ReidData:
    root = market_root(root) or root
    distractors: bool | Path = distractors_inside(root) or False  # listed where they lie, used where asked for
    if kind == published.MARKET_500K:
        distractors = _distractors_named() or True
    data = read_market(root, need=wanted.need, attributes=wanted.attributes, distractors=distractors)
    if wanted.attributes and (table := attribute_file_of(root)) is not None and not (root / ATTRIBUTE_FILE).is_file():
        if matlab_readable():
            data = with_attributes(data, read_attribute_mat(table, FILES[table.name]))
        else:  # pictures can be used without them
            data.notes.append(f"{table.name} is not read, as it needs SciPy: pip install 'swiftreid[data]'")
    if kind == "market":
        return replace(data, published=published.MARKET) if _counts_of_market(data) else data
    return replace(data, name=kind, published=kind)


def _distractors_named() -> Path | None:
    named = os.environ.get("SWIFTREID_MARKET1501_500K")
    if named and not Path(named).is_dir():
        raise SwiftReIDError(f"SWIFTREID_MARKET1501_500K names {named}, which is not a folder; correct or unset it")
    return Path(named) if named else None


def _counts_of_market(data: ReidData) -> bool:
    counts = PUBLISHED_DATA_SETS[published.MARKET].counts
    return all(len(data.split(name)) == counts[name].pictures for name in SPLITS)


def _has_boxes(root: Path, boxes: Boxes) -> bool:
    folder = market_folder(root, boxes)
    if folder == root:  # Market-1501's layout and no other sign: its own name must say what it is
        return "cuhk03" in root.resolve().parent.name.lower() and _spells(root, boxes)
    return folder is not None or config_file(root, boxes) is not None


def _spells(root: Path, boxes: Boxes) -> bool:
    return root.resolve().name.lower() in SPELLINGS[boxes]


def market_root(root: Path) -> Path | None:
    """The folder itself, or the archive's own folder inside of it, if it has a folder of Market-1501's layout."""
    for folder in (root, root / _MARKET_INNER, root / "DukeMTMC-reID"):
        if (folder / FOLDERS["gallery"]).is_dir() or (folder / FOLDERS["train"]).is_dir():
            return folder
    return None


def _market_kind(root: Path) -> str:
    if named_like_duke(root):
        return published.DUKE
    return published.MARKET if _MARKET_FOLDER_NAME.search(root.resolve().name) else "market"


def named_like_duke(root: Path) -> bool:
    """Whether the pictures that come first in each folder all have DukeMTMC's names: person, camera, 7-digit frame."""
    names = [
        name
        for folder in FOLDERS.values()
        if (root / folder).is_dir()
        for name in [name for name in names_in(root / folder) if is_picture(name)][:20]
    ]
    return bool(names) and all(_DUKE_NAME.match(name) for name in names)


def _cuhk03(kind: str, boxes: Boxes) -> DataSetReader:
    return DataSetReader(
        kind,
        lambda root, w: read_cuhk03(root, boxes, need=w.need),
        lambda root: _has_boxes(root, boxes),
    )


def _msmt17(kind: str, version: Version) -> DataSetReader:
    return DataSetReader(
        kind,
        lambda root, w: read_msmt17(root, version, train=w.train, need=w.need),
        lambda root: version_folder(root, version) is not None,
    )


def _market(kind: str) -> DataSetReader:
    return DataSetReader(kind, partial(_read_market_kind, kind))


READERS: dict[str, DataSetReader] = {
    reader.kind: reader
    for reader in (
        _market(published.MARKET),
        _market(published.MARKET_500K),
        _cuhk03(published.CUHK03_LABELLED, "labelled"),
        _cuhk03(published.CUHK03_DETECTED, "detected"),
        _msmt17(published.MSMT17_V1, "v1"),
        _msmt17(published.MSMT17_V2, "v2"),
        _market(published.DUKE),
        _market("market"),
        DataSetReader("folder", lambda root, w: read_folders(root, need=w.need, folders=w.folders)),
    )
}
"""Readers of folders, by kind. Market-1501's layout and plain folders are recognised last, by `recognise` itself."""

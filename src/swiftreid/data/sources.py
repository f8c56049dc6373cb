"""Open any data set: a published one by its name, a folder whose layout is recognised, or a manifest."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from swiftreid.data import published
from swiftreid.data.attribute_files import FILES, attribute_file_of, read_attribute_mat, with_attributes
from swiftreid.data.attributes import ATTRIBUTE_FILE
from swiftreid.data.cuhk03 import SPELLINGS, Boxes, config_file, market_folder, read_cuhk03
from swiftreid.data.folders import LAYOUT as FOLDER_LAYOUT
from swiftreid.data.folders import has_people, read_folders, split_folders_of
from swiftreid.data.listing import is_picture, names_in
from swiftreid.data.manifest import read_manifest
from swiftreid.data.market import FOLDERS, distractors_inside, read_market
from swiftreid.data.matlab import matlab_readable
from swiftreid.data.msmt17 import TrainChoice, Version, read_msmt17, version_folder
from swiftreid.data.published import PUBLISHED_DATA_SETS, PublishedDataSet
from swiftreid.data.samples import SPLITS, ReidData, SplitName
from swiftreid.data.table_file import TABLE_SUFFIXES
from swiftreid.errors import SwiftReIDError, UsageError

KINDS = (*PUBLISHED_DATA_SETS, "market", "folder", "manifest")
"""Kinds of data set: the published ones, any data in Market-1501's layout, one folder per person, and a manifest."""

_MARKET_INNER = "Market-1501-v15.09.15"
_PACKED = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
_DUKE_NAME = re.compile(r"\d{4}_c\d_f\d{7}\.", re.ASCII)
_MARKET_FOLDER_NAME = re.compile(r"market-?_?1501", re.IGNORECASE)
_BOXES: dict[str, Boxes] = {published.CUHK03_LABELLED: "labelled", published.CUHK03_DETECTED: "detected"}
_VERSIONS: dict[str, Version] = {published.MSMT17_V1: "v1", published.MSMT17_V2: "v2"}


class WithdrawnData(SwiftReIDError):
    """The data set was withdrawn by its authors, and reading it was not asked for."""


def open_data(
    source: Path | str,
    *,
    kind: str | None = None,
    need: Collection[SplitName] = ("query", "gallery"),
    train: TrainChoice = "train+val",
    allow_withdrawn: bool = False,
    root: Path | str | None = None,
    attributes: bool = True,
) -> ReidData:
    """Open a data set; pictures are listed, not opened, and nothing is downloaded.

    Args:
        source: a folder, a manifest file, or the name of a published data set (see `KINDS`), whose folder is then found
            by its environment variable, such as ``SWIFTREID_MARKET1501``, or under a customary name in
            ``SWIFTREID_DATA``.
        kind: what it is, where a folder can be read in several ways; None recognises it.
        need: splits that must be there; others may be empty.
        train: for MSMT17: "train+val" or "train".
        allow_withdrawn: read DukeMTMC-reID although its authors withdrew it; ``SWIFTREID_ALLOW_WITHDRAWN=1`` does too.
        root: for a manifest: the folder that its paths start from; default the manifest's own.
        attributes: whether to read the attributes of people beside folders in Market-1501's layout.

    Raises:
        UsageError: the kind is unknown, does not fit, or could be several: the message names them.
        SwiftReIDError: nothing readable is there; the message says what was looked for, where, and what to do.

    Example:
        >>> len(open_data("examples/station").query)
        150
    """
    if kind is not None and kind not in KINDS:
        raise UsageError(f"no kind of data set is called {kind!r}; there are {', '.join(KINDS)}")
    if train not in ("train+val", "train"):
        raise UsageError(f"train is 'train+val' or 'train', not {train!r}")
    if not isinstance(source, (str, Path)):
        raise UsageError(f"a data set is given by its folder, manifest or name, not by {type(source).__name__}")
    if not str(source):
        raise UsageError("the data set's name is empty; give a folder, a manifest or a published data set's name")
    path = Path(source)
    if not path.exists() and str(source) in PUBLISHED_DATA_SETS:
        if kind not in (None, str(source)):
            raise UsageError(f"{source} is a published data set, but kind is {kind!r}; leave the kind out")
        kind = str(source)
        path = find_published(PUBLISHED_DATA_SETS[kind])
    if not path.exists():
        raise SwiftReIDError(
            f"data set {source} does not exist; give a folder, a manifest ({' or '.join(TABLE_SUFFIXES)}), or the name "
            f"of a published data set: {', '.join(PUBLISHED_DATA_SETS)}"
        )
    if path.suffix.lower() in _PACKED and path.is_file():
        raise UsageError(f"{path} is packed: unpack it, and give the folder that comes out")
    if path.is_file():
        if kind not in (None, "manifest") or path.suffix.lower() not in TABLE_SUFFIXES:
            raise UsageError(
                f"{path} is a file, and only manifests ({', '.join(TABLE_SUFFIXES)}) are; give a data set's folder"
            )
        return read_manifest(path, root=root, need=need)
    if root is not None or kind == "manifest":
        raise UsageError(f"{path} is a folder, not a manifest; give the manifest's file, with root beside it")
    kind = _recognised(path) if kind is None else kind
    refuse_withdrawn(kind, path, allow_withdrawn=allow_withdrawn)
    return _reader(kind, need, train, attributes)(path)


def recognise(root: Path) -> list[str]:
    """The kinds of data set that a folder can be read as, surest first; empty if it looks like none.

    Raises:
        SwiftReIDError: the folder cannot be listed.
    """
    kinds = [kind for kind, version in _VERSIONS.items() if version_folder(root, version)]
    kinds += [kind for kind, boxes in _BOXES.items() if _has_boxes(root, boxes)]
    if not kinds and (market := _market_root(root)) is not None:
        kinds.append(_market_kind(market))
    if split_folders_of(root) or (not kinds and has_people(root)):
        kinds.append("folder")
    return kinds


def find_published(data_set: PublishedDataSet) -> Path:
    """A published data set's folder, by its environment variables, then by customary names under ``SWIFTREID_DATA``.

    ``SWIFTREID_DATA`` may list several folders, separated as in ``PATH``.

    Raises:
        SwiftReIDError: a variable names no folder, or nothing is found; the message says where was looked.
    """
    for variable in data_set.variables:
        if named := os.environ.get(variable):
            if not Path(named).is_dir():
                raise SwiftReIDError(f"{variable} names {named}, which is not a folder; correct or unset it")
            return Path(named)
    above = [Path(part) for part in os.environ.get("SWIFTREID_DATA", "").split(os.pathsep) if part]
    places = [folder / name for folder in above for name in data_set.folders]
    there = [place for place in places if place.is_dir()]
    for place in there:
        if data_set.name in _published_kinds(place):
            return place
    if there:  # not in the expected layout: its reader will say what is missing
        return there[0]
    unset = " nor ".join(("neither " + data_set.variables[0], *data_set.variables[1:], "SWIFTREID_DATA"))
    looked = f"{unset} is set"
    if above:
        looked = (
            f"{' and '.join(data_set.variables)} not set, and below SWIFTREID_DATA ({', '.join(map(str, above))}) "
            f"there is none of the folders {', '.join(data_set.folders)}"
        )
    whence = "Nothing is downloaded: get it from its authors, then"
    if data_set.withdrawn:
        whence = f"{data_set.withdrawn}. Where you have it and grounds to read it,"
    raise SwiftReIDError(
        f"{data_set.title} was not found: {looked}. {whence} give its folder or set {data_set.variables[0]} to it. "
        f"Expected there: {data_set.layout}"
    )


def refuse_withdrawn(kind: str, root: Path, *, allow_withdrawn: bool = False) -> None:
    """Raise if a data set is DukeMTMC-reID, by its kind or its names, and reading it was not asked for.

    Raises:
        WithdrawnData: it is; the message gives the reason and the way to read it all the same.
    """
    if allow_withdrawn or os.environ.get("SWIFTREID_ALLOW_WITHDRAWN") == "1":
        return
    market = _market_root(root)
    if kind == published.DUKE or (market is not None and _named_like_duke(market)):
        reason = PUBLISHED_DATA_SETS[published.DUKE].withdrawn
        raise WithdrawnData(
            f"{root} is DukeMTMC-reID by its pictures' names (such as 0005_c2_f0046985.jpg). {reason}; it is not read "
            "by default, and its figures should not be published. If you have grounds to read it (or the pictures are "
            "your own), set SWIFTREID_ALLOW_WITHDRAWN=1 or pass allow_withdrawn=True"
        )


def _reader(kind: str, need: Collection[SplitName], train: TrainChoice, attributes: bool) -> Callable[[Path], ReidData]:
    if kind in _BOXES:
        return lambda root: read_cuhk03(root, _BOXES[kind], need=need)
    if kind in _VERSIONS:
        return lambda root: read_msmt17(root, _VERSIONS[kind], train=train, need=need)
    if kind == "folder":
        return lambda root: read_folders(root, need=need)
    return lambda root: _read_market_kind(kind, root, need, attributes)


def _read_market_kind(kind: str, root: Path, need: Collection[SplitName], attributes: bool) -> ReidData:
    root = _market_root(root) or root
    distractors: bool | Path = distractors_inside(root) or False  # listed where they lie, used where asked for
    if kind == published.MARKET_500K:
        distractors = _distractors_named() or True
    data = read_market(root, need=need, attributes=attributes, distractors=distractors)
    if attributes and (table := attribute_file_of(root)) is not None and not (root / ATTRIBUTE_FILE).is_file():
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


def _recognised(root: Path) -> str:
    kinds = recognise(root)
    if len(kinds) == 1:
        return kinds[0]
    if kinds:
        raise UsageError(f"{root} can be read as {' or as '.join(kinds)}; say which with --kind (kind= in Python)")
    inner = next((path for path in sorted(root.iterdir()) if path.is_dir() and {*recognise(path)} - {"folder"}), None)
    meant = f"Did you mean {inner}? " if inner else ""
    layouts = "".join(
        f"\n- {data_set.title}: {data_set.layout}"
        for data_set in PUBLISHED_DATA_SETS.values()
        if data_set.name not in (published.MARKET_500K, published.DUKE)
    )
    raise SwiftReIDError(
        f"{root} is no data set that SwiftReID knows. {meant}{FOLDER_LAYOUT[0].upper()}{FOLDER_LAYOUT[1:]}. "
        f"Or one of these:{layouts}"
    )


def _published_kinds(root: Path) -> list[str]:
    kinds = recognise(root)
    return [*kinds, published.MARKET, published.MARKET_500K] if {"market", published.MARKET} & set(kinds) else kinds


def _has_boxes(root: Path, boxes: Boxes) -> bool:
    folder = market_folder(root, boxes)
    if folder == root:  # Market-1501's layout and no other sign: its own name must say what it is
        return "cuhk03" in root.resolve().parent.name.lower() and _spells(root, boxes)
    return folder is not None or config_file(root, boxes) is not None


def _spells(root: Path, boxes: Boxes) -> bool:
    return root.resolve().name.lower() in SPELLINGS[boxes]


def _market_root(root: Path) -> Path | None:
    """The folder itself, or the archive's own folder inside of it, if it has a folder of Market-1501's layout."""
    for folder in (root, root / _MARKET_INNER, root / "DukeMTMC-reID"):
        if (folder / FOLDERS["gallery"]).is_dir() or (folder / FOLDERS["train"]).is_dir():
            return folder
    return None


def _market_kind(root: Path) -> str:
    if _named_like_duke(root):
        return published.DUKE
    return published.MARKET if _MARKET_FOLDER_NAME.search(root.resolve().name) else "market"


def _named_like_duke(root: Path) -> bool:
    """Whether the pictures that come first in each folder all have DukeMTMC's names: person, camera, 7-digit frame."""
    names = [
        name
        for folder in FOLDERS.values()
        if (root / folder).is_dir()
        for name in [name for name in names_in(root / folder) if is_picture(name)][:20]
    ]
    return bool(names) and all(_DUKE_NAME.match(name) for name in names)


__all__ = ["KINDS", "WithdrawnData", "find_published", "open_data", "recognise", "refuse_withdrawn"]

"""Open any data set: a published one by its name, a folder whose layout is recognised, or a manifest."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from swiftreid.data import published
from swiftreid.data.camera_folders import Folders, check_folders
from swiftreid.data.folders import LAYOUT as FOLDER_LAYOUT
from swiftreid.data.manifest import read_manifest
from swiftreid.data.msmt17 import TrainChoice
from swiftreid.data.published import PUBLISHED_DATA_SETS, PublishedDataSet
from swiftreid.data.reader import Wanted
from swiftreid.data.readers import READERS, market_root, named_like_duke, recognise
from swiftreid.data.samples import ReidData, SplitName
from swiftreid.data.table_file import TABLE_SUFFIXES
from swiftreid.errors import SwiftReIDError, UsageError

_PACKED = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")


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
    folders: Folders | None = None,
) -> ReidData:
    """Open a data set; pictures are listed, not opened, and nothing is downloaded.

    Args:
        source: a folder, a manifest file, or the name of a published data set (see `PUBLISHED_DATA_SETS`), whose folder
            is then found by its environment variable, such as ``SWIFTREID_MARKET1501``, or under a customary name in
            ``SWIFTREID_DATA``.
        kind: what it is, where a folder can be read in several ways; None recognises it.
        need: splits that must be there; others may be empty.
        train: for MSMT17: "train+val" or "train".
        allow_withdrawn: read DukeMTMC-reID although its authors withdrew it; ``SWIFTREID_ALLOW_WITHDRAWN=1`` does too.
        root: for a manifest: the folder that its paths start from; default the manifest's own.
        attributes: whether to read the attributes of people beside folders in Market-1501's layout.
        folders: of a data set without a published layout, what its folders are: "people" or "cameras". None: people,
            unless they are named like cameras; see `read_folders`.

    Raises:
        UsageError: the kind is unknown, does not fit, or could be several: the message names them.
        SwiftReIDError: nothing readable is there; the message says what was looked for, where, and what to do.

    Example:
        >>> len(open_data("examples/station").query)
        150
    """
    _check(source, kind, train, folders)
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
                f"{path} is a file but no manifest ({', '.join(TABLE_SUFFIXES)}); "
                "give a manifest or a data set's folder"
            )
        if folders is not None:
            raise UsageError(
                f"{path} is a manifest, with columns for people and cameras; leave out folders {folders!r}"
            )
        return read_manifest(path, root=root, need=need)
    if root is not None or kind == "manifest":
        raise UsageError(f"{path} is a folder, not a manifest; give the manifest's file, with root beside it")
    if kind is None:
        kind = "folder" if folders and not recognise(path) else _recognised(path)
    if folders is not None and kind != "folder":
        raise UsageError(f"{path} is read as {kind}, which says what its folders are; leave out folders {folders!r}")
    refuse_withdrawn(kind, path, allow_withdrawn=allow_withdrawn)
    return READERS[kind].read(path, Wanted(need, train, attributes, folders))


def _check(source: object, kind: str | None, train: str, folders: str | None) -> None:
    if kind is not None and kind not in READERS and kind != "manifest":
        raise UsageError(f"no kind of data set is called {kind!r}; there are {', '.join(READERS)}, manifest")
    if train not in ("train+val", "train"):
        raise UsageError(f"train is 'train+val' or 'train', not {train!r}")
    check_folders(folders)
    if not isinstance(source, (str, Path)):
        raise UsageError(f"a data set is given by its folder, manifest or name, not by {type(source).__name__}")
    if not str(source):
        raise UsageError("the data set's name is empty; give a folder, a manifest or a published data set's name")


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
    market = market_root(root)
    if kind == published.DUKE or (market is not None and named_like_duke(market)):
        reason = PUBLISHED_DATA_SETS[published.DUKE].withdrawn
        raise WithdrawnData(
            f"{root} is DukeMTMC-reID by its pictures' names (such as 0005_c2_f0046985.jpg). {reason}; it is not read "
            "by default, and its figures should not be published. If you have grounds to read it (or the pictures are "
            "your own), set SWIFTREID_ALLOW_WITHDRAWN=1 or pass allow_withdrawn=True"
        )


def _recognised(root: Path) -> str:
    kinds = recognise(root)
    if len(kinds) == 1:
        return kinds[0]
    if kinds:
        raise UsageError(f"{root} can be read as {' or as '.join(kinds)}; give its kind")
    inner = next((path for path in sorted(root.iterdir()) if path.is_dir() and {*recognise(path)} - {"folder"}), None)
    meant = f"Did you mean {inner}? " if inner else ""
    layouts = "".join(
        f"\n- {data_set.title}: {data_set.layout}"
        for data_set in PUBLISHED_DATA_SETS.values()
        if data_set.name not in (published.MARKET_500K, published.DUKE)
    )
    layouts += "".join(f"\n- {reader.kind}: {reader.layout}" for reader in READERS.values() if reader.layout)
    raise SwiftReIDError(
        f"{root} is no data set that SwiftReID knows. {meant}{FOLDER_LAYOUT[0].upper()}{FOLDER_LAYOUT[1:]}. "
        f"Or one of these:{layouts}"
    )


def _published_kinds(root: Path) -> list[str]:
    kinds = recognise(root)
    return [*kinds, published.MARKET, published.MARKET_500K] if {"market", published.MARKET} & set(kinds) else kinds

"""Entries and codes as files that other programs read: NumPy arrays, Parquet, and FAISS's binary index.

Codes are packed, little-endian within each byte, and padded with zeros to whole groups of 32 bits (see `pack_bits`), as
FAISS and usearch take them. Files belong to their owner alone.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

from swiftreid.durable import PRIVATE_FILE, flush_folder, path_of, save_bytes, write_file
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.gallery.entries import Entry
from swiftreid.gallery.snapshot import Snapshot
from swiftreid.search.stages import EMBEDDING

IDS = "ids"
_TEXTS = ("person", "source", "track")
_TIMES = ("time", "start", "end", "arrival")


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        format: ``numpy``, ``parquet`` or ``faiss``.
        entries: how many.
        files: all of them.
    """

    format: Literal["numpy", "parquet", "faiss"]
    entries: int
    files: tuple[Path, ...]


def export(snapshot: Snapshot, target: Path | str, *, code: str | None = None) -> Exported:
    """Write entries with their codes in the format that the target's ending says.

    Args:
        snapshot: its searchable entries are written, in gallery order.
        target: a file that ends in ``.parquet`` or ``.faiss``, which is replaced if it is there; a name without an
            ending is a new folder of NumPy arrays.
        code: for a FAISS index, which holds one code; by default the longest identity code.

    Raises:
        UsageError: a code is given for another format, or the gallery has none of that name; the folder is there.
        SwiftReIDError: a package is missing, or a file could not be written.

    Example:
        ``people.export("people.faiss", cameras=["door"])`` of an open gallery ``people``.
    """
    target = path_of(target, "an export")
    if target.suffix and target.suffix not in (".faiss", ".parquet") and not target.is_dir():
        raise UsageError(
            f"{target} ends in {target.suffix}: give .parquet, .faiss, or a folder's name without an ending"
        )
    if target.suffix == ".faiss":
        return Exported("faiss", snapshot.live, tuple(export_faiss(snapshot, target, code)))
    if code is not None:
        raise UsageError(f"code={code!r} is for .faiss, which holds one code; other formats hold all of them")
    if target.suffix == ".parquet":
        export_parquet(snapshot, target)
        return Exported("parquet", snapshot.live, (target,))
    return Exported("numpy", snapshot.live, tuple(export_npy(snapshot, target)))


def export_npy(snapshot: Snapshot, folder: Path | str) -> list[Path]:
    """Write a folder with one array for each code, and ``ids.npy``, ``cameras.npy``, ``persons.npy`` and ``times.npy``.

    Row i of every array is the same entry. Codes are uint8 [n, row bytes], ids, cameras and people text [n] (an unknown
    person is empty), times float64 [n] (NaN where unknown), embeddings float16 or float32 [n, size].
    ``numpy.load`` reads them without pickle.

    Args:
        snapshot: its searchable entries are written, in gallery order.
        folder: new, or empty.

    Returns:
        The files.

    Raises:
        UsageError: something is there.
        SwiftReIDError: it could not be written; nothing is left behind.
    """
    folder = Path(folder)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} exists already and is not an empty folder: choose another path")
    with _refused_writes(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            names = _write_arrays(snapshot, beside)
            beside.rename(folder)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise
        flush_folder(folder.parent)
    return [folder / name for name in names]


@contextmanager
def _refused_writes(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SwiftReIDError(f"could not write {target}: {error.strerror or error}") from error


def _write_arrays(snapshot: Snapshot, folder: Path) -> list[str]:
    arrays: dict[str, NDArray[Any]] = {}
    for name, column in snapshot.table.segments[0].codes.items():
        shape = (snapshot.live, column.shape[1])
        if snapshot.live:
            file = folder / f"{name}.npy"
            arrays[name] = np.lib.format.open_memmap(file, mode="w+", dtype=column.dtype, shape=shape)
        else:  # there is nothing to map
            np.save(folder / f"{name}.npy", np.empty(shape, column.dtype))
    entries: list[Entry] = []
    for batch in snapshot.batches():
        rows = slice(len(entries), len(entries) + len(batch.entries))
        for name, array in arrays.items():
            array[rows] = batch.codes[name]
        entries += batch.entries
    for array in arrays.values():
        array.flush()  # type: ignore[attr-defined]
    named = {
        IDS: np.array([entry.id for entry in entries], np.str_),
        "cameras": np.array([entry.camera for entry in entries], np.str_),
        "persons": np.array([entry.person or "" for entry in entries], np.str_),
        "times": np.array([np.nan if entry.time is None else entry.time for entry in entries], np.float64),
    }
    for name, values in named.items():
        np.save(folder / f"{name}.npy", values, allow_pickle=False)
    for file in folder.iterdir():
        file.chmod(PRIVATE_FILE)
    return [*(f"{name}.npy" for name in snapshot.table.segments[0].codes), *(f"{name}.npy" for name in named)]


def export_parquet(snapshot: Snapshot, path: Path | str) -> None:
    """Write one Parquet file, a row an entry: its fields but the thumbnail, labels as JSON, and every code.

    Codes are fixed-size binary, the embedding a fixed-size list.

    Args:
        snapshot: its searchable entries are written, in gallery order.
        path: the file; an old one is replaced.

    Raises:
        SwiftReIDError: pyarrow is missing, or the file could not be written.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError as error:
        raise SwiftReIDError("Parquet needs the package pyarrow: pip install 'swiftreid[data]'") from error
    path = Path(path)
    codes = snapshot.table.segments[0].codes
    fields = [("id", pa.string()), ("camera", pa.string()), *((name, pa.string()) for name in _TEXTS)]
    fields += [(name, pa.float64()) for name in _TIMES]
    fields += [("frame", pa.int64()), ("picture_sha256", pa.string()), ("labels", pa.string())]
    fields += [(name, _arrow_type(pa, column)) for name, column in codes.items()]
    schema = pa.schema(fields)

    def write(file: BinaryIO) -> None:
        with parquet.ParquetWriter(file, schema) as writer:
            for batch in snapshot.batches():
                columns = [
                    *([getattr(entry, name) for entry in batch.entries] for name in ("id", "camera", *_TEXTS, *_TIMES)),
                    *([getattr(entry, name) for entry in batch.entries] for name in ("frame", "picture_sha256")),
                    [json.dumps(dict(entry.labels), ensure_ascii=False) for entry in batch.entries],
                    *(_arrow_values(name, column) for name, column in batch.codes.items()),
                ]
                arrays = [pa.array(values, kind) for values, (_, kind) in zip(columns, fields, strict=True)]
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema))

    with _refused_writes(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_file(path, write, mode=PRIVATE_FILE)


def _arrow_type(pa: Any, column: NDArray[Any]) -> Any:
    if column.dtype == np.uint8:
        return pa.binary(column.shape[1])
    return pa.list_(pa.float16() if column.dtype == np.float16 else pa.float32(), column.shape[1])


def _arrow_values(name: str, column: NDArray[Any]) -> Sequence[Any]:
    return list(column) if name == EMBEDDING else [row.tobytes() for row in column]


def export_faiss(snapshot: Snapshot, path: Path | str, code: str | None = None) -> list[Path]:
    """Write a FAISS index of one code, and beside it the ids by FAISS's numbers: ``people.faiss.ids.npy``.

    A binary code becomes an ``IndexBinaryFlat`` of its padded length (``faiss.read_index_binary``), which finds what
    exhaustive search finds; ``embedding`` an ``IndexFlatL2`` (``faiss.read_index``).

    Args:
        snapshot: its searchable entries are written, in gallery order.
        path: the index; an old one is replaced.
        code: which; None for the longest identity code.

    Returns:
        The two files.

    Raises:
        UsageError: the gallery has no such code.
        SwiftReIDError: faiss is missing, or a file could not be written.
    """
    try:
        import faiss
    except ImportError as error:
        raise SwiftReIDError("a FAISS index needs the package faiss-cpu: pip install 'swiftreid[bench]'") from error
    path = Path(path)
    longest = snapshot.table.spec.final if len(snapshot.table.spec) else EMBEDDING
    name = longest if code is None else code
    width = snapshot.table.column(name)[0].shape[1]
    index: Any = faiss.IndexFlatL2(width) if name == EMBEDDING else faiss.IndexBinaryFlat(8 * width)
    ids: list[str] = []
    for batch in snapshot.batches():
        rows = batch.codes[name]
        index.add(rows.astype(np.float32) if name == EMBEDDING else rows)
        ids += batch.ids
    content = faiss.serialize_index(index) if name == EMBEDDING else faiss.serialize_index_binary(index)
    beside = path.with_name(path.name + ".ids.npy")
    save_bytes(path, content.tobytes(), mode=PRIVATE_FILE)
    with _refused_writes(beside):
        write_file(beside, lambda file: np.save(file, np.array(ids, np.str_), allow_pickle=False), mode=PRIVATE_FILE)
    return [path, beside]

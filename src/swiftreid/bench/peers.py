"""Indexes of other packages as contenders: FAISS and usearch, each left out where its package is not installed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swiftreid.bench.codes import SyntheticCodes
from swiftreid.bench.contender import Contender, Offer, Ranked
from swiftreid.encoding.runtimes.contract import processors

FLAT = "faiss IndexBinaryFlat"
"""The baseline of all ratios."""

_BITS = 2048
_NEIGHBOURS = 16
_BREADTHS = (128, 512)
_PROBES = (16, 64, 256)
_GRAPH_STEP = 1_000_000
_POINTS_PER_LIST = 40  # FAISS warns below 39


def peer_offers(data: SyntheticCodes, k: int) -> list[Offer]:
    """FAISS and usearch indexes of the 2048-bit codes."""
    n = len(data.table)
    lists = 2 ** int(np.ceil(np.log2(max(1, n) ** 0.5)))
    training = min(n, _POINTS_PER_LIST * lists)
    return [
        Offer(FLAT, 256 * n, lambda: [_flat(data, k)]),
        Offer("faiss IndexBinaryIVF", 264 * n + 4 * _BITS * training, lambda: _inverted(data, k, lists, training)),
        Offer("faiss IndexBinaryHNSW", 420 * n, lambda: _faiss_graph(data, k), slow_to_build=True),
        Offer("usearch exact", 0, lambda: [_usearch_exact(data, k)]),
        Offer("usearch HNSW", 1100 * n, lambda: _usearch_graph(data, k), slow_to_build=True),
    ]


def _flat(data: SyntheticCodes, k: int) -> Contender:
    import faiss

    index = faiss.IndexBinaryFlat(_BITS)
    seconds = _built(lambda: index.add(_column(data)))
    return Contender(
        FLAT, _faiss_answer(index, data, k), 256, batched=True, build_seconds=seconds, insert=_faiss_insert(index, data)
    )


def _inverted(data: SyntheticCodes, k: int, lists: int, training: int) -> list[Contender]:
    import faiss

    column = _column(data)
    quantizer = faiss.IndexBinaryFlat(_BITS)
    empty = faiss.IndexBinaryIVF(quantizer, _BITS, lists)
    empty.cp.min_points_per_centroid = 1  # no warning on small galleries

    def build() -> None:
        empty.train(column[:training])  # the gallery is shuffled
        empty.add(column)

    index, seconds = _kept_faiss(empty, data, f"faiss-ivf{lists}", build)

    def with_probes(probes: int) -> Contender:
        def prepare() -> None:
            index.nprobe = probes

        return Contender(
            f"faiss IVF{lists} nprobe {probes}",
            _faiss_answer(index, data, k, prepare),
            256 + 8 + 256 * lists / len(data.table),
            batched=True,
            build_seconds=seconds,
            insert=_faiss_insert(index, data) if probes == _PROBES[0] else None,
        )

    return [with_probes(probes) for probes in _PROBES if probes <= lists]


def _faiss_graph(data: SyntheticCodes, k: int) -> list[Contender]:
    index, seconds = _grown_graph(data, f"faiss-hnsw{_NEIGHBOURS}")
    links = index.hnsw
    size = 256 + (4 * links.neighbors.size() + 8 * links.offsets.size() + 4 * links.levels.size()) / len(data.table)

    def with_breadth(breadth: int) -> Contender:
        def prepare() -> None:
            index.hnsw.efSearch = breadth

        return Contender(
            f"faiss HNSW{_NEIGHBOURS} ef {breadth}",
            _faiss_answer(index, data, k, prepare),
            size,
            batched=True,
            build_seconds=seconds,
            insert=_faiss_insert(index, data) if breadth == _BREADTHS[0] else None,
        )

    return [with_breadth(breadth) for breadth in _BREADTHS]


def _grown_graph(data: SyntheticCodes, name: str) -> tuple[Any, float]:
    """An HNSW index and its processor seconds.

    Ten million entries take hours: where codes are kept, the index is kept as it grows, and a build that was
    interrupted goes on.
    """
    import faiss

    column = _column(data)
    folder = None if data.folder is None else data.folder / name
    index: Any = faiss.IndexBinaryHNSW(_BITS, _NEIGHBOURS)
    seconds = 0.0
    if folder is not None:
        folder.mkdir(exist_ok=True)
        kept = max(folder.glob("index-*"), key=lambda path: int(path.name.split("-")[1]), default=None)
        if kept is not None:
            index = faiss.read_index_binary(str(kept))
            seconds = float(kept.name.split("-")[2])
    while index.ntotal < len(column):
        seconds += _built(partial(index.add, column[index.ntotal : index.ntotal + _GRAPH_STEP]))
        if folder is not None:
            before = list(folder.glob("index-*"))
            faiss.write_index_binary(index, str(folder / "unfinished"))
            # Its entries and seconds are in its name, so that they appear together.
            (folder / "unfinished").rename(folder / f"index-{index.ntotal}-{seconds:.3f}")
            for path in before:
                path.unlink()
    return index, seconds


def _usearch_exact(data: SyntheticCodes, k: int) -> Contender:
    from usearch.index import MetricKind, search

    column, queries = _column(data), data.queries["id2048"]

    def answer(first: int, count: int) -> Ranked:
        block = queries[first : first + count]
        found = search(column, block, min(k, len(column)), MetricKind.Hamming, exact=True, threads=1)
        return _keys(found, count)

    return Contender("usearch exact", answer, 256)


def _usearch_graph(data: SyntheticCodes, k: int) -> list[Contender]:
    from usearch.index import Index, MetricKind, ScalarKind

    column, queries = _column(data), data.queries["id2048"]
    index = Index(ndim=_BITS, metric=MetricKind.Hamming, dtype=ScalarKind.B1, connectivity=_NEIGHBOURS)
    seconds = _kept(
        data,
        f"usearch-hnsw{_NEIGHBOURS}",
        lambda: index.add(np.arange(len(column)), column, threads=processors()),
        lambda path: index.save(str(path)),
        lambda path: index.load(str(path)),
    )
    size = index.serialized_length / len(column)  # what it holds; its arena is larger

    def insert() -> object:
        return index.add(len(index), queries[0], threads=1)

    def with_breadth(breadth: int) -> Contender:
        def answer(first: int, count: int) -> Ranked:
            index.expansion_search = breadth
            return _keys(index.search(queries[first : first + count], k, threads=1), count)

        return Contender(
            f"usearch HNSW{_NEIGHBOURS} ef {breadth}",
            answer,
            size,
            batched=True,
            build_seconds=seconds,
            insert=insert if breadth == _BREADTHS[0] else None,
        )

    return [with_breadth(breadth) for breadth in _BREADTHS]


def _keys(found: Any, count: int) -> Ranked:
    keys: NDArray[np.int64] = np.asarray(found.keys).astype(np.int64).reshape(count, -1)
    return keys


def _column(data: SyntheticCodes) -> NDArray[np.uint8]:
    return data.table.column("id2048")[0]


def _kept(
    data: SyntheticCodes,
    name: str,
    build: Callable[[], object],
    save: Callable[[Path], object],
    load: Callable[[Path], object],
) -> float:
    """Processor seconds that the index took to build, now or, where it is kept beside the codes, by an earlier run."""
    if data.folder is None:
        return _seconds(build)
    folder = data.folder / name
    built, index = folder / "seconds.json", folder / "index"
    if built.is_file():
        load(index)
        return float(json.loads(built.read_text(encoding="ascii")))
    seconds = _seconds(build)
    folder.mkdir(exist_ok=True)
    save(index)
    built.write_text(json.dumps(seconds), encoding="ascii")  # last: an index cut short is never read
    return seconds


def _seconds(work: Callable[[], object]) -> float:
    """Of all processors together: unlike wall time it says the same on a busy machine."""
    start = time.process_time()
    work()
    return time.process_time() - start


def _kept_faiss(empty: Any, data: SyntheticCodes, name: str, build: Callable[[], object]) -> tuple[Any, float]:
    """The built index and its seconds."""
    import faiss

    held = [empty]

    def load(path: Path) -> None:
        held[0] = faiss.read_index_binary(str(path))

    seconds = _kept(data, name, lambda: _built(build), lambda path: faiss.write_index_binary(empty, str(path)), load)
    return held[0], seconds


def _built(build: Callable[[], object]) -> float:
    """Processor seconds of a FAISS build on all processors; searches afterwards run on one thread."""
    import faiss

    faiss.omp_set_num_threads(processors())
    seconds = _seconds(build)
    faiss.omp_set_num_threads(1)
    return seconds


def _faiss_answer(
    index: Any, data: SyntheticCodes, k: int, prepare: Callable[[], None] = lambda: None
) -> Callable[[int, int], Ranked]:
    queries = data.queries["id2048"]

    def answer(first: int, count: int) -> Ranked:
        prepare()
        found: NDArray[np.int64] = index.search(queries[first : first + count], k)[1]
        return found

    return answer


def _faiss_insert(index: Any, data: SyntheticCodes) -> Callable[[], object]:
    return lambda: index.add(data.queries["id2048"][:1])

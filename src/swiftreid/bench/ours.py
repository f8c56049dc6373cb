"""Our engine as contenders: exhaustive, coarse to fine, closest shares; on one and two threads and on every kernel."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from swiftreid.bench.codes import NAMES, SyntheticCodes
from swiftreid.bench.contender import Contender, Ranked
from swiftreid.errors import UsageError
from swiftreid.search import kernels
from swiftreid.search.cascade import Cascade
from swiftreid.search.codes import row_bytes_of
from swiftreid.search.inverted_lists import InvertedLists
from swiftreid.search.storage import bytes_per_entry
from swiftreid.search.table import CodeTable

THRESHOLDS = {"id32": 11, "id128": 45, "id512": 195}
TIGHT_THRESHOLDS = {"id32": 9, "id128": 40, "id512": 175}
LISTS = {
    "inverted lists 0.3, 10/45/195": "id128:nprobe=0.3 > id32<=10 > id128<=45 > id512<=195 > id2048",
    "inverted lists 0.5, 11/48/195": "id128:nprobe=0.5 > id32<=11 > id128<=48 > id512<=195 > id2048",
}
"""Where a first stage that looks at every entry is too slow."""
LISTS_ENTRIES = 500_000
SPLIT_ENTRIES = 1_000_000
"""Up to here the codes are kept a second time, where NumPy would have put them."""
SHARES = (0.2, 0.1, 0.05, 0.02, 0.01)
_REFERENCE_ENTRIES = 20_000


def cascade_text(thresholds: dict[str, int]) -> str:
    """The coarse-to-fine cascade with these thresholds, ending with the 2048-bit code."""
    return " > ".join([*(f"{name}<={limit}" for name, limit in thresholds.items()), "id2048"])


CTF = cascade_text(THRESHOLDS)
TIGHT = cascade_text(TIGHT_THRESHOLDS)
SEARCHES = {
    "exhaustive": "id2048",
    "CtF 11/45/195": CTF,
    "CtF 9/40/175": TIGHT,
    "certified 1e-6": "id2048:miss=1e-6",
}
"""The searches that everything is compared by: name in tables, cascade as text."""


def check_cascades(texts: Sequence[str]) -> None:
    """Refuse cascades before hours are spent on indexes.

    Raises:
        UsageError: one cannot be read, or compares a code that the benchmark does not have.
    """
    for text in texts:
        for code in Cascade.parse(text).codes:
            if code not in NAMES:
                raise UsageError(f"the cascade {text!r} compares {code}; the benchmark has {' '.join(NAMES)}")


def our_contenders(data: SyntheticCodes, k: int, extra: Sequence[str] = ()) -> list[Contender]:
    """Our engine in all its ways, and further cascades given as text."""
    best = kernels.active_kernel()
    others = [kernel for kernel in kernels.available_kernels() if kernel != best]
    lists = LISTS if len(data.table) >= LISTS_ENTRIES else {}
    made = _Made(data.table)
    rows = [
        our_contender(data, k, name, text, best, batched=True, made=made)
        for name, text in [*SEARCHES.items(), *lists.items(), *((text, text) for text in extra)]
    ]
    rows += [
        our_contender(data, k, f"closest {share:g}", f"id32:share={share:g} > id2048", best, batched=share == SHARES[0])
        for share in SHARES
    ]
    rows += [
        our_contender(data, k, name, text, best, threads=2, batched=True, made=made) for name, text in SEARCHES.items()
    ]
    if len(data.table) <= SPLIT_ENTRIES:
        rows.append(our_contender(_split(data), k, "CtF 11/45/195, split lines", CTF, best, batched=True))
    for kernel in others:
        if kernel != "reference" or len(data.table) <= _REFERENCE_ENTRIES:
            rows += [our_contender(data, k, f"{name}, {kernel}", SEARCHES[name], kernel) for name in list(SEARCHES)[:2]]
    return rows


def our_contender(
    data: SyntheticCodes,
    k: int,
    name: str,
    text: str,
    kernel: str,
    *,
    threads: int = 1,
    batched: bool = False,
    made: _Made | None = None,
) -> Contender:
    """One cascade of ours on one kernel."""
    cascade, table, build = Cascade.parse(text), data.table, None
    made = made or _Made(data.table)
    if cascade.stages[0].keep == "nprobe":
        table, build = made.with_lists(cascade.stages[0].code)
    elif cascade.stages[0].miss:
        build = made.sample(cascade.stages[0].code)

    def answer(first: int, count: int) -> Ranked:
        block = {code: data.queries[code][first : first + count] for code in cascade.codes}
        return cascade.search(table, block, k=k, threads=threads, kernel=kernel).indices

    return Contender(
        f"ours {name}" + (f", {threads} threads" if threads > 1 else ""),
        answer,
        bytes_per_entry(cascade),
        build_seconds=build,
        batched=batched,
        threads=threads,
        by_id2048=cascade.stages[-1].code == "id2048",
        insert=_Tail(data) if name == "CtF 11/45/195" and threads == 1 else None,
    )


def _split(data: SyntheticCodes) -> SyntheticCodes:
    """The same codes in memory that begins 16 bytes behind a line of the caches: rows of 64 bytes lie in two lines."""
    columns = {}
    for name in data.table.names:
        column = data.table.column(name)[0]
        memory = kernels.aligned(column.nbytes + 16)[16:]
        columns[name] = memory.reshape(column.shape)
        columns[name][:] = column
    return replace(data, table=CodeTable(columns))


class _Made:
    """What searches need besides codes, and the processor seconds that making it took; made once for each code."""

    def __init__(self, table: CodeTable) -> None:
        self._table = table
        self._lists: dict[str, tuple[CodeTable, float]] = {}
        self._samples: dict[str, float] = {}

    def with_lists(self, code: str) -> tuple[CodeTable, float]:
        """The table with inverted lists by a code."""
        if code not in self._lists:
            start = time.process_time()
            made = InvertedLists.fit(code, self._table.column(code)[0]).arrange(self._table)
            self._lists[code] = made, time.process_time() - start
        return self._lists[code]

    def sample(self, code: str) -> float:
        """Have the table keep the samples that certified search reads."""
        if code not in self._samples:
            start = time.process_time()
            self._table.native_sample(code)
            self._samples[code] = time.process_time() - start
        return self._samples[code]


class _Tail:
    """Appends one entry to a growing segment behind the table, as a gallery does in memory; nothing is made durable."""

    def __init__(self, data: SyntheticCodes, room: int = 4096) -> None:
        self._data = data
        self._rows = {name: np.empty((room, row_bytes_of(name)), np.uint8) for name in data.table.names}
        self._used, self._room = 0, room

    def __call__(self) -> CodeTable:
        at = self._used % self._room
        for name, rows in self._rows.items():
            rows[at] = self._data.queries[name][0]
        self._used += 1
        tail = CodeTable({name: rows[: at + 1] for name, rows in self._rows.items()})
        return CodeTable.from_segments([self._data.table, tail])

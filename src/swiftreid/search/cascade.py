"""Coarse-to-fine search: short codes first, longer ones for what is left (methods.md, sections 1 AFR and 2 CtF)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import UsageError
from swiftreid.search import engine, kernels
from swiftreid.search.certified import BitSample
from swiftreid.search.codes import bits_of, check_packed, row_bytes_of
from swiftreid.search.job import Job, JobResult, Order
from swiftreid.search.list_groups import TableLists
from swiftreid.search.numbers import whole_number
from swiftreid.search.results import SearchReport, SearchResult, StageReport
from swiftreid.search.segment import LARGEST
from swiftreid.search.stages import EMBEDDING, Stage
from swiftreid.search.table import CodeTable

__all__ = ["Cascade", "Stage"]

MAX_STAGES = 8
_BYTES = np.dtype(np.uint8)


@dataclass(frozen=True)
class Cascade:
    """An ordered list of stages. One stage is exhaustive search; two with a top rule are AFR; more are CtF.

    A stage compares the entries that the stage before kept (the first: all that the mask allows) and keeps those that
    its rule passes. Results are ordered by the distance of the last stage, then by gallery position, whatever the
    kernel, the number of threads or the layout of segments.

    Example:
        >>> table = CodeTable({"id32": np.array([[1, 0, 0, 0], [7, 0, 0, 0]], np.uint8)})
        >>> Cascade([Stage("id32")]).search(table, {"id32": np.zeros((1, 4), np.uint8)}, k=2).distances
        array([[1, 3]], dtype=int32)

    Raises:
        UsageError: no stage, or more than 8, or something that is no `Stage`, or stages that do not go together.
    """

    stages: tuple[Stage, ...]

    def __init__(self, stages: Iterable[Stage]) -> None:
        object.__setattr__(self, "stages", _stages(stages))
        if not 1 <= len(self.stages) <= MAX_STAGES:
            raise UsageError(f"a cascade has 1 to {MAX_STAGES} stages, got {len(self.stages)}")
        if any(stage.code == EMBEDDING for stage in self.stages[:-1]):
            raise UsageError(f"the embedding can only be the last stage of a cascade, not as in {self}")
        if any(stage.keep == "nprobe" for stage in self.stages[1:]):
            raise UsageError(f"only the first stage of a cascade can probe inverted lists: {self}")
        if self.stages[0].keep == "nprobe" and not (
            len(self.stages) > 2
            and self.stages[1].threshold is not None
            and bits_of(self.stages[1].code) <= 8 * kernels.MAX_SLICED_BYTES
        ):
            raise UsageError(
                f"behind the probing stage there must be a stage with a threshold, of a code of at most "
                f"{8 * kernels.MAX_SLICED_BYTES} bits, and one more stage; not {self}"
            )
        if len(self.stages) > 1 and any(stage.keep == "certified" for stage in self.stages):
            raise UsageError(f"a stage with a chance to miss is a cascade of its own: {self}")
        if self.stages[-1].whole_ties:
            raise UsageError(f"the last stage can't keep whole ties, because k ends its results: {self}")

    @classmethod
    def parse(cls, text: str) -> Cascade:
        """Read the text form: stages separated by ``>``, as in ``id32<=11 > id128:top=100 > id2048``.

        A stage is a code name, alone or with one rule: ``id32<=11``, ``id32:top=1000``, ``id32:share=0.2``.

        Raises:
            UsageError: it is no text, or cannot be read; the message names the stage.
        """
        given: object = text  # whatever the annotation says
        if not isinstance(given, str):
            raise UsageError(f"Cascade.parse reads text such as 'id32<=11 > id2048', got {given!r}")
        return cls(Stage.parse(part) for part in given.split(">"))

    def __str__(self) -> str:
        return " > ".join(map(str, self.stages))

    def __getstate__(self) -> dict[str, Any]:
        return {"stages": self.stages}  # native rules are made again where it is opened

    @cached_property
    def codes(self) -> tuple[str, ...]:
        """Names of the codes that the cascade compares, each once, in order."""
        return tuple(dict.fromkeys(stage.code for stage in self.stages))

    def search(
        self,
        table: CodeTable,
        queries: Mapping[str, NDArray[Any]],
        k: int = 100,
        *,
        threads: int = 1,
        mask: NDArray[np.bool_] | NDArray[np.uint8] | None = None,
        min_candidates: int | None = None,
        weights: Mapping[str, NDArray[np.uint8]] | None = None,
        kernel: str | None = None,
    ) -> SearchResult:
        """The ``k`` best entries for each query.

        Args:
            table: codes of n entries.
            queries: for each code of the cascade, uint8 [q, row bytes], and for the embedding floats [q, size]; further
                codes are ignored.
            k: how many results for each query, at least 1.
            threads: how many threads work: on a query each, or on parts of the gallery where queries are few.
            mask: which entries may be found: bool [n], or the same packed by
                ``numpy.packbits(mask, bitorder="little")``, uint8 [ceil(n / 8)].
            min_candidates: at every stage but the last, if fewer entries would pass (and more came in), a threshold
                rises to the smallest distance that lets this many pass, ties included, and top and share keep this
                many. Default: k; the last stage then always has k entries to order if that many are live.
            weights: for codes of at most 192 bits, how much each bit counts: uint8 [q, bits]. A distance is then the
                sum of the weights of the bits that differ. A bit with weight 0 does not count (see
                `swiftreid.search.description`). Stages of such a code have no threshold.
            kernel: forces a kernel (see `kernels.active_kernel`).

        Returns:
            `SearchResult` of width k. A rule on the last stage limits results: rows then may be shorter than k.

        Raises:
            UsageError: a code is missing or has the wrong width, or an argument is out of range.
        """
        k = whole_number("k", k, 1)
        least = k if min_candidates is None else whole_number("min_candidates", min_candidates, 0)
        return self._run(
            table,
            queries,
            order="search",
            k=k,
            threads=threads,
            mask=mask,
            min_candidates=least,
            weights={} if weights is None else weights,
            kernel=kernel,
        )

    def rank(
        self,
        table: CodeTable,
        queries: Mapping[str, NDArray[Any]],
        *,
        threads: int = 1,
        mask: NDArray[np.bool_] | NDArray[np.uint8] | None = None,
        min_candidates: int = 0,
        ties: Literal["gallery", "stages"] = "gallery",
        weights: Mapping[str, NDArray[np.uint8]] | None = None,
        kernel: str | None = None,
    ) -> SearchResult:
        """All live entries in coarse-to-fine order, for evaluation.

        Entries that were refined furthest come first, by the distance of the last stage; then those that stopped at
        the stage before, by that stage's distance; and so on. Takes 13 bytes for each query and entry: rank queries in
        blocks when there are many.

        Args:
            table: codes of n entries.
            queries: as for `search`.
            threads: as for `search`.
            mask: as for `search`.
            min_candidates: as for `search`; the default 0 applies the rules as they stand, as the CtF paper does.
            ties: order among equal distances: ``gallery`` position, or the order of the ``stages`` before (as the
                released CtF code has it), then gallery position.
            weights: as for `search`.
            kernel: as for `search`.

        Returns:
            `SearchResult` of a width that is the number of live entries. A rule on the last stage changes only the
            report.

        Raises:
            UsageError: as for `search`.
        """
        if ties not in ("gallery", "stages"):
            raise UsageError(f"ties must be 'gallery' or 'stages', got {ties!r}")
        least = whole_number("min_candidates", min_candidates, 0)
        return self._run(
            table,
            queries,
            order=ties,
            k=None,
            threads=threads,
            mask=mask,
            min_candidates=least,
            weights={} if weights is None else weights,
            kernel=kernel,
        )

    def _run(
        self,
        table: CodeTable,
        queries: Mapping[str, NDArray[Any]],
        *,
        order: Order,
        k: int | None,
        threads: int,
        mask: NDArray[np.bool_] | NDArray[np.uint8] | None,
        min_candidates: int,
        weights: Mapping[str, NDArray[np.uint8]],
        kernel: str | None,
    ) -> SearchResult:
        if not isinstance(table, CodeTable):
            raise UsageError(f"search in a CodeTable, not a {type(table).__name__}: CodeTable(codes) makes one")
        entries = len(table)
        codes = self._queries(queries)
        if EMBEDDING in codes and codes[EMBEDDING].shape[1] != table.column(EMBEDDING)[0].shape[1]:
            raise UsageError(
                f"the queries' embeddings have {codes[EMBEDDING].shape[1]} numbers, the table's "
                f"{table.column(EMBEDDING)[0].shape[1]}: encode both with one encoder"
            )
        lists = _lists(table, self.stages[0]) if self.stages[0].keep == "nprobe" else None
        if lists is not None and order != "search":
            raise UsageError(f"a full ranking compares every entry: leave nprobe out of {self}")
        sample = None
        if self.stages[0].miss is not None:
            if k is None:
                raise UsageError(f"a full ranking compares every whole code: leave miss out of {self}")
            code = self.stages[0].code
            sample = BitSample.of(code, codes[code], self.stages[0].miss / k)
        live = None if mask is None else _bitmap(mask, entries)
        width = k if k is not None else (entries if live is None else int(np.bitwise_count(live).sum()))
        job = Job(
            self.stages,
            self._rules,
            table,
            lists,
            sample,
            [codes[stage.code] for stage in self.stages],
            self._weights(weights, len(codes[self.stages[0].code])),
            live,
            width,
            min_candidates,
            order,
            whole_number("threads", threads, 1),
        )
        answer = engine.run(job, kernel)
        report = SearchReport(partial(_reports, job, answer))
        distances: NDArray[np.int32] | NDArray[np.float32] = answer.distances
        if self.stages[-1].code == EMBEDDING:
            distances = _with_floats(answer, len(self.stages) - 1)
        return SearchResult(answer.indices, distances, answer.stages, answer.counts, report)

    def _weights(self, given: Mapping[str, NDArray[np.uint8]], queries: int) -> list[NDArray[np.uint8] | None]:
        """Weights of each stage's bits, with zeros for padding bits."""
        if not given:
            return [None] * len(self.stages)
        padded = {}
        if not isinstance(given, Mapping):
            raise UsageError(f"weights are of codes by name, not {type(given).__name__}")
        for name, weights in given.items():
            stages = [stage for stage in self.stages if stage.code == name]
            if not stages:
                raise UsageError(f"weights are given for {name}, which the cascade {self} does not compare")
            bits, most = bits_of(name) if name != EMBEDDING else 0, 8 * kernels.MAX_SLICED_BYTES
            if not 0 < bits <= most:
                raise UsageError(f"only codes of at most {most} bits take weights, not {name}")
            if any(stage.keep in ("threshold", "nprobe") for stage in stages):
                raise UsageError(f"a stage with weights keeps a top or a share, or all: {self}")
            shape, kind = getattr(weights, "shape", None), getattr(weights, "dtype", type(weights).__name__)
            if kind != np.uint8 or shape != (queries, bits):
                raise UsageError(f"weights of {name} must be uint8 of shape ({queries}, {bits}), got {kind} of {shape}")
            padded[name] = np.zeros((queries, 8 * row_bytes_of(name)), np.uint8)
            padded[name][:, :bits] = weights
        return [padded.get(stage.code) for stage in self.stages]

    @cached_property
    def _rules(self) -> Any:
        return kernels.native_rules(self.stages)

    @cached_property
    def _shapes(self) -> dict[str, tuple[int]]:
        """Of one row of each code."""
        return {name: (row_bytes_of(name),) for name in self.codes if name != EMBEDDING}

    def _queries(self, queries: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        found: dict[str, NDArray[Any]] = {}
        counts: set[int] = set()
        if type(queries) is not dict and not isinstance(queries, Mapping):
            raise UsageError(
                f"queries map code names to arrays; got a {type(queries).__name__} (of an Encoding, pass .codes)"
            )
        for name in self.codes:
            if name not in queries:
                raise UsageError(
                    f"the cascade {self} needs the code {name} of the queries; given: {', '.join(queries)}"
                )
            code = queries[name]
            if name == EMBEDDING:
                found[name] = _vectors(code)
                counts.add(len(code))
                continue
            if isinstance(code, np.ndarray) and code.ndim == 1:
                raise UsageError(
                    f"queries of code {name} must have shape [q, row bytes]; for one query pass code[None]"
                )
            # The usual case first: a search takes little longer than the checks of its arguments.
            if type(code) is not np.ndarray or code.dtype != _BYTES or code.shape[1:] != self._shapes[name]:
                check_packed(name, code)
            counts.add(len(code))
            found[name] = code if code.flags.c_contiguous else np.ascontiguousarray(code)
        if len(counts) > 1:
            raise UsageError(f"codes have different numbers of queries: { {n: len(c) for n, c in found.items()} }")
        return found


def _stages(given: object) -> tuple[Stage, ...]:
    if isinstance(given, str):
        raise UsageError(f"a cascade is made of Stage objects, got the text {given!r}: read it with Cascade.parse")
    if not isinstance(given, Iterable):
        raise UsageError(f"a cascade is made of several Stage objects, got {given!r}: write Cascade([Stage(...), ...])")
    stages = tuple(given)
    for number, stage in enumerate(stages, 1):
        if not isinstance(stage, Stage):
            raise UsageError(
                f"stage {number} of the cascade must be a Stage, got {stage!r}: write Stage(...), or read the whole "
                "cascade from text with Cascade.parse"
            )
    return stages


def _vectors(given: NDArray[Any]) -> NDArray[np.float32]:
    """Embeddings of queries as float32 [q, size]."""
    kind, shape = getattr(given, "dtype", type(given).__name__), getattr(given, "shape", None)
    if not isinstance(given, np.ndarray) or given.ndim != 2 or not np.issubdtype(given.dtype, np.floating):
        raise UsageError(f"embeddings of queries must be floats of shape [q, size], got {kind} of shape {shape}")
    with np.errstate(over="ignore"):  # what becomes infinite is refused
        vectors = np.ascontiguousarray(given, np.float32)
    if not (np.abs(vectors) <= LARGEST).all():
        raise UsageError(
            f"an embedding of the queries holds NaN, infinity or a number beyond {LARGEST:g}, so it is at no distance "
            "from anything"
        )
    return vectors


def _with_floats(answer: JobResult, last: int) -> NDArray[np.float32]:
    """Distances where those of stage ``last`` are stored as the bits of a float32."""
    distances: NDArray[np.float32] = answer.distances.astype(np.float32)
    return np.where(answer.stages == last, answer.distances.view(np.float32), distances)


def _reports(job: Job, answer: JobResult) -> list[StageReport]:
    figures = zip(job.stages, *answer.figures.tolist(), strict=True)
    queries = len(answer.counts)
    reports = []
    for stage, came_in, kept, seconds in figures:
        rows = job.table.column(stage.code)[0]
        width = rows.shape[1] * rows.dtype.itemsize
        reports.append(StageReport(stage.code, str(stage), queries, int(came_in), int(kept), seconds, width))
    return reports


def _lists(table: CodeTable, stage: Stage) -> TableLists:
    if table.lists is None or table.lists.code != stage.code:
        raise UsageError(
            f"the stage {stage} needs a table with inverted lists by {stage.code}: "
            f'table = InvertedLists.fit("{stage.code}", ...).arrange(table)'
        )
    return table.lists


def _bitmap(mask: NDArray[np.bool_] | NDArray[np.uint8], entries: int) -> NDArray[np.uint8]:
    """The mask packed, with the unused bits of its last byte cleared."""
    shape, kind = getattr(mask, "shape", None), getattr(mask, "dtype", type(mask).__name__)
    if kind == np.bool_ and shape == (entries,):
        return np.packbits(mask, bitorder="little")
    if kind == np.uint8 and shape == ((entries + 7) // 8,):
        bitmap: NDArray[np.uint8] = np.array(mask, np.uint8)
        if entries % 8:
            bitmap[-1] &= (1 << entries % 8) - 1
        return bitmap
    raise UsageError(
        f"mask must be bool of shape ({entries},) or its packed form, uint8 of shape ({(entries + 7) // 8},); "
        f"got {kind} of shape {shape}"
    )

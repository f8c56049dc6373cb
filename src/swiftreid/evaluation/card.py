"""Result cards: one JSON file that says what was measured, on what, how, and with which versions."""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from swiftreid.data.fingerprint import fingerprint_of
from swiftreid.data.samples import NOBODY, SPLITS, ReidData, persons_of
from swiftreid.durable import save_bytes
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.evaluation.attributes import AttributeScore
from swiftreid.evaluation.confidence import bootstrap_intervals
from swiftreid.evaluation.metrics import ApRule
from swiftreid.evaluation.protocol import EmptyRule, Metrics

FORMAT: Final = 2
"""Version of the card's format; a card of a newer one is refused, one of format 1 lacks what came with 2."""

CMC_RANKS: Final = 50
"""Length of a row's CMC curve."""

Share = Annotated[float, Field(ge=0, le=1)]

Domain = Literal["same pictures", "same data set", "cross-domain", "unknown"]

_PACKAGES = ("swiftreid", "numpy", "pillow", "simplejpeg", "torch", "onnxruntime", "openvino")


_LIST_OF_NUMBERS = re.compile(r"\[\n[-+.\deE,\snul]+\]")  # a text in JSON holds no line break


class _CardPart(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataCard(_CardPart):
    """The data set that was measured on.

    Attributes:
        name: its name.
        fingerprint: see `swiftreid.data.fingerprint.fingerprint_of`.
        pictures: split -> number of pictures.
        persons: split -> number of different people; junk and distractors are not counted.
    """

    name: str
    fingerprint: str
    pictures: dict[str, int]
    persons: dict[str, int]

    @classmethod
    def of(cls, data: ReidData, *, distractors: bool = False, multi_query: bool = False) -> DataCard:
        """Describe a data set, with the parts that were used besides; reads file sizes, no pictures."""
        return cls(
            name=data.name,
            fingerprint=fingerprint_of(data, distractors=distractors, multi_query=multi_query),
            pictures={split: len(data.split(split)) for split in SPLITS},
            persons={split: len(set(persons_of(data.split(split)).tolist()) - NOBODY) for split in SPLITS},
        )


class UnreadableFile(_CardPart):
    """A picture that could not be read and was left out: its path relative to the data set's folder, and why."""

    file: str
    reason: str


class EvaluatedEncoder(_CardPart):
    """The encoder that was measured: its name, the fingerprint of its artefact, and what it learnt from.

    Attributes:
        name: its name.
        fingerprint: equal fingerprints mean comparable codes.
        trained_on: what its own card says that it was trained or fitted on.
        domain: whether that is the same pictures as measured on, other people of their data set, another one, or not
            known.
    """

    name: str
    fingerprint: str
    trained_on: str = ""
    domain: Domain = "unknown"


class ProtocolCard(_CardPart):
    """How rankings were evaluated, in words and in fields that can be compared.

    Attributes:
        words: all of it, for people.
        cross_camera: whether pictures by the query's own camera were ignored.
        empty: what was done with queries without a good match.
        queries: queries with a good match.
        skipped: queries without one.
        multi_query: whether pictures of the query's person and camera were pooled into one query.
        distractors: number of further gallery pictures of people who are in no query.
        ap: the definition of average precision that the headline mAP is by; a row holds both.
    """

    words: str
    cross_camera: bool
    empty: EmptyRule
    queries: int
    skipped: int
    multi_query: bool = False
    distractors: int = 0
    ap: ApRule = "standard"

    @classmethod
    def of(
        cls, metrics: Metrics, *, multi_query: bool = False, distractors: int = 0, ap: ApRule = "standard"
    ) -> ProtocolCard:
        """The protocol that made these figures."""
        words = metrics.protocol
        if multi_query:
            words = words.replace("single query", "multi query (pictures of the query's person and camera pooled)", 1)
        return cls(
            words=f"{words}; {distractors:,} distractors added" if distractors else words,
            cross_camera=metrics.cross_camera,
            empty=metrics.empty,
            queries=metrics.valid,
            skipped=metrics.skipped,
            multi_query=multi_query,
            distractors=distractors,
            ap=ap,
        )


class PerQuery(_CardPart):
    """Figures of each query, in the order of the card's ``queries``; null where a query is left out.

    Attributes:
        ap_standard: standard average precision.
        ap_trapezoid: trapezoidal average precision.
        ap_short_list: average precision over the short list; empty in cards from before there was one.
        inp: inverse negative penalty.
        first_match: rank of the first good match, from 1; 0 where there is none.
    """

    ap_standard: list[float | None]
    ap_trapezoid: list[float | None]
    inp: list[float | None]
    first_match: list[int]
    ap_short_list: list[float | None] = Field(default_factory=list)

    @classmethod
    def of(cls, metrics: Metrics) -> PerQuery:
        """The figures of each query of `Metrics`."""
        return cls(
            ap_standard=_or_null(metrics.ap_standard),
            ap_trapezoid=_or_null(metrics.ap_trapezoid),
            ap_short_list=_or_null(metrics.ap_short_list),
            inp=_or_null(metrics.inp),
            first_match=metrics.first_match.tolist(),
        )


def _or_null(values: NDArray[np.float64]) -> list[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]


def confidence_of(metrics: Metrics) -> dict[str, tuple[float, float]]:
    """95 % bootstrap intervals over the counted queries of rank-1, the mAPs and mINP; see `bootstrap_intervals`."""
    counted = ~np.isnan(metrics.inp)
    figures = {
        "rank1": (metrics.first_match == 1).astype(float),
        "map_standard": metrics.ap_standard,
        "map_trapezoid": metrics.ap_trapezoid,
        "map_short_list": metrics.ap_short_list,
        "minp": metrics.inp,
    }
    ends = bootstrap_intervals(np.stack([values[counted] for values in figures.values()]))
    return {name: (float(low), float(high)) for name, (low, high) in zip(figures, ends, strict=True)}


class ResultRow(_CardPart):
    """Figures of one way of ranking; shares are from 0 to 1.

    Attributes:
        ranking: the way, such as "id2048 exhaustive".
        rank1: share of queries with a good match at rank 1; likewise `rank5` and `rank10`.
        rank5: see `rank1`.
        rank10: see `rank1`.
        map_standard: mean of the standard average precision.
        map_trapezoid: mean of Market-1501's trapezoidal average precision.
        map_short_list: mean of the average precision over the short list (`swiftreid.evaluation.protocol.Metrics`);
            None in cards from before there was one.
        minp: mean inverse negative penalty.
        incomplete: queries with a ranking that missed at least one good match.
        bytes_per_entry: what an entry takes in memory for this search, bytes.
        microseconds_per_query: time of one query for the 100 best, or None where it was not measured; see
            `Measured.microseconds`.
        extra: further figures by name.
        cmc: share of queries with a good match at rank 1, 2, ... 50 or better.
        confidence: 95 % bootstrap intervals over queries, for rank1, the mAPs and minp.
        tar_at_far: share of pairs of the same person accepted, by the share of pairs of different people wrongly
            accepted ("0.001"); levels that there are too few such pairs for are missing.
        codes: what the ranking compares, in order.
        full_ranking_microseconds: time of one query for distances to, and sorting of, the whole gallery, as papers
            report it; None where it was not measured.
        per_query: the figures of each query, or None where they were left out.
    """

    ranking: str
    rank1: Share
    rank5: Share
    rank10: Share
    map_standard: Share
    map_trapezoid: Share
    minp: Share
    incomplete: int = 0
    bytes_per_entry: int | None = None
    microseconds_per_query: float | None = Field(default=None, ge=0)
    extra: dict[str, float | int | str] = Field(default_factory=dict)
    cmc: list[Share] = Field(default_factory=list)
    confidence: dict[str, tuple[float, float]] = Field(default_factory=dict)
    tar_at_far: dict[str, float] = Field(default_factory=dict)
    codes: list[str] = Field(default_factory=list)
    full_ranking_microseconds: float | None = Field(default=None, ge=0)
    map_short_list: Share | None = None
    per_query: PerQuery | None = None

    @classmethod
    def of(
        cls,
        ranking: str,
        metrics: Metrics,
        *,
        bytes_per_entry: int | None = None,
        microseconds_per_query: float | None = None,
        full_ranking_microseconds: float | None = None,
        extra: dict[str, float | int | str] | None = None,
        tar_at_far: dict[str, float] | None = None,
        codes: Sequence[str] = (),
        per_query: bool = True,
    ) -> ResultRow:
        """A row from `Metrics`, which must hold ranks up to 10."""
        return cls(
            ranking=ranking,
            rank1=metrics.rank(1),
            rank5=metrics.rank(5),
            rank10=metrics.rank(10),
            map_standard=metrics.map_standard,
            map_trapezoid=metrics.map_trapezoid,
            map_short_list=metrics.map_short_list,
            minp=metrics.minp,
            incomplete=metrics.incomplete,
            bytes_per_entry=bytes_per_entry,
            microseconds_per_query=microseconds_per_query,
            extra=extra or {},
            cmc=metrics.cmc[:CMC_RANKS].tolist(),
            confidence=confidence_of(metrics),
            tar_at_far=tar_at_far or {},
            codes=list(codes),
            full_ranking_microseconds=full_ranking_microseconds,
            per_query=PerQuery.of(metrics) if per_query else None,
        )


def software_versions() -> dict[str, str]:
    """Versions of Python and of the installed packages that figures depend on; nothing is imported."""
    versions = {"python": platform.python_version(), "machine": platform.machine()}
    for package in _PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return versions


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


class ResultCard(_CardPart):
    """Everything needed to understand, repeat and compare one evaluation.

    Attributes:
        format: version of this format.
        created: time in UTC, ISO 8601.
        software: package -> version.
        data: the data set.
        encoder: the encoder, or None where codes came from elsewhere.
        seed: the seed of whatever was random, or None.
        protocol: how rankings were evaluated.
        unreadable: pictures of the data set that could not be read and were left out.
        unreadable_files: those pictures, and why.
        rows: one per way of ranking.
        attributes: how well each attribute of gallery pictures was predicted, if the encoder and the data set have it.
        queries: path of each query relative to the data set's folder, in the order of the rows' per-query figures;
            those left unread are not among them.
        notes: what the reader of the data set decided that a figure depends on.
        run: the options of the run that made the card.
    """

    format: Literal[1, 2] = FORMAT
    created: str = Field(default_factory=_now)
    software: dict[str, str] = Field(default_factory=software_versions)
    data: DataCard
    encoder: EvaluatedEncoder | None = None
    seed: int | None = None
    protocol: ProtocolCard
    unreadable: int = 0
    unreadable_files: list[UnreadableFile] = Field(default_factory=list)
    rows: list[ResultRow]
    attributes: list[AttributeScore] = Field(default_factory=list)
    queries: list[str] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
    run: dict[str, Any] = Field(default_factory=dict)

    def row(self, ranking: str) -> ResultRow | None:
        """The row of that ranking, if there is one."""
        return next((row for row in self.rows if row.ranking == ranking), None)

    def find(self, text: str) -> ResultRow:
        """The row of a ranking by its name, or by a part of the name that no other one has (in any case).

        Raises:
            UsageError: there is no such ranking, or several; the message names those there are.
        """
        if (exact := self.row(text)) is not None:
            return exact
        rows = [row for row in self.rows if text.casefold() in row.ranking.casefold()]
        if len(rows) == 1:
            return rows[0]
        there = ", ".join(repr(row.ranking) for row in rows or self.rows)
        if rows:
            raise UsageError(f"ranking {text!r} may be any of {there}: write more of its name")
        of = self.encoder.name if self.encoder else "unknown encoder"
        raise UsageError(f"the card of {of} on {self.data.name} has no ranking {text!r}; it has {there}")

    @model_validator(mode="after")
    def _figures_of_every_query(self) -> ResultCard:
        for row in self.rows if self.queries else ():
            found = row.per_query
            lists = () if found is None else (found.ap_standard, found.ap_trapezoid, found.inp, found.first_match)
            if any(len(figures) != len(self.queries) for figures in lists):
                raise ValueError(f"the figures of {row.ranking!r} are not of its {len(self.queries)} queries")
        return self

    def save(self, path: Path | str) -> None:
        """Write the card as JSON; a file that is there is replaced whole or not at all.

        Raises:
            SwiftReIDError: the file cannot be written.
        """
        # Lists of numbers on one line: thousands of queries would make the file unreadable.
        text = _LIST_OF_NUMBERS.sub(lambda found: re.sub(r"\s+", " ", found[0]), self.model_dump_json(indent=2))
        save_bytes(Path(path), (text + "\n").encode())

    @classmethod
    def load(cls, path: Path | str) -> ResultCard:
        """Read a card.

        Raises:
            SwiftReIDError: the file is missing, is no result card, or is of a newer format.
        """
        path = Path(path)
        try:
            text = path.read_bytes()
        except OSError as error:
            raise SwiftReIDError(f"result card {path} cannot be read: {error.strerror or error}") from error
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the file"
            if where == "format" and isinstance(first["input"], int) and first["input"] > FORMAT:
                raise SwiftReIDError(
                    f"result card {path} has format {first['input']}; up to {FORMAT} is known: update swiftreid"
                ) from None
            raise SwiftReIDError(f"{path} is not a result card: {where}: {first['msg']}") from None

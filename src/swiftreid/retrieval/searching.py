"""Answering queries in a gallery on this machine."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from swiftreid.calibration.same_person import SamePerson
from swiftreid.encoding.card import EncoderCard
from swiftreid.encoding.encoder import Encoder
from swiftreid.errors import UsageError
from swiftreid.gallery.filters import Filters
from swiftreid.gallery.snapshot import Snapshot
from swiftreid.gallery.store import Gallery
from swiftreid.progress import Progress, no_progress
from swiftreid.retrieval.answer import Answer, Answers, CascadeOrigin, Note, Token, Verdict
from swiftreid.retrieval.camera_notes import unplaced_note
from swiftreid.retrieval.cascades import check_codes, choose_cascade
from swiftreid.retrieval.decision import choose_threshold, size_note
from swiftreid.retrieval.descriptions import DescriptionStage, description_stage
from swiftreid.retrieval.filters import camera_note, empty_note, own_camera_note
from swiftreid.retrieval.query import Query
from swiftreid.retrieval.ranking import RankedQuery, Settings, rank_queries
from swiftreid.retrieval.resolving import Resolved, resolve
from swiftreid.retrieval.searchable import OnBad
from swiftreid.search.results import SearchReport

_BLOCK = 64
"""Queries searched for together where there is a deadline."""


def token_of(gallery: Gallery, write: int) -> Token:
    """The token of a write, which the gallery has numbered."""
    return f"{_name_of(gallery)}#{write}"


def write_of(gallery: Gallery, token: Token | int | None) -> int:
    """The number of the write that a token stands for; 0 without one.

    Raises:
        UsageError: the token is of another gallery, or none.
    """
    if token is None:
        return 0
    if isinstance(token, (int, np.integer)) and not isinstance(token, bool):  # of a write to the store itself
        return int(token)
    if not isinstance(token, str):
        raise UsageError(f"a token is what a write returned, not {token!r}")
    name, _, number = token.rpartition("#")
    if name != _name_of(gallery) or not number.isdecimal():
        raise UsageError(
            f"the token {token!r} is of another gallery than {gallery.path}: take one from a write to this gallery"
        )
    return int(number)


def _duration(deadline: object) -> float:
    if not isinstance(deadline, (int, float, np.integer, np.floating)) or math.isnan(deadline):
        raise UsageError(f"a deadline is a number of seconds, not {deadline!r}")
    return float(deadline)


def _name_of(gallery: Gallery) -> str:
    return gallery.identity


@dataclass(frozen=True)
class _Plan:
    """How one query is searched for."""

    settings: Settings
    origin: CascadeOrigin
    why: Note | None  # nothing decides


class Searcher:
    """Answers queries in one gallery.

    Args:
        gallery: to search.
        encoder: called where pictures or vectors are to be encoded.
        card: called where the encoder's calibration or attributes are wanted; may give None.
        threads: that search.
    """

    def __init__(
        self, gallery: Gallery, encoder: Callable[[], Encoder], card: Callable[[], EncoderCard | None], threads: int
    ) -> None:
        self._gallery = gallery
        self._encoder = encoder
        self._card = card
        self._threads = threads

    def answers(
        self,
        queries: Sequence[Query],
        *,
        after: Token | None = None,
        deadline: float | None = None,
        on_bad: OnBad | None = None,
        progress: Progress = no_progress,
    ) -> Answers:
        """See `swiftreid.retrieval.local.LocalGallery.search_batch`."""
        end = None if deadline is None else time.monotonic() + _duration(deadline)
        write = write_of(self._gallery, after)
        plans = [self._plan(query) for query in queries]
        resolved = resolve(queries, self._gallery, self._encoder, on_bad=on_bad, progress=progress)
        for one, plan in zip(resolved, plans, strict=True):
            if one.codes:
                check_codes(plan.settings.cascade, list(one.codes), "the query")
        answers: dict[int, Answer] = {}
        reports: list[SearchReport] = []
        for members in self._groups(resolved, plans, bounded=end is not None):
            late = end is not None and time.monotonic() >= end
            chosen = [resolved[i] for i in members]
            made, report = self._group(chosen, plans[members[0]], write, progress, late=late)
            answers |= dict(zip(members, made, strict=True))
            reports += [report] if len(report) else []
        one_cascade = len({str(answer.cascade) for answer in answers.values()}) == 1
        return Answers(
            (answers[i] for i in range(len(queries))), SearchReport.total(reports) if one_cascade and reports else None
        )

    def _plan(self, query: Query) -> _Plan:
        stage = None if query.description is None else self._stage(query)
        if stage is not None and not query.by_looks:
            return _Plan(Settings(stage.alone, stage, None, None, query.k), "description", None)
        own_cascade = query.exact or query.cascade is not None
        card = None if own_cascade and query.threshold != "calibrated" else self._card()
        cascade, origin = choose_cascade(query, self._gallery, card)
        threshold, why = choose_threshold(query.threshold, card, cascade, rendered=self._gallery.rendered)
        return _Plan(Settings(cascade, stage, threshold, query.reranking, query.k), origin, why)

    def _stage(self, query: Query) -> DescriptionStage:
        card = self._card()
        if card is None:
            raise UsageError(
                f"{self._gallery.path} carries no encoder, so it knows no attributes: open it with its encoder"
            )
        assert query.description is not None
        return description_stage(query.description, card)

    def _groups(self, queries: Sequence[Resolved], plans: Sequence[_Plan], *, bounded: bool) -> list[list[int]]:
        """Numbers of queries that one search answers: the same settings and filters, and as many entries of their own.

        Their number decides how many results are asked for, and through that how many candidates each stage keeps: a
        query has the same answer in a batch as alone.
        """
        groups: dict[object, list[int]] = {}
        for number, (resolved, plan) in enumerate(zip(queries, plans, strict=True)):
            query, settings = resolved.query, plan.settings
            own = resolved.camera if query.filters.other_cameras else None
            if query.filters.other_cameras and own is None and _usable(resolved):
                raise UsageError(
                    f"{resolved.name} has no known camera, or several: name its camera, or leave other_cameras out"
                )
            key = (
                query.filters,
                own,
                str(settings.cascade),
                query.description,
                query.by_looks,
                query.threshold,
                settings.reranking,
                settings.k,
                max(1, len(resolved.ids)),
                _usable(resolved),
            )
            groups.setdefault(key, []).append(number)
        if not bounded:
            return list(groups.values())
        return [group[i : i + _BLOCK] for group in groups.values() for i in range(0, len(group), _BLOCK)]

    def _group(
        self, queries: Sequence[Resolved], plan: _Plan, write: int, progress: Progress, *, late: bool
    ) -> tuple[list[Answer], SearchReport]:
        first = queries[0]
        notes = [plan.why] if plan.why else []
        if late:
            notes.append(Note("deadline", "the deadline passed before this search began: give it more time"))
        if not _usable(first):
            notes.append(Note("unreadable", "no picture of this query could be used"))
        if late or not _usable(first):
            return [_answer(query, plan, "", notes, partial=late) for query in queries], SearchReport([])
        filters = first.query.filters
        own = first.camera if filters.other_cameras else None
        notes += [note for note in (camera_note(filters, self._gallery),) if note]
        notes += [note for note in (own_camera_note(own, self._gallery) if own is not None else None,) if note]
        with self._snapshot(filters, own, write) as snapshot:
            token = token_of(self._gallery, snapshot.token)
            if not snapshot.live:
                notes.append(empty_note(filters, self._gallery, snapshot, own))
            ranked = rank_queries(plan.settings, queries, snapshot, threads=self._threads, progress=progress)
            notes += [note for note in (size_note(plan.settings.threshold, snapshot.live),) if note]
            if plan.settings.reranking is not None and snapshot.live > plan.settings.pool:
                notes.append(_pool_note(plan.settings.pool, snapshot.live))
            made = [
                _answer(
                    query,
                    plan,
                    token,
                    [*notes, *(note for note in (unplaced_note(query.unplaced, query.placed),) if note)],
                    ranked=found,
                    searched=snapshot.live,
                    passing=ranked.passing,
                    compared=ranked.compared,
                    report=ranked.report,
                )
                for query, found in zip(queries, ranked.queries, strict=True)
            ]
        return made, ranked.report

    def _snapshot(self, filters: Filters, own: str | None, write: int) -> Snapshot:
        """The gallery now, with a mask of what passes; ``own`` is the camera that ``other_cameras`` leaves out."""
        excluded = filters.not_cameras if own is None else (*filters.not_cameras, own)
        return self._gallery.snapshot(replace(filters, not_cameras=excluded, other_cameras=False), after_token=write)


def _usable(query: Resolved) -> bool:
    """Whether there is something to compare: codes, or a description alone."""
    return bool(query.codes) or not query.query.by_looks


def _answer(
    resolved: Resolved,
    plan: _Plan,
    token: Token,
    notes: Sequence[Note],
    *,
    ranked: RankedQuery | None = None,
    searched: int = 0,
    passing: int | None = None,
    compared: int = 0,
    report: SearchReport | None = None,
    partial: bool = False,
) -> Answer:
    description, threshold = plan.settings.description, plan.settings.threshold
    name = resolved.name
    if description is not None and not resolved.query.by_looks:
        name = resolved.query.name or str(description.description)
    return Answer(
        name=name,
        hits=ranked.hits if ranked else (),
        decision=_verdict(resolved.query, plan, ranked),
        threshold=threshold.threshold if isinstance(threshold, SamePerson) else threshold,
        calibration=threshold if isinstance(threshold, SamePerson) else None,
        cascade=plan.settings.cascade,
        origin=plan.origin,
        searched=searched,
        passing=passing,
        compared=compared,
        report=report or SearchReport([]),
        notes=tuple(notes),
        partial=partial,
        token=token,
        person=resolved.person,
        camera=resolved.camera,
        thumbnail=resolved.thumbnail,
        description=description.facts if description else None,
    )


def _verdict(query: Query, plan: _Plan, ranked: RankedQuery | None) -> Verdict | None:
    if query.threshold is None or not query.by_looks or ranked is None:
        return None
    if ranked.stranger is None:
        return Verdict.NOT_CALIBRATED
    return Verdict.UNKNOWN if ranked.stranger else Verdict.SAME_PERSON


def _pool_note(pool: int, entries: int) -> Note:
    return Note(
        "reranking-pool",
        f"re-ranked among the first {pool:,} results of each query; neighbours among the other {entries - pool:,} "
        "entries do not count",
        {"pool": pool, "entries": entries},
    )

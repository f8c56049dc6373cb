"""The NumPy reference: what a cascade means, written to be read. The native kernels agree with it bit for bit."""

from __future__ import annotations

import math
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swiftreid.search.distances import cosine, hamming, weighted
from swiftreid.search.job import Job, JobResult
from swiftreid.search.list_groups import TableLists
from swiftreid.search.stages import EMBEDDING, Stage


def passing(stage: Stage, distances: NDArray[Any], at_least: int) -> NDArray[np.intp]:
    """Ascending numbers of the entries (given by their distances, in gallery order) that pass a stage's rule.

    Args:
        stage: the rule.
        distances: int32 [m], of the entries that came in.
        at_least: how many must pass (all, if fewer came in). A threshold rises to the smallest distance that lets
            that many pass, whole tie group included; ``top`` and ``share`` keep exactly that many.
    """
    came_in = len(distances)
    at_least = min(at_least, came_in)
    if stage.keep == "all":
        return np.arange(came_in)
    if stage.threshold is not None:
        threshold = stage.threshold
        if np.count_nonzero(distances <= threshold) < at_least:
            threshold = int(np.sort(distances)[at_least - 1])
        return np.flatnonzero(distances <= threshold)
    wanted = min(stage.top, came_in) if stage.top is not None else share_of(stage.share or 0.0, came_in)
    closest = np.argsort(distances, kind="stable")[: max(wanted, at_least)]
    if stage.whole_ties and len(closest):
        return np.flatnonzero(distances <= distances[closest[-1]])
    return np.sort(closest)


SPARSE = 24
"""Where at most one entry in so many may be found, no list is probed: all of these are compared instead."""


def probe(
    lists: TableLists, live: NDArray[np.bool_], query: NDArray[np.uint8], share: float, at_least: int
) -> NDArray[np.bool_]:
    """Which entries a query compares: those of the closest lists, and all that are in no list.

    Args:
        lists: of the table.
        live: bool [n], which entries may be found.
        query: uint8 [row bytes].
        share: of the entries in lists, which the probed lists hold at least, whether they may be found or not.
        at_least: how many that may be found they hold together with those in no list (or all that there are).
    """
    inside = np.concatenate([*(group.lists for group in lists.groups), np.empty(0, np.uint32)])
    nearest = np.argsort(hamming(lists.centres, query[None])[0], kind="stable")
    held = np.cumsum(np.bincount(inside, minlength=len(nearest))[nearest])
    findable = np.cumsum(np.bincount(inside[live[: len(inside)]], minlength=len(nearest))[nearest])
    missing = min(at_least, int(live.sum())) - int(live[len(inside) :].sum())
    chosen = max(_first_holding(held, share_of(share, len(inside))), _first_holding(findable, missing))
    probed = np.ones(len(live), np.bool_)
    probed[: len(inside)] = np.isin(inside, nearest[:chosen])
    return probed


def _first_holding(held: NDArray[np.intp], wanted: int) -> int:
    """How many of the first lists hold as many entries, given running sums."""
    return int(np.searchsorted(held, wanted)) + 1 if wanted > 0 else 0


def share_of(share: float, count: int) -> int:
    """How many of ``count`` entries a share is, rounded up."""
    # The tiny amount forgives products such as 0.07 * 100 = 7.000000000000001.
    return min(count, max(0, math.ceil(share * count - 1e-9)))


def run(job: Job, answer: JobResult) -> None:
    """Fill ``answer``, one query after the other."""
    for array in (answer.indices, answer.distances, answer.stages):
        array.fill(-1)
    live = np.arange(len(job.table))
    if job.live is not None:
        live = np.flatnonzero(np.unpackbits(job.live, count=len(job.table), bitorder="little"))
    for query in range(len(job.queries[0])):
        _answer(job, answer, query, live)


def _answer(job: Job, answer: JobResult, query: int, live: NDArray[np.intp]) -> None:
    last = len(job.stages) - 1
    answer.counts[query] = len(live)
    entries = live  # those that reached the stage, in gallery order
    came_in = len(live)
    if job.lists is not None:
        if SPARSE * len(live) > len(job.table):
            findable = np.zeros(len(job.table), np.bool_)
            findable[live] = True
            probed = probe(job.lists, findable, job.queries[0][query], job.stages[0].amount, job.min_candidates)
            entries = live[probed[live]]
            answer.entries_in[0] += len(job.lists.centres)
            # Whether an entry in a list may be found shows only when it is compared.
            covered = sum(job.table.lengths[: job.lists.segments])
            came_in = int(probed[:covered].sum()) + int((entries >= covered).sum())
        answer.entries_kept[0] += came_in
    keys: list[NDArray[Any]] = []  # their distances at each stage so far
    end = len(live)  # results are written from the back: those that stopped first come last
    for number, stage in enumerate(job.stages):
        if stage.keep == "nprobe":
            continue
        start = perf_counter()
        distances = _distances(job, number, query, entries)
        if job.sample is not None:
            _certified(job, answer, query, entries, distances)
            answer.seconds[number] += perf_counter() - start
            continue
        keys.append(distances)
        kept = passing(stage, distances, job.min_candidates if number < last else 0)
        answer.entries_in[number] += came_in
        answer.entries_kept[number] += len(kept)
        if number == last and job.order == "search":
            stopped = kept
        elif number == last:
            stopped = np.arange(len(entries))
        else:
            stopped = np.setdiff1d(np.arange(len(entries)), kept)
        # lexsort sorts by its last key first, and keeps gallery order among equals.
        order = stopped[np.lexsort([key[stopped] for key in (keys if job.order == "stages" else keys[-1:])])]
        if number == last and job.order == "search":
            order = order[: job.width]
            answer.counts[query] = end = len(order)
        if number == last or job.order != "search":
            places = slice(end - len(order), end)
            answer.indices[query, places] = entries[order]
            answer.distances[query, places] = distances[order].view(np.int32)
            answer.stages[query, places] = number
            end -= len(order)
        if number < last:
            entries = entries[kept]
            came_in = len(entries)
            keys = [key[kept] for key in keys]
        answer.seconds[number] += perf_counter() - start


def _certified(
    job: Job, answer: JobResult, query: int, entries: NDArray[np.intp], distances: NDArray[np.int32]
) -> None:
    """The closest by the larger of distance and what the sample says (see `certified`), then ordered by distance."""
    assert job.sample is not None
    samples = np.concatenate([segment.sample(job.sample.code)[0] for segment in job.table.segments])[entries]
    least = job.sample.least[hamming(samples, job.sample.queries[query][None])[0]]
    closest = np.argsort(np.maximum(distances, least), kind="stable")[: job.width]
    closest = closest[np.lexsort((entries[closest], distances[closest]))]
    count = len(closest)
    answer.indices[query, :count] = entries[closest]
    answer.distances[query, :count] = distances[closest]
    answer.stages[query, :count] = 0
    answer.counts[query] = count
    answer.entries_in[0] += len(entries)
    answer.entries_kept[0] += len(entries)


def _distances(job: Job, number: int, query: int, entries: NDArray[np.intp]) -> NDArray[Any]:
    code, columns = job.queries[number][query], job.table.column(job.stages[number].code)
    if job.stages[number].code == EMBEDDING:
        return cosine(np.concatenate(columns)[entries], code)
    weights = job.weights[number]
    if weights is not None:
        return np.concatenate([weighted(segment, code, weights[query]) for segment in columns])[entries]
    return np.concatenate([hamming(segment, code[None])[0] for segment in columns])[entries]

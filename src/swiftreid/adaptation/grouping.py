"""Sorting the entries of a gallery into people, without labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from swiftreid.adaptation.people import (
    GROUP,
    GROUPED_BY,
    PersonGroup,
    group_of,
    known_people,
    new_numbers,
    people_of,
)
from swiftreid.clustering.answers import PairAnswer, known_pairs
from swiftreid.clustering.two_stage import ALONE, ClusterSettings, KnownPairs, cluster_people
from swiftreid.data.numbering import numbers_of
from swiftreid.encoding.camera_encoder import CameraEncoder
from swiftreid.encoding.camera_statistics import ALIGNMENT, ENOUGH, fit_camera_statistics
from swiftreid.encoding.card import EncoderCard
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.gallery.changes import EntryChanges
from swiftreid.gallery.entries import Entry
from swiftreid.gallery.errors import EntriesChanged, EntryNotFound
from swiftreid.gallery.store import Gallery
from swiftreid.progress import Progress, no_progress
from swiftreid.retrieval.local import LocalGallery
from swiftreid.search.codes import bits_of
from swiftreid.search.stages import EMBEDDING

LEAST_BITS: Final = 512
"""Bits of a code that entries are grouped by where a gallery keeps no embeddings, at least."""

_TRIES: Final = 3

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Grouped:
    """What grouping a gallery found.

    Attributes:
        people: the groups, the largest first.
        alone: entries that are in none.
        changed: entries that are in another group than before, or were in none.
        by: what was compared: ``embedding``, or the name of a code.
        ignored: answers that were left out because they join people who are known to be two.
        unknown: answers that were left out because the gallery lacks an entry that they are about.
    """

    people: list[PersonGroup]
    alone: int
    changed: int
    by: str
    ignored: int
    unknown: int


def group_people(
    gallery: LocalGallery,
    *,
    answers: Sequence[PairAnswer] = (),
    settings: ClusterSettings | None = None,
    progress: Progress = no_progress,
) -> Grouped:
    """Sort the entries of a gallery into people, and store each one's group with it.

    Entries with a name, and those that were merged, split or named by hand, stay with whom they are; all others go
    where the clusters say. A group keeps its number as far as it has the same entries. Entries of one track and camera
    are one person. They are compared by the embeddings that the gallery keeps, or else by its longest code; what is the
    cameras' is taken out unless the encoder has done so.

    Args:
        gallery: open for writing.
        answers: about pairs of entries, by their ids.
        settings: how to cluster.
        progress: takes what is done and how far it is.

    Raises:
        UsageError: the gallery keeps no embeddings and no code of `LEAST_BITS` bits or more, or is read-only.
        SwiftReIDError: others change it all the time.

    Example:
        ``[(person.number, len(person.entries)) for person in group_people(gallery).people]``
    """
    store = gallery.store
    by = compared_by(store)
    if store.read_only:
        raise UsageError(
            f"gallery {store.path} was opened read-only, and groups are stored with it: open it for writing"
        )
    for _ in range(_TRIES):
        entries, vectors = _read(store, by, progress)
        own = without_cameras(vectors, entries, gallery.card, covariances=by == EMBEDDING)
        numbers, ignored = sorted_into_people(entries, own, answers=answers, settings=settings, progress=progress)
        changed = _write(store, entries, numbers)
        if changed is not None:
            people = people_of(store)
            alone = len(store) - sum(len(person.entries) for person in people)
            there = {entry.id for entry in entries}
            unknown = sum(not {answer.one, answer.other} <= there for answer in answers)
            return Grouped(people, alone, changed, by, ignored, unknown)
    raise SwiftReIDError(
        f"others changed the entries of gallery {store.path} each of {_TRIES} times: nothing was stored; try again"
    )


def compared_by(store: Gallery) -> str:
    """What entries are compared by: ``embedding``, or the name of the longest code.

    Raises:
        UsageError: there are no embeddings, and every code is short.
    """
    if store.embedding is not None:
        return EMBEDDING
    codes = [name for name in store.spec.names if name.startswith("id") and bits_of(name) >= LEAST_BITS]
    if not codes:
        raise UsageError(
            f"gallery {store.path} keeps no embeddings and no code of {LEAST_BITS} bits, so its people cannot be told "
            "apart: create another that keeps embeddings (embedding='float16'), and add the pictures to it"
        )
    return max(codes, key=bits_of)


def _read(store: Gallery, by: str, progress: Progress) -> tuple[list[Entry], NDArray[np.float32]]:
    """All entries, and their embeddings or the bits of a code as -1 and 1, float32 [n, d]."""
    entries: list[Entry] = []
    size = bits_of(by) if store.embedding is None else store.embedding.size
    with store.snapshot() as snapshot:
        vectors = np.empty((snapshot.live, size), np.float32)  # of many entries there is no room for them twice
        for batch in snapshot.batches():
            rows = batch.codes[by]
            if by != EMBEDDING:
                rows = 2 * np.unpackbits(rows, axis=1, count=size, bitorder="little").astype(np.int8) - 1
            vectors[len(entries) : len(entries) + len(rows)] = rows
            entries += batch.entries
            progress("reading the gallery", len(entries), snapshot.live)
    return entries, vectors


def without_cameras(
    vectors: NDArray[np.float32], entries: Sequence[Entry], card: EncoderCard | None, *, covariances: bool = True
) -> NDArray[np.float32]:
    """Vectors without what is the cameras', unless the encoder has taken it out, or fewer than two have enough entries.

    Args:
        vectors: float32 [n, d].
        entries: of each.
        card: of the encoder.
        covariances: whether to move covariances too, and not the means alone.
    """
    cameras = [entry.camera for entry in entries]
    enough = {name for name, count in Counter(cameras).items() if count >= ENOUGH}
    done = set(card.architecture["cameras"]) if card is not None and card.kind == CameraEncoder.kind else set()
    if len(enough) < 2 or enough <= done:
        return vectors
    return fit_camera_statistics(vectors, cameras, alignment=ALIGNMENT if covariances else 0.0).normalise(
        vectors, cameras
    )


def sorted_into_people(
    entries: Sequence[Entry],
    vectors: NDArray[np.float32],
    *,
    answers: Sequence[PairAnswer] = (),
    settings: ClusterSettings | None = None,
    progress: Progress = no_progress,
) -> tuple[Ids, int]:
    """The number of each entry's group from 1, int64 [n], `ALONE` where it is in none; and the answers left out.

    Args:
        entries: with the groups that they are in.
        vectors: of each, float32 [n, d], best without what is the cameras'.
        answers: about pairs of entries, by their ids.
        settings: how to cluster.
        progress: takes what is done and how far it is.
    """
    if not entries:
        return np.zeros(0, np.int64), 0
    known = known_people(entries)
    people = numbers_of(known)
    tracks = _tracks(entries, people)
    pairs = known_pairs(answers, [entry.id for entry in entries])
    kept = without_contradictions(pairs.together, people, tracks)
    found = cluster_people(
        vectors,
        numbers_of(entry.camera for entry in entries),
        tracks=tracks,
        known=KnownPairs(pairs.together[kept], pairs.apart, people),
        settings=settings,
        progress=progress,
    ).people
    alone = (found == ALONE) & (people >= 0)  # a known person is a group, of one entry too
    found[alone] = found.max(initial=ALONE) + 1 + np.arange(alone.sum())
    fixed = np.array([person if isinstance(person, int) else ALONE for person in known], np.int64)
    before = np.array([group_of(entry) or ALONE for entry in entries], np.int64)
    return stable_numbers(found, before, fixed, people >= 0), int((~kept).sum())


def _tracks(entries: Sequence[Entry], people: Ids) -> Ids:
    """Number of each entry's track; -1 where it is of none, or of one in which several people are known."""
    tracks = numbers_of(None if entry.track is None else (entry.camera, entry.track) for entry in entries)
    found: dict[int, set[int]] = {}
    for track, person in zip(tracks.tolist(), people.tolist(), strict=True):
        if person >= 0:
            found.setdefault(track, set()).add(person)
    mixed = [track for track, several in found.items() if len(several) > 1]
    return np.where(np.isin(tracks, mixed), -1, tracks)


def without_contradictions(together: Ids, people: Ids, tracks: Ids) -> NDArray[np.bool_]:
    """Which pairs can be taken for one person without making two known people one; the first ones first, bool [p].

    Args:
        together: pairs of entries, int64 [p, 2].
        people: the known person of each entry, int64 [n], or -1.
        tracks: of each, int64 [n], or -1.
    """
    groups = list(range(len(people)))
    person = people.tolist()

    def group(entry: int) -> int:
        while groups[entry] != entry:
            groups[entry] = entry = groups[groups[entry]]
        return entry

    def join(one: int, other: int) -> bool:
        one, other = group(one), group(other)
        if -1 < person[one] != person[other] > -1:
            return False
        groups[other] = one
        person[one] = max(person[one], person[other])
        return True

    for of in (people, tracks):
        first: dict[int, int] = {}
        for entry, name in enumerate(of.tolist()):
            if name >= 0:
                join(first.setdefault(name, entry), entry)
    return np.array([join(one, other) for one, other in together.tolist()], bool)


def stable_numbers(groups: Ids, before: Ids, fixed: Ids, known: NDArray[np.bool_]) -> Ids:
    """Numbers of groups from 1, int64 [n]: those from before for the groups that share most entries with them.

    Args:
        groups: of each entry from 0, int64 [n]; `ALONE` for those in none.
        before: the number that each had, int64 [n]; `ALONE` for those that had none.
        fixed: the number that an entry's group must have, int64 [n]; `ALONE` where any will do.
        known: which entries' people are known, bool [n]: these count before any others.

    Example:
        >>> groups, before = np.array([0, 0, 1, 1, -1]), np.array([7, 7, 7, -1, 3])
        >>> stable_numbers(groups, before, np.full(5, -1), np.zeros(5, bool)).tolist()
        [7, 7, 8, 8, -1]
    """
    weights: Counter[tuple[int, int]] = Counter()
    number_of: dict[int, int] = {}
    rows = zip(groups.tolist(), before.tolist(), fixed.tolist(), known.tolist(), strict=True)
    for group, old, must, sure in rows:
        if group == ALONE:
            continue
        if must != ALONE:
            number_of[group] = must
        elif old != ALONE:
            weights[group, old] += len(groups) if sure else 1
    taken = set(number_of.values())
    for group, old in sorted(weights, key=lambda pair: (-weights[pair], pair[1], pair[0])):
        if group not in number_of and old not in taken:
            number_of[group] = old
            taken.add(old)
    new = new_numbers({*before.tolist(), *fixed.tolist()})
    for group in dict.fromkeys(groups.tolist()):
        if group != ALONE and group not in number_of:
            number_of[group] = next(new)
    return np.array([number_of.get(group, ALONE) for group in groups.tolist()], np.int64)


def _write(store: Gallery, entries: Sequence[Entry], numbers: Ids) -> int | None:
    """Store the groups; return how many entries changed theirs, or None where others have changed entries since."""
    now = {entry.id: entry for entry in store}
    there = [entry.id in now for entry in entries]
    own = [now.get(entry.id, entry) for entry in entries]
    if known_people(own) != known_people(entries) or [*map(group_of, own)] != [*map(group_of, entries)]:
        return None
    changes: dict[str, EntryChanges] = {}
    for entry, number, still in zip(entries, numbers.tolist(), there, strict=True):
        if still and (number if number != ALONE else None) != group_of(entry):
            alone: EntryChanges = {"labels": {GROUP: None, GROUPED_BY: None}}
            changes[entry.id] = alone if number == ALONE else {"labels": {GROUP: str(number)}}
    try:
        if changes:
            store.update_each(changes, expected=now)
    except (EntryNotFound, EntriesChanged):
        return None
    return len(changes)

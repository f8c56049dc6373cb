"""A gallery in plain Python: what every implementation of `Searchable` must answer, bit for bit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import naive_cascade
from swiftreid.data.times import seconds
from swiftreid.gallery.entries import Entry
from swiftreid.retrieval.query import Query


@dataclass
class NaiveHit:
    id: str
    distance: int
    code: str
    same_person: bool | None


@dataclass
class NaiveAnswer:
    hits: list[NaiveHit]
    decision: str | None
    searched: int


@dataclass
class NaiveGallery:
    """Entries in the order in which they were added, each with its codes as bytes."""

    spec: Sequence[str]
    rows: list[tuple[Entry, dict[str, bytes]]] = field(default_factory=list)

    def add(self, entries: Sequence[Entry], codes: dict[str, list[bytes]]) -> None:
        for row, entry in enumerate(entries):
            self.rows.append((entry, {name: codes[name][row] for name in self.spec}))

    def replace(self, entries: Sequence[Entry], codes: dict[str, list[bytes]]) -> None:
        self.delete([entry.id for entry in entries])
        self.add(entries, codes)

    def delete(self, ids: Collection[str]) -> int:
        before = len(self.rows)
        self.rows = [row for row in self.rows if row[0].id not in ids]
        return before - len(self.rows)

    def passing(self, query: Query, own: str | None) -> list[tuple[Entry, dict[str, bytes]]]:
        filters = query.filters
        chosen = []
        for entry, codes in self.rows:
            time = entry.time
            late = filters.after is None or (time is not None and time >= seconds(str(filters.after), ""))
            early = filters.before is None or (time is not None and time < seconds(str(filters.before), ""))
            named = filters.cameras is None or entry.camera in filters.cameras
            named = named and (filters.persons is None or entry.person in filters.persons)
            named = named and (filters.tracks is None or entry.track in filters.tracks)
            named = named and all(entry.labels.get(name) in values for name, values in filters.labels.items())
            if late and early and named and entry.camera not in (*filters.not_cameras, own):
                chosen.append((entry, codes))
        return chosen

    def search(self, query: Query, codes: dict[str, bytes] | None = None, stages: Sequence[tuple] = ()) -> NaiveAnswer:
        """The answer to a query by entries, or by the codes that are given.

        ``stages`` are the query's cascade as `naive_cascade` takes it; by default all entries by the longest code.
        """
        parts = [(entry.camera, own) for id_ in query.ids for entry, own in self.rows if entry.id == id_]
        parts += [(query.camera, codes)] if codes is not None else []
        asked = {name: majority([own[name] for _, own in parts]) for name in self.spec}
        cameras = {camera for camera, _ in parts}
        own = cameras.pop() if query.filters.other_cameras and len(cameras) == 1 else None
        live = self.passing(query, own)
        stages = stages or [(self.spec[-1], "all", None, False)]
        columns = {name: [row[name] for _, row in live] for name in self.spec}
        most = query.k + max(1, len(query.ids))
        found, _ = naive_cascade.search(stages, columns, asked, range(len(live)), most, most, {})
        hits = []
        for position, distance, stage in found:
            if live[position][0].id in query.ids:
                continue
            same = None
            if isinstance(query.threshold, (int, float)):
                same = stage == len(stages) - 1 and distance <= query.threshold
            hits.append(NaiveHit(live[position][0].id, distance, stages[stage][0], same))
        hits = hits[: query.k]
        decision = None if query.threshold is None else "not calibrated"
        if isinstance(query.threshold, (int, float)):
            decision = "same person" if any(hit.same_person for hit in hits) else "unknown"
        return NaiveAnswer(hits, decision, len(live))


def majority(codes: Sequence[bytes]) -> bytes:
    """Of each bit what most codes have; where votes are equal, the codes' bits in turn."""
    out, ties = bytearray(len(codes[0])), 0
    for bit in range(8 * len(out)):
        votes = [code[bit // 8] >> (bit % 8) & 1 for code in codes]
        ones = sum(votes)
        one = 2 * ones > len(votes)
        if 2 * ones == len(votes):
            one, ties = bool(votes[ties % len(votes)]), ties + 1
        if one:
            out[bit // 8] |= 1 << bit % 8
    return bytes(out)

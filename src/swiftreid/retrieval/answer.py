"""The answer to a query: ranked hits, a decision, and a report of the search."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Literal, overload

from swiftreid.calibration.same_person import SamePerson
from swiftreid.gallery.entries import Entry
from swiftreid.search.cascade import Cascade
from swiftreid.search.results import SearchReport

Token = str
"""What a write returns and a search takes: the search then sees that write."""


class Verdict(StrEnum):
    """Whether the query's person is among the entries."""

    SAME_PERSON = "same person"
    """At least one entry is within the threshold."""
    UNKNOWN = "unknown"
    """No entry is within the threshold: a stranger."""
    NOT_CALIBRATED = "not calibrated"
    """No calibration applies. The answer's notes say why, and what to do."""


CascadeOrigin = Literal["given", "exact", "calibrated", "every entry", "description"]
"""Where a cascade comes from: the query, its ``exact``, the encoder's calibration, no calibration, or a description."""


@dataclass(frozen=True)
class Note:
    """What a reader of the answer should know.

    Attributes:
        kind: a stable name for programs, such as ``rendered-calibration``.
        message: one sentence, with what to do.
        facts: the figures and names of the message.
    """

    kind: str
    message: str
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class AttributeFit:
    """How an entry compares with a description.

    Attributes:
        differs: attributes that it does not have as described.
        unsure: attributes that it probably has as described.
    """

    differs: tuple[str, ...]
    unsure: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """In two words."""
        return f"{len(self.differs)} unlike" if self.differs else "seems to fit" if self.unsure else "fits"

    def __str__(self) -> str:
        return ", ".join([*self.differs, *(f"{name}?" for name in self.unsure)]) or "nothing"


@dataclass(frozen=True)
class DescriptionFacts:
    """The attribute bits of a description, and how reliable they are.

    Attributes:
        bits: attribute -> whether it is wanted.
        by_chance: attributes that the encoder predicts hardly better than by chance; they leave nobody out.
        unmeasured: attributes without a measurement of how well the encoder predicts them.
        right_share: of the people with all these attributes (without those ``by_chance``) at least this share passes,
            if attributes are independent; None where that is not known.
    """

    bits: Mapping[str, bool]
    by_chance: tuple[str, ...] = ()
    unmeasured: tuple[str, ...] = ()
    right_share: float | None = None

    def __str__(self) -> str:
        return ", ".join(name if wanted else f"not {name}" for name, wanted in self.bits.items())


@dataclass(frozen=True)
class Hit:
    """One ranked entry.

    Attributes:
        entry: with its thumbnail where the query asked for it.
        distance: in bits of ``code``; the cosine distance, 0 to 2, where that is ``embedding``.
        code: of the stage that the entry reached.
        same_person: whether its distance is within the same-person threshold; None without a threshold.
        right: whether it has the query's person by name; None where one of the two is not known.
        reranked: the distance that re-ranking orders by, 0 to 1; None without it.
        fit: how it compares with the description; None without one.
    """

    entry: Entry
    distance: float
    code: str
    same_person: bool | None = None
    right: bool | None = None
    reranked: float | None = None
    fit: AttributeFit | None = None

    @property
    def id(self) -> str:
        """The entry's id."""
        return self.entry.id

    def to_dict(self) -> dict[str, Any]:
        """The hit in plain values, for JSON."""
        entry = self.entry
        return {
            "id": entry.id,
            "distance": self.distance,
            "code": self.code,
            "camera": entry.camera,
            "time": entry.time,
            "person": entry.person,
            "source": entry.source,
            "labels": dict(entry.labels),
            "track": entry.track,
            "frame": entry.frame,
            "right": self.right,
            "same_person": self.same_person,
            "reranked": self.reranked,
            "differs": list(self.fit.differs) if self.fit else None,
            "unsure": list(self.fit.unsure) if self.fit else None,
        }


@dataclass(frozen=True)
class Answer:
    """The answer to one query. Equality leaves the report and the token out.

    Attributes:
        name: of the query.
        hits: best first.
        decision: whether the person is there; None where the query has no threshold or is a description alone.
        threshold: largest distance of the same person, in bits, or of embeddings; None without a decision.
        calibration: the figures of a calibrated threshold.
        cascade: the cascade of the search.
        origin: where that cascade comes from.
        searched: entries that passed the filters.
        passing: how many of these pass the description, or, for a description alone, fit it; None without one.
        compared: entries that the first stage compared.
        report: what each stage did, over all queries that were searched together with this one.
        notes: what the reader should know.
        partial: whether a part of the gallery was not searched.
        token: of the latest write that this answer includes.
        person: the query's person, where known.
        camera: the query's camera, where known.
        thumbnail: a small JPEG of the query; None where it has no picture.
        description: its bits and their reliability; None without one.
    """

    name: str
    hits: tuple[Hit, ...]
    decision: Verdict | None
    threshold: float | None
    cascade: Cascade
    origin: CascadeOrigin
    searched: int
    passing: int | None
    compared: int
    report: SearchReport = field(compare=False)
    notes: tuple[Note, ...] = ()
    partial: bool = False
    token: Token = field(default="", compare=False)
    person: str | None = None
    camera: str | None = None
    thumbnail: bytes | None = field(default=None, repr=False)
    description: DescriptionFacts | None = None
    calibration: SamePerson | None = None

    def __iter__(self) -> Iterator[Hit]:
        """The hits."""
        return iter(self.hits)

    def __len__(self) -> int:
        """How many hits there are."""
        return len(self.hits)

    def __getitem__(self, rank: int) -> Hit:
        """A hit, the best first."""
        return self.hits[rank]

    def to_dict(self) -> dict[str, Any]:
        """The answer in plain values, for JSON; without thumbnails and the report."""
        facts = self.description
        return {
            "query": self.name,
            "person": self.person,
            "camera": self.camera,
            "decision": self.decision,
            "threshold": self.threshold,
            "calibration": None if self.calibration is None else asdict(self.calibration),
            "cascade": str(self.cascade),
            "origin": self.origin,
            "searched": self.searched,
            "compared": self.compared,
            "passing": self.passing,
            "partial": self.partial,
            "token": self.token,
            "description": dict(facts.bits) if facts else None,
            "hits": [{"rank": rank, **hit.to_dict()} for rank, hit in enumerate(self.hits, 1)],
            "notes": [{"kind": note.kind, "message": note.message} for note in self.notes],
        }

    def noted(self, kind: str) -> Note | None:
        """The note of this kind; None if there is none."""
        return next((note for note in self.notes if note.kind == kind), None)


class Answers(Sequence[Answer]):
    """The answers to several queries, in their order.

    Attributes:
        report: what each stage did, over all of them; None where they were not searched by one cascade.
    """

    def __init__(self, answers: Iterable[Answer], report: SearchReport | None) -> None:
        self._answers = tuple(answers)
        self.report = report

    @overload
    def __getitem__(self, index: int) -> Answer: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Answer]: ...
    def __getitem__(self, index: int | slice) -> Answer | Sequence[Answer]:
        return self._answers[index]

    def __len__(self) -> int:
        return len(self._answers)

    def __iter__(self) -> Iterator[Answer]:
        return iter(self._answers)

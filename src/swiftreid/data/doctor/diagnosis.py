"""What the doctor found in a data set: counts, findings with advice, and whether it can be evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from swiftreid.data.samples import DISTRACTOR, JUNK, NOBODY, Split

Severity = Literal["error", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """One thing worth knowing.

    Attributes:
        severity: "error": evaluation is impossible; "warning": figures would mislead or pictures are lost; "note": all
            is well, but good to know.
        kind: a stable name for scripts, such as "no-shared-person".
        message: what was found, in a sentence.
        advice: what to do about it; empty where nothing needs doing.
    """

    severity: Severity
    kind: str
    message: str
    advice: str = ""


@dataclass(frozen=True)
class SplitCounts:
    """Counts of one split; ``persons`` leaves junk and distractors out."""

    pictures: int
    persons: int
    cameras: int
    junk: int
    distractors: int

    @classmethod
    def of(cls, samples: Split) -> SplitCounts:
        """Count the samples of one split."""
        return cls(
            pictures=len(samples),
            persons=len({sample.person for sample in samples} - NOBODY),
            cameras=len({sample.camera for sample in samples}),
            junk=sum(sample.person == JUNK for sample in samples),
            distractors=sum(sample.person == DISTRACTOR for sample in samples),
        )


@dataclass(frozen=True)
class Diagnosis:
    """The doctor's report.

    Attributes:
        counts: per split; also of "distractors" and "multi_query" where the data set has them.
        valid_queries: queries with a good match by another camera in the gallery.
        unreadable: picture file -> why it cannot be used; empty if pictures were not decoded.
        unparsable: pictures without person and camera in their names.
        findings: errors first, then warnings, then notes.
        decoded: whether the pictures were decoded.
        missing: pictures that a list or manifest names, but that do not exist.
        published: which published data set it is, or None.
        cross_camera: False where cameras are unknown.
        notes: what the reader decided.
    """

    counts: Mapping[str, SplitCounts]
    valid_queries: int = 0
    unreadable: Mapping[str, str] = field(default_factory=dict)
    unparsable: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    decoded: bool = True
    missing: list[str] = field(default_factory=list)
    published: str | None = None
    cross_camera: bool = True
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether the data set can be evaluated: no finding is an error."""
        return all(finding.severity != "error" for finding in self.findings)

    def count_rows(self) -> list[tuple[str, int, int, int, int, int]]:
        """For a table: split, pictures, persons, cameras, junk, distractors."""
        return [(name, c.pictures, c.persons, c.cameras, c.junk, c.distractors) for name, c in self.counts.items()]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, for JSON."""
        # `benchmark` is the earlier name of `published`, for programs that read it.
        return {"ok": self.ok, **asdict(self), "benchmark": self.published}

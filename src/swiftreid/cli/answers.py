"""Answers of a search as a command prints them: tables, notices and the JSON document."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from swiftreid.calibration.same_person import EMBEDDING
from swiftreid.cli.cascades import why
from swiftreid.cli.console import Report
from swiftreid.cli.filters import FilterOptions
from swiftreid.cli.sources import moment
from swiftreid.encoding.card import EncoderCard
from swiftreid.retrieval.answer import Answer, DescriptionFacts, Note, Verdict

_PLAIN = ("deadline", "no-camera-statistics")
_BY_SIZE = ("reranking-pool", "larger-gallery")
"""Kinds of notes that depend on how many entries were searched: of several, that about most is printed."""


def tables(report: Report, answers: Sequence[Answer]) -> None:
    """One table of hits for each query."""
    marks = {True: "yes", False: "no", None: "-"}
    for answer in answers:
        reranked = any(hit.reranked is not None for hit in answer.hits)
        judged = any(hit.right is not None for hit in answer.hits)
        decided = answer.decision in (Verdict.SAME_PERSON, Verdict.UNKNOWN)
        described = any(hit.fit is not None for hit in answer.hits)
        labelled = any(hit.entry.labels for hit in answer.hits)
        columns = ["rank", "entry", "distance", *(["re-ranked"] if reranked else []), "camera", "time", "person"]
        columns += [*(["right"] if judged else []), *(["same person"] if decided else [])]
        columns += [*(["differs in"] if described else []), *(["labels"] if labelled else [])]
        rows = [
            (
                rank,
                hit.id,
                f"{hit.distance:.3f}" if hit.code == EMBEDDING else hit.distance,
                *([f"{hit.reranked:.3f}"] if reranked else []),
                hit.entry.camera,
                moment(hit.entry.time),
                hit.entry.person,
                *([marks[hit.right]] if judged else []),
                *([marks[hit.same_person]] if decided else []),
                *([str(hit.fit)] if described else []),
                *([", ".join(f"{name}={value}" for name, value in hit.entry.labels.items())] if labelled else []),
            )
            for rank, hit in enumerate(answer.hits, 1)
        ]
        unknown = answer.decision == Verdict.UNKNOWN
        report.table(f"{answer.name}: unknown" if unknown else answer.name, columns, rows)


def cascade(report: Report, answer: Answer, card: EncoderCard | None) -> None:
    """Print the cascade of the search, and why it was used."""
    report.text(f"cascade: {answer.cascade} ({why(answer, card)})")


def warn(report: Report, answers: Sequence[Answer], filters: FilterOptions) -> None:
    """Warn where a search had nothing to search in, or a filter leaves no entry out."""
    for note in _different(answers):
        if note.kind == "no-such-camera":
            report.warn(
                f"--other-cameras leaves no entry out for camera {note.facts['camera']}: the gallery's cameras are "
                f"{', '.join(note.facts['cameras'])}; if it is one of these by another name, use --not-camera"
            )
        elif note.kind == "nothing-to-search":
            report.warn(f"nothing to search in: {filters.why_empty(note)}")


def notes(report: Report, answers: Sequence[Answer], card: EncoderCard | None) -> None:
    """What else the reader should know."""
    for note in _different(answers):
        if note.kind not in (*_BY_SIZE, "no-such-camera", "unknown-camera", "nothing-to-search"):
            report.note(note.message if note.kind in _PLAIN else f"not calibrated: {note.message}")
    for kind in _BY_SIZE:
        found = [note for answer in answers for note in answer.notes if note.kind == kind]
        if found:
            report.note(max(found, key=lambda note: int(note.facts["entries"])).message)
    if answers[0].description is not None:
        _describe(report, answers, answers[0].description, card)


def _different(answers: Sequence[Answer]) -> list[Note]:
    return list({(note.kind, note.message): note for answer in answers for note in answer.notes}.values())


def _describe(report: Report, answers: Sequence[Answer], facts: DescriptionFacts, card: EncoderCard | None) -> None:
    """Print how many entries fit or pass, and which attributes the encoder does not predict well."""
    by_picture = answers[0].origin != "description"
    passing = " or ".join(f"{n:,}" for n in sorted({answer.passing or 0 for answer in answers}))
    if by_picture:
        share = facts.right_share
        right = "" if share is None else f", about {100 * share:.0f} % or more of the people with these attributes"
        report.note(f"the description lets {passing} entries pass{right}")
    elif passing != "0":
        report.note(f"the description fits {passing} entries, surely or not")
    fits = [hit.fit for answer in answers for hit in answer.hits if hit.fit is not None]
    if fits and all(fit.differs for fit in fits):
        report.note(f"no hit fits the whole description: {facts}")
    name, where = card.name if card else "the encoder", "(`swiftreid encoder info` shows it for each attribute)"
    if facts.by_chance:
        ignored = ", so it leaves no entry out" if by_picture else ""
        report.note(f"{name} predicts {' and '.join(facts.by_chance)} hardly better than by chance{ignored} {where}")
    if facts.unmeasured:
        report.note(f"how well {name} predicts {' and '.join(facts.unmeasured)} was never measured {where}")


def answer_document(answer: Answer) -> dict[str, Any]:
    """One query for a JSON document."""
    decided = answer.decision in (Verdict.SAME_PERSON, Verdict.UNKNOWN)
    return {**answer.to_dict(), "unknown": answer.decision == Verdict.UNKNOWN if decided else None}


def description_document(answer: Answer) -> dict[str, Any]:
    """The description for a JSON document."""
    facts = answer.description
    return {
        "description": dict(facts.bits) if facts else None,
        "by_chance": list(facts.by_chance) if facts else None,
        "never_measured": list(facts.unmeasured) if facts else None,
        "right_share": facts.right_share if facts else None,
    }


def threshold_document(answer: Answer) -> dict[str, Any] | None:
    """The same-person threshold for a JSON document."""
    if answer.calibration is not None:
        return asdict(answer.calibration)
    if answer.threshold is None:
        return None
    return {"code": answer.cascade.stages[-1].code, "threshold": answer.threshold}

"""What figures take from result cards: which rankings, whether cards go together, and the words about them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from swiftreid.errors import UsageError
from swiftreid.evaluation.card import ResultCard, ResultRow
from swiftreid.evaluation.comparison import differences, short_names
from swiftreid.evaluation.verdicts import CardsDiffer


@dataclass(frozen=True)
class ChosenRow:
    """One ranking of one card, with a label that no other ranking of the figure has."""

    label: str
    card: ResultCard
    row: ResultRow


def load_cards(paths: Sequence[Path], *, force: bool = False) -> list[ResultCard]:
    """Read the cards of one figure.

    Raises:
        SwiftReIDError: a card cannot be read.
        CardsDiffer: they are not of the same pictures and protocol, and ``force`` is not set.
    """
    cards = [ResultCard.load(path) for path in paths]
    for path, card in zip(paths[1:], cards[1:], strict=True):
        different = differences(cards[0], card, ap="standard")  # figures are by this one definition
        if different and not force:
            raise CardsDiffer(
                f"{paths[0]} and {path} do not belong in one figure, they differ in {'; '.join(map(str, different))}. "
                "Draw them apart"
            )
    return cards


def choose_rows(
    cards: Sequence[ResultCard], wanted: Sequence[str], default: Sequence[str], files: Sequence[Path] = ()
) -> list[ChosenRow]:
    """The rankings of each card that were asked for.

    Args:
        cards: one or more.
        wanted: names of rankings, or parts of names that no two rankings of a card share; empty takes the default.
        default: names of rankings, of which each card has some.
        files: file names of the cards, to distinguish cards of one encoder and data set.

    Raises:
        UsageError: a card has no such ranking, or several.
    """
    names = _names(cards, files)
    chosen = []
    for name, card in zip(names, cards, strict=True):
        rows = [card.find(text) for text in wanted] if wanted else [r for r in card.rows if r.ranking in default]
        for row in rows:
            chosen.append(ChosenRow(f"{name}: {row.ranking}" if name else row.ranking, card, row))
    if not chosen:
        raise UsageError("none of the cards has a ranking to draw: choose one by its name")
    return chosen


def choose_pair(
    cards: Sequence[ResultCard], wanted: Sequence[str], files: Sequence[Path] = ()
) -> tuple[ChosenRow, ChosenRow]:
    """Two rankings to compare: one of each of two cards, or two of one card.

    Args:
        cards: one or two.
        wanted: one name for each card, one for both, or two of a single card; none takes exhaustive search by the
            longest code of each of two cards.
        files: file names of the cards, to distinguish cards of one encoder and data set.

    Raises:
        UsageError: these are not two rankings, or a card has no such one.
    """
    if (len(cards), len(wanted)) not in ((1, 2), (2, 0), (2, 1), (2, 2)):
        raise UsageError("changes need two cards, or two rankings of one card: name them")
    names = _names(cards, files) * (2 // len(cards))
    pair = [cards[0], cards[-1]]
    texts = list(wanted) * (2 // len(wanted)) if wanted else [longest_exhaustive(card) for card in pair]
    first, second = (
        ChosenRow(f"{name}: {row.ranking}" if name else row.ranking, card, row)
        for name, card, text in zip(names, pair, texts, strict=True)
        if (row := card.find(text or "id"))
    )
    return first, second


def _names(cards: Sequence[ResultCard], files: Sequence[Path]) -> list[str]:
    """A distinct name of each card: encoder, data set, both, or else its file (or its position)."""
    if len(cards) == 1:
        return [""]
    by_encoder = [encoder_name(card) for card in cards]
    by_data = [card.data.name for card in cards]
    both = [f"{encoder} on {data}" for encoder, data in zip(by_encoder, by_data, strict=True)]
    for names in (by_encoder if len(set(by_data)) == 1 else by_data, both):
        if len(set(names)) == len(cards):
            return names
    if len(files) == len(cards) == len(set(short := short_names(files))):
        return short
    return [f"{name} ({place})" for place, name in enumerate(both, start=1)]


def encoder_name(card: ResultCard) -> str:
    """The encoder's name, as far as the card knows it."""
    return card.encoder.name if card.encoder else "unknown encoder"


def longest_exhaustive(card: ResultCard) -> str | None:
    """Name of the exhaustive ranking by the longest code: the one that stores most for an entry."""
    rows = [row for row in card.rows if row.ranking.startswith("id") and row.ranking.endswith(" exhaustive")]
    return max(rows, key=lambda row: row.bytes_per_entry or 0).ranking if rows else None


def about_cards(cards: Sequence[ResultCard]) -> list[str]:
    """Data set, protocol and encoder in words, a line for each card that differs in them."""
    lines: list[str] = []
    for card in cards:
        p, pictures = card.protocol, card.data.pictures
        lines.append(
            about(
                card.data.name,
                queries=p.queries,
                gallery=pictures.get("gallery", 0) + p.distractors,
                cross_camera=p.cross_camera,
                multi_query=p.multi_query,
            )
        )
    each = {card.encoder.fingerprint if card.encoder else str(place): card for place, card in enumerate(cards)}
    called = [encoder_name(card) for card in each.values()]
    names = ", ".join(  # two encoders of one name are told apart as cards do, by the beginning of the fingerprint
        f"{name} ({fingerprint[:6]})" if called.count(name) > 1 else name
        for name, fingerprint in zip(called, each, strict=True)
    )
    return [*dict.fromkeys(lines), f"encoder{'s' if ', ' in names else ''} {names}"]


def about(data: str, *, queries: int, gallery: int, cross_camera: bool, multi_query: bool = False) -> str:
    """Data set and protocol in one line."""
    query = "multi query" if multi_query else "single query"
    camera = "cross-camera" if cross_camera else "same-camera matches count"
    return f"{data} · {queries:,} queries, {gallery:,} gallery pictures · {query}, {camera}"

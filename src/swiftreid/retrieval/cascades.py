"""Which cascade a query is searched by."""

from __future__ import annotations

from collections.abc import Collection

from swiftreid.encoding.card import EncoderCard
from swiftreid.errors import UsageError
from swiftreid.gallery.store import Gallery
from swiftreid.retrieval.answer import CascadeOrigin
from swiftreid.retrieval.query import Query
from swiftreid.search.cascade import Cascade, Stage
from swiftreid.search.stages import EMBEDDING


def choose_cascade(query: Query, gallery: Gallery, card: EncoderCard | None) -> tuple[Cascade, CascadeOrigin]:
    """The query's cascade; else the encoder's calibrated one; else exhaustive search by the longest code; and which.

    Args:
        query: what is asked.
        gallery: to search.
        card: of the encoder; None where it is not known.

    Raises:
        UsageError: the gallery does not have a code that the query's cascade compares.
    """
    if query.cascade is not None:
        cascade = query.cascade if isinstance(query.cascade, Cascade) else Cascade.parse(query.cascade)
        check_codes(cascade, codes_of(gallery))
        return cascade, "given"
    exhaustive = Cascade([Stage(gallery.spec.final if len(gallery.spec) else EMBEDDING)])
    if query.exact:
        return exhaustive, "exact"
    if card is None or card.calibration is None:
        return exhaustive, "every entry"
    return Cascade.parse(card.calibration.cascade), "calibrated"


def codes_of(gallery: Gallery) -> list[str]:
    """What a cascade can compare in a gallery: its codes, and ``embedding`` where it keeps float embeddings."""
    return [*gallery.spec.names, *([EMBEDDING] if gallery.embedding else [])]


def check_codes(cascade: Cascade, codes: Collection[str], owner: str = "the gallery") -> None:
    """Refuse a cascade that compares what is not there.

    Raises:
        UsageError: names what is missing and what there is.
    """
    missing = [name for name in cascade.codes if name not in codes]
    if missing:
        floats = " (it keeps no float embeddings)" if EMBEDDING in missing and owner == "the gallery" else ""
        raise UsageError(
            f"the cascade '{cascade}' compares {' and '.join(missing)}, which {owner} does not have{floats}; "
            f"{owner} has {', '.join(codes)}"
        )

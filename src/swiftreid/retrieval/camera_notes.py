"""What an answer says where the encoder knows cameras, and the query's camera is none of them."""

from __future__ import annotations

from collections.abc import Sequence

from swiftreid.retrieval.answer import Note
from swiftreid.retrieval.filters import SHOWN_CAMERAS


def unplaced_note(unplaced: Sequence[str | None], placed: Sequence[str]) -> Note | None:
    """A note that pictures of a query were encoded as of no camera in particular; None where there are none.

    Args:
        unplaced: their cameras, None where none is known.
        placed: cameras of which the encoder has statistics.
    """
    if not unplaced:
        return None
    named = sorted({camera for camera in unplaced if camera is not None})
    what = f"no statistics of camera {', '.join(map(repr, named))}" if named else ""
    if None in unplaced:
        what = f"{what}, and does not know the query's camera" if what else "statistics of cameras, and this query none"
    more = ", ..." if len(placed) > SHOWN_CAMERAS else ""
    return Note(
        "no-camera-statistics",
        f"the encoder has {what}: the query is compared as of the mean camera, which finds less. It knows cameras "
        f"{', '.join(placed[:SHOWN_CAMERAS])}{more}: name the query's, if it is one of these",
        {"cameras": named, "known": list(placed)},
    )

"""Sealing: the oldest rows of the tail become a segment."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from swiftreid.gallery.catalogue import Catalogue
from swiftreid.gallery.errors import GalleryBusy
from swiftreid.gallery.segment_store import SegmentStore
from swiftreid.gallery.segments import write_segment
from swiftreid.gallery.tail import read_tail

_ATTEMPTS = 5


def seal(catalogue: Catalogue, store: SegmentStore, gallery: Path) -> int:
    """Seal the oldest rows of the tail while it has a segment's worth of them; return the number of segments made.

    A segment has codes of one version of the camera statistics: where that changes, a segment ends. A process killed
    before the registration leaves a file that nothing names; the rows are still in the tail.

    Raises:
        GalleryBusy: the tail was changed by others again and again.
    """
    made = refused = 0
    while refused < _ATTEMPTS:
        done = _seal_one(catalogue, store, gallery)
        if done is None:
            return made
        made += done
        refused += not done
    raise GalleryBusy(
        f"gallery {gallery}: other writers changed the entries during sealing; the next addition seals them"
    )


def _seal_one(catalogue: Catalogue, store: SegmentStore, gallery: Path) -> bool | None:
    """Whether a segment was made; None when there is nothing to seal."""
    meta = catalogue.meta
    view = catalogue.view("sealing")
    try:
        if view.tail_rows() < meta.segment_size:
            return None
        tail = read_tail(view, gallery, meta.layout)
    finally:
        view.close()
    statistics = tail.chunks[0].statistics
    ends = np.cumsum([chunk.rows for chunk in tail.chunks])
    end = next((i for i, chunk in enumerate(tail.chunks) if chunk.statistics != statistics), len(tail.chunks))
    count = min(meta.segment_size, int(ends[end - 1]))
    chunks = tail.chunks[: int(np.searchsorted(ends, count)) + 1]
    columns = tail.columns
    sealed, rest = columns.take(slice(0, count)), columns.take(slice(count, int(ends[len(chunks) - 1])))
    segment = write_segment(store, meta.layout, sealed, encoder=meta.fingerprint, statistics=statistics)
    return catalogue.register(segment, sealed, tail=chunks, rest=rest)

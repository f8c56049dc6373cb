"""A contact sheet of a gallery's people: a row of pictures for each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain, zip_longest
from pathlib import Path
from typing import Final

from PIL import Image

from swiftreid.adaptation.people import PersonGroup
from swiftreid.data.doctor.words import count
from swiftreid.errors import UsageError
from swiftreid.figures.picture_rows import PictureRow, draw_rows
from swiftreid.gallery.entries import Entry
from swiftreid.retrieval.local import LocalGallery
from swiftreid.retrieval.samples import file_of_source

PEOPLE: Final = 30
"""People that a sheet shows, by default."""

MOST: Final = 500
"""People that a sheet shows at most: 130 million pixels."""


def draw_people(
    gallery: LocalGallery, people: Sequence[PersonGroup], *, columns: int = 12, crop_height: int = 152
) -> Image.Image:
    """Draw a row of pictures for each person, of all its cameras in turn.

    Pictures are the entries' thumbnails, or their source files where there are none.

    Args:
        gallery: that has them.
        people: of it, in this order.
        columns: pictures in a row, at most.
        crop_height: height of each in pixels; it is half as wide.

    Raises:
        UsageError: there is nobody to draw, or sizes that cannot be drawn.

    Example:
        ``draw_people(gallery, people_in(gallery)[:PEOPLE]).save("people.png")``
    """
    if not people:
        raise UsageError(f"gallery {gallery.store.path} has no groups to draw: group its people first")
    if len(people) > MOST:
        raise UsageError(f"a contact sheet shows up to {MOST} people, got {len(people)}: draw several")
    rows = [
        PictureRow(_heading(person), [_cell(entry) for entry in gallery.entries(_some(person, columns))])
        for person in people
    ]
    return draw_rows(rows, columns=columns, crop_height=crop_height, title=f"People of {gallery.store.path.name}")


def _some(person: PersonGroup, most: int) -> list[str]:
    """Ids of up to ``most`` entries, of each camera in turn."""
    by_camera = [[entry.id for entry in person.entries if entry.camera == camera] for camera in person.cameras]
    return [id_ for id_ in chain.from_iterable(zip_longest(*by_camera)) if id_ is not None][:most]


def _heading(person: PersonGroup) -> str:
    name = f" ({person.name})" if person.name else ""
    by_hand = f", {person.by_hand:,} by hand" if person.by_hand else ""
    cameras = ", ".join(person.cameras)
    return f"group {person.number}{name}: {count(len(person.entries), 'picture')}, cameras {cameras}{by_hand}"


def _cell(entry: Entry) -> tuple[Path | bytes | None, str]:
    picture: Path | bytes | None = entry.thumbnail
    if picture is None and entry.source is not None:
        picture = file_of_source(entry.source)
    moment = "" if entry.time is None else f"\n{datetime.fromtimestamp(entry.time, UTC):%Y-%m-%d %H:%M}"
    return picture, f"{Path(entry.id).stem}{moment}"

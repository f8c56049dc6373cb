"""The filter options of search, list and export, and the message when no entry passes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer

from swiftreid.data.times import seconds
from swiftreid.errors import UsageError
from swiftreid.gallery.filters import Filters
from swiftreid.gallery.store import Gallery
from swiftreid.retrieval.answer import Note
from swiftreid.retrieval.filters import cameras_of

Names = list[str] | None
CameraOption = Annotated[Names, typer.Option(help="Only entries of this camera; may be repeated.")]
NotCameraOption = Annotated[Names, typer.Option(help="No entries of this camera; may be repeated.")]
PersonOption = Annotated[Names, typer.Option(help="Only entries of this person; may be repeated.")]
TrackOption = Annotated[Names, typer.Option(help="Only entries of this track; may be repeated.")]
LabelOption = Annotated[
    Names,
    typer.Option(help="Only entries with this label, NAME=VALUE; may be repeated: one value of each name is enough."),
]
AfterOption = Annotated[str | None, typer.Option(help="Only entries from this time on (ISO 8601 or Unix seconds).")]
BeforeOption = Annotated[str | None, typer.Option(help="Only entries before this time.")]


@dataclass(frozen=True)
class FilterOptions:
    """The options as they were given."""

    camera: Names = None
    not_camera: Names = None
    person: Names = None
    track: Names = None
    label: Names = None
    after: str | None = None
    before: str | None = None
    other_cameras: bool = False

    def filters(self, gallery: Gallery) -> Filters:
        """What they mean to a gallery.

        Raises:
            UsageError: a time is none, or leaves none; a label is not of the form NAME=VALUE; the gallery has no such
                camera.
        """
        after = seconds(self.after, "--after") if self.after is not None else None
        before = seconds(self.before, "--before") if self.before is not None else None
        if after is not None and before is not None and after >= before:
            raise UsageError(
                f"no time is both from --after {self.after} on and before --before {self.before}: "
                "--after takes the earlier time"
            )
        known = set(gallery.cameras())
        for option, names in (("--camera", self.camera), ("--not-camera", self.not_camera)):
            unknown = sorted(set(names or ()) - known)
            if unknown:
                raise UsageError(
                    f"{option}: gallery {gallery.path} has no camera {', '.join(map(repr, unknown))}; its cameras are "
                    f"{cameras_of(gallery)}"
                )
        return Filters(
            cameras=self.camera or None,
            not_cameras=self.not_camera or (),
            other_cameras=self.other_cameras,
            after=after,
            before=before,
            persons=self.person or None,
            tracks=self.track or None,
            labels=_labels(self.label or ()),
        )

    def why_empty(self, note: Note) -> str:
        """Why a search had nothing to search in, in terms of the options; ``note`` is the answer's."""
        if note.facts["why"] != "filters":
            return note.message
        own = note.facts["camera"]
        given = [
            f"--{option} {name}"
            for option, names in (
                ("camera", self.camera), ("not-camera", self.not_camera), ("person", self.person),
                ("track", self.track), ("label", self.label),
            )
            for name in names or ()
        ]  # fmt: skip
        given += [f"--other-cameras (all but {own})"] if own is not None else []
        given += [f"--after {self.after}"] if self.after else []
        given += [f"--before {self.before}"] if self.before else []
        return f"no entry passes {' '.join(given)}{' together' if len(given) > 1 else ''}"


def _labels(texts: Sequence[str]) -> dict[str, list[str]]:
    labels: dict[str, list[str]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise UsageError(f"--label {text!r}: write NAME=VALUE, such as --label coat=red")
        labels.setdefault(name, []).append(value)
    return labels

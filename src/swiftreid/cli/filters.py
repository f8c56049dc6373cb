"""The options of a search that leave entries out, and what it says when none is left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from swiftreid.data.table_file import seconds
from swiftreid.errors import UsageError
from swiftreid.retrieval.answer import Note
from swiftreid.retrieval.filters import Filters, UnknownCamera

_OPTIONS = {"cameras": "--camera", "not_cameras": "--not-camera"}


def labels_of(texts: Sequence[str]) -> dict[str, list[str]]:
    """Labels by name, with the values of which one must be there, of options ``NAME=VALUE``.

    Raises:
        UsageError: an option is something else.
    """
    labels: dict[str, list[str]] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise UsageError(f"--label {text!r}: write NAME=VALUE, such as --label coat=red")
        labels.setdefault(name, []).append(value)
    return labels


@dataclass(frozen=True)
class FilterOptions:
    """The options as they were given."""

    cameras: Sequence[str]
    not_cameras: Sequence[str]
    after: str | None
    before: str | None
    other_cameras: bool
    labels: Sequence[str]
    tracks: Sequence[str]

    @property
    def filters(self) -> Filters:
        """What they mean to a gallery.

        Raises:
            UsageError: a time is none, or leaves none, or a label is not of the form NAME=VALUE.
        """
        after = seconds(self.after, "--after") if self.after else None
        before = seconds(self.before, "--before") if self.before else None
        if after is not None and before is not None and after >= before:
            raise UsageError(
                f"no time is both from --after {self.after} on and before --before {self.before}: "
                "--after takes the earlier time"
            )
        labels = labels_of(self.labels)
        return Filters(
            self.cameras, self.not_cameras, self.other_cameras, after, before, tracks=self.tracks, labels=labels
        )

    @contextmanager
    def naming_options(self) -> Iterator[None]:
        """Name the option of a camera that the gallery does not have."""
        try:
            yield
        except UnknownCamera as error:
            raise UsageError(f"{_OPTIONS[error.field]}: {error}") from error

    def why_empty(self, note: Note) -> str:
        """Why a search had nothing to search in, in terms of the options; ``note`` is the answer's."""
        if note.facts["why"] != "filters":
            return note.message
        own = note.facts["camera"]
        given = [f"--camera {name}" for name in self.cameras] + [f"--not-camera {name}" for name in self.not_cameras]
        given += [f"--other-cameras (all but {own})"] if own is not None else []
        given += [f"--after {self.after}"] if self.after else []
        given += [f"--before {self.before}"] if self.before else []
        given += [f"--label {text}" for text in self.labels] + [f"--track {name}" for name in self.tracks]
        return f"no entry passes {' '.join(given)}{' together' if len(given) > 1 else ''}"

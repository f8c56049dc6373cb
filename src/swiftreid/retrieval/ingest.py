"""Add pictures, vectors and ready codes to a gallery, in durable batches: an interrupted addition can be resumed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import get_args

import numpy as np

from swiftreid.data.pictures import BadPicture
from swiftreid.data.samples import NamedSample
from swiftreid.encoding.abstract import Cameras
from swiftreid.encoding.crops import Colour
from swiftreid.encoding.encoder import Encoder
from swiftreid.encoding.encodings_file import Encodings
from swiftreid.errors import UsageError
from swiftreid.gallery.entries import Entry, check_entries
from swiftreid.gallery.store import Gallery
from swiftreid.gallery.writer import Written
from swiftreid.progress import Progress, no_progress
from swiftreid.retrieval.encoded import Codes, columns_for, encode_pictures
from swiftreid.retrieval.query import Picture
from swiftreid.retrieval.samples import NoCamera, digest_of_file, entry_of, refuse_same_ids, source_of
from swiftreid.retrieval.searchable import OnBad, OnExisting
from swiftreid.search.stages import EMBEDDING

OnAdded = Callable[[Sequence[str]], None]
"""Takes the ids of a batch once it is durable."""

_ROWS = 65_536  # of codes added in one transaction


class IdsExist(UsageError):
    """Some ids are in the gallery already; nothing was added.

    Attributes:
        ids: those.
    """

    def __init__(self, message: str, ids: Sequence[str]) -> None:
        super().__init__(message)
        self.ids = tuple(ids)


class OtherPicture(UsageError):
    """A picture would be skipped, because its id is there, but the gallery has that id from another file."""


@dataclass
class Ingested:
    """What an addition did so far.

    Attributes:
        ids: of the entries that were added, in order.
        existing: ids that were there already and were left out.
        unreadable: pictures that could not be used.
        write: number of the last write; 0 without one.
    """

    ids: list[str] = field(default_factory=list)
    existing: list[str] = field(default_factory=list)
    unreadable: list[BadPicture] = field(default_factory=list)
    write: int = 0


def add_samples(
    gallery: Gallery,
    encoder: Callable[[], Encoder],
    samples: Sequence[NamedSample],
    *,
    on_existing: OnExisting = "refuse",
    on_bad: OnBad | None = None,
    on_added: OnAdded | None = None,
    progress: Progress = no_progress,
) -> Ingested:
    """Add picture files.

    Each batch is durable before the next is encoded. To go on after an interruption, call it again with
    ``on_existing="skip"``.

    Args:
        gallery: open for writing.
        encoder: called where there is something to encode.
        samples: each with an id and a camera (`swiftreid.retrieval.samples.samples_in`).
        on_existing: what to do with ids that are there.
        on_bad: takes pictures that cannot be used, which are left out; without it the first one raises.
        on_added: takes the ids of each batch once it is durable.
        progress: takes pictures encoded and pictures in all.

    Raises:
        SameIds: two samples have the same id; nothing was added.
        IdsExist, OtherPicture: ids are there, and are not to be skipped, or are of other files; nothing was added.
        BadPicture: a picture cannot be used, and there is no ``on_bad``; what was added before it stays.
    """
    refuse_same_ids(samples, "give each an id of its own")
    done = _begin(gallery, [sample.id for sample in samples], on_existing)
    known = set(done.existing)
    _refuse_other_pictures(gallery, [sample for sample in samples if sample.id in known])
    wanted = [sample for sample in samples if sample.id not in known]

    def entries_at(places: Sequence[int], thumbnails: Sequence[bytes]) -> list[Entry]:
        return [entry_of(wanted[place], small) for place, small in zip(places, thumbnails, strict=True)]

    files = [sample.path for sample in wanted]
    _encode_and_add(
        gallery,
        encoder,
        files,
        entries_at,
        done,
        cameras=[sample.camera for sample in wanted],
        replacing=on_existing == "replace",
        colour="rgb",
        on_bad=on_bad,
        on_added=on_added,
        progress=progress,
    )
    return done


def add_pictures(
    gallery: Gallery,
    encoder: Callable[[], Encoder],
    pictures: Sequence[Picture],
    entries: Sequence[Entry],
    *,
    colour: Colour = "rgb",
    on_existing: OnExisting = "refuse",
    on_bad: OnBad | None = None,
    on_added: OnAdded | None = None,
    progress: Progress = no_progress,
) -> Ingested:
    """Add entries with a picture each: files, or pixels. As `add_samples`, for entries that are ready.

    An entry without a thumbnail gets one, and one of a file that file as its source, with its digest.

    Raises:
        UsageError: there are not as many entries as pictures, one cannot be stored, or ids come twice; nothing was
            added.
        IdsExist: ids are there, and are not to be skipped; nothing was added.
        BadPicture: a picture cannot be used, and there is no ``on_bad``; what was added before it stays.
    """
    if len(pictures) != len(entries):
        raise UsageError(f"{len(entries)} entries came with {len(pictures)} pictures: give one picture for each entry")
    check_entries(entries)  # all of them, before the first batch is durable
    done = _begin(gallery, [entry.id for entry in entries], on_existing)
    known = set(done.existing)
    wanted = [row for row, entry in enumerate(entries) if entry.id not in known]

    def entries_at(places: Sequence[int], thumbnails: Sequence[bytes]) -> list[Entry]:
        return [
            _completed(entries[wanted[place]], pictures[wanted[place]], small)
            for place, small in zip(places, thumbnails, strict=True)
        ]

    chosen = [pictures[row] for row in wanted]
    _encode_and_add(
        gallery,
        encoder,
        chosen,
        entries_at,
        done,
        cameras=[entries[row].camera for row in wanted],
        replacing=on_existing == "replace",
        colour=colour,
        on_bad=on_bad,
        on_added=on_added,
        progress=progress,
    )
    return done


def add_codes(
    gallery: Gallery,
    entries: Sequence[Entry],
    codes: Codes,
    *,
    fingerprint: str,
    encoder_name: str | None = None,
    on_existing: OnExisting = "refuse",
    on_added: OnAdded | None = None,
    progress: Progress = no_progress,
) -> Ingested:
    """Add entries with ready codes.

    Args:
        gallery: open for writing.
        entries: n of them.
        codes: for each code of the gallery uint8 [n, row bytes], and ``embedding``, float [n, d], where it keeps that.
        fingerprint: of the encoder that made them.
        encoder_name: its name, for the error message.
        on_existing: what to do with ids that are there.
        on_added: takes the ids of each batch once it is durable.
        progress: takes entries added and entries in all.

    Raises:
        OtherEncoder: the codes come from another encoder.
        UsageError: codes of a wrong name, width or number; an entry cannot be stored, or ids come twice; nothing was
            added.
        IdsExist: ids are there, and are not to be skipped; nothing was added.
    """
    gallery.check_encoder(fingerprint, encoder_name)
    packed = {name: code for name, code in codes.items() if name != EMBEDDING}
    floats: object = codes.get(EMBEDDING)
    if floats is not None and not (isinstance(floats, np.ndarray) and floats.ndim == 2):
        raise UsageError(f"embeddings are a float array [n, d], not a {type(floats).__name__}")
    counts = {gallery.spec.check(packed)} if packed or floats is None else set()
    counts |= set() if floats is None else {len(floats)}
    if counts != {len(entries)}:
        rows = " and ".join(map(str, sorted(counts)))
        raise UsageError(f"{len(entries)} entries came with {rows} rows of codes: give one row of each code per entry")
    check_entries(entries)  # all of them, before the first part is durable
    done = _begin(gallery, [entry.id for entry in entries], on_existing)
    known = set(done.existing)
    wanted = np.flatnonzero([entry.id not in known for entry in entries])
    for start in range(0, len(wanted), _ROWS):
        part = wanted[start : start + _ROWS]
        chosen = [entries[row] for row in part.tolist()]
        written = gallery.add(
            chosen,
            {name: np.ascontiguousarray(code[part]) for name, code in packed.items()},
            embeddings=None if floats is None else floats[part],
            fingerprint=fingerprint,
            encoder_name=encoder_name,
            replace=on_existing == "replace",
        )
        _note_added(done, chosen, written, on_added)
        progress("adding", start + len(part), len(wanted))
    return done


def entries_of(encodings: Encodings, *, camera: str | None = None, id_prefix: str = "") -> list[Entry]:
    """The entries of a file of encodings, which have no thumbnails.

    Args:
        encodings: as `swiftreid.encoding.encodings_file.load_encodings` read them.
        camera: of those that state none.
        id_prefix: goes before every id.

    Raises:
        NoCamera: some have no camera.
    """
    header = encodings.header
    missing = [id_ for id_, known in zip(header.ids, header.cameras, strict=True) if (known or camera) is None]
    if missing:
        raise NoCamera(
            f"{len(missing)} of {len(header.ids)} encodings have no camera, the first is {missing[0]!r}: give "
            "the camera that took them"
        )
    return [
        Entry(id=id_prefix + id_, camera=own or camera or "", person=person, time=time)
        for id_, own, person, time in zip(header.ids, header.cameras, header.persons, header.times, strict=True)
    ]


def _begin(gallery: Gallery, ids: Sequence[str], on_existing: OnExisting) -> Ingested:
    """What is there already; an error if something is and it is not to be skipped."""
    if on_existing not in get_args(OnExisting):
        raise UsageError(f"on_existing is 'refuse', 'skip' or 'replace', not {on_existing!r}")
    if on_existing == "replace":
        return Ingested()
    known = gallery.existing(ids)
    if known and on_existing == "refuse":
        raise IdsExist(
            f"{len(known)} of {len(ids)} ids are already in {gallery.path}, such as {min(known)!r}; nothing was added. "
            "If they are the same pictures, skip those that are there; if not, give them other ids",
            sorted(known),
        )
    return Ingested(existing=[id_ for id_ in ids if id_ in known])


def _refuse_other_pictures(gallery: Gallery, known: Sequence[NamedSample]) -> None:
    """Refuse to skip a different picture that only has the same id."""
    for sample in known:
        stored = gallery.get(sample.id).entry.source
        other = Path(stored) if stored else None
        # A file that is no longer where it was may have been moved: that is no reason to refuse.
        if other is not None and stored != source_of(sample.path) and other.exists():
            raise OtherPicture(
                f"{sample.path} would have the id {sample.id!r}, which {gallery.path} has from another file, {other}; "
                "nothing was added: give them other ids"
            )


def _encode_and_add(
    gallery: Gallery,
    encoder: Callable[[], Encoder],
    pictures: Sequence[Picture],
    entries_at: Callable[[Sequence[int], Sequence[bytes]], list[Entry]],
    done: Ingested,
    *,
    cameras: Cameras,
    replacing: bool,
    colour: Colour,
    on_bad: OnBad | None,
    on_added: OnAdded | None,
    progress: Progress,
) -> None:
    if not pictures:
        return

    def bad(picture: BadPicture) -> None:
        if on_bad is None:
            raise picture
        done.unreadable.append(picture)
        on_bad(picture)

    used = encoder()
    for batch in encode_pictures(used, pictures, colour, cameras=cameras, on_bad=bad, progress=progress):
        made, columns = entries_at(batch.places.tolist(), batch.thumbnails), dict(columns_for(gallery, batch.codes))
        floats = columns.pop(EMBEDDING, None)
        written = gallery.add(
            made,
            columns,
            embeddings=floats,
            fingerprint=used.fingerprint,
            encoder_name=used.card.name,
            replace=replacing,
        )
        _note_added(done, made, written, on_added)


def _completed(entry: Entry, picture: Picture, thumbnail: bytes) -> Entry:
    """An entry with what its picture says of itself, where the entry does not."""
    if entry.thumbnail is None:
        entry = replace(entry, thumbnail=thumbnail)
    if not isinstance(picture, np.ndarray) and entry.source is None:
        file = Path(picture)
        entry = replace(entry, source=source_of(file), picture_sha256=entry.picture_sha256 or digest_of_file(file))
    return entry


def _note_added(done: Ingested, entries: Sequence[Entry], written: Written, on_added: OnAdded | None) -> None:
    ids = [entry.id for entry in entries]
    done.write = written.token
    done.ids.extend(ids)
    if on_added is not None:
        on_added(ids)

"""A gallery's entries encoded again by another encoder, beside the codes that searches compare until all are there."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from swiftreid.data.pictures import BadPicture, read_picture
from swiftreid.encoding.encoder import Encoder, open_encoder
from swiftreid.encoding.encoding import Encoding
from swiftreid.encoding.runtimes.contract import RunOptions
from swiftreid.encoding.stream import encode_paths
from swiftreid.errors import UsageError
from swiftreid.gallery.errors import EntriesHeld
from swiftreid.gallery.reencoding import Reencoding, Waiting
from swiftreid.gallery.store import Gallery
from swiftreid.progress import Progress, no_progress
from swiftreid.retrieval.encoded import Codes
from swiftreid.retrieval.samples import digest_of_file, file_of_source
from swiftreid.search.stages import EMBEDDING

Problem = Literal["no source", "source gone", "other picture", "unreadable", "refused"]

_REASONS: Final[dict[Problem, str]] = {
    "no source": "state no picture file",
    "source gone": "state a file that is gone",
    "other picture": "state a file that holds another picture now",
    "unreadable": "state a file that is no picture any more",
    "refused": "state a file that the system does not let this user read",
}
_BATCH = 64
_SLICE = 4096  # entries in memory at a time
_DEFAULTS = RunOptions()


class SourcesMissing(UsageError):
    """Source pictures are missing or changed, and their entries are neither to be made from thumbnails nor dropped.

    Attributes:
        ids: of these entries.
        total: entries of the gallery.
    """

    def __init__(self, message: str, ids: Sequence[str], total: int) -> None:
        super().__init__(message)
        self.ids = tuple(ids)
        self.total = total


@dataclass(frozen=True)
class Reencoded:
    """What a re-encoding did.

    Attributes:
        switched: False where the gallery had codes of this encoder already, so that there was nothing to do.
        encoder_name: the encoder whose codes searches compare now.
        fingerprint: that encoder's.
        encoder_before: the encoder before, whose codes are kept.
        entries: in the gallery.
        encoded: entries that this call encoded; what an interrupted one had encoded, or what was kept, is not again.
        from_thumbnails: how many of these from their thumbnails.
        unchecked: how many of these from files of which the entries state no digest: they were taken as they are.
        dropped: ids of entries that were deleted because neither source nor thumbnail could be used.
    """

    switched: bool
    encoder_name: str
    fingerprint: str
    encoder_before: str
    entries: int
    encoded: int = 0
    from_thumbnails: int = 0
    unchecked: int = 0
    dropped: tuple[str, ...] = ()


def reencode(
    gallery: Gallery,
    encoder: Encoder,
    *,
    from_thumbnails: bool = False,
    drop_missing: bool = False,
    progress: Progress = no_progress,
) -> Reencoded:
    """Encode all entries by another encoder, from their source pictures, and switch the gallery to it.

    The new codes are filled beside the active ones. Searches and writers of all processes go on until the switch, which
    is one transaction. A call that was interrupted goes on where it was. Entries that are added, deleted or changed
    meanwhile are right in the new codes. The codes of before are kept until another re-encoding, or until they are
    discarded (`Gallery.discard_versions`); an entry that is deleted is deleted from them too.

    Args:
        gallery: open for writing; to be opened again afterwards.
        encoder: takes pictures. A copy goes into the gallery.
        from_thumbnails: encode entries with a missing or changed source from their kept thumbnails, which are small and
            compressed: such entries are found less well.
        drop_missing: delete entries that cannot be encoded, for good; but not those whose file is there and cannot be
            opened, for want of rights or because a disk fails, and none where it would be half of the gallery: a folder
            is away then, and comes back.
        progress: takes entries with new codes, and all entries.

    Raises:
        SourcesMissing: entries have no usable source, and nothing was said about them. What was encoded is kept.
        EntriesHeld: entries to be dropped must not be deleted; nothing was switched.
        UsageError: the encoder takes no pictures, or does not give what the gallery keeps.
        UnfinishedReencoding: codes of a third encoder are half filled.
        GalleryBusy: another process is re-encoding.
    """
    before = gallery.encoder_name
    if encoder.fingerprint == gallery.fingerprint:
        return Reencoded(False, before, gallery.fingerprint, before, len(gallery))
    _check_takes_pictures(encoder)
    with gallery.reencoding(encoder, by_camera=bool(encoder.knows_cameras)) as work:
        return _fill(gallery, work, encoder, progress, from_thumbnails=from_thumbnails, drop_missing=drop_missing)


def go_back(
    gallery: Gallery,
    *,
    from_thumbnails: bool = False,
    drop_missing: bool = False,
    options: RunOptions = _DEFAULTS,
    progress: Progress = no_progress,
) -> Reencoded:
    """Switch a gallery to the codes that it keeps of the encoder before; those of now are kept in their place.

    Entries that were added since are encoded by the encoder before.

    Args:
        gallery: open for writing; to be opened again afterwards.
        from_thumbnails: as for `reencode`.
        drop_missing: as for `reencode`.
        options: threads and device of the encoder.
        progress: as for `reencode`.

    Raises:
        UsageError: no codes of before are kept; or entries were added, and no copy of that encoder is kept.
        SourcesMissing, EntriesHeld, GalleryBusy: as for `reencode`.
    """
    file = gallery.encoder_file_before
    encoder = None if file is None else open_encoder(file, threads=options.threads, device=options.device)
    by_camera = encoder is not None and bool(encoder.knows_cameras)
    with gallery.reencoding(by_camera=by_camera) as work:
        return _fill(gallery, work, encoder, progress, from_thumbnails=from_thumbnails, drop_missing=drop_missing)


def _check_takes_pictures(encoder: Encoder) -> None:
    if encoder.takes != "pictures":
        raise UsageError(
            f"encoder {encoder.card.name} takes vectors, not pictures: create another gallery, and add the vectors"
        )


def _fill(
    gallery: Gallery,
    work: Reencoding,
    encoder: Encoder | None,
    progress: Progress,
    *,
    from_thumbnails: bool,
    drop_missing: bool,
) -> Reencoded:
    """Encode what waits, again and again until nothing does, and switch."""
    before, total = gallery.encoder_name, len(gallery)
    todo = work.pending()
    if encoder is None and len(todo):
        raise UsageError(
            f"{len(todo)} entries of gallery {gallery.path} were added since it took another encoder, and it keeps no "
            f"copy of {work.meta.encoder_name!r} to encode them: give that encoder"
        )
    filler = _Filler(work, encoder, progress, total, total - len(todo), from_thumbnails=from_thumbnails)
    if not from_thumbnails:  # before hours of work, not after them
        for start in range(0, len(todo), _SLICE):
            filler.look(work.waiting(todo[start : start + _SLICE].tolist()))
        filler.refuse(gallery, drop_missing=drop_missing)
    while True:
        for start in range(0, len(todo), _SLICE):
            filler.encode(work.waiting(todo[start : start + _SLICE].tolist()))
        filler.refuse(gallery, drop_missing=drop_missing)
        if work.switch(filler.encode, drop=filler.unusable):
            break
        todo = work.pending()
        todo = todo[~np.isin(todo, np.array(sorted(filler.unusable), np.int64))]
    with Gallery.open(gallery.path, read_only=True) as fresh:
        ids = [one.entry.id for one in filler.unusable.values()]
        there = fresh.existing(ids)
        dropped = tuple(id_ for id_ in ids if id_ not in there)
        return Reencoded(
            switched=True,
            encoder_name=fresh.encoder_name,
            fingerprint=fresh.fingerprint,
            encoder_before=before,
            entries=len(fresh),
            encoded=filler.encoded,
            from_thumbnails=filler.thumbnails,
            unchecked=filler.unchecked,
            dropped=dropped,
        )


@dataclass
class _Filler:
    """Encodes waiting entries, and notes those that cannot be."""

    work: Reencoding
    encoder: Encoder | None
    progress: Progress
    total: int
    done: int
    from_thumbnails: bool = field(kw_only=True)
    unusable: dict[int, Waiting] = field(default_factory=dict)
    problems: dict[int, Problem] = field(default_factory=dict)
    encoded: int = 0
    thumbnails: int = 0
    unchecked: int = 0

    def look(self, waiting: Sequence[Waiting]) -> None:
        """Note entries without a file, quickly: whether it holds the same picture shows when it is read."""
        for one in waiting:
            problem = _file_problem(one)
            if problem is not None:
                self._refuse(one, problem)

    def refuse(self, gallery: Gallery, *, drop_missing: bool) -> None:
        """Raise if some entries cannot be encoded, and are not to be dropped, or cannot be."""
        if not self.unusable:
            return
        waiting = set(self.work.pending().tolist())  # others may have been deleted meanwhile
        self.unusable = {seq: one for seq, one in self.unusable.items() if seq in waiting}
        self.problems = {seq: problem for seq, problem in self.problems.items() if seq in waiting}
        if drop_missing and "refused" not in self.problems.values() and not self._most_missing:
            held = gallery.held()
            kept = {one.entry.id: held[one.entry.id] for one in self.unusable.values() if one.entry.id in held}
            if kept:
                raise EntriesHeld(kept, gallery.path)
        elif self.unusable:
            raise self._missing(gallery)

    @property
    def _most_missing(self) -> bool:
        """Whether so many files are gone that their folder must be away, such as on a disk that is not mounted."""
        return 2 * list(self.problems.values()).count("source gone") >= self.total

    def _missing(self, gallery: Gallery) -> SourcesMissing:
        counts = Counter(self.problems.values())
        reasons = ", ".join(f"{counts[problem]} {text}" for problem, text in _REASONS.items() if counts[problem])
        ids = [one.entry.id for one in self.unusable.values()]
        advice = "or drop them, which deletes them for good"
        if counts["refused"]:
            advice = "and get the right to read them; entries with a file that cannot be opened are not dropped"
        elif self._most_missing:
            advice = (
                "and look whether their disk is mounted; half of a gallery is not dropped: delete these entries first"
            )
        if self.from_thumbnails:
            reasons += ", and their thumbnails cannot be used either"
        else:
            advice = f"encode these from their thumbnails, which finds them less well, {advice}"
        return SourcesMissing(
            f"{len(ids)} of {self.total} entries of gallery {gallery.path} cannot be encoded again: {reasons}; the "
            f"first is {ids[0]!r}. Nothing was switched. Bring the files back, {advice}",
            ids,
            self.total,
        )

    def encode(self, waiting: Sequence[Waiting]) -> None:
        """Stage the codes of entries, from their files, or from thumbnails where that is allowed."""
        assert self.encoder is not None, "the caller has checked that nothing waits without an encoder"
        usable, left = [], []
        for one in waiting:
            problem = _problem(one)
            if problem is None:
                usable.append(one)
            else:
                left.append((one, problem))
        files = [file_of_source(one.entry.source or "") for one in usable]
        read = np.zeros(len(usable), bool)
        cameras = [one.entry.camera for one in usable]
        for batch in encode_paths(self.encoder, files, cameras=cameras, on_bad=_pass_over):
            read[batch.indices] = True
            done = [usable[place] for place in batch.indices.tolist()]
            self._stage(done, batch.encoding)
            self.unchecked += sum(one.entry.picture_sha256 is None for one in done)
        left += [(usable[place], "unreadable") for place in np.flatnonzero(~read).tolist()]
        if not self.from_thumbnails:
            for one, problem in left:
                self._refuse(one, problem)
            return
        problems = {one.seq: problem for one, problem in left}
        for start in range(0, len(left), _BATCH):
            self._encode_thumbnails([one.seq for one, _ in left[start : start + _BATCH]], problems)

    def _encode_thumbnails(self, seqs: Sequence[int], problems: dict[int, Problem]) -> None:
        assert self.encoder is not None
        chosen, pictures = [], []
        for one in self.work.waiting(seqs, thumbnails=True):
            try:
                pictures.append(read_picture(one.entry.thumbnail or b"", name=f"thumbnail of {one.entry.id}"))
                chosen.append(one)
            except BadPicture:
                self._refuse(one, problems[one.seq])
        if chosen:
            encoding = self.encoder.encode(pictures, cameras=[one.entry.camera for one in chosen])
            self._stage(chosen, encoding)
            self.thumbnails += len(chosen)

    def _stage(self, waiting: Sequence[Waiting], encoding: Encoding) -> None:
        codes: Codes = dict(encoding.codes)
        if self.work.meta.embedding is not None and encoding.embedding is not None:
            codes = {**codes, EMBEDDING: encoding.embedding}
        self.work.stage(waiting, codes)
        self.encoded += len(waiting)
        self.done += len(waiting)
        self.progress("re-encoding", min(self.done, self.total), self.total)

    def _refuse(self, one: Waiting, problem: Problem) -> None:
        self.unusable[one.seq], self.problems[one.seq] = one, problem


def _problem(one: Waiting) -> Problem | None:
    """Why an entry's source cannot be used; None if it can, as far as its bytes show."""
    problem = _file_problem(one)
    if problem is not None or one.entry.picture_sha256 is None:
        return problem
    try:
        same = digest_of_file(file_of_source(one.entry.source or "")) == one.entry.picture_sha256
    except OSError:
        return "refused"
    return None if same else "other picture"


def _file_problem(one: Waiting) -> Problem | None:
    """Whether there is a file at all, quickly."""
    source = one.entry.source
    if not source:
        return "no source"
    try:
        return None if file_of_source(source).is_file() else "source gone"
    except OSError as error:
        return "source gone" if error.errno == errno.ENAMETOOLONG else "refused"  # such as a long address


def _pass_over(_: BadPicture) -> None:
    """What could not be read is what no batch has."""

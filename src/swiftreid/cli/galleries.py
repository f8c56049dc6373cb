"""`swiftreid gallery ...`: create, fill, inspect and prune galleries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from swiftreid.cli.console import JsonOption, QuietOption, Report
from swiftreid.cli.sources import BadPictures, Picture, encoder_of, moment, pictures_from
from swiftreid.encoding.encoder import DEFAULT, encoder_path, open_encoder
from swiftreid.encoding.encodings_file import load_encodings
from swiftreid.encoding.stream import encode_paths
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.gallery.entries import Entry, valid_text
from swiftreid.gallery.store import Gallery

app = typer.Typer(help="Create, fill, inspect and prune galleries.", no_args_is_help=True)

WAIT = 10.0
TimeoutOption = Annotated[
    float,
    typer.Option(help="Seconds to wait, when compacting, for readers that still look at what was deleted.", min=0),
]
GalleryPath = Annotated[Path, typer.Argument(help="The gallery's folder.")]


@app.command()
def create(
    gallery: GalleryPath,
    encoder: Annotated[
        str,
        typer.Option(
            help="Encoder file, or a shipped one: rendered or stripes. A copy goes into the gallery.",
            envvar="SWIFTREID_ENCODER",
        ),
    ] = DEFAULT,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Create an empty gallery, bound to one encoder."""
    report = Report(as_json=as_json, quiet=quiet)
    created_with = open_encoder(encoder)
    if not created_with.spec.names:
        raise UsageError(f"encoder {created_with.card.name} makes no codes: learn some with `swiftreid hash`")
    Gallery.create(
        gallery,
        encoder_name=created_with.card.name,
        fingerprint=created_with.fingerprint,
        spec=created_with.spec,
        encoder_file=encoder_path(encoder),
    ).close()
    report.text(f"created {gallery} for encoder {created_with.card.name} ({created_with.card.short_fingerprint})")
    report.document(
        {"gallery": str(gallery), "encoder": created_with.card.name, "fingerprint": created_with.fingerprint}
    )


@app.command()
def add(
    gallery: GalleryPath,
    pictures: Annotated[list[Path] | None, typer.Argument(help="Picture files or folders of pictures.")] = None,
    camera: Annotated[
        str | None, typer.Option(help="Camera of all these pictures, where their names do not say it.")
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(help="CSV with columns path, and any of id, camera, time, person; others become labels."),
    ] = None,
    codes: Annotated[
        Path | None, typer.Option(help="Add encodings made by `swiftreid encode` instead of pictures.")
    ] = None,
    id_prefix: Annotated[str, typer.Option(help="Put before every id, where folders hold the same names.")] = "",
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Leave out ids that are there, to go on after an interruption.")
    ] = False,
    acknowledge: Annotated[
        bool, typer.Option("--acknowledge", help="Print each id on stdout once it is durably stored.")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Encode pictures and add them. Names like 0844_c3s2_107328_01.jpg give person and camera."""
    if acknowledge and as_json:
        raise UsageError("--acknowledge and --json both write to stdout: give one of them")
    report = Report(as_json=as_json, quiet=quiet)

    with Gallery.open(gallery) as opened:
        if codes is not None:
            if pictures or manifest:
                raise UsageError("give pictures, --manifest or --codes, one of the three")
            _add_codes(opened, codes, camera, id_prefix, report, skip_existing=skip_existing)
            return
        sources = pictures_from(pictures or [], manifest=manifest, camera=camera, id_prefix=id_prefix)
        _note_escaped(report, sources)
        known = _known(opened, [source.id for source in sources], skip_existing=skip_existing)
        _refuse_other_pictures(opened, [source for source in sources if source.id in known])
        wanted = [source for source in sources if source.id not in known]
        bad = BadPictures(report)
        encoder = open_encoder(encoder_of(opened))
        batches = encode_paths(
            encoder, [source.path for source in wanted], thumbnails=True, on_bad=bad, progress=report.progress
        )
        added = 0
        for batch in batches:
            entries = [_entry(wanted[i], jpeg) for i, jpeg in zip(batch.indices, batch.thumbnails, strict=True)]
            added += opened.add(
                entries, batch.encoding.codes, fingerprint=encoder.fingerprint, encoder_name=encoder.card.name
            )
            if acknowledge:  # only now: add() returns when the entries are durable
                typer.echo("\n".join(entry.id for entry in entries))
        summary = {
            "gallery": str(gallery),
            "added": added,
            "already_there": len(known),
            "entries": opened.info().entries,
            **bad.as_dict(),
        }
    if wanted and not added:
        report.fail(f"none of the {len(wanted)} pictures could be read; nothing was added", summary)
    if not acknowledge:
        report.text(
            f"added {added:,} pictures; {len(known):,} were already there; {len(bad.found):,} could not be read; "
            f"the gallery holds {summary['entries']:,}"
        )
    report.document(summary)


def _note_escaped(report: Report, sources: Sequence[Picture]) -> None:
    escaped = [source for source in sources if valid_text(source.path.name) != source.path.name]
    if escaped:
        report.note(
            f"{len(escaped)} file names are not UTF-8: their ids have \\x and two digits for each such byte, as in "
            f"{escaped[0].id}"
        )


def _known(opened: Gallery, ids: list[str], *, skip_existing: bool) -> set[str]:
    """Those of the ids that the gallery has; an error if there are any and they are not to be skipped."""
    known = opened.existing(ids)
    if known and not skip_existing:
        raise UsageError(
            f"{len(known)} of {len(ids)} ids are already in {opened.path}, such as {min(known)!r}; nothing was added. "
            "If they are the same pictures, give --skip-existing; if not, tell them apart with --id-prefix"
        )
    return known


def _refuse_other_pictures(opened: Gallery, known: list[Picture]) -> None:
    """Skipping what is there must not pass over a different picture that only has the same name."""
    for source in known:
        stored = opened.get(source.id).entry.source
        other = Path(stored) if stored else None
        # A file that is no longer where it was may have been moved: that is no reason to refuse.
        if other is not None and stored != valid_text(str(source.path.resolve())) and other.exists():
            raise UsageError(
                f"{source.path} would have the id {source.id!r}, which {opened.path} has from another file, {other}; "
                "nothing was added: tell them apart with --id-prefix"
            )


def _add_codes(
    opened: Gallery, path: Path, camera: str | None, id_prefix: str, report: Report, *, skip_existing: bool
) -> None:
    loaded = load_encodings(path)
    header = loaded.header
    opened.check_encoder(header.fingerprint, header.encoder)
    missing = [i for i, known in enumerate(header.cameras) if (known or camera) is None]
    if missing:
        raise UsageError(
            f"{len(missing)} encodings in {path} have no camera, the first is {header.ids[missing[0]]!r}: give --camera"
        )
    entries = [
        Entry(id=id_prefix + id_, camera=own or camera or "", person=person)
        for id_, own, person in zip(header.ids, header.cameras, header.persons, strict=True)
    ]
    known = _known(opened, [entry.id for entry in entries], skip_existing=skip_existing)
    rows = [i for i, entry in enumerate(entries) if entry.id not in known]
    added = opened.add(
        [entries[i] for i in rows],
        {name: code[rows] for name, code in loaded.encoding.codes.items()},
        fingerprint=header.fingerprint,
        encoder_name=header.encoder,
    )
    summary = {
        "gallery": str(opened.path),
        "added": added,
        "already_there": len(known),
        "entries": opened.info().entries,
    }
    report.text(
        f"added {added:,} encodings, which have no thumbnails; {len(known):,} were already there; the gallery holds "
        f"{summary['entries']:,}"
    )
    report.document(summary)


def _entry(source: Picture, thumbnail: bytes) -> Entry:
    return Entry(
        id=source.id,
        camera=source.camera,
        time=source.time,
        person=source.person,
        source=valid_text(str(source.path.resolve())),
        labels=source.labels,
        thumbnail=thumbnail,
    )


@app.command()
def info(gallery: GalleryPath, as_json: JsonOption = False, quiet: QuietOption = False) -> None:
    """What a gallery holds: entries, cameras, times, encoder, bytes."""
    report = Report(as_json=as_json, quiet=quiet)
    with Gallery.open(gallery, read_only=True) as opened:
        facts = asdict(opened.info())
    shown = facts | {
        "cameras": ", ".join(f"{name}: {count:,}" for name, count in facts["cameras"].items()),
        "first_time": moment(facts["first_time"]),
        "last_time": moment(facts["last_time"]),
    }
    report.table(str(gallery), ["what", "value"], shown.items())
    report.document(facts)


@app.command()
def verify(gallery: GalleryPath, as_json: JsonOption = False, quiet: QuietOption = False) -> None:
    """Check every checksum and cross-reference; exit code 1 when something is wrong."""
    report = Report(as_json=as_json, quiet=quiet)
    with Gallery.open(gallery, read_only=True) as opened:
        found = opened.verify()
    for problem in found.problems:
        report.text(f"problem: {problem}")
    report.text("the gallery is sound" if found.ok else f"{len(found.problems)} problems found")
    report.document(asdict(found) | {"ok": found.ok})
    if not found.ok:
        raise typer.Exit(1)


@app.command()
def delete(
    gallery: GalleryPath,
    ids: Annotated[list[str] | None, typer.Argument(help="Ids of the entries to delete.")] = None,
    person: Annotated[str | None, typer.Option(help="Delete every entry of this person.")] = None,
    compact: Annotated[
        bool, typer.Option("--compact", help="Also rewrite sealed segments, so that the codes leave the disk at once.")
    ] = False,
    timeout: TimeoutOption = WAIT,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Delete entries with their pictures and metadata. An unknown id is an error and deletes nothing."""
    report = Report(as_json=as_json, quiet=quiet)
    if bool(ids) == (person is not None):
        raise UsageError("say what to delete: ids, or --person and no ids")
    with Gallery.open(gallery) as opened:
        chosen = list(ids or []) if person is None else opened.ids_of_person(person)
        if not chosen:
            raise SwiftReIDError(f"no entry of person {person!r} in {gallery}; nothing was deleted")
        unknown = sorted(set(chosen) - opened.existing(chosen))
        if unknown:
            raise SwiftReIDError(
                f"{len(unknown)} ids are not in {gallery}, the first is {unknown[0]!r}; nothing was deleted"
            )
        deleted = opened.delete(chosen)
        remaining = opened.compact(timeout=timeout).remaining if compact else ()
        left = opened.info().entries
    summary = {"gallery": str(gallery), "deleted": deleted, "entries": left, "compacted": compact}
    summary |= {"remaining": list(remaining)}
    report.text(f"deleted {deleted:,} entries; {left:,} are left")
    _refuse_remaining(report, gallery, remaining, summary, timeout)
    report.document(summary)


@app.command()
def compact(
    gallery: GalleryPath, timeout: TimeoutOption = WAIT, as_json: JsonOption = False, quiet: QuietOption = False
) -> None:
    """Rewrite segments without their deleted entries; afterwards nothing of these is on disk, else exit code 1."""
    report = Report(as_json=as_json, quiet=quiet)
    with Gallery.open(gallery) as opened:
        before = opened.info()
        remaining = opened.compact(timeout=timeout).remaining
        after = opened.info()
    freed = max(0, before.bytes_on_disk - after.bytes_on_disk)
    summary = {"gallery": str(gallery), "dropped": before.deleted, "bytes_freed": freed, "remaining": list(remaining)}
    report.text(f"{before.deleted:,} deleted entries dropped; {freed:,} bytes freed")
    _refuse_remaining(report, gallery, remaining, summary, timeout)
    report.document(summary)


def _refuse_remaining(
    report: Report, gallery: Path, remaining: Sequence[str], summary: Mapping[str, object], timeout: float
) -> None:
    """End with exit code 1 if deleted content is still on the disk."""
    if remaining:
        report.fail(
            f"deleted content is still on the disk of {gallery} after waiting {timeout:g} s: {'; '.join(remaining)}. "
            "End those readers, then run `swiftreid gallery compact` again, or give a longer --timeout",
            summary,
        )

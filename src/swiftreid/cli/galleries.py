"""`swiftreid gallery ...`: create, fill, inspect and prune galleries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from swiftreid.cli.advice import with_advice
from swiftreid.cli.console import JsonOption, QuietOption, Report
from swiftreid.cli.devices import CPU, DeviceOption, EncoderThreadsOption
from swiftreid.cli.gallery_contents import export, list_entries, upgrade
from swiftreid.cli.reencoding import reencode
from swiftreid.cli.sources import BadPictures, moment
from swiftreid.data.samples import NamedSample
from swiftreid.encoding.encoder import DEFAULT
from swiftreid.encoding.encodings_file import load_encodings
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.gallery.entries import valid_text
from swiftreid.gallery.store import Gallery
from swiftreid.retrieval.ingest import IdsExist, OtherPicture
from swiftreid.retrieval.opening import create_gallery, open_gallery
from swiftreid.retrieval.samples import NoCamera, SameIds, samples_in
from swiftreid.retrieval.searchable import OnExisting

app = typer.Typer(help="Create, fill, inspect and prune galleries.", no_args_is_help=True)

app.command("list")(list_entries)
app.command()(export)
app.command()(reencode)
app.command()(upgrade)

WAIT = 10.0
TimeoutOption = Annotated[
    float,
    typer.Option(help="Seconds to wait, when compacting, for readers that still use deleted entries.", min=0),
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
    rendered: Annotated[
        bool,
        typer.Option("--rendered", help="All its people are rendered: a calibration on rendered people then decides."),
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Create an empty gallery, bound to one encoder."""
    report = Report(as_json=as_json, quiet=quiet)
    with create_gallery(gallery, encoder, rendered=rendered) as made:
        name, fingerprint = made.encoder_name, made.fingerprint
    report.text(f"created {gallery} for encoder {name} ({fingerprint[:12]})")
    report.document({"gallery": str(gallery), "encoder": name, "fingerprint": fingerprint, "rendered": rendered})


@app.command()
def add(
    gallery: GalleryPath,
    pictures: Annotated[list[Path] | None, typer.Argument(help="Picture files or folders of pictures.")] = None,
    camera: Annotated[
        str | None, typer.Option(help="Camera of all these pictures, where their names do not give it.")
    ] = None,
    manifest: Annotated[
        Path | None,
        typer.Option(
            help="CSV with columns path, and any of id, camera, time, person, track, frame; others become labels."
        ),
    ] = None,
    codes: Annotated[
        Path | None, typer.Option(help="Add encodings made by `swiftreid encode` instead of pictures.")
    ] = None,
    id_prefix: Annotated[str, typer.Option(help="Put before every id, where folders hold the same names.")] = "",
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Skip ids that are in the gallery, to go on after an interruption.")
    ] = False,
    acknowledge: Annotated[
        bool, typer.Option("--acknowledge", help="Print each id on stdout once it is durably stored.")
    ] = False,
    device: DeviceOption = CPU,
    encoder_threads: EncoderThreadsOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Encode pictures and add them. Names like 0844_c3s2_107328_01.jpg give person and camera."""
    if acknowledge and as_json:
        raise UsageError("--acknowledge and --json both write to stdout: give one of them")
    report = Report(as_json=as_json, quiet=quiet)
    bad = BadPictures(report)
    on_existing: OnExisting = "skip" if skip_existing else "refuse"
    with open_gallery(gallery, device=device, encoder_threads=encoder_threads) as people, with_advice(_ADVICE):
        if codes is not None:
            if pictures or manifest:
                raise UsageError("give pictures, --manifest or --codes, one of the three")
            loaded = load_encodings(codes)
            done = people.add_encodings(loaded, camera=camera, id_prefix=id_prefix, on_existing=on_existing)
        else:
            samples = samples_in(pictures or [], manifest=manifest, camera=camera, id_prefix=id_prefix)
            _note_escaped(report, samples)
            done = people.add_samples(
                samples,
                on_existing=on_existing,
                on_bad=bad,
                on_added=_echo if acknowledge else None,
                progress=report.progress,
            )
        entries = len(people)
    summary = {
        "gallery": str(gallery),
        "added": len(done.ids),
        "already_there": len(done.existing),
        "entries": entries,
        **({} if codes is not None else bad.as_dict()),
    }
    if codes is None and done.unreadable and not done.ids:
        report.fail(f"none of the {len(done.unreadable)} pictures could be read; nothing was added", summary)
    there = f"{len(done.existing):,} were already there"
    if codes is not None:
        report.text(
            f"added {len(done.ids):,} encodings, which have no thumbnails; {there}; the gallery holds {entries:,}"
        )
    elif not acknowledge:
        report.text(
            f"added {len(done.ids):,} pictures; {there}; {len(bad.found):,} could not be read; the gallery holds "
            f"{entries:,}"
        )
    report.document(summary)


_ADVICE = {
    IdsExist: "--skip-existing skips those that are there, --id-prefix gives other ids",
    OtherPicture: "--id-prefix gives other ids",
    SameIds: "--id-prefix goes before every id",
    NoCamera: "--camera NAME gives one camera to all of them",
}


def _note_escaped(report: Report, samples: Sequence[NamedSample]) -> None:
    escaped = [sample for sample in samples if valid_text(sample.path.name) != sample.path.name]
    if escaped:
        report.note(
            f"{len(escaped)} file names are not UTF-8: their ids have \\x and two digits for each such byte, as in "
            f"{escaped[0].id}"
        )


def _echo(ids: Sequence[str]) -> None:
    typer.echo("\n".join(ids))


@app.command()
def info(gallery: GalleryPath, as_json: JsonOption = False, quiet: QuietOption = False) -> None:
    """Show what a gallery holds: entries, cameras, times, encoder, bytes."""
    report = Report(as_json=as_json, quiet=quiet)
    with Gallery.open(gallery, read_only=True) as opened:
        facts = asdict(opened.info())
    rows = facts | {
        "cameras": ", ".join(f"{name}: {count:,}" for name, count in facts["cameras"].items()),
        "first_time": moment(facts["first_time"]),
        "last_time": moment(facts["last_time"]),
        "versions": "; ".join(map(_version, facts["versions"])) or None,
    }
    report.table(str(gallery), ["what", "value"], rows.items())
    report.document(facts)


def _version(version: Mapping[str, object]) -> str:
    """Codes by another encoder, in words."""
    what = "kept to go back to" if version["state"] == "kept" else "re-encoding not finished"
    text = f"{version['entries']:,} codes by {version['encoder_name']}, {what}"
    return f"{text}, and {version['deleted']:,} of deleted entries" if version["deleted"] else text


@app.command()
def verify(gallery: GalleryPath, as_json: JsonOption = False, quiet: QuietOption = False) -> None:
    """Check every checksum and cross-reference; exit code 1 when something is wrong."""
    report = Report(as_json=as_json, quiet=quiet)
    with Gallery.open(gallery, read_only=True) as opened:
        found = opened.verify()
    for problem in found.problems:
        report.text(f"problem: {problem}")
    for note in found.notes:
        report.note(note)
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
        bool, typer.Option("--compact", help="Also rewrite sealed segments: the codes leave the disk at once.")
    ] = False,
    timeout: TimeoutOption = WAIT,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Delete entries with their pictures and metadata. An unknown id is an error and deletes nothing."""
    report = Report(as_json=as_json, quiet=quiet)
    if bool(ids) == (person is not None):
        raise UsageError("give the ids to delete, or --person without ids")
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
    """Rewrite segments without their deleted entries. Exit code 1 if any of their content is still on disk."""
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

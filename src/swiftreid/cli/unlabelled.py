"""Options that say which unlabelled pictures a command takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from swiftreid.adaptation.pictures import training_pictures
from swiftreid.cli.console import Report
from swiftreid.cli.datasets import open_data_set
from swiftreid.clustering.answers import PairAnswer, load_answers
from swiftreid.data.fingerprint import fingerprint_of
from swiftreid.data.samples import NamedSample, ReidData
from swiftreid.errors import UsageError
from swiftreid.experiments.inputs import TRAIN
from swiftreid.gallery.store import Gallery
from swiftreid.retrieval.samples import samples_in, samples_of_gallery

PicturesArgument = Annotated[list[Path] | None, typer.Argument(help="Picture files or folders of pictures.")]
ManifestOption = Annotated[Path | None, typer.Option(help="CSV with columns path and camera, in place of pictures.")]
DataOption = Annotated[str | None, typer.Option(help="Data set whose training pictures to take, in place of pictures.")]
GalleryOption = Annotated[
    Path | None, typer.Option(help="Gallery whose source pictures to take, in place of pictures.")
]
CameraOption = Annotated[
    str | None, typer.Option(help="Camera of all these pictures, where their names do not give it.")
]
AnswersOption = Annotated[
    Path | None,
    typer.Option(help="CSV with columns one, other (ids) and same (yes or no), as `swiftreid label` writes it."),
]
NoOverlapOption = Annotated[
    list[str] | None,
    typer.Option(
        "--no-overlap", help="Two cameras that see no place in common, as in door,yard; repeatable. Needs times."
    ),
]


@dataclass(frozen=True)
class UnlabelledSource:
    """Unlabelled pictures.

    Attributes:
        samples: with ids and cameras.
        name: what they are of, for cards.
        fingerprint: of the data set that they are of; empty where they are of none.
        rendered: whether nobody in them exists, as their folder states.
    """

    samples: list[NamedSample]
    name: str
    fingerprint: str
    rendered: bool


def unlabelled(
    report: Report,
    pictures: Sequence[Path] | None,
    *,
    manifest: Path | None,
    data: str | None,
    gallery: Path | None,
    camera: str | None,
) -> UnlabelledSource:
    """The pictures that were asked for.

    Raises:
        UsageError: none were asked for, or in two ways, or they have no cameras.
        SwiftReIDError: they cannot be read.
    """
    if sum(map(bool, (pictures, manifest, data, gallery))) > 1 and (data or gallery):
        raise UsageError("give pictures, --manifest, --data or --gallery, one of the four")
    if camera is not None and (data or gallery):
        raise UsageError("--camera is for pictures and manifests: a data set and a gallery have cameras of their own")
    if gallery is not None:
        with Gallery.open(gallery, read_only=True) as store:
            samples, left_out = samples_of_gallery(store)
            rendered = store.rendered
        if left_out:
            total = left_out + len(samples)
            report.warn(
                f"{left_out:,} of {total:,} entries of {gallery} are left out: their source pictures are not there"
            )
        if not samples:
            raise UsageError(f"gallery {gallery} has no entry whose source picture is there: give the pictures")
        return UnlabelledSource(samples, gallery.resolve().name, "", rendered)
    if data is not None:
        read = open_data_set(report, data, need=TRAIN)
        return UnlabelledSource(training_pictures(read), read.name, fingerprint_of(read), read.rendered)
    samples = samples_in(pictures or [], manifest=manifest, camera=camera)
    place = (manifest or (pictures or [Path()])[0]).resolve()
    rendered = any(ReidData("", folder).rendered for folder in (place, place.parent))
    return UnlabelledSource(samples, place.name, "", rendered)


def answers_about(report: Report, file: Path | None, samples: Sequence[NamedSample]) -> list[PairAnswer]:
    """The answers in a file; warns where some are about other pictures, as their ids tell."""
    if file is None:
        return []
    found, ids = load_answers(file), {sample.id for sample in samples}
    lost = [answer for answer in found if not {answer.one, answer.other} <= ids]
    if lost:
        report.warn(
            f"{len(lost):,} of {len(found):,} answers in {file} are about other pictures, such as {lost[0].one} and "
            f"{lost[0].other}: ids are paths below the folder that is given"
        )
    return found


def camera_pairs(given: Sequence[str] | None) -> list[tuple[str, str]]:
    """The pairs of cameras that do not overlap.

    Raises:
        UsageError: one is no pair.
    """
    pairs = []
    for text in given or []:
        one, _, other = (part.strip() for part in text.partition(","))
        if not one or not other or "," in other:
            raise UsageError(f"--no-overlap takes two cameras with a comma between, as in door,yard; got {text!r}")
        pairs.append((one, other))
    return pairs

"""What the `swiftreid figure` commands share: files to write, the test set encoded, and people held out from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from swiftreid.cli.console import Report
from swiftreid.cli.datasets import folders_choice, with_doubts
from swiftreid.cli.outputs import output_file, written
from swiftreid.cli.sources import BadPictures
from swiftreid.data.doctor.duplicates import find_duplicates
from swiftreid.data.fingerprint import fingerprint_of
from swiftreid.data.samples import ReidData
from swiftreid.data.sources import open_data
from swiftreid.encoding.encoder import Encoder, open_encoder
from swiftreid.encoding.labelled import encode_samples
from swiftreid.errors import UsageError
from swiftreid.evaluation.labelled import LabelledCodes, own_pictures
from swiftreid.evaluation.protocol import Protocol
from swiftreid.figures import style
from swiftreid.figures.cards import about
from swiftreid.figures.style import SUFFIXES, TEXT_SIZES, TextSize

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CardsArgument = Annotated[list[Path], typer.Argument(help="Result cards, as `swiftreid evaluate --card` writes them.")]
OutputOption = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="File to write, .png, .svg or .pdf. Default: the figure's name and .png."),
]
TextOption = Annotated[str, typer.Option("--text", help="Size of the text: normal, or large for slides.")]
RankingOption = Annotated[
    list[str] | None,
    typer.Option("--ranking", help="A ranking of the cards to draw, by its name or a part of it; repeatable."),
]
ForceOption = Annotated[bool, typer.Option("--force", help="Draw cards of unlike pictures or protocols together.")]
HeldOutOption = Annotated[
    str | None,
    typer.Option("--held-out", help="Data set of other people to fit on. Default: the train split of DATA."),
]
CostOption = Annotated[str, typer.Option(help="What a query costs: bytes (compared), or time on this machine.")]


def target(name: str, output: Path | None, text: str, *, suffixes: tuple[str, ...] = SUFFIXES) -> tuple[Path, TextSize]:
    """The file to write and the size of text, checked before any work; matplotlib too, unless pictures do without.

    Raises:
        UsageError: the file cannot be written as a figure, or there is no such size.
        SwiftReIDError: matplotlib is not installed.
    """
    if text not in TEXT_SIZES:
        raise UsageError(f"--text is {' or '.join(TEXT_SIZES)}, not {text!r}")
    path = output_file("--output", output or Path(f"{name}.png"), suffixes=suffixes)
    if suffixes == SUFFIXES:
        style.load()
    return path, text


def finish(report: Report, path: Path, figure: Figure, numbers: Mapping[str, Any]) -> None:
    """Write the figure, say where, and print its numbers with --json."""
    report.text(f"figure: {written(path, style.image_of(figure, path.suffix.lower()))}")
    report.document({"figure": str(path), **numbers})


@dataclass(frozen=True)
class TestSet:
    """A data set's queries and gallery, encoded.

    Attributes:
        data: as it was read.
        encoder: what encoded it.
        query: the queries.
        gallery: the entries.
        protocol: how rankings are judged.
        bad: pictures that could not be read.
    """

    data: ReidData
    encoder: Encoder
    query: LabelledCodes
    gallery: LabelledCodes
    protocol: Protocol
    bad: BadPictures

    @property
    def about(self) -> list[str]:
        """Data set, protocol and encoder in words."""
        line = about(
            self.data.name,
            queries=len(self.query),
            gallery=len(self.gallery),
            cross_camera=self.protocol.cross_camera,
        )
        return [line, f"encoder {self.encoder.card.name}"]

    def as_dict(self) -> dict[str, Any]:
        """What was measured on, for the JSON document."""
        return {
            "data": self.data.name,
            "encoder": self.encoder.card.name,
            "queries": len(self.query),
            "gallery": len(self.gallery),
            "cross_camera": self.protocol.cross_camera,
            **self.bad.as_dict(),
        }


def encode_test_set(
    source: str, encoder: str, report: Report, *, kind: str | None = None, folders: str | None = None
) -> TestSet:
    """Read a data set and encode its queries and gallery.

    Raises:
        SwiftReIDError: the data set cannot be read, or the encoder.
    """
    used = open_encoder(encoder)
    data = with_doubts(report, open_data(source, kind=kind, folders=folders_choice(folders)))
    bad = BadPictures(report)
    query = encode_samples(used, data.query, on_bad=bad, progress=report.progress, task="encoding queries")
    if data.gallery == data.query:  # no splits: once is enough
        gallery = query
    else:
        gallery = encode_samples(used, data.gallery, on_bad=bad, progress=report.progress, task="encoding gallery")
    protocol = Protocol(cross_camera=data.cross_camera, self_positions=own_pictures(query, gallery))
    return TestSet(data, used, query, gallery, protocol, bad)


@dataclass(frozen=True)
class HeldOut:
    """People to fit on, none of whose pictures is in the test set.

    Attributes:
        words: who they are.
        learned: whether the encoder has learned from these very people.
        encode: encodes them; takes a while.
    """

    words: str
    learned: bool
    encode: Callable[[], LabelledCodes]


def held_out(test: TestSet, source: str | None, report: Report) -> HeldOut | None:
    """The train split of another data set, or all of it where it has none; by default the test set's own train split.

    Returns:
        None if nothing was named and the data set has no train split.

    Raises:
        UsageError: the pictures are those of the test set.
    """
    data = test.data if source is None else open_data(source, need=())
    samples, split = data.train, "train"
    if not samples and source is None:
        return None
    if not samples:
        samples, split = [*data.query, *data.gallery], "query and gallery"
    tested = {path.resolve() for path in [*(test.query.paths or []), *(test.gallery.paths or [])]}
    fitted_on = {sample.path.resolve() for sample in samples}
    shared = len(fitted_on & tested)
    if source is not None:  # copies under other names too
        files = {path: path in tested for path in [*fitted_on, *tested]}
        shared = max(shared, sum(len(set(group)) > 1 for group in find_duplicates(files)))
    if shared:
        raise UsageError(
            f"{shared} of the {len(samples)} pictures to fit on are in the test set itself: thresholds fitted on the "
            "people they are tested on look better than they are; give other people with --held-out"
        )
    learned = split == "train" and test.encoder.card.training.get("data_fingerprint") == fingerprint_of(data)

    def encode() -> LabelledCodes:
        return encode_samples(
            test.encoder, samples, on_bad=test.bad, progress=report.progress, task="encoding held-out people"
        )

    return HeldOut(f"{data.name} {split}", learned, encode)


def nobody_held_out(test: TestSet) -> UsageError:
    """The error where thresholds have to be fitted and nobody is there for it."""
    return UsageError(
        f"{test.data.name} has no train split to fit on, and the test set must not be used: name a data set of other "
        "people with --held-out"
    )


def warn_of_learned(people: HeldOut, report: Report) -> None:
    """Say so where the encoder knows the people that thresholds are fitted on."""
    if people.learned:
        report.warn(
            f"the encoder was trained on the very people of {people.words}, so thresholds fitted on them will be too "
            "tight for others; name other people with --held-out"
        )


def numbers_between(option: str, text: str, lowest: float) -> Sequence[float]:
    """Numbers of an option, with commas between.

    Raises:
        UsageError: one is no finite number above ``lowest``.
    """
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = [float("nan")]
    if not all(lowest < value < float("inf") for value in values):
        raise UsageError(f"{option} takes numbers above {lowest:g} with commas between, not {text!r}")
    return values

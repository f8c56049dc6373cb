"""`swiftreid label`: answer yes or no about pairs of pictures."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path
from typing import Annotated

import typer

from swiftreid.adaptation.labelling import PairLabelling
from swiftreid.adaptation.pictures import embed_pictures, in_words
from swiftreid.cli.console import JsonOption, QuietOption, Report
from swiftreid.cli.devices import CPU, DeviceOption, EncoderThreadsOption
from swiftreid.cli.outputs import output_file
from swiftreid.cli.sources import BadPictures
from swiftreid.cli.unlabelled import (
    CameraOption,
    DataOption,
    GalleryOption,
    ManifestOption,
    PicturesArgument,
    answers_about,
    unlabelled,
)
from swiftreid.clustering.questions import Question
from swiftreid.data.pictures import read_picture
from swiftreid.data.printable import printable
from swiftreid.durable import PRIVATE_FILE, save_bytes
from swiftreid.encoding.encoder import open_encoder
from swiftreid.figures.pair import draw_pair

_KEYS = "y (yes), n (no), s (skip), u (undo), q (quit)"


def label(
    encoder: Annotated[str, typer.Argument(help="Encoder that groups the pictures: a file, or a shipped one.")],
    pictures: PicturesArgument = None,
    answers: Annotated[Path, typer.Option(help="CSV of answers: each is added at once, and none is asked again.")] = (
        Path("answers.csv")
    ),
    questions: Annotated[int, typer.Option(min=1, help="Questions at most.")] = 100,
    picture: Annotated[
        Path | None,
        typer.Option(help="Picture file (.png) of the pair, removed at the end. Default: in a new private folder."),
    ] = None,
    manifest: ManifestOption = None,
    data: DataOption = None,
    gallery: GalleryOption = None,
    camera: CameraOption = None,
    device: DeviceOption = CPU,
    encoder_threads: EncoderThreadsOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Answer whether two pictures show one person, for the pairs that tell most.

    Each pair is drawn into a picture file, which you open in a viewer that shows changes. Answers are used by
    `adapt --answers` and `calibrate --answers`.
    """
    report = Report(as_json=as_json, quiet=quiet)
    output_file("--answers", answers, suffixes=(".csv",))
    if picture is not None:
        output_file("--picture", picture, suffixes=(".png",))
    source = unlabelled(report, pictures, manifest=manifest, data=data, gallery=gallery, camera=camera)
    answers_about(report, answers if answers.exists() else None, source.samples)
    bad = BadPictures(report)
    embedded = embed_pictures(
        open_encoder(encoder, device=device, threads=encoder_threads),
        source.samples,
        on_bad=bad,
        progress=report.progress,
    )
    labelling = PairLabelling(embedded, answers)
    report.text(f"before: {in_words(labelling.before)}")
    with _picture_file(picture) as file:
        report.text(f"the pair is drawn in {file}; answer with {_KEYS}")
        asked = _ask(report, labelling, file, questions)
    after, given = labelling.after(), labelling.answers
    yes = sum(answer.same for answer in given)
    report.text(f"after: {in_words(after)}")
    report.text(f"{answers}: {len(given):,} answers, {yes:,} of them yes")
    report.document(
        {
            "answers": str(answers),
            "asked": asked,
            "yes": yes,
            "no": len(given) - yes,
            "groups_before": int(labelling.before.people.max(initial=-1)) + 1,
            "groups_after": int(after.people.max(initial=-1)) + 1,
            **bad.as_dict(),
        }
    )


def _ask(report: Report, labelling: PairLabelling, file: Path, most: int) -> int:
    """Ask until there are so many answers, nothing is left, or the user quits; the number of answers."""
    while labelling.given < most:
        question = labelling.question
        if question is None:
            report.note("nothing is left to ask: give more pictures, or pictures by more cameras")
            break
        _draw(labelling, question, file)
        samples = labelling.pictures.samples
        one, other = samples[question.one].id, samples[question.other].id
        key = _key(f"{labelling.given + 1}/{most} {printable(one)} and {printable(other)}: one person? ")
        if key == "q":
            break
        if key == "u":
            if not labelling.undo():
                report.note("there is nothing to take back")
        elif key == "s":
            labelling.skip()
        else:
            labelling.answer(same=key == "y")
    return labelling.given


def _key(question: str) -> str:
    """One of y, n, s, u and q; q at the end of the input."""
    while True:
        sys.stderr.write(question)
        sys.stderr.flush()
        line = sys.stdin.readline()
        if not line:
            sys.stderr.write("\n")
            return "q"
        key = line.strip().lower()
        for word in ("yes", "no", "skip", "undo", "quit"):
            if key and word.startswith(key):
                return word[0]
        sys.stderr.write(f"answer with {_KEYS}\n")


def _draw(labelling: PairLabelling, question: Question, file: Path) -> None:
    both = [labelling.pictures.samples[place] for place in (question.one, question.other)]
    one, other = (read_picture(sample.path) for sample in both)
    one_caption, other_caption = (f"camera {sample.camera}" if sample.camera else "" for sample in both)
    content = BytesIO()
    draw_pair(one, other, (one_caption, other_caption)).save(content, "PNG")
    save_bytes(file, content.getvalue(), mode=PRIVATE_FILE)


@contextmanager
def _picture_file(wanted: Path | None) -> Iterator[Path]:
    """A file that its owner alone may read, and that is gone afterwards."""
    with ExitStack() as stack:
        if wanted is None:
            wanted = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="swiftreid-"))) / "pair.png"
        try:
            yield wanted
        finally:
            wanted.unlink(missing_ok=True)

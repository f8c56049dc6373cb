"""`swiftreid encoder ...`: encoders of other people's networks, and what is in an encoder's file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import typer

from swiftreid.cli.console import JsonOption, QuietOption, Report
from swiftreid.cli.datasets import KindOption
from swiftreid.cli.devices import CPU, DeviceOption
from swiftreid.cli.encoder_cards import print_card
from swiftreid.cli.outputs import SAFETENSORS, output_file
from swiftreid.cli.sources import BadPictures
from swiftreid.encoding.card import Preprocessing
from swiftreid.encoding.encoder import open_encoder
from swiftreid.encoding.external import wrap_network
from swiftreid.encoding.hyperplanes import DEFAULT_SPEC
from swiftreid.encoding.mirroring import mirrored
from swiftreid.encoding.runtimes.formats import format_words
from swiftreid.encoding.vector_encoder import vector_encoder
from swiftreid.encoding.vectors import read_vectors
from swiftreid.errors import UsageError
from swiftreid.experiments.stripes import fit_stripes_to

app = typer.Typer(help="Make encoders of third-party networks, and show encoder cards.", no_args_is_help=True)

Output = Annotated[Path, typer.Option("--output", "-o", help="File to write, .safetensors.")]


@app.command("info")
def info(
    encoder: Annotated[str, typer.Argument(help="Encoder file, or a shipped one: rendered or stripes.")],
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show an encoder's card: codes, training data, metrics; with --json the complete card."""
    report = Report(as_json=as_json, quiet=quiet)
    card = open_encoder(encoder).card
    print_card(report, card)
    report.document(card.model_dump(mode="json"))


@app.command("wrap")
def wrap(
    model: Annotated[Path, typer.Argument(help=f"Embedding network: {format_words()}.")],
    output: Output,
    height: Annotated[int, typer.Option(min=1, max=4096, help="Picture height that the network takes.")] = 256,
    width: Annotated[int, typer.Option(min=1, max=4096, help="Picture width that the network takes.")] = 128,
    colour: Annotated[str, typer.Option(help="Channel order: rgb or bgr.")] = "rgb",
    scale: Annotated[float, typer.Option(help="Factor for pixels of 0..255; 0.00392157 gives 0..1.")] = 1.0,
    mean: Annotated[str, typer.Option(help="Mean to subtract after scaling, one number per channel.")] = "0,0,0",
    std: Annotated[
        str, typer.Option(help="Standard deviation to divide by after that, one number per channel.")
    ] = "1,1,1",
    flip: Annotated[
        bool, typer.Option("--flip", help="Average with the mirrored picture: usually better, twice the time.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="Name on the card. Default: the file's.")] = None,
    provenance: Annotated[str, typer.Option(help="What the network was trained on.")] = "not stated",
    licence: Annotated[str, typer.Option(help="The network's licence.")] = "not stated",
    device: DeviceOption = CPU,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make an encoder of a third-party embedding network; state its preprocessing."""
    report = Report(as_json=as_json, quiet=quiet)
    if colour not in ("rgb", "bgr"):
        raise UsageError(f"--colour is rgb or bgr, not {colour!r}")
    output = output_file("--output", output, suffixes=SAFETENSORS)
    divisors = _three(std, "--std")
    if not (math.isfinite(scale) and scale and all(divisors)):
        raise UsageError(f"--scale and --std must be numbers other than 0, got {scale} and {std}")
    preprocessing = Preprocessing(
        height=height,
        width=width,
        colour="bgr" if colour == "bgr" else "rgb",
        scale=scale,
        mean=_three(mean, "--mean"),
        std=divisors,
        flip=flip,
    )
    encoder = wrap_network(
        model, preprocessing, name=name or model.stem, provenance=provenance, licence=licence, device=device
    )
    encoder.save(output)
    report.text(f"wrote {output}: {encoder.card.embedding} floats a picture, codes {encoder.spec}")
    report.document({"encoder": str(output), "fingerprint": encoder.fingerprint, "embedding": encoder.card.embedding})


def _three(text: str, option: str) -> tuple[float, float, float]:
    try:
        one, two, three = (float(part) for part in text.split(","))
    except ValueError:
        one = two = three = math.nan
    if not all(map(math.isfinite, (one, two, three))):
        raise UsageError(f"{option} takes three numbers with commas between, such as 0.485,0.456,0.406; got {text!r}")
    return one, two, three


@app.command("mirror")
def mirror(
    encoder: Annotated[str, typer.Argument(help="Encoder file, or a shipped one.")],
    output: Output,
    name: Annotated[str | None, typer.Option(help="Name on the card. Default: the encoder's own.")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make the encoder average a picture with its mirror image: usually better, twice the time of encoding."""
    report = Report(as_json=as_json, quiet=quiet)
    output = output_file("--output", output, suffixes=SAFETENSORS)
    used = open_encoder(encoder)
    made = mirrored(used, name=name)
    made.save(output)
    if used.card.calibration is not None:
        report.note("the new encoder has no thresholds: run `swiftreid calibrate` on it")
    report.text(f"wrote {output} ({made.card.short_fingerprint})")
    report.document({"encoder": str(output), "fingerprint": made.fingerprint})


@app.command("stripes")
def stripes(
    pictures: Annotated[
        Path, typer.Argument(help="Data set (its training split is used), or a folder of any pictures of people.")
    ],
    output: Output,
    kind: KindOption = None,
    every: Annotated[
        bool, typer.Option("--every", help="Take every picture below the folder, those of test splits too.")
    ] = False,
    name: Annotated[str, typer.Option(help="Name on the card.")] = "stripes",
    provenance: Annotated[
        str | None, typer.Option(help="Source of the pictures. Default: the data set, if it is one.")
    ] = None,
    licence: Annotated[str, typer.Option(help="Licence of the result.")] = "Apache-2.0",
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Fit the whitening of the hand-made 'stripes' encoder to your own pictures."""
    report = Report(as_json=as_json, quiet=quiet)
    output = output_file("--output", output, suffixes=SAFETENSORS)
    bad = BadPictures(report)
    fitted = fit_stripes_to(
        pictures,
        kind=kind,
        every=every,
        name=name,
        provenance=provenance,
        licence=licence,
        on_bad=bad,
        progress=report.progress,
    )
    fitted.encoder.save(output)
    if fitted.people is None:
        known = "without persons, because not every file name contains one"
    else:
        known = f"of {fitted.people:,} people"
    report.text(f"wrote {output}, fitted to {fitted.pictures:,} pictures {known}")
    report.document({"encoder": str(output), "fingerprint": fitted.encoder.fingerprint, **bad.as_dict()})


@app.command("vectors")
def vectors(
    file: Annotated[Path, typer.Argument(help="Vectors: .npy, .parquet, .arrow, .feather, or a file of encodings.")],
    output: Output,
    spec: Annotated[str, typer.Option(help="Names and lengths of the codes.")] = DEFAULT_SPEC,
    lengths: Annotated[
        bool, typer.Option("--lengths", help="Compare vectors by their length too, not only by their angle.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="Name on the card. Default: the file's.")] = None,
    provenance: Annotated[str, typer.Option(help="What made the vectors.")] = "not stated",
    licence: Annotated[str, typer.Option(help="Licence of the result.")] = "not stated",
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make an encoder of float vectors that another program made: no picture and no network is needed."""
    report = Report(as_json=as_json, quiet=quiet)
    output = output_file("--output", output, suffixes=SAFETENSORS)
    encoder = vector_encoder(
        read_vectors(file).vectors,
        name=name or output.stem,
        spec=spec,
        unit=not lengths,
        provenance=provenance,
        licence=licence,
    )
    encoder.save(output)
    report.text(f"wrote {output}: takes {encoder.card.embedding} floats a row, codes {encoder.spec}")
    report.document({"encoder": str(output), "fingerprint": encoder.fingerprint, "embedding": encoder.card.embedding})

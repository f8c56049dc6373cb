"""`swiftreid encoder ...`: encoders of other people's networks, and what is in an encoder's file."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from swiftreid.cli.console import JsonOption, QuietOption, Report
from swiftreid.cli.datasets import TRAIN, KindOption
from swiftreid.cli.encoder_cards import print_card
from swiftreid.cli.outputs import SAFETENSORS, output_file
from swiftreid.cli.sources import BadPictures
from swiftreid.data.camera_folders import AmbiguousFolders
from swiftreid.data.fingerprint import fingerprint_of
from swiftreid.data.market import parse_name
from swiftreid.data.pictures import find_pictures, read_batches
from swiftreid.data.readers import recognise
from swiftreid.data.samples import DISTRACTOR, NOBODY, ReidData
from swiftreid.data.sources import open_data
from swiftreid.encoding.card import Preprocessing
from swiftreid.encoding.encoder import open_encoder
from swiftreid.encoding.external import wrap_network
from swiftreid.encoding.hyperplanes import DEFAULT_SPEC
from swiftreid.encoding.mirroring import mirrored
from swiftreid.encoding.stripes import HEIGHT, WIDTH, fit_stripes
from swiftreid.encoding.vector_encoder import vector_encoder
from swiftreid.encoding.vectors import read_vectors
from swiftreid.errors import SwiftReIDError, UsageError

app = typer.Typer(help="Make encoders of third-party networks, and look into encoder files.", no_args_is_help=True)

Output = Annotated[Path, typer.Option("--output", "-o", help="File to write, .safetensors.")]


@app.command("info")
def info(
    encoder: Annotated[str, typer.Argument(help="Encoder file, or a shipped one: rendered or stripes.")],
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show an encoder's card: its codes, what it learned from, how good it is; with --json all of it."""
    report = Report(as_json=as_json, quiet=quiet)
    card = open_encoder(encoder).card
    print_card(report, card)
    report.document(card.model_dump(mode="json"))


@app.command("wrap")
def wrap(
    model: Annotated[Path, typer.Argument(help="Embedding network: .onnx, or OpenVINO .xml with its .bin beside it.")],
    output: Output,
    height: Annotated[int, typer.Option(min=1, max=4096, help="Picture height that the network takes.")] = 256,
    width: Annotated[int, typer.Option(min=1, max=4096, help="Picture width that the network takes.")] = 128,
    colour: Annotated[str, typer.Option(help="Channel order: rgb or bgr.")] = "rgb",
    scale: Annotated[float, typer.Option(help="Factor for pixels of 0..255; 0.00392157 gives 0..1.")] = 1.0,
    mean: Annotated[str, typer.Option(help="Subtracted after scaling, one number per channel.")] = "0,0,0",
    std: Annotated[str, typer.Option(help="Divided by after that, one number per channel.")] = "1,1,1",
    flip: Annotated[
        bool, typer.Option("--flip", help="Average with the mirrored picture: better, twice the work.")
    ] = False,
    name: Annotated[str | None, typer.Option(help="Name on the card. Default: the file's.")] = None,
    provenance: Annotated[str, typer.Option(help="What the network was trained on.")] = "not stated",
    licence: Annotated[str, typer.Option(help="The network's licence.")] = "not stated",
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Make an encoder of anybody's embedding network, with its preprocessing declared."""
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
    encoder = wrap_network(model, preprocessing, name=name or model.stem, provenance=provenance, licence=licence)
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
    """Make the encoder average a picture with its mirror image: better as a rule, twice the work of encoding."""
    report = Report(as_json=as_json, quiet=quiet)
    output = output_file("--output", output, suffixes=SAFETENSORS)
    used = open_encoder(encoder)
    made = mirrored(used, name=name)
    made.save(output)
    if used.card.calibration is not None:
        report.note("thresholds were of the encoder as it was: run `swiftreid calibrate` on the new one")
    report.text(f"wrote {output} ({made.card.short_fingerprint})")
    report.document({"encoder": str(output), "fingerprint": made.fingerprint})


@app.command("stripes")
def stripes(
    pictures: Annotated[
        Path, typer.Argument(help="Data set, whose training split is taken, or a folder of any pictures of people.")
    ],
    output: Output,
    kind: KindOption = None,
    every: Annotated[
        bool, typer.Option("--every", help="Take every picture below the folder, those of test splits too.")
    ] = False,
    name: Annotated[str, typer.Option(help="Name on the card.")] = "stripes",
    provenance: Annotated[
        str | None, typer.Option(help="Whose pictures they are. Default: the data set, where it is one.")
    ] = None,
    licence: Annotated[str, typer.Option(help="Licence of the result.")] = "Apache-2.0",
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Fit the whitening of the hand-made 'stripes' encoder to your own pictures."""
    report = Report(as_json=as_json, quiet=quiet)
    output = output_file("--output", output, suffixes=SAFETENSORS)
    data = None if every else _data_set(pictures, kind)
    if data is None:
        paths = find_pictures(pictures)
        names = [parse_name(path.stem) for path in paths]
        persons = [parsed[0] if parsed else DISTRACTOR for parsed in names]
    else:
        paths = [sample.path for sample in data.train]
        persons = [sample.person for sample in data.train]
    bad = BadPictures(report)
    parts, kept = [], []
    for batch in read_batches(paths, HEIGHT, WIDTH, on_bad=bad):
        parts.append(batch.pictures)
        kept += [persons[i] for i in batch.indices]
        report.progress("reading", int(batch.indices[-1]) + 1, len(paths))
    if not parts:
        raise SwiftReIDError(f"none of the {len(paths)} pictures under {pictures} could be read")
    stacked, who = np.concatenate(parts), np.array(kept, np.int64)
    somebody = ~np.isin(who, list(NOBODY))
    if data is not None:  # junk and distractors of a training split teach nothing
        stacked, who = stacked[somebody], who[somebody]
    labelled = data is not None or bool(somebody.all())
    encoder = fit_stripes(
        stacked,
        who if labelled else None,
        provenance=provenance or (f"training split of {data.name}" if data else "not stated"),
        licence=licence,
        name=name,
        training={"data": data.name, "data_fingerprint": fingerprint_of(data), "pictures": len(who)} if data else None,
    )
    encoder.save(output)
    known = f"of {len(np.unique(who)):,} people" if labelled else "without persons, since not every name tells one"
    report.text(f"wrote {output}, fitted to {len(stacked):,} pictures {known}")
    report.document({"encoder": str(output), "fingerprint": encoder.fingerprint, **bad.as_dict()})


@app.command("vectors")
def vectors(
    file: Annotated[Path, typer.Argument(help="Vectors: .npy, .parquet, .arrow, .feather, or a file of encodings.")],
    output: Output,
    spec: Annotated[str, typer.Option(help="Names and lengths of the codes.")] = DEFAULT_SPEC,
    lengths: Annotated[
        bool, typer.Option("--lengths", help="Vectors differ by their length too, not by their angle alone.")
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


def _data_set(pictures: Path, kind: str | None) -> ReidData | None:
    """The data set that a folder or manifest is, with a training split; None for any other pictures."""
    if kind is None and pictures.is_dir() and not recognise(pictures):
        return None
    try:
        return open_data(pictures, kind=kind, need=TRAIN, attributes=False)
    except AmbiguousFolders:  # people are a help here, but no need
        return None

"""`swiftreid figure map` and `figure adaptation`: what cameras do to embeddings, and how adapting went."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from swiftreid.adaptation.camera_map import map_cameras
from swiftreid.cli.console import EncoderOption, JsonOption, QuietOption, Report
from swiftreid.cli.datasets import DataArgument, FoldersOption, KindOption, open_data_set
from swiftreid.cli.devices import CPU, DeviceOption, EncoderThreadsOption
from swiftreid.cli.figure_sources import OutputOption, TextOption, finish, target
from swiftreid.cli.sources import BadPictures
from swiftreid.data.samples import Sample
from swiftreid.encoding.encoder import DEFAULT, open_encoder
from swiftreid.figures.adaptation_curve import draw_curve, load_curve
from swiftreid.figures.camera_map import draw_camera_map


def map_figure(
    data: DataArgument,
    encoder: EncoderOption = DEFAULT,
    device: DeviceOption = CPU,
    encoder_threads: EncoderThreadsOption = None,
    kind: KindOption = None,
    folders: FoldersOption = None,
    output: OutputOption = None,
    text: TextOption = "normal",
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Embeddings of test pictures in two dimensions by camera, with and without what is the cameras'."""
    report = Report(as_json=as_json, quiet=quiet)
    path, size = target("map", output, text)
    opened = open_encoder(encoder, threads=encoder_threads, device=device)
    read = open_data_set(report, data, kind=kind, folders=folders)
    test = [*read.query, *read.gallery]
    cameras = read.cameras_called(test)
    samples = [Sample(sample.path, None, camera) for sample, camera in zip(test, cameras, strict=True)]
    found = map_cameras(opened, samples, on_bad=BadPictures(report), progress=report.progress)
    figure = draw_camera_map(found, [read.name, f"encoder {opened.card.name}"], text=size)
    numbers = {
        "pictures": len(samples),
        "explained": found.explained,
        "between_before": found.between_before,
        "between_after": found.between_after,
    }
    finish(report, path, figure, numbers)


def adaptation_figure(
    folder: Annotated[Path, typer.Argument(help="Folder that `swiftreid adapt` wrote.")],
    output: OutputOption = None,
    text: TextOption = "normal",
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Clusters while an encoder is adapted, epoch by epoch, and what the guard says; of a run under way too."""
    report = Report(as_json=as_json, quiet=quiet)
    path, size = target("adaptation", output, text)
    curve = load_curve(folder)
    finish(report, path, draw_curve(curve, [folder.resolve().name], text=size), asdict(curve))

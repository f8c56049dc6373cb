"""`swiftreid train`: learn a network from a recipe."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from swiftreid.cli.calibrations import print_calibration, warn_of_few
from swiftreid.cli.console import JsonOption, QuietOption, Report
from swiftreid.cli.datasets import (
    DataArgument,
    FoldersOption,
    KindOption,
    RootOption,
    TrainOption,
    open_data_set,
)
from swiftreid.cli.sources import BadPictures
from swiftreid.encoding.encoder import open_encoder
from swiftreid.experiments.inputs import TRAIN
from swiftreid.recipes import find_recipe

if TYPE_CHECKING:
    from swiftreid.evaluation.measure import Measured
    from swiftreid.training.network.loop import StepReport


def train(
    recipe: Annotated[str, typer.Argument(help="Recipe: a YAML file, or a shipped one such as small/all_in_one.")],
    data: DataArgument,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the encoder, the checkpoint and the logs.")
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change one field of the recipe, as in schedule.epochs=20; repeatable."),
    ] = None,
    kind: KindOption = None,
    folders: FoldersOption = None,
    root: RootOption = None,
    train_split: TrainOption = "train+val",
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Resume from the checkpoint in the folder.")] = False,
    finish: Annotated[
        bool, typer.Option("--finish", help="With --resume: export the checkpoint without more training.")
    ] = False,
    init: Annotated[
        str | None,
        typer.Option(
            help="Start from the matching weights of this checkpoint or encoder. "
            "Default: the recipe's (--set init=null: none)."
        ),
    ] = None,
    weights: Annotated[
        Path | None, typer.Option(help="ImageNet weights for the trunk: .safetensors, .pth or .pt.")
    ] = None,
    teacher: Annotated[
        str | None, typer.Option(help="Encoder to learn from, for method 'distilled': a file, or a shipped one.")
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Labelled data set to learn beside the unlabelled one, for 'hybrid_memory'.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="Such as cpu or cuda:0. Default: a GPU if there is one.")] = None,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Write events for TensorBoard too (extra 'tensorboard').")
    ] = False,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train a network on the training people of a data set; write an encoder. Needs the extra 'train'.

    It is calibrated where the method learns codes and the recipe holds people out.
    """
    path = find_recipe(recipe)
    from swiftreid.methods import learns_attributes
    from swiftreid.training.network.finish import ENCODER
    from swiftreid.training.network.plan import Plan, Reports
    from swiftreid.training.network.processes import joined
    from swiftreid.training.network.recipe import load_network_recipe
    from swiftreid.training.network.run_log import check_tensorboard
    from swiftreid.training.network.train import train_network

    stated = load_network_recipe(path, settings or [])
    if tensorboard:
        check_tensorboard()
    with joined(device) as world:
        report = Report(as_json=as_json and world.first, quiet=quiet or not world.first)
        read = open_data_set(
            report,
            data,
            kind=kind,
            folders=folders,
            root=root,
            train=train_split,
            need=TRAIN,
            attributes=learns_attributes(stated.method, stated.settings),
        )
        other = None
        if source is not None:
            other = open_data_set(report, source, train=train_split, need=TRAIN, attributes=False)
        bad = BadPictures(report)

        def on_step(step: StepReport) -> None:
            if step.epoch == int(step.epoch) and not sys.stderr.isatty():  # a log's reader wants signs of life too
                done = f"{step.epoch:.0f} ({step.step:,} of {step.steps:,} steps)"
                report.note(f"epoch {done}: loss {step.loss:.3f}, {step.pictures_per_second:,.0f} pictures/s")

        plan = Plan(
            read,
            stated,
            output,
            seed=seed,
            resume=resume,
            init=init,
            weights=weights,
            teacher=open_encoder(teacher) if teacher else None,
            source=other,
            tensorboard=tensorboard,
            finish=finish,
        )
        reports = Reports(
            report.progress,
            on_bad=bad,
            on_step=on_step,
            on_evaluation=lambda done, measured: report.note(f"epoch {done}, rank-1 / mAP in %: {_in_words(measured)}"),
            note=report.note,
        )
        trained = train_network(plan, reports, world=world)
    if trained is None:
        return
    if trained.measured:
        held = f"{trained.held_out:,} people of {read.name} held out from training"
        warn_of_few(trained.held_out, held, report)
        report.table(
            f"{held}, every picture a query",
            ["search", "rank-1", "mAP"],
            [(m.label, 100 * m.metrics.rank(1), 100 * m.metrics.map_standard) for m in trained.measured],
        )
    if trained.encoder.card.calibration is not None:
        print_calibration(report, trained.encoder.card.calibration)
    if not trained.codes:
        report.note(
            "this method learns no codes: the encoder has random-hyperplane codes. Learn better ones: "
            f"swiftreid hash {data} --encoder {output / ENCODER} -o hashed.safetensors"
        )
    people = f"of {trained.persons:,} people" if trained.persons else "without labels"
    if other is not None:
        people += f", beside labelled ones of {other.name}"
    report.text(
        f"wrote {output / ENCODER} ({trained.encoder.card.short_fingerprint}), learned from {trained.pictures:,} "
        f"pictures {people}"
    )
    report.document(
        {
            "encoder": str(output / ENCODER),
            "fingerprint": trained.encoder.fingerprint,
            "persons": trained.persons,
            "pictures": trained.pictures,
            "losses": trained.losses,
            "held_out": trained.encoder.card.metrics,
            **bad.as_dict(),
        }
    )


def _in_words(measured: list[Measured]) -> str:
    return ", ".join(
        f"{m.label.removesuffix(' exhaustive')} {100 * m.metrics.rank(1):.1f} / {100 * m.metrics.map_standard:.1f}"
        for m in measured
    )

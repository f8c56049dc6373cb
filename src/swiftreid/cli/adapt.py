"""`swiftreid adapt`: make an encoder better for some cameras, without labels."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from swiftreid.cli.console import JsonOption, QuietOption, Report
from swiftreid.cli.outputs import written
from swiftreid.cli.sources import BadPictures
from swiftreid.cli.unlabelled import (
    AnswersOption,
    CameraOption,
    DataOption,
    GalleryOption,
    ManifestOption,
    NoOverlapOption,
    PicturesArgument,
    answers_about,
    camera_pairs,
    unlabelled,
)
from swiftreid.encoding.encoder import open_encoder
from swiftreid.recipes import find_recipe

if TYPE_CHECKING:
    from swiftreid.adaptation.adapt import Adapted


def adapt(
    encoder: Annotated[str, typer.Argument(help="Encoder to start from: a file, or the name of a shipped one.")],
    pictures: PicturesArgument = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the encoder, the checkpoint and the logs.")
    ] = Path("adapted"),
    manifest: ManifestOption = None,
    data: DataOption = None,
    gallery: GalleryOption = None,
    camera: CameraOption = None,
    answers: AnswersOption = None,
    no_overlap: NoOverlapOption = None,
    recipe: Annotated[str, typer.Option(help="Recipe of the training.")] = "small/cluster_memory",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change one field of the recipe, as in schedule.epochs=20; repeatable."),
    ] = None,
    held_out: Annotated[
        float, typer.Option(min=0.05, max=0.8, help="Share of the groups that the trial does not learn from.")
    ] = 0.5,
    force: Annotated[
        bool, typer.Option("--force", help="Write the encoder even where nothing shows that it is better.")
    ] = False,
    sheets: Annotated[
        bool,
        typer.Option("--sheets", help="Draw clusters before and after, into clusters-before.png and -after.png there."),
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Resume from the checkpoint in the folder.")] = False,
    device: Annotated[str | None, typer.Option(help="Such as cpu or cuda:0. Default: a GPU if there is one.")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Adapt an encoder to cameras by unlabelled pictures of theirs. Needs the extra 'train'.

    Names like 0844_c3s2_107328_01.jpg give the camera; persons are not looked at. The encoder is written only if it
    tells people apart better than the one before, on pictures that were held out.
    """
    from swiftreid.adaptation.adapt import AdaptSettings
    from swiftreid.adaptation.adapt import adapt as adapted_by
    from swiftreid.training.network.plan import Reports
    from swiftreid.training.network.processes import joined
    from swiftreid.training.network.recipe import load_network_recipe

    report = Report(as_json=as_json, quiet=quiet)
    stated = load_network_recipe(find_recipe(recipe), settings or [])
    base, bad = open_encoder(encoder), BadPictures(report)
    source = unlabelled(report, pictures, manifest=manifest, data=data, gallery=gallery, camera=camera)
    known = answers_about(report, answers, source.samples)
    with joined(device) as world:
        done = adapted_by(
            base,
            source.samples,
            output / "training",
            init=encoder,
            name=output.resolve().name,
            data=source.name,
            data_fingerprint=source.fingerprint,
            settings=AdaptSettings(stated, held_out=held_out, force=force, seed=seed),
            answers=known,
            no_overlap=camera_pairs(no_overlap),
            resume=resume,
            reports=Reports(report.progress, on_bad=bad, note=report.note),
            world=world,
        )
    verdict = done.verdict
    file = output / "encoder.safetensors"
    if verdict.believed or force:  # before the sheets: whatever goes wrong there, it is not lost
        done.encoder.save(file)
    drawn = _draw(report, done, output) if sheets else []
    summary = {"believed": verdict.believed, "reason": verdict.reason, "sheets": drawn, **bad.as_dict()}
    if not (verdict.believed or force):
        report.fail(f"no encoder was written: {verdict.reason}; --force writes it all the same", summary)
    report.text(f"{verdict.reason}\nwrote {file} ({done.encoder.card.short_fingerprint})")
    report.document({**summary, "encoder": str(file), "fingerprint": done.encoder.fingerprint})


def _draw(report: Report, done: Adapted, folder: Path) -> list[str]:
    """Write contact sheets of the clusters before and after, for their owner alone; none where there is no cluster."""
    from swiftreid.adaptation.cluster_sheet import draw_clusters
    from swiftreid.clustering.two_stage import ALONE

    drawn = []
    for when, clusters in (("before", done.before), ("after", done.after)):
        if (clusters.people == ALONE).all():
            report.warn(f"no contact sheet of clusters {when} adapting: every picture is alone")
            continue
        content = io.BytesIO()
        title = f"Clusters {when} adapting: the largest, then the most doubtful"
        draw_clusters(clusters, done.pictures.samples, title).save(content, "PNG")
        file = folder / f"clusters-{when}.png"
        report.text(f"contact sheet: {written(file, content.getvalue(), shows_people=True)}")
        drawn.append(str(file))
    return drawn

"""`swiftreid encode`, `hash` and `calibrate`: codes of pictures, codes learned on an embedding, thresholds of codes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, cast, get_args

import typer

from swiftreid.adaptation.deciding import calibrate_unlabelled
from swiftreid.adaptation.pictures import embed_pictures
from swiftreid.calibration.fit import CascadeMethod
from swiftreid.calibration.recall import CONFIDENCE, SHARE
from swiftreid.calibration.same_person import FALSE_ACCEPTS
from swiftreid.calibration.thresholds import Method
from swiftreid.cli.calibrations import print_calibration, print_sweep, warn_of_few
from swiftreid.cli.console import EncoderOption, JsonOption, QuietOption, Report
from swiftreid.cli.datasets import (
    DataArgument,
    FoldersOption,
    KindOption,
    RootOption,
    TrainOption,
    open_data_set,
)
from swiftreid.cli.devices import CPU, DeviceOption, EncoderThreadsOption
from swiftreid.cli.encoders import Output
from swiftreid.cli.outputs import SAFETENSORS, output_file
from swiftreid.cli.sources import BadPictures
from swiftreid.cli.unlabelled import (
    AnswersOption,
    CameraOption,
    NoOverlapOption,
    answers_about,
    camera_pairs,
    unlabelled,
)
from swiftreid.encoding.abstract import Encoder
from swiftreid.encoding.card import EncoderCard
from swiftreid.encoding.encoder import DEFAULT, open_encoder
from swiftreid.encoding.vectors import encode_vectors_to_file, read_vectors
from swiftreid.errors import UsageError
from swiftreid.experiments.calibrate import (
    NEEDED,
    CalibrationSettings,
    CalibrationSplit,
    calibrate_encoder,
    was_learned,
)
from swiftreid.experiments.inputs import TRAIN
from swiftreid.recipes import find_recipe
from swiftreid.retrieval.encodings import encode_to_file
from swiftreid.retrieval.samples import samples_below

_MAX_LOSS = 0.5  # mAP points
_SMALL_PERCENT = 1  # a share of 1 may be meant; yet few mistakes are a sensible thing to ask for


LabelsOption = Annotated[
    Path | None,
    typer.Option(help="CSV of a .npy file's rows: any of the columns id, person, camera, time."),
]


def encode(
    pictures: Annotated[
        list[Path], typer.Argument(help="Picture files or folders; or a file of vectors, for an encoder of vectors.")
    ],
    output: Output,
    encoder: EncoderOption = DEFAULT,
    device: DeviceOption = CPU,
    encoder_threads: EncoderThreadsOption = None,
    labels: LabelsOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Encode pictures into one file of packed codes and float embeddings (safetensors)."""
    report = Report(as_json=as_json, quiet=quiet)
    output = output_file("--output", output, suffixes=SAFETENSORS)
    used, bad = open_encoder(encoder, threads=encoder_threads, device=device), BadPictures(report)
    if used.takes == "vectors":
        if len(pictures) > 1:
            raise UsageError(f"give one file of vectors, not {len(pictures)}")
        vectors = read_vectors(pictures[0], labels=labels)
        encode_vectors_to_file(used, vectors, output)
        encoded = len(vectors)
    elif labels is not None:
        raise UsageError(f"--labels is for vectors, and encoder {used.card.name} takes pictures")
    else:
        encoded = encode_to_file(used, samples_below(pictures), output, on_bad=bad, progress=report.progress)
    report.text(f"wrote {output}: {encoded:,} encodings ({used.spec}); {len(bad.found)} pictures could not be read")
    report.document(
        {
            "encodings": str(output),
            "encoded": encoded,
            "encoder": used.card.name,
            "fingerprint": used.fingerprint,
            **bad.as_dict(),
        }
    )


def calibrate(
    encoder: Annotated[str, typer.Argument(help="Encoder file to calibrate, or a shipped one.")],
    data: DataArgument,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write, .safetensors. Default: the encoder's own.")
    ] = None,
    split: Annotated[str, typer.Option(help="Split to use: train or test (query and gallery together).")] = "train",
    kind: KindOption = None,
    folders: FoldersOption = None,
    root: RootOption = None,
    beta: Annotated[
        float | None,
        typer.Option(help="Weight of recall: larger finds more and is slower. Default: chosen by --max-loss."),
    ] = None,
    max_loss: Annotated[
        float | None, typer.Option(min=0, help="Points of mAP that the cascade may lose on these people. Default: 0.5.")
    ] = None,
    method: Annotated[
        str,
        typer.Option(help="How thresholds are fitted: gaussian (the paper), empirical, or recall (certified)."),
    ] = "gaussian",
    recall: Annotated[
        float, typer.Option(help="% of the exhaustive result that the certified thresholds keep: 99, not 0.99.")
    ] = 100 * SHARE,
    confidence: Annotated[float, typer.Option(help="% confidence of that promise: 95, not 0.95.")] = 100 * CONFIDENCE,
    false_accepts: Annotated[
        float, typer.Option(help="% of people not in the gallery who may get an entry (same-person threshold).")
    ] = 100 * FALSE_ACCEPTS,
    gallery_size: Annotated[
        int | None,
        typer.Option(min=1, help="Gallery entries for --false-accepts. Default: as many as held out."),
    ] = None,
    sweep: Annotated[bool, typer.Option("--sweep", help="Print what every beta loses and compares.")] = False,
    without_labels: Annotated[
        bool,
        typer.Option(
            "--unlabelled",
            help="Fit the same-person threshold alone, without labels: DATA is a folder of pictures or a manifest.",
        ),
    ] = False,
    camera: CameraOption = None,
    answers: AnswersOption = None,
    no_overlap: NoOverlapOption = None,
    device: DeviceOption = CPU,
    encoder_threads: EncoderThreadsOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Fit thresholds on people the encoder never saw, and store them in its card: cascades, short list, same person."""
    report = Report(as_json=as_json, quiet=quiet)
    if split not in ("train", "test"):
        raise UsageError(f"--split is train or test, not {split!r}")
    if method not in get_args(Method) and method != "recall":
        raise UsageError(f"--method is gaussian, empirical or recall, not {method!r}")
    if method == "recall" and (beta is not None or max_loss is not None):
        raise UsageError("--beta and --max-loss choose the thresholds of gaussian and empirical; recall has --recall")
    max_loss = _max_loss(beta, max_loss)
    _check_percentages(recall, confidence, false_accepts)
    if false_accepts < _SMALL_PERCENT:
        report.note(
            f"--false-accepts {false_accepts:g} is {false_accepts:g} %; for {100 * false_accepts:g} % write "
            f"{100 * false_accepts:g}"
        )
    settings = CalibrationSettings(
        split=cast(CalibrationSplit, split),
        beta=beta,
        max_loss=max_loss / 100,
        method=cast(CascadeMethod, method),
        recall=recall / 100,
        confidence=confidence / 100,
        false_accepts=false_accepts / 100,
        gallery_size=gallery_size,
        sweep=sweep,
    )
    output = None if output is None else output_file("--output", output, suffixes=SAFETENSORS)
    used = open_encoder(encoder, threads=encoder_threads, device=device)
    if output is None and not Path(encoder).is_file():
        raise UsageError(f"{encoder} is a shipped encoder and stays as it is: give --output for the calibrated copy")
    if without_labels:
        if kind or folders or root or sweep or method != "gaussian" or beta is not None:
            raise UsageError(
                "--unlabelled fits the same-person threshold alone: leave out --kind, --folders, --root, --sweep, "
                "--method and --beta"
            )
        place = Path(data)
        table = place if place.suffix.lower() in (".csv", ".parquet") else None
        source = unlabelled(report, [] if table else [place], manifest=table, data=None, gallery=None, camera=camera)
        known, bad = answers_about(report, answers, source.samples), BadPictures(report)
        pictures = embed_pictures(used, source.samples, on_bad=bad, progress=report.progress)
        calibrated = calibrate_unlabelled(
            used,
            pictures,
            data=source.name,
            answers=[*pictures.apart(camera_pairs(no_overlap)), *known],
            rendered=source.rendered,
            false_accepts=settings.false_accepts,
            gallery_size=settings.gallery_size,
        )
        _write(report, calibrated, output or Path(encoder), bad)
        return
    if camera or answers or no_overlap:
        raise UsageError("--camera, --answers and --no-overlap need --unlabelled: labelled people need no answers")
    read = open_data_set(report, data, kind=kind, folders=folders, root=root, need=NEEDED[settings.split])
    in_place = output is None or (output.exists() and Path(encoder).exists() and output.samefile(encoder))
    before = used.card.calibration
    if in_place and before is not None and was_learned(used, read, settings.split):
        raise UsageError(
            f"{encoder} was trained on the same people, and has thresholds already, of {before.data}: "
            "the new ones would replace them and be too tight for others. Calibrate on other people, or give --output "
            "for a copy"
        )
    bad = BadPictures(report)
    calibrated = calibrate_encoder(used, read, settings, on_bad=bad, progress=report.progress)
    _write(report, calibrated, output or Path(encoder), bad, sweep=sweep)


def _write(report: Report, calibrated: Encoder, target: Path, bad: BadPictures, *, sweep: bool = False) -> None:
    calibrated.save(target)
    found = calibrated.card.calibration
    assert found is not None
    if sweep:
        print_sweep(report, found)
    print_calibration(report, found)
    report.text(f"wrote {target}: {found.persons} people, {found.pictures} pictures")
    report.document({"encoder": str(target), "calibration": found.model_dump(), **bad.as_dict()})


def _max_loss(beta: float | None, max_loss: float | None) -> float:
    if beta is not None and max_loss is not None:
        raise UsageError("give --beta, or --max-loss to choose it, not both")
    return _MAX_LOSS if max_loss is None else max_loss


def _check_percentages(recall: float, confidence: float, false_accepts: float) -> None:
    """Refuse what is no percentage, and what is plainly meant as a share of 1."""
    for option, percent in (("--recall", recall), ("--confidence", confidence), ("--false-accepts", false_accepts)):
        if not 0 < percent < 100:
            raise UsageError(f"{option} is a percentage above 0 and below 100, not {percent:g}")
    for option, percent in (("--recall", recall), ("--confidence", confidence)):
        if percent <= 1:
            example = 100 * percent if percent < 1 else 99
            raise UsageError(f"{option} {percent:g} is per cent: write {example:g} for {example:g} %")


def hash_embedding(
    data: DataArgument,
    output: Output,
    encoder: Annotated[str, typer.Option(help="Encoder whose float embedding to hash: a file, or a shipped one.")],
    kind: KindOption = None,
    folders: FoldersOption = None,
    root: RootOption = None,
    train: TrainOption = "train+val",
    recipe: Annotated[
        str | None, typer.Option(help="Recipe: a YAML file, or a shipped one such as frozen/paper.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Change one field of the recipe, as in training.epochs=20 or views=4; repeatable."),
    ] = None,
    beta: Annotated[float | None, typer.Option(help="As for `swiftreid calibrate`.")] = None,
    max_loss: Annotated[float | None, typer.Option(min=0, help="As for `swiftreid calibrate`.")] = None,
    labels: LabelsOption = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    name: Annotated[str | None, typer.Option(help="Name on the card. Default: the file's.")] = None,
    device: DeviceOption = CPU,
    encoder_threads: EncoderThreadsOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Learn a pyramid of codes (id2048 to id32) on a frozen embedding, from labels. Needs the extra 'torch'."""
    path = find_recipe(recipe) if recipe else None
    from swiftreid.training.frozen.hashing import learn_hash, learn_vectors
    from swiftreid.training.frozen.recipe import load_recipe

    report = Report(as_json=as_json, quiet=quiet)
    output = output_file("--output", output, suffixes=SAFETENSORS)
    max_loss = _max_loss(beta, max_loss)
    stated = load_recipe(path, settings or [])
    base = open_encoder(encoder, threads=encoder_threads, device=device)
    bad = BadPictures(report)
    how: dict[str, Any] = {"name": name or output.stem, "recipe": stated, "beta": beta, "max_loss": max_loss / 100}
    how |= {"seed": seed, "progress": report.progress}
    if base.takes == "vectors":
        source = Path(data)
        people = source.stem
        learned = learn_vectors(base, read_vectors(source, labels=labels), data=people, **how)
    elif labels is not None:
        raise UsageError(f"--labels is for vectors, and encoder {base.card.name} takes pictures")
    else:
        read = open_data_set(report, data, kind=kind, folders=folders, root=root, train=train, need=TRAIN)
        people = read.name
        learned = learn_hash(base, read, on_bad=bad, **how)
    learned.save(output)
    rows: list[dict[str, Any]] = learned.card.metrics
    if rows:  # none with a recipe that holds nobody out
        report.table(
            f"held-out people of {people} (the encoder written has learned from all of them)",
            ["search", "rank-1", "mAP"],
            [(row["ranking"], 100 * row["rank1"], 100 * row["map"]) for row in rows],
        )
    if learned.card.calibration is not None:
        print_calibration(report, learned.card.calibration)
        _compare_attributes(report, base.card.name, learned.card)
        held = learned.card.calibration.persons
        warn_of_few(held, f"{held} people held out", report)
    report.text(f"wrote {output} ({learned.card.short_fingerprint})")
    report.document(
        {
            "encoder": str(output),
            "fingerprint": learned.fingerprint,
            "held_out": rows,
            "calibration": None if learned.card.calibration is None else learned.card.calibration.model_dump(),
            "training": learned.card.training,
            **bad.as_dict(),
        }
    )


def _compare_attributes(report: Report, base: str, card: EncoderCard) -> None:
    """How well the encoder predicted the same attributes before, and a warning where it did so better."""
    before = card.training.get("attributes_before")
    if before is None or before["mA"] is None or before["mA_now"] is None:
        return
    line = f"accuracy {100 * before['accuracy']:.1f} % of {before['attributes']}, mA {100 * before['mA']:.1f} %"
    report.text(f"attributes of {base} on the same people: {line}; now mA of these {100 * before['mA_now']:.1f} %")
    if before["mA"] > before["mA_now"]:
        report.warn(
            f"{base} predicts attributes better, perhaps because it learned them from more people: keep them "
            "(--set attributes=keep learns new codes beside them)"
        )

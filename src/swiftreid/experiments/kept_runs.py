"""Runs kept in folders: each is made once, one that was stopped goes on, and other settings are refused.

Studies of many runs are stopped and started again; nothing that is there is made twice, and nothing is taken for the
result of settings that it is not of. Needs the extra `train`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from swiftreid.data.fingerprint import fingerprint_of
from swiftreid.data.samples import ReidData
from swiftreid.data.sources import open_data
from swiftreid.durable import save_bytes
from swiftreid.encoding.encoder import Encoder, encoder_path, open_encoder
from swiftreid.errors import UsageError
from swiftreid.evaluation.attributes import AttributeScores
from swiftreid.evaluation.card import ResultCard
from swiftreid.experiments.calibrate import MAX_LOSS
from swiftreid.experiments.evaluate import evaluate
from swiftreid.experiments.inputs import TRAIN, Data, EncoderSource, data_set, encoder_of
from swiftreid.experiments.settings import EvaluationSettings
from swiftreid.experiments.unreadable import Unreadable
from swiftreid.methods import learns_attributes, method_config
from swiftreid.progress import Progress, no_progress
from swiftreid.recipes import find_recipe
from swiftreid.training.frozen.hashing import learn_hash
from swiftreid.training.frozen.recipe import load_recipe
from swiftreid.training.network.checkpoint import CHECKPOINT
from swiftreid.training.network.finish import ENCODER
from swiftreid.training.network.plan import Plan, Reports
from swiftreid.training.network.recipe import load_network_recipe
from swiftreid.training.network.train import train_network

RECORD: Final = "run.json"
"""File in a run's folder with its settings, and whether it came to its end."""


def once(folder: Path, settings: Mapping[str, Any], work: Callable[[], object]) -> None:
    """Do work that fills a folder, unless it was done there to its end.

    Args:
        folder: what it fills.
        settings: of the work, as JSON has them.
        work: does it; where it was stopped before, it goes on.

    Raises:
        UsageError: the folder holds the result of other settings.
    """
    record, stated = folder / RECORD, json.loads(json.dumps(settings))
    before = json.loads(record.read_text(encoding="utf-8")) if record.is_file() else None
    if before is not None and before["settings"] != stated:
        raise UsageError(f"{folder} holds the result of other settings: take another folder, or delete it")
    if before is not None and before["finished"]:
        return

    def note(*, finished: bool) -> None:
        save_bytes(record, json.dumps({"settings": stated, "finished": finished}).encode())

    note(finished=False)
    work()
    note(finished=True)


def trained(
    recipe: str | Path,
    data: Path,
    folder: Path,
    *,
    changes: Sequence[str] = (),
    seed: int = 0,
    init: str | Path | None = None,
    teacher: str | Path | None = None,
    source: Path | None = None,
    reports: Reports | None = None,
) -> Path:
    """The encoder of a training run, which is made, or resumed, if it is not there yet.

    Args:
        recipe: a YAML file, or the name of a shipped recipe.
        data: the data set; its training people are used.
        folder: of the run.
        changes: to single fields of the recipe, such as ``schedule.epochs=20``.
        seed: of everything random.
        init: checkpoint or encoder to start from; None takes the recipe's.
        teacher: encoder to learn from.
        source: labelled data set to learn beside, for a method that adapts.
        reports: where progress and notices go; unreadable pictures are left out.

    Raises:
        UsageError: the folder holds another run, or the recipe cannot be.
        SwiftReIDError: training failed.
    """
    stated = load_network_recipe(find_recipe(recipe), list(changes))
    read = open_data(data, need=TRAIN, attributes=learns_attributes(stated.method, stated.settings))
    # Contents, not names: a recipe, an encoder or a data set of the same name may be another by now.
    config = method_config(stated.method, stated.settings)
    settings = {
        "recipe": {**stated.model_dump(mode="json"), "settings": asdict(config)},
        "data": fingerprint_of(read),
        "seed": seed,
        "init": [_digest(source) for source in (init, stated.init)],
        "teacher": _digest(teacher),
    }
    beside = None if source is None else open_data(source, need=TRAIN, attributes=False)
    if beside is not None:  # records of runs without one, which are older, say nothing of it
        settings["source"] = fingerprint_of(beside)

    def work() -> None:
        to = reports or Reports()
        plan = Plan(
            read,
            stated,
            folder,
            seed=seed,
            resume=(folder / CHECKPOINT).is_file(),
            init=None if init is None else str(init),
            teacher=None if teacher is None else open_encoder(teacher),
            source=beside,
        )
        train_network(plan, to if to.on_bad is not None else replace(to, on_bad=Unreadable()))

    once(folder, settings, work)
    return folder / ENCODER


def _digest(source: str | Path | None) -> str | None:
    """SHA-256 of a checkpoint's or an encoder's file; None of none."""
    return None if source is None else hashlib.sha256(encoder_path(source).read_bytes()).hexdigest()


def hashed(
    encoder: EncoderSource,
    data: Path,
    file: Path,
    *,
    changes: Sequence[str] = (),
    seed: int = 0,
    progress: Progress = no_progress,
) -> Path:
    """The file of an encoder with codes or attributes learned on a network's embedding; made if it is not there yet.

    Args:
        encoder: gives the embedding.
        data: the data set; its training people are used.
        file: to write; its name is the encoder's.
        changes: to single fields of the recipe, such as ``attributes=true``.
        seed: of everything random.
        progress: takes how far each task is.

    Raises:
        UsageError: the file holds what was learned otherwise, or as for `learn_hash`.
        SwiftReIDError: as for `swiftreid.training.frozen.hashing.learn_hash`.
    """
    base, read, recipe = encoder_of(encoder), open_data(data, need=TRAIN), load_recipe(None, list(changes))
    if file.is_file():
        there = open_encoder(file)
        record = there.card.training
        wanted = {"recipe": recipe.model_dump(mode="json"), "data_fingerprint": fingerprint_of(read), "seed": seed}
        kept = {"seed": seed, **record}  # attributes alone are learned without a seed
        if there.base.fingerprint != base.base.fingerprint or any(kept.get(key) != wanted[key] for key in wanted):
            raise UsageError(f"{file} holds the result of other settings: take another file, or delete it")
        return file
    learned = learn_hash(
        base,
        read,
        name=file.stem,
        recipe=recipe,
        beta=None,
        max_loss=MAX_LOSS,
        seed=seed,
        on_bad=Unreadable(),
        progress=progress,
    )
    learned.save(file)
    return file


def evaluated(
    encoder: EncoderSource, data: Data, card: Path, *, values: bool = False, progress: Progress = no_progress
) -> ResultCard:
    """The result card of an encoder, without times and single queries; made if the file does not hold it yet.

    Args:
        encoder: what is measured.
        data: on what.
        card: the card's file; one of another encoder or data set is replaced.
        values: whether to rank by the real values behind each code too.
        progress: takes how far encoding and measuring are.
    """
    used, read = encoder_of(encoder), data_set(data)
    found = ResultCard.load(card) if card.is_file() else None
    settings = EvaluationSettings(timed=False, per_query=False, values=values)
    if found is None or not _is_of(found, used, read, settings):
        found = evaluate(read, used, settings, progress=progress)
        found.save(card)
    return found


def _is_of(card: ResultCard, encoder: Encoder, data: ReidData, settings: EvaluationSettings) -> bool:
    """Whether a card is of this encoder, of these pictures and of these settings; it may hold real values besides."""
    if card.encoder is None or card.encoder.fingerprint != encoder.fingerprint:
        return False
    protocol, wanted = card.protocol, settings.as_run(encoder.card.training.get("recipe"))
    if (
        protocol.cross_camera != (settings.cameras and data.cross_camera)
        or protocol.multi_query
        or protocol.distractors
    ):
        return False
    if (protocol.empty, protocol.ap) != (settings.empty, settings.ap):
        return False
    if any(card.run.get(name) != value for name, value in wanted.items()):
        return False
    return card.data.fingerprint == fingerprint_of(data)


def percentages(card: ResultCard) -> dict[str, tuple[float, float]]:
    """Rank-1 and mAP in percent by ranking, and accuracy and mA of "attributes", if they are known."""
    figures = {row.ranking: (100 * row.rank1, 100 * row.map_standard) for row in card.rows}
    scores = AttributeScores(card.attributes)
    if scores.accuracy is not None and scores.mean_accuracy is not None:
        figures["attributes"] = (100 * scores.accuracy, 100 * scores.mean_accuracy)
    return figures

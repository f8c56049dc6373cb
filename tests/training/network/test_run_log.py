"""What a run writes about itself, events for TensorBoard, and mixed precision on a processor."""

from __future__ import annotations

import json
import os
import signal
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from command import Ran, run_in
from swiftreid.data.samples import Sample
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.methods import build_method
from swiftreid.training.network.checkpoint import CheckpointHeader, load_checkpoint
from swiftreid.training.network.loop import Run, StepReport, Stopped
from swiftreid.training.network.processes import World
from swiftreid.training.network.recipe import NetworkRecipe, load_network_recipe
from swiftreid.training.network.run_log import RunLog, check_tensorboard
from swiftreid.training.pictures import TrainingPictures
from swiftreid.training.targets.people import People
from swiftreid.training.targets.targets import TargetsPlan

RECIPE: dict[str, Any] = {
    "method": "baseline",
    "size": [32, 16],
    # oneDNN's bfloat16 convolutions for AMX are wrong on maps as small as a residual network's for such pictures.
    "settings": {"trunk": "osnet_x0_25"},
    "batches": {"persons": 4, "pictures": 2},
    "schedule": {"epochs": 2, "warm_up": 1, "start": 0.1, "decay_at": [1]},
}


def run(folder: Path, *, resume: bool = False, stop_after: int | None = None, **changes: Any) -> Run:
    """A run on pictures of noise, to the end or stopped as by a scheduler."""
    recipe = NetworkRecipe.model_validate({**RECIPE, **changes})
    persons = np.repeat(np.arange(6), 4) + 20
    shown = np.random.default_rng(0).integers(0, 256, (24, 32, 16, 3), dtype=np.uint8)
    pictures = TrainingPictures([Path()] * 24, persons, np.zeros(24, np.int64), (32, 16), shown)
    header = CheckpointHeader(
        step=0,
        recipe=recipe.model_dump(mode="json"),
        seed=5,
        data="noise",
        data_fingerprint="f",
        persons=np.unique(persons).tolist(),
    )
    torch.manual_seed(0)
    method = build_method(recipe.method, 6, **recipe.settings)
    folder.mkdir(exist_ok=True)
    samples = [Sample(Path(), int(person), 0) for person in persons]
    targets = People(TargetsPlan(samples, (32, 16), 5, "f"))
    targets.pictures = pictures
    made = Run(method, recipe, pictures, targets, header, world=World(0, 1, torch.device("cpu")), folder=folder)
    if resume:
        made.resume(*load_checkpoint(folder / "checkpoint.safetensors"))

    def on_step(report: StepReport) -> None:
        if report.step == stop_after:
            os.kill(os.getpid(), signal.SIGTERM)

    if stop_after is None:
        made.train()
    else:
        with pytest.raises(Stopped):
            made.train(on_step=on_step)
    return made


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_the_log_begins_with_what_the_run_is_of(tmp_path: Path) -> None:
    run(tmp_path, stop_after=2)
    run(tmp_path, resume=True)
    first, *others = lines(tmp_path)
    expected = {"seed": 5, "data": "noise", "persons": 6, "pictures": 24, "device": "cpu", "processes": 1}
    assert {name: first[name] for name in expected} == expected
    assert (first["kind"], first["step"], first["torch"]) == ("run", 0, torch.__version__)
    assert [(line["kind"], line["step"]) for line in others] == [("run", 2), ("train", 3), ("train", 6)]
    text = (tmp_path / "log.txt").read_text().splitlines()
    assert len(text) == 4
    assert "run  step 0  seed 5  data noise  persons 6" in text[0]


@pytest.mark.parametrize("trunk_rate", [None, 1e-3])
def test_the_log_has_the_rates_of_the_optimiser(tmp_path: Path, trunk_rate: float | None) -> None:
    done = run(tmp_path, optimiser={"learning_rate": 0.01, "trunk_rate": trunk_rate})
    told = [line for line in lines(tmp_path) if line["kind"] == "train"]
    # Three steps an epoch: warm-up from a tenth at steps 0, 1, 2; then a tenth, as decay_at says.
    shares = [0.1 + 0.9 * 2 / 3, 0.1]
    assert [line["learning_rate"] for line in told] == pytest.approx([0.01 * share for share in shares])
    if trunk_rate is None:
        assert all("trunk_rate" not in line for line in told)
    else:
        assert [line["trunk_rate"] for line in told] == pytest.approx([trunk_rate * share for share in shares])
    last = {group["lr"] for group in done.optimiser.param_groups}
    assert last == {value for name, value in told[-1].items() if name.endswith("_rate")}
    assert all("rate" not in line for line in told)


def test_the_recipe_is_in_the_folder_and_can_be_run_again(tmp_path: Path) -> None:
    done = run(tmp_path, optimiser={"learning_rate": 0.01})
    path = tmp_path / "recipe.yaml"
    assert load_network_recipe(path) == done.recipe
    assert yaml.safe_load(path.read_text())["augmentation"]["erase"] == 0.5, "defaults are written out"
    # One that a person wrote there, with words of their own, is theirs.
    other = tmp_path / "other"
    other.mkdir()
    (other / "recipe.yaml").write_text("# mine\nmethod: baseline\n")
    run(other)
    assert (other / "recipe.yaml").read_text().startswith("# mine")


def test_without_tensorboard_one_line_says_so_before_any_work(
    tmp_path: Path, drawn_people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)  # as if it could not be imported
    with pytest.raises(SwiftReIDError, match=r"need the package tensorboard: pip install 'swiftreid\[tensorboard\]'"):
        check_tensorboard()
    with pytest.raises(SwiftReIDError, match="need the package tensorboard"):
        RunLog(tmp_path, tensorboard=True)
    hidden = tmp_path / "hidden" / "tensorboard"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ImportError('not here')")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(hidden.parent), os.environ.get("PYTHONPATH", "")]))
    (tmp_path / "r.yaml").write_text(yaml.safe_dump(RECIPE))
    swiftreid: Callable[..., Ran] = run_in(tmp_path)
    failed = swiftreid("train", "r.yaml", drawn_people, "-o", "run1", "--tensorboard", code=1)
    assert "events need the package tensorboard" in failed.err
    assert len(failed.err.strip().splitlines()) <= 3, failed.err
    assert not (tmp_path / "run1").exists()


def test_events_are_the_figures_of_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[Any, ...]] = []

    class Writer:
        def __init__(self, folder: str) -> None:
            told.append(("made", folder))

        def __getattr__(self, name: str) -> Callable[..., None]:
            return lambda *values: told.append((name, *values))

    fake = types.ModuleType("torch.utils.tensorboard")
    fake.SummaryWriter = Writer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", fake)
    log = RunLog(tmp_path, tensorboard=True)
    log.start(0, {"seed": 3, "data": "noise"}, {"method": "baseline"})
    log.write("train", 7, {"total": 1.5, "learning_rate": 0.01})
    log.flush()
    log.close()
    assert told == [
        ("made", str(tmp_path / "tensorboard")),
        ("add_text", "recipe", "```\nmethod: baseline\n```", 0),
        ("add_scalar", "train/total", 1.5, 7),
        ("add_scalar", "train/learning_rate", 0.01, 7),
        ("flush",),
        ("close",),
    ]
    assert [line["kind"] for line in lines(tmp_path)] == ["run", "train"]


def test_a_process_that_does_not_write_logs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    log = RunLog(None)
    log.start(0, {"seed": 1}, {})
    log.write("train", 1, {"total": 1.0})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("amp", "clip"), [("bf16", None), ("fp16", 1.0)])
def test_mixed_precision_goes_on_bit_for_bit(tmp_path: Path, amp: str, clip: float | None) -> None:
    how: dict[str, Any] = {"amp": amp, "optimiser": {"clip": clip, "name": "adamw"}, "ema": 0.5}
    whole = run(tmp_path / "whole", **how)
    run(tmp_path / "parts", stop_after=4, **how)
    parts = run(tmp_path / "parts", resume=True, **how)
    for name, value in whole.method.state_dict().items():
        assert torch.equal(value, parts.method.state_dict()[name]), name
    assert whole.header.losses == parts.header.losses
    assert whole.header.numbers == parts.header.numbers
    exact = run(tmp_path / "exact", **{**how, "amp": "off"})
    assert whole.header.losses != exact.header.losses, "something is computed in another format"
    assert whole.header.losses == pytest.approx(exact.header.losses, rel=0.15)
    start = build_method("baseline", 6, **RECIPE["settings"]).trunk.state_dict()
    assert any(not torch.equal(value, whole.method.trunk.state_dict()[name]) for name, value in start.items())


def test_an_optimisers_state_of_other_weights_is_refused(tmp_path: Path) -> None:
    """As where a later version learns one weight less: every state behind it would be its neighbour's."""
    done = run(tmp_path)
    header, tensors = load_checkpoint(tmp_path / "checkpoint.safetensors")
    done.resume(header, tensors)
    for group in done.optimiser.param_groups:
        group["params"] = group["params"][:-1]
    with pytest.raises(UsageError, match=r"other weights learned .* start another run in another folder"):
        done.resume(header, tensors)


def test_the_scale_of_fp16_is_kept(tmp_path: Path) -> None:
    done = run(tmp_path, amp="fp16")
    header, _ = load_checkpoint(tmp_path / "checkpoint.safetensors")
    assert header.numbers["scaler"] == done._scaler.get_scale()
    again = run(tmp_path, amp="fp16", resume=True)
    assert again._scaler.get_scale() == done._scaler.get_scale()
    assert header.numbers["growth"] == again._scaler.state_dict()["_growth_tracker"]

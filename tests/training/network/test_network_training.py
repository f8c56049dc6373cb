"""Whole runs: resumed bit for bit, shared by two processes, stopped, refused, exported."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from numpy.typing import NDArray
from safetensors import safe_open

from command import COMMAND, Ran, run_in
from swiftreid.data.sources import open_data
from swiftreid.encoding.domain import sources_of
from swiftreid.encoding.encoder import Encoder, open_encoder
from swiftreid.encoding.encoding import Encoding
from swiftreid.encoding.stripes import StripesEncoder
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.methods import build_method
from swiftreid.recipes import RECIPES
from swiftreid.search.codes import pack_bits
from swiftreid.training.network.checkpoint import load_checkpoint, network_weights
from swiftreid.training.network.embedding import embeddings_of
from swiftreid.training.network.export import export_encoder
from swiftreid.training.network.held_out import codes_of
from swiftreid.training.network.initial_weights import read_start
from swiftreid.training.network.loop import StepReport
from swiftreid.training.network.plan import Plan, Reports, Trained
from swiftreid.training.network.processes import World
from swiftreid.training.network.recipe import NetworkRecipe, load_network_recipe
from swiftreid.training.network.stopping import Stopped
from swiftreid.training.network.train import train_network

RECIPE: dict[str, Any] = {
    "method": "all_in_one",
    "size": [48, 24],
    "settings": {"trunk": "resnet18_half", "lengths": [64, 16]},
    "batches": {"persons": 4, "pictures": 2, "per_step": 2},
    "schedule": {"epochs": 4, "warm_up": 0},
    "ema": 0.9,
}

pytestmark = pytest.mark.timeout(1800)  # a busy machine needs minutes where an idle one needs seconds


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(RECIPE))
    return path


@pytest.fixture
def swiftreid(tmp_path: Path) -> Callable[..., Ran]:
    return run_in(tmp_path)


def tensors_of(folder: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(folder / "checkpoint.safetensors")[1]


def same(one: Path, other: Path) -> None:
    ours, theirs = tensors_of(one), tensors_of(other)
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert torch.equal(value, theirs[name]), name


def test_a_stopped_run_goes_on_bit_for_bit(
    swiftreid: Callable[..., Ran], recipe: Path, drawn_people: Path, tmp_path: Path
) -> None:
    told = swiftreid("train", recipe, drawn_people, "-o", "whole", "--json").json
    assert len(told["losses"]) == 4
    process = subprocess.Popen(
        [COMMAND, "train", str(recipe), str(drawn_people), "-o", "parts"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    )
    log = tmp_path / "parts" / "log.txt"
    while not (log.is_file() and "train" in log.read_text()):  # an epoch is done
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate()
    assert process.returncode == 1
    assert "asked to stop after step" in err
    assert "can be resumed" in err
    header, _ = load_checkpoint(tmp_path / "parts" / "checkpoint.safetensors")
    assert 0 < header.step < 4 * 4
    assert "holds a run" in swiftreid("train", recipe, drawn_people, "-o", "parts", code=2).err
    early = swiftreid("train", recipe, drawn_people, "-o", "parts", "--resume", "--finish", "--json").json
    assert len(early["losses"]) < 4
    card = open_encoder(tmp_path / "parts" / "encoder.safetensors").card
    assert card.training["steps"] == header.step
    assert card.provenance == f"12 people of drawn, 72 pictures (unfinished: step {header.step} of 16)"
    assert "ask for resume too" in swiftreid("train", recipe, drawn_people, "-o", "new", "--finish", code=2).err
    again = swiftreid("train", recipe, drawn_people, "-o", "parts", "--resume", "--json").json
    same(tmp_path / "whole", tmp_path / "parts")
    assert again["fingerprint"] == told["fingerprint"]
    assert again["losses"] == told["losses"]
    other = swiftreid("train", recipe, drawn_people, "-o", "parts", "--resume", "--seed", 1, code=2)
    assert "another seed" in other.err


def test_two_processes_give_the_run_of_one(
    swiftreid: Callable[..., Ran],
    recipe: Path,
    drawn_people: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # of the run alone, too: sums of more threads are rounded otherwise
    # With plain gradient descent weights differ by what gradients differ; Adam would blow differences of rounding up.
    plain = [
        part
        for setting in ("ema=0", "optimiser.name=sgd", "optimiser.learning_rate=0.05", "schedule.epochs=1")
        for part in ("--set", setting)
    ]
    swiftreid("train", recipe, drawn_people, "-o", "alone", *plain)
    together = subprocess.run(
        [
            sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "swiftreid",
            "train", str(recipe), str(drawn_people), "-o", "both", *plain, "--device", "cpu",
        ],
        cwd=tmp_path, capture_output=True, text=True, check=False,
        env={**os.environ, "GLOO_SOCKET_IFNAME": "lo"},
    )  # fmt: skip
    assert together.returncode == 0, together.stderr
    ours, theirs = tensors_of(tmp_path / "alone"), tensors_of(tmp_path / "both")
    for name, value in ours.items():
        if name.startswith("model.") and "running" not in name and "num_batches" not in name:
            torch.testing.assert_close(value, theirs[name], rtol=1e-3, atol=1e-5, msg=name)
    assert together.stdout.count("wrote both/encoder.safetensors") == 1, "one process writes and reports"


def test_batches_that_cannot_be_shared_are_refused() -> None:
    assert list(World(1, 2, torch.device("cpu")).own(4)) == [1, 3]
    with pytest.raises(UsageError, match=r"2 processes cannot share 3 batches .* set batches\.per_step to 4"):
        World(0, 2, torch.device("cpu")).own(3)


def train(
    folder: Path,
    data: Path,
    *,
    seed: int = 0,
    init: Path | str | None = None,
    teacher: Encoder | None = None,
    resume: bool = False,
    finish: bool = False,
    stated_init: str | None = None,
    reports: Reports | None = None,
    **changes: Any,
) -> Trained:
    changes = {"init": stated_init, **changes}
    recipe = NetworkRecipe.model_validate({**RECIPE, "schedule": {"epochs": 1, "warm_up": 0}, **changes})
    plan = Plan(
        open_data(data, need=("train",)),
        recipe,
        folder,
        seed=seed,
        init=init and str(init),
        teacher=teacher,
        resume=resume or finish,
        finish=finish,
    )
    trained = train_network(plan, reports, world=World(0, 1, torch.device("cpu")))
    assert trained is not None
    return trained


def test_a_loss_that_is_no_number_stops_with_advice(drawn_people: Path, tmp_path: Path) -> None:
    wild = {"learning_rate": 1e30, "name": "sgd"}
    with pytest.raises(SwiftReIDError, match=r"the loss became .* lower optimiser\.learning_rate"):
        train(tmp_path, drawn_people, optimiser=wild)


def test_another_runs_weights_and_a_network_that_does_not_fit(drawn_people: Path, tmp_path: Path) -> None:
    first = train(tmp_path / "a", drawn_people)
    init, still = tmp_path / "a" / "checkpoint.safetensors", {"learning_rate": 1e-12}
    again = train(tmp_path / "b", drawn_people, init=init, optimiser=still, ema=0.0, seed=9)
    fresh = train(tmp_path / "c", drawn_people, optimiser=still, ema=0.0, seed=9)
    trunk = {name: network_weights(tensors_of(tmp_path / name))["trunk.conv1.weight"] for name in ("a", "b", "c")}
    torch.testing.assert_close(trunk["a"], trunk["b"], atol=1e-6, rtol=0)
    assert (trunk["a"] - trunk["c"]).abs().max() > 0.01
    assert len({run.encoder.fingerprint for run in (first, again, fresh)}) == 3
    shorter = {"trunk": "resnet18_half", "lengths": [32, 8]}
    assert str(train(tmp_path / "d", drawn_people, init=init, settings=shorter).encoder.spec) == "id8 id32"
    with pytest.raises(UsageError, match="holds no weights of the trunk"):
        train(tmp_path / "e", drawn_people, init=init, settings={"trunk": "osnet_x0_25"})
    # The encoder of a run serves as well, if its weights are to be found in it.
    with pytest.raises(UsageError, match=r"has its layers fused.*checkpoint.safetensors of a run.*export: fp16"):
        train(tmp_path / "e", drawn_people, init=tmp_path / "a" / "encoder.safetensors")
    with pytest.raises(UsageError, match=r"encoder stripes holds no network"):
        train(tmp_path / "e", drawn_people, init="stripes")
    short: dict[str, Any] = {"optimiser": still, "ema": 0.0, "export": "fp16"}
    train(tmp_path / "g", drawn_people, init=init, seed=9, **short)
    exported = tmp_path / "g" / "encoder.safetensors"
    given = read_start(str(exported)).weights
    for name, value in network_weights(tensors_of(tmp_path / "g")).items():
        if name.startswith("trunk.") and "num_batches" not in name:
            torch.testing.assert_close(given[name], value, atol=1e-3, rtol=1e-3, msg=name)
    train(tmp_path / "h", drawn_people, seed=7, **short, stated_init=str(exported))
    ours, theirs = (network_weights(tensors_of(tmp_path / name)) for name in ("g", "h"))
    still_there = [name for name in ours if name.startswith("trunk.") and "running" not in name and "num" not in name]
    for name in still_there:
        torch.testing.assert_close(theirs[name], ours[name], atol=1e-3, rtol=1e-3, msg=name)
    # The card says where all of it came from: of the start, and of the start's start.
    card = open_encoder(tmp_path / "h" / "encoder.safetensors").card
    assert card.provenance.startswith("12 people of drawn, 72 pictures; started from encoder g (")
    assert card.provenance.endswith("started from a run on 12 people of drawn")
    assert len(card.training["learned_from"]) == 2
    with pytest.raises(SwiftReIDError, match=r"no checkpoint or encoder at .*nothing to start from"):
        train(tmp_path / "i", drawn_people, init=tmp_path / "nothing")
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    with pytest.raises(SwiftReIDError, match="not a readable checkpoint"):
        train(tmp_path / "f", drawn_people, init=tmp_path / "broken.safetensors")


def test_a_share_of_the_start_is_kept_in_what_is_exported(drawn_people: Path, tmp_path: Path) -> None:
    train(tmp_path / "a", drawn_people, ema=0.0)
    init = tmp_path / "a" / "checkpoint.safetensors"
    kept: dict[str, Any] = {"ema": 0.0, "keep_start": 0.25, "export": "fp16", "seed": 9}
    done = train(tmp_path / "b", drawn_people, init=init, **kept)
    start, end = (network_weights(tensors_of(tmp_path / name)) for name in ("a", "b"))
    given, moved = read_start(str(tmp_path / "b" / "encoder.safetensors")).weights, 0.0
    for name, value in end.items():
        if name.startswith("trunk.") and "num_batches" not in name:
            torch.testing.assert_close(given[name], 0.75 * value + 0.25 * start[name], atol=1e-3, rtol=1e-3, msg=name)
            moved = max(moved, float((value - start[name]).abs().max()))
    assert moved > 0.01
    with pytest.raises(UsageError, match="keep_start needs weights to start from"):
        train(tmp_path / "c", drawn_people, keep_start=0.25)
    assert train(tmp_path / "b", drawn_people, init=init, resume=True, **kept).encoder.fingerprint == (
        done.encoder.fingerprint
    )
    with pytest.raises(UsageError, match="is not what this run started from: started from a run on 12 people"):
        train(
            tmp_path / "b", drawn_people, init="rendered", ema=0.0, keep_start=0.25, export="fp16", seed=9, resume=True
        )


def test_a_pretrained_teacher_teaches_a_fresh_student_on_other_people(drawn_people: Path, tmp_path: Path) -> None:
    settings = {"trunk": "resnet18_half", "bits": 64, "parts": 2, "attribute_weight": 0}
    ssr: dict[str, Any] = {"method": "smooth_relaxation", "ema": 0.0}
    train(tmp_path / "first", drawn_people, settings={**settings, "distillation_weight": 0}, **ssr)
    others = tmp_path / "others" / "bounding_box_train"
    others.mkdir(parents=True)
    for picture in (drawn_people / "bounding_box_train").glob("000[1-8]_*"):
        shutil.copy(picture, others)
    init = tmp_path / "first" / "checkpoint.safetensors"
    taught: dict[str, Any] = {"settings": {**settings, "distillation": "pretrained"}, "init": init, **ssr}
    fresh = train(tmp_path / "fresh", others.parent, seed=9, **taught)
    # The rest starts from what the recipe names, here the first run, as it would without a teacher.
    train(
        tmp_path / "named", others.parent, seed=9, stated_init=str(init), optimiser={"learning_rate": 1e-12}, **taught
    )
    first, second, named = (network_weights(tensors_of(tmp_path / name)) for name in ("first", "fresh", "named"))
    static = [
        n for n in first if n.startswith(("teacher.stages.", "teacher.descriptor.", "trunk.layer2.", "trunk.bn1."))
    ]
    assert static
    assert all(torch.equal(first[name], second[name]) for name in static)
    student = "trunk.layer4.1.conv2.weight"
    assert (first[student] - second[student]).abs().max() > 0.01, "drawn afresh"
    torch.testing.assert_close(named[student], first[student])
    assert len(second["student.classifiers.0.weight"]) == 8
    assert fresh.encoder.card.training["learned_from"][0]["data"] == "drawn"
    with pytest.raises(UsageError, match=r"first run of this network with settings\.distillation_weight=0"):
        train(tmp_path / "none", drawn_people, **{**taught, "init": None})


@pytest.mark.parametrize("way", ["pretrained", "continued"])
def test_a_run_with_a_static_teacher_resumes_bit_for_bit(way: str, drawn_people: Path, tmp_path: Path) -> None:
    settings = {"trunk": "resnet18_half", "bits": 64, "parts": 2, "attribute_weight": 0}
    ssr: dict[str, Any] = {"method": "smooth_relaxation", "schedule": {"epochs": 1, "per_epoch": 32, "warm_up": 0}}
    train(tmp_path / "first", drawn_people, settings={**settings, "distillation_weight": 0}, **ssr)
    init = tmp_path / "first" / "checkpoint.safetensors"
    taught: dict[str, Any] = {"settings": {**settings, "distillation": way}, "init": init, **ssr}
    train(tmp_path / "whole", drawn_people, **taught)

    def stop(report: StepReport) -> None:
        if report.step == 2:
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(Stopped):
        train(tmp_path / "parts", drawn_people, reports=Reports(on_step=stop), **taught)
    train(tmp_path / "parts", drawn_people, resume=True, **taught)
    same(tmp_path / "whole", tmp_path / "parts")
    train(tmp_path / "parts", drawn_people, resume=True, finish=True, **taught)


class Silent(StripesEncoder):
    """A teacher that must not be asked."""

    def encode(self, pictures: NDArray[np.uint8]) -> Encoding:
        raise AssertionError("asked")


def test_a_network_learns_from_a_teacher(drawn_people: Path, tmp_path: Path) -> None:
    taught: dict[str, Any] = {"method": "distilled", "settings": {"trunk": "resnet18_half"}, "views": 2}
    taught |= {"schedule": {"epochs": 2, "warm_up": 0}, "held_out": 0.34, "export": "fp16"}
    teacher = open_encoder("stripes")
    told = train(tmp_path / "a", drawn_people, teacher=teacher, **taught)
    assert (told.persons, told.pictures) == (8, 48), "views are no further pictures"
    card = told.encoder.card
    assert card.embedding == teacher.card.embedding
    assert card.training["teacher"] == teacher.fingerprint
    assert card.training["learned_from"] == sources_of(teacher.card)
    assert "8 people of drawn, 48 pictures; taught by stripes" in card.provenance
    assert card.licence == teacher.card.licence
    assert told.losses[1] < told.losses[0]
    # A mistaken run that resumes leaves the teacher's outputs as they are.
    kept = (tmp_path / "a" / "teacher_outputs.safetensors").read_bytes()
    other = type(teacher)(teacher.card.model_copy(update={"fingerprint": "f00d"}), teacher.tensors)
    with pytest.raises(UsageError, match="checkpoint is of another teacher"):
        train(tmp_path / "a", drawn_people, teacher=other, resume=True, **taught)
    with pytest.raises(UsageError, match=r"checkpoint is of another recipe \(views was 2, now 3\)"):
        train(tmp_path / "a", drawn_people, teacher=teacher, resume=True, **{**taught, "views": 3})
    assert (tmp_path / "a" / "teacher_outputs.safetensors").read_bytes() == kept
    early = train(tmp_path / "a", drawn_people, teacher=Silent(teacher.card, teacher.tensors), finish=True, **taught)
    assert early.pictures == 48
    # Its codes are centred on the pictures, not on the teacher's views of them; the network is the same.
    assert np.array_equal(early.encoder.tensors["network.onnx"], told.encoder.tensors["network.onnx"])
    again = train(tmp_path / "a", drawn_people, teacher=teacher, resume=True, **taught)
    assert again.encoder.fingerprint == told.encoder.fingerprint
    # Nothing of the people held out is in what is learned from: their pictures are not even read for it.
    persons = set(load_checkpoint(tmp_path / "a" / "checkpoint.safetensors")[0].persons)
    header = json.loads(safe_open(tmp_path / "a" / "teacher_outputs.safetensors", "np").metadata()["teacher_outputs"])
    assert header["samples"] == sum(sample.person in persons for sample in open_data(drawn_people).train) == 48
    with pytest.raises(UsageError, match="learns the embeddings of another encoder: give a teacher"):
        train(tmp_path / "b", drawn_people, **taught)
    with pytest.raises(UsageError, match="learns from persons: leave the teacher out"):
        train(tmp_path / "b", drawn_people, teacher=teacher)


def test_people_who_cannot_be_found_are_not_held_out(
    swiftreid: Callable[..., Ran], recipe: Path, drawn_people: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "one" / "bounding_box_train"
    folder.mkdir(parents=True)
    for picture in (drawn_people / "bounding_box_train").glob("*_c1s1_*"):
        shutil.copy(picture, folder)
    refused = swiftreid("train", recipe, "one", "-o", "run", "--set", "held_out=0.3", code=2).err
    assert "none of the 4 people held out from training has pictures by two cameras" in refused
    assert "set held_out to 0" in refused
    assert not (tmp_path / "run").exists(), "a run that is refused leaves nothing"
    told = swiftreid("train", recipe, "one", "-o", "run", "--set", "held_out=0", "--set", "schedule.epochs=1").err
    assert "epoch 1 (" in told, "signs of life where there is no terminal"


def test_few_held_out_people_are_warned_of(swiftreid: Callable[..., Ran], recipe: Path, drawn_people: Path) -> None:
    ran = swiftreid("train", recipe, drawn_people, "-o", "run", "--set", "held_out=0.3", "--set", "schedule.epochs=1")
    assert "come from 4 people of drawn held out from training" in " ".join(ran.err.split())
    assert "4 people of drawn held out from training, every picture a query" in ran.out
    assert "cascade: id16" in ran.out


def test_a_method_without_codes_names_the_next_step(
    swiftreid: Callable[..., Ran], drawn_people: Path, tmp_path: Path
) -> None:
    (tmp_path / "plain.yaml").write_text(
        yaml.safe_dump({**RECIPE, "method": "baseline", "settings": {"trunk": "resnet18_half"}})
    )
    ran = swiftreid("train", "plain.yaml", drawn_people, "-o", "run", "--set", "schedule.epochs=1")
    assert f"swiftreid hash {drawn_people} --encoder run/encoder.safetensors" in ran.err


@pytest.mark.parametrize("device", ["gpu", "cuda:99"])
def test_a_device_that_is_not_there_is_refused(
    swiftreid: Callable[..., Ran], recipe: Path, drawn_people: Path, tmp_path: Path, device: str
) -> None:
    refused = swiftreid("train", recipe, drawn_people, "-o", "run", "--device", device, code=2).err
    assert f"device {device} cannot be used here" in refused
    assert not (tmp_path / "run").exists()


def test_what_was_learned_from_is_not_measured_on_in_silence(
    swiftreid: Callable[..., Ran], recipe: Path, drawn_people: Path, tmp_path: Path
) -> None:
    for picture in (drawn_people / "bounding_box_train").glob("*.jpg"):
        person, camera = picture.name[:4], picture.name[6]
        place = tmp_path / "own" / person / f"cam{camera}" / picture.name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, place)
    swiftreid("train", recipe, "own", "-o", "run", "--set", "schedule.epochs=1", "--quiet")
    ran = swiftreid("evaluate", "own", "--encoder", "run/encoder.safetensors", "--untimed", "--card", "card.json")
    assert "trained on the same pictures" in " ".join(ran.err.split())
    assert json.loads((tmp_path / "card.json").read_text())["encoder"]["domain"] == "same pictures"
    diagnosis = " ".join(swiftreid("doctor", "own").out.split())
    assert "learn from every picture too" in diagnosis


def test_held_out_people_are_measured_and_logged(drawn_people: Path, tmp_path: Path) -> None:
    told = train(tmp_path, drawn_people, held_out=0.34, evaluate_every=1, schedule={"epochs": 2, "warm_up": 1})
    labels = [m.label for m in told.measured]
    assert labels[:3] == ["id16 exhaustive", "id64 exhaustive", "float embedding"]
    assert told.encoder.card.calibration is not None
    assert labels[3:] == list(told.encoder.card.calibration.cascades)
    assert labels[3].startswith("CtF, DTO")
    assert told.persons == 8
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["kind"] for line in lines] == ["run", *["train", "held out"] * 2]
    card = open_encoder(tmp_path / "encoder.safetensors").card
    assert [row["rank1"] for row in card.metrics] == [m.metrics.rank(1) for m in told.measured]
    assert card.training["recipe"]["settings"]["lengths"] == [64, 16]
    assert "aspect ratio uniform" in card.training["random_erasing"]


@pytest.mark.parametrize(
    ("name", "settings", "half"),
    [("all_in_one", {"lengths": (64, 16)}, False), ("all_in_one", {"lengths": (64, 16)}, True), ("baseline", {}, True)],
)
def test_the_exported_encoder_is_the_method(name: str, settings: dict[str, Any], half: bool) -> None:
    torch.manual_seed(0)
    method = build_method(name, 5, trunk="resnet18_half", **settings)
    rng = np.random.default_rng(1)
    pictures = rng.integers(0, 256, (9, 48, 24, 3), dtype=np.uint8)
    method.train()
    method.loss(torch.randn(8, 3, 48, 24), torch.arange(8) // 2)  # running statistics other than the first
    method.eval()
    before = embeddings_of(method, pictures)
    told = {"name": "x", "provenance": "drawn", "licence": "CC0"}
    encoder = export_encoder(method, pictures, **told, training={"seed": 0}, half=half)
    encoding = encoder.encode(pictures)
    embedding = embeddings_of(method, pictures)
    assert encoding.embedding is not None
    if method.unit:
        embedding = embedding / np.linalg.norm(embedding, axis=1, keepdims=True)
    np.testing.assert_allclose(encoding.embedding, embedding, atol=2e-5 * np.abs(embedding).max())
    expected = codes_of(method, embedding)
    for code, bits in expected.items():
        differing = np.unpackbits(encoding.codes[code] ^ bits).mean()
        assert differing < 0.005, code
    for code, values in encoder.values_of(encoding.embedding).items():
        np.testing.assert_array_equal(pack_bits(values), encoding.codes[code])
    assert (encoder.card.provenance, encoder.card.licence) == ("drawn", "CC0")
    moved = np.abs(embeddings_of(method, pictures) - before).max()
    assert 0 < moved < 0.02 if half else moved == 0
    whole = export_encoder(method, pictures, **told, training={})
    sizes = [sum(value.nbytes for value in made.tensors.values()) for made in (encoder, whole)]
    assert sizes[0] < 0.8 * sizes[1] if half else sizes[0] == sizes[1]


@pytest.mark.parametrize("name", ["all_in_one", "ranking"])  # the second's embeddings have length 1
def test_a_mirroring_encoder_is_the_mean_of_both(name: str) -> None:
    torch.manual_seed(0)
    method = build_method(name, 5, trunk="resnet18_half").eval()
    pictures = np.random.default_rng(1).integers(0, 256, (9, 48, 24, 3), dtype=np.uint8)
    told = {"name": "x", "provenance": "", "licence": "", "training": {}}
    encoder = export_encoder(method, pictures, **told, mirror=True)
    assert encoder.card.preprocessing.flip
    both = [embeddings_of(method, each) for each in (pictures, pictures[:, :, ::-1].copy())]
    if method.unit:
        both = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in both]
    mean = sum(both) / 2
    np.testing.assert_allclose(embeddings_of(method, pictures, mirror=True), mean, atol=1e-5 * np.abs(mean).max())
    if method.unit:
        mean /= np.linalg.norm(mean, axis=1, keepdims=True)
    given = encoder.encode(pictures).embedding
    assert given is not None
    np.testing.assert_allclose(given, mean, atol=2e-5 * np.abs(mean).max())


def test_an_export_that_is_off_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from swiftreid.training.network import export as exporting

    method = build_method("baseline", 3, trunk="resnet18_half")
    monkeypatch.setattr(exporting, "embeddings_of", lambda m, p, mirror: 1.5 + embeddings_of(m, p, mirror=mirror))
    with pytest.raises(SwiftReIDError, match="exported network is off"):
        export_encoder(method, np.zeros((2, 48, 24, 3), np.uint8), name="x", provenance="", licence="", training={})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("method=nothing", "method"),
        ("schedule.epochs=0", "schedule.epochs"),
        ("settings.trunk=lenet", "lenet"),
        ("settings.colour=1", "colour"),
        ("size=[8, 8]", "size is height and width"),
        ("optimiser.rate=1", "optimiser.rate: there is no such field"),
        ("views=2", "views need a teacher, and method all_in_one has none"),
    ],
)
def test_impossible_recipes_are_refused(recipe: Path, change: str, message: str) -> None:
    def read() -> None:
        stated = load_network_recipe(recipe, [change])
        build_method(stated.method, 4, **stated.settings)

    with pytest.raises(UsageError, match=message):
        read()


def test_recipes_in_the_tree_are_valid() -> None:
    found = [path for path in RECIPES.rglob("*.yaml") if "frozen" not in path.parts]
    assert found
    for path in found:
        stated = NetworkRecipe.model_validate(yaml.safe_load(path.read_text()))
        with torch.device("meta"):
            build_method(stated.method, 4, **stated.settings)

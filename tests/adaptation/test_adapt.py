"""Adapting the shipped encoder to drawn figures without labels, by the library and by the command."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from command import run_in
from drawn_figures import draw_person
from swiftreid.adaptation.adapt import FINAL, TRIAL, Adapted, AdaptSettings, adapt, recipe_for
from swiftreid.adaptation.pictures import UnlabelledPictures, embed_pictures, held_out_rows, training_pictures
from swiftreid.clustering.answers import PairAnswer
from swiftreid.clustering.two_stage import ClusterSettings
from swiftreid.data.fingerprint import fingerprint_of
from swiftreid.data.samples import NamedSample, NumberedSample, ReidData, Sample
from swiftreid.encoding.encoder import Encoder, open_encoder
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.recipes import find_recipe
from swiftreid.training.network.checkpoint import CHECKPOINT, CheckpointHeader, load_checkpoint
from swiftreid.training.network.plan import Plan
from swiftreid.training.network.recipe import NetworkRecipe, load_network_recipe
from swiftreid.training.network.stopping import Stopped
from swiftreid.training.targets.clusters import Clusters
from swiftreid.training.targets.targets import Reading, TargetsPlan

pytestmark = pytest.mark.timeout(1800)  # a busy machine needs minutes where an idle one needs seconds


@pytest.fixture(scope="session")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """100 people, two pictures by each of two cameras; names state the persons, which nothing may look at."""
    folder = tmp_path_factory.mktemp("figures")
    for person in range(1, 101):
        for camera in (1, 2):
            for shot in (1, 2):
                draw_person(person, camera, shot).save(folder / f"{person:04d}_c{camera}_{shot:02d}.png")
    return folder


def samples_of(folder: Path) -> list[NamedSample]:
    paths = sorted(folder.iterdir())
    return [Sample(path, None, path.stem.split("_")[1][1:], id=path.name) for path in paths]


def adapt_to(figures: Path, folder: Path, settings: AdaptSettings, *, resume: bool = False) -> Adapted:
    samples = samples_of(figures)
    base = open_encoder("rendered")
    return adapt(base, samples, folder, init="rendered", name="new", data="figures", settings=settings, resume=resume)


def read_header(run: Path) -> CheckpointHeader:
    return load_checkpoint(run / CHECKPOINT)[0]


def short() -> NetworkRecipe:
    return load_network_recipe(
        find_recipe("small/cluster_memory"),
        ["schedule.epochs=2", "schedule.per_epoch=64", "batches.persons=8", "batches.pictures=2"],
    )


def test_pictures_lose_what_is_the_cameras_and_people_are_held_out_whole(figures: Path) -> None:
    pictures = embed_pictures(open_encoder("rendered"), samples_of(figures))
    means = [pictures.embeddings[pictures.cameras == camera].mean(axis=0) for camera in (0, 1)]
    raw = [pictures.raw[pictures.cameras == camera].mean(axis=0) for camera in (0, 1)]
    assert np.linalg.norm(means[0] - means[1]) < 0.5 * np.linalg.norm(raw[0] - raw[1])
    clusters = pictures.clusters(ClusterSettings())
    rest = held_out_rows(clusters, 0.25, seed=3)
    assert 0.1 < rest.mean() < 0.4
    for group in range(clusters.people.max() + 1):
        assert len(set(rest[clusters.people == group].tolist())) == 1
    data = pictures.as_data(~rest, "figures")
    assert len({sample.person for sample in data.train}) == len(data.train) == (~rest).sum(), "nobody is named"
    assert [s.path for s in data.train] != sorted(s.path for s in data.train)


def test_answers_about_pairs_change_the_groups(figures: Path) -> None:
    pictures = embed_pictures(open_encoder("rendered"), samples_of(figures))
    found = pictures.clusters(ClusterSettings())
    group = np.flatnonzero(np.bincount(found.people[found.people >= 0]) > 2)[0]
    one, other = (pictures.samples[row].id for row in np.flatnonzero(found.people == group)[[0, -1]])
    answers = [PairAnswer(one, other, same=False)]
    ids = [sample.id for sample in pictures.samples]
    changed = pictures.clusters(ClusterSettings(), answers).people
    assert changed[ids.index(one)] != changed[ids.index(other)] or changed[ids.index(one)] == -1
    targets = Clusters(
        TargetsPlan(pictures.as_data(np.ones(len(ids), bool), "all").train, (128, 64), 0, ""), answers=answers
    )
    targets.read(Reading(Path()))
    assert targets.pictures is not None
    order = [ids.index(path.name) for path in targets.pictures.paths]
    labels = targets.labels(0, lambda: pictures.raw[order])
    groups = dict(zip([order[row] for row in labels.rows.tolist()], labels.groups.tolist(), strict=True))
    pair = groups.get(ids.index(one)), groups.get(ids.index(other))
    assert pair[0] != pair[1] or pair[0] is None


def test_pictures_may_lie_in_several_folders(figures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("door", "hall/left"):
        (tmp_path / name).mkdir(parents=True)
    taken = samples_of(figures)[:20]
    here = [Path("door") / s.path.name if n < 10 else tmp_path / "hall/left" / s.path.name for n, s in enumerate(taken)]
    for sample, path in zip(taken, here, strict=True):
        path.write_bytes(sample.path.read_bytes())
    samples = [replace(sample, path=path) for sample, path in zip(taken, here, strict=True)]
    data = embed_pictures(open_encoder("rendered"), samples).as_data(np.ones(20, bool), "two")
    assert data.root == tmp_path
    assert len(fingerprint_of(data)) > 8


def test_an_encoder_is_adapted_with_codes_cameras_and_lineage(figures: Path, tmp_path: Path) -> None:
    base = open_encoder("rendered")
    settings = AdaptSettings(short(), held_out=0.25, force=True)

    done = adapt_to(figures, tmp_path / "run", settings)
    card = done.encoder.card
    assert card.name == "new"
    assert done.encoder.spec.names == ("id32", "id128", "id512", "id2048")
    assert done.encoder.knows_cameras == {"1", "2"}
    assert card.training["adaptation"]["adapted_from"] == base.fingerprint
    assert ": 400 pictures of figures without labels" in card.provenance, "in the end all are learned from"
    trial, final = (read_header(tmp_path / "run" / part) for part in (TRIAL, FINAL))
    assert final.step == 2 * trial.step
    assert len(final.persons) == 400 > len(trial.persons) > 200, "each picture is a person of its own"
    assert card.calibration is None
    done.encoder.save(tmp_path / "new.safetensors")
    again = open_encoder(tmp_path / "new.safetensors")
    picture = np.asarray(draw_person(7, 1, 1))[None]
    one, other = (each.encode(picture, cameras=["1"]) for each in (done.encoder, again))
    np.testing.assert_array_equal(one.codes["id2048"], other.codes["id2048"])
    assert (again.encode(picture, cameras=["2"]).codes["id2048"] != one.codes["id2048"]).any()
    assert (base.encode(picture).embedding != one.embedding).any()
    # A run that is done resumes to the same encoder, and nothing is trained again.
    resumed = adapt_to(figures, tmp_path / "run", settings, resume=True)
    assert resumed.encoder.fingerprint == done.encoder.fingerprint


def test_people_seen_once_are_refused(figures: Path, tmp_path: Path) -> None:
    once = [sample for sample in samples_of(figures) if sample.path.stem.endswith("c1_01")]
    with pytest.raises(UsageError, match=r"100 pictures of figures show \d+ people twice.*adapting needs 20"):
        adapt(
            open_encoder("rendered"),
            once,
            tmp_path,
            init="rendered",
            name="x",
            data="figures",
            settings=AdaptSettings(short()),
        )
    assert not list(tmp_path.iterdir())


def test_numbers_that_are_not_finite_and_cameras_without_a_name(figures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).normal(size=(1, 60, 8)).astype(np.float32)
    monkeypatch.setattr("swiftreid.adaptation.pictures.embed_paths", lambda *_, **__: (np.arange(60), values))
    samples = [replace(sample, camera="" if n < 30 else "1") for n, sample in enumerate(samples_of(figures)[:60])]
    encoder = open_encoder("rendered")
    assert embed_pictures(encoder, samples).statistics is None, "one camera is known"
    values[0, 7] = np.nan
    with pytest.raises(SwiftReIDError, match=rf"not finite for 1 of 60 pictures, such as .*{samples[7].path.name}"):
        embed_pictures(encoder, samples)


def test_training_pictures_keep_times_and_tracks() -> None:
    path = Path("/data/a\udce9.jpg")
    sample = NumberedSample(path, 5, 2, time=9.5, tracklet="t", frame=3)
    [found] = training_pictures(ReidData("x", Path("/data"), train=[sample]))
    assert found == Sample(path, None, "2", 9.5, id=r"a\xe9.jpg", tracklet="t", frame=3)


def test_a_run_that_was_killed_before_its_first_checkpoint_starts_again(
    figures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans: list[Plan] = []

    def train(plan: Plan, *_: object, **__: object) -> None:
        plans.append(plan)
        raise Stopped("asked to stop")

    monkeypatch.setattr("swiftreid.adaptation.adapt.train_network", train)

    def stopped() -> bool:
        with pytest.raises(Stopped):
            adapt_to(figures, tmp_path, AdaptSettings(short(), force=True), resume=True)
        return plans[-1].resume

    (tmp_path / TRIAL).mkdir()
    assert not stopped()
    (tmp_path / TRIAL / CHECKPOINT).touch()
    assert stopped()


def test_clusters_that_collapse_stop_the_run(figures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from swiftreid.training.targets import clusters as module

    real = module.cluster_people

    def one_person(embeddings: np.ndarray, cameras: np.ndarray, **others: object) -> object:
        found = real(embeddings, cameras, **others)  # type: ignore[arg-type]
        found.people[: len(found.people) // 2] = 0
        return found

    monkeypatch.setattr(module, "cluster_people", one_person)
    with pytest.raises(SwiftReIDError, match="collapsed in epoch 1"):
        adapt_to(figures, tmp_path / "run", AdaptSettings(short(), force=True))
    assert not list(tmp_path.rglob("encoder.safetensors"))


def test_training_that_spoils_the_encoder_writes_none(
    figures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[Path] = []

    def train(plan: Plan, *_: object, **__: object) -> SimpleNamespace:
        trained.append(plan.folder)
        plan.folder.mkdir()
        return SimpleNamespace(encoder=open_encoder("stripes"))

    def noise(encoder: Encoder, *others: Any, **options: Any) -> UnlabelledPictures:
        found = embed_pictures(encoder, *others, **options)
        if encoder.card.name == "rendered":
            return found
        return replace(found, embeddings=np.random.default_rng(0).normal(size=found.raw.shape).astype(np.float32))

    monkeypatch.setattr("swiftreid.adaptation.adapt.train_network", train)
    monkeypatch.setattr("swiftreid.adaptation.adapt.embed_pictures", noise)
    with pytest.raises(SwiftReIDError, match=r"finds \d people twice, and before 9\d \(.*: no gain\). No encoder was"):
        adapt_to(figures, tmp_path, AdaptSettings(short(), force=True, trial_only=True))
    assert trained == [tmp_path / TRIAL], "the trial alone"


def test_encoders_without_a_network_of_ours_are_refused() -> None:
    stripes = open_encoder("stripes")
    with pytest.raises(UsageError, match=r"nothing to start from"):
        recipe_for(stripes, short(), "stripes")
    made = recipe_for(open_encoder("rendered"), short(), "rendered")
    assert made.settings == {"trunk": "resnet18_half_ibn_a", "length": 256}
    assert (made.size, made.mirror, made.init) == ((128, 64), True, None)


def test_the_command_writes_only_what_is_better(figures: Path, tmp_path: Path) -> None:
    run = run_in(tmp_path)
    short_run = ["--set", "schedule.epochs=1", "--set", "schedule.per_epoch=16", "--set", "batches.persons=4"]
    few = run("adapt", "rendered", figures, "-o", "new", "--held-out", "0.05", *short_run, code=2)
    assert re.search(r"could not judge a trial: only \d+ clusters held out", few.err)
    assert not (tmp_path / "new").exists(), "nothing was trained"
    crowd = tmp_path / "crowd"
    crowd.mkdir()
    for person in range(1, 161):
        for camera in (1, 2):
            draw_person(person, camera, 1).save(crowd / f"{person:04d}_c{camera}_01.png")
    spoiled = ["--held-out", "0.5", *short_run, "--set", "optimiser.learning_rate=0.05"]
    done = run("adapt", "rendered", crowd, "-o", "new", *spoiled, "--json", code=1)
    assert done.json["believed"] is False
    assert "no gain" in done.json["reason"] or "may be chance" in done.json["reason"]
    assert "--force" in done.json["error"]
    assert not (tmp_path / "new/encoder.safetensors").exists()
    assert [path.name for path in (tmp_path / "new/training").iterdir()] == [TRIAL]
    forced = run("adapt", "rendered", crowd, "-o", "new", *spoiled, "--resume", "--force", "--sheets")
    assert "wrote new/encoder.safetensors" in forced.out
    for when in ("before", "after"):
        sheet = tmp_path / f"new/clusters-{when}.png"
        assert Image.open(sheet).height > 12 * 128
        assert sheet.stat().st_mode & 0o077 == 0
    if find_spec("matplotlib"):
        curve = run("figure", "adaptation", "new", "--json").json
        [epoch] = curve["epochs"]
        assert 20 <= epoch["groups"] <= 200
        assert 0 <= epoch["alone"] < 0.5
        assert curve["believed"] is False
        assert curve["held_out"]["clusters"] >= 60
        assert Image.open(tmp_path / "adaptation.png").width > 1000
        assert "its folder training" in run("figure", "adaptation", ".", code=2).err
    assert "id2048" in run("encoder", "info", "new/encoder.safetensors").out
    empty = run("adapt", "rendered", code=2)
    assert "give pictures" in empty.err

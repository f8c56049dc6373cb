"""Batches, schedule, augmentation, weight average and optimiser groups of network training."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from math import cos, pi
from pathlib import Path

import numpy as np
import pytest
import torch

from swiftreid.data.market import read_market
from swiftreid.encoding.domain import domain_of
from swiftreid.encoding.encoder import open_encoder
from swiftreid.methods import build_method
from swiftreid.training.network.augmentation import MEAN, STD, augmented, floats, normalised
from swiftreid.training.network.average import WeightAverage
from swiftreid.training.network.batches import EpochBatches, steps_of_epoch
from swiftreid.training.network.initial_weights import load_trunk
from swiftreid.training.network.optimisers import make_optimiser
from swiftreid.training.network.recipe import Augmentation, Batches, Optimiser, Schedule
from swiftreid.training.network.schedule import rate_at
from swiftreid.training.network.stopping import stop_requests

PERSONS = np.repeat(np.arange(10), 12)
STILL = Augmentation(flip=0, shift=0, erase=0)


def drawn(how: Batches, *, seed: int = 5, epoch: int = 0, steps: int = 5) -> EpochBatches:
    return EpochBatches(np.arange(len(PERSONS)), PERSONS, how, seed=seed, epoch=epoch, steps=steps)


def test_a_steps_batches_follow_from_seed_and_step_alone() -> None:
    how = Batches(persons=4, pictures=3, per_step=2)
    assert steps_of_epoch(120, 10, how) == 120 // 12 // 2
    one, other = drawn(how), drawn(how)
    forward = [one.of_step(step) for step in range(5)]
    backward = [other.of_step(step) for step in reversed(range(5))][::-1]
    for ours, theirs in zip(forward, backward, strict=True):
        np.testing.assert_array_equal(ours, theirs)
        for _, batch in ours:
            assert [len(set(PERSONS[batch[i : i + 3]].tolist())) for i in range(0, 12, 3)] == [1] * 4
    assert not np.array_equal(forward[0], drawn(how, epoch=1).of_step(0)), "epochs differ"
    assert not np.array_equal(forward[0], drawn(how, seed=6).of_step(0))
    assert steps_of_epoch(120, 10, how, 960) == 960 // 12 // 2
    long = drawn(how, steps=40)
    np.testing.assert_array_equal(long.of_step(2), one.of_step(2))
    assert len(long.of_step(39)) == 2
    many = how.model_copy(update={"persons": 30})
    assert steps_of_epoch(120, 10, many, 960) == 960 // (10 * 3) // 2
    assert len(drawn(many).of_step(0)[0][1]) == 10 * 3
    assert steps_of_epoch(120, None, many) == 1, "groups that change are taken to be as many as asked for"


def test_pictures_that_are_left_out_are_in_no_batch() -> None:
    rows = np.flatnonzero(np.arange(120) % 5 != 0)
    batches = EpochBatches(rows, PERSONS[rows], Batches(persons=4, pictures=3), seed=1, epoch=2, steps=30)
    seen: set[int] = set()
    for step in range(30):
        for among, places in batches.of_step(step):
            np.testing.assert_array_equal(rows[among], places)
            seen |= set(places.tolist())
    assert seen == set(rows.tolist())


def test_rates_rise_and_fall_as_stated() -> None:
    steps = Schedule(epochs=100, warm_up=10, start=0.1, decay_at=(40, 70), decay=0.1)
    found = [rate_at(steps, step, 4) for step in (0, 20, 40, 159, 160, 279, 280, 399)]
    assert found == pytest.approx([0.1, 0.55, 1, 1, 0.1, 0.1, 0.01, 0.01])
    cosine = Schedule(epochs=20, warm_up=0, shape="cosine", end=0.2)
    assert rate_at(cosine, 0, 5) == 1
    assert rate_at(cosine, 25, 5) == pytest.approx(0.2 + 0.8 * 0.5 * (1 + cos(pi * 0.25)))
    assert rate_at(cosine, 100, 5) == pytest.approx(0.2)


def pictures(count: int = 6) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(3).integers(0, 256, (count, 32, 16, 3), dtype=np.uint8))


def test_nothing_changed_is_the_picture_normalised() -> None:
    raw = pictures()
    found = augmented(raw, STILL, torch.Generator().manual_seed(0))
    expected = (raw.numpy().astype(np.float64) / 255 - MEAN) / STD
    np.testing.assert_allclose(found.numpy(), expected.transpose(0, 3, 1, 2), atol=1e-5)
    mirrored = augmented(raw, STILL.model_copy(update={"flip": 1.0}), torch.Generator())
    np.testing.assert_allclose(mirrored.numpy(), found.numpy()[..., ::-1], atol=1e-6)


def test_the_same_generator_gives_the_same_and_every_picture_its_own() -> None:
    how = Augmentation(flip=0.5, shift=0.1, zoom=0.2, erase=0.5, colour=0.2, grey=0.2, blur=0.5, noise=0.1)
    raw = pictures(1).repeat(24, 1, 1, 1)
    first, again = (augmented(raw, how, torch.Generator().manual_seed(4)) for _ in range(2))
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert len({row.numpy().tobytes() for row in first}) == 24
    assert torch.isfinite(first).all()


def test_erasing_leaves_a_rectangle_of_the_mean() -> None:
    raw = pictures(64)
    plain = normalised(floats(raw))
    found = augmented(raw, STILL.model_copy(update={"erase": 1.0}), torch.Generator().manual_seed(1))
    shares = []
    for one, before in zip(found, plain, strict=True):
        changed = (one != before).any(0).numpy()
        rows, columns = np.flatnonzero(changed.any(1)), np.flatnonzero(changed.any(0))
        box = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        assert (one[:, box[0], box[1]] == 0).all()
        assert changed.sum() == changed[box].sum()
        shares.append(changed.mean())
    assert min(shares) > 0.005
    assert 0.3 < max(shares) <= 0.45


def test_shifts_move_by_whole_shares_of_the_height() -> None:
    raw = torch.zeros(200, 32, 16, 3, dtype=torch.uint8)
    raw[:, 16, 8] = 255
    found = augmented(raw, STILL.model_copy(update={"shift": 0.125}), torch.Generator().manual_seed(2))
    light = (found * torch.tensor(STD).view(1, 3, 1, 1) + torch.tensor(MEAN).view(1, 3, 1, 1)).sum(1)
    rows = (light.sum(2) * torch.arange(32.0)).sum(1) / light.sum((1, 2))
    columns = (light.sum(1) * torch.arange(16.0)).sum(1) / light.sum((1, 2))
    for places, start in ((rows, 16), (columns, 8)):
        assert 3.2 < (places - start).abs().max() <= 4.6


def test_shifts_without_zoom_are_padding_and_cropping() -> None:
    raw = pictures(300)
    found = augmented(raw, STILL.model_copy(update={"shift": 0.1, "flip": 0.5}), torch.Generator().manual_seed(8))
    again = augmented(raw, STILL.model_copy(update={"shift": 0.1, "flip": 0.5}), torch.Generator().manual_seed(8))
    torch.testing.assert_close(found, again, rtol=0, atol=0)
    margin = 3  # a tenth of 32, in whole pixels
    seen: set[tuple[int, int, bool]] = set()
    for one, before in zip(found, raw.numpy(), strict=True):
        values = (one * torch.tensor(STD).view(3, 1, 1) + torch.tensor(MEAN).view(3, 1, 1)).mul(255).round()
        shown = values.numpy().transpose(1, 2, 0).astype(np.uint8)
        matching = [
            (top, left, mirrored)
            for mirrored in (False, True)
            for top in range(2 * margin + 1)
            for left in range(2 * margin + 1)
            if np.array_equal(
                np.pad(before[:, ::-1] if mirrored else before, ((margin, margin), (margin, margin), (0, 0)))[
                    top : top + 32, left : left + 16
                ],
                shown,
            )
        ]
        assert len(matching) == 1, "every pixel is one of the picture's or black"
        seen.add(matching[0])
    for place in (0, 1):
        assert {found[place] for found in seen} == set(range(2 * margin + 1))
    assert 80 < len(seen) <= 98
    far = augmented(raw, STILL.model_copy(update={"shift": 1.0}), torch.Generator().manual_seed(8))
    black = (far == normalised(torch.zeros(1, 3, 1, 1))).flatten(1).all(1)
    assert 0.4 < float(black.float().mean()) < 0.7, "moved by up to the height, half leave the width of 16 pixels"
    zoomed = augmented(raw, STILL.model_copy(update={"shift": 0.1, "zoom": 0.1}), torch.Generator().manual_seed(8))
    assert not torch.equal(zoomed, found)


def test_colour_keeps_pictures_in_range_and_grey_has_none() -> None:
    found = augmented(pictures(40), STILL.model_copy(update={"colour": 1.0}), torch.Generator().manual_seed(1))
    back = found * torch.tensor(STD).view(1, 3, 1, 1) + torch.tensor(MEAN).view(1, 3, 1, 1)
    assert float(back.min()) > -1e-5
    assert float(back.max()) < 1 + 1e-5
    grey = augmented(pictures(4), STILL.model_copy(update={"grey": 1.0}), torch.Generator())
    back = grey * torch.tensor(STD).view(1, 3, 1, 1) + torch.tensor(MEAN).view(1, 3, 1, 1)
    torch.testing.assert_close(back[:, 0], back[:, 2], atol=1e-5, rtol=0)


def test_the_average_follows_the_weights() -> None:
    network = torch.nn.Linear(1, 1, bias=False)
    average = WeightAverage(network, 0.9)
    value, steps = float(network.weight.detach()), [1.0, 2.0, 3.0]
    for step, weight in enumerate(steps):
        torch.nn.init.constant_(network.weight, weight)
        average.update(network, step)
        keep = min(0.9, (1 + step) / (10 + step))
        value = keep * value + (1 - keep) * weight
    assert float(average.values["weight"]) == pytest.approx(value)
    before = average.swapped(network)
    assert float(network.weight.detach()) == pytest.approx(value)
    assert float(before["weight"]) == 3.0


@pytest.mark.parametrize(
    ("name", "copies"), [("smooth_relaxation", "teacher.stages."), ("mgn", "tails."), ("abd_net", "doubled.")]
)
def test_copies_of_the_trunk_have_its_rate(name: str, copies: str) -> None:
    method = build_method(name, 4, trunk="resnet18_half", attributes=[0.5])
    optimiser = make_optimiser(method, Optimiser(learning_rate=0.2, trunk_rate=0.1))
    rates = {id(value): group["lr"] for group in optimiser.param_groups for value in group["params"]}
    names = {name: rates[id(value)] for name, value in method.named_parameters()}
    assert any(name.startswith(copies) for name in names)
    for parameter, rate in names.items():
        assert rate == (0.1 if parameter.startswith(("trunk.", copies)) else 0.2), parameter


def test_normalisations_and_biases_do_not_decay_and_the_trunk_has_its_rate() -> None:
    method = build_method("all_in_one", 4, trunk="osnet_x0_25")
    optimiser = make_optimiser(method, Optimiser(learning_rate=0.2, trunk_rate=0.1, weight_decay=0.3))
    named = {id(parameter): name for name, parameter in method.named_parameters() if parameter.requires_grad}
    seen = 0
    for group in optimiser.param_groups:
        for parameter in group["params"]:
            seen += 1
            assert group["lr"] == (0.1 if named[id(parameter)].startswith("trunk.") else 0.2)
            assert group["weight_decay"] == (0.3 if parameter.ndim > 1 else 0.0)
    assert seen == len(named)
    everything = make_optimiser(method, Optimiser(weight_decay=0.3, decay_all=True))
    assert {group["weight_decay"] for group in everything.param_groups} == {0.3}
    assert sum(len(group["params"]) for group in everything.param_groups) == len(named)


def test_a_thread_that_gets_no_signals_can_train() -> None:
    def stopped() -> bool:
        with stop_requests() as requests:
            return bool(requests)

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(stopped).result() is False


@pytest.mark.parametrize(("classes", "domain"), [(1000, "cross-domain"), (751, "unknown")])
def test_imagenet_is_no_re_id_data(classes: int, domain: str, drawn_people: Path, tmp_path: Path) -> None:
    method = build_method("baseline", 4, trunk="resnet18_half")
    head = {"fc.weight": torch.zeros(classes, 256), "fc.bias": torch.zeros(classes)}
    torch.save({**method.trunk.state_dict(), **head}, tmp_path / "net.pth")
    start, left = load_trunk(method, tmp_path / "net.pth")
    assert left == ["fc.weight", "fc.bias"]
    assert start.words.startswith("ImageNet: net.pth" if classes == 1000 else "net.pth (SHA-256 ")
    own = {"data": "rendered", "data_fingerprint": "0"}
    card = open_encoder("stripes").card.model_copy(update={"training": {**own, "learned_from": start.sources}})
    assert domain_of(card, read_market(drawn_people))[1] == domain

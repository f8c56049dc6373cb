from __future__ import annotations

import math
import sys
from types import SimpleNamespace

import pytest
import torch
from published import HEADS, OSNET_PARAMETERS, PARAMETERS, TRUNK_ENTRIES, Entries

from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.nn.trunks import TRUNKS, Trunk, make_trunk

STRIDED = [name for name in TRUNKS if "osnet" not in name]
CHANNELS = {
    "resnet18": 512,
    "resnet34": 512,
    "resnet50": 2048,
    "resnet50_ibn_a": 2048,
    "se_resnet50": 2048,
    "se_resnext50": 2048,
    "googlenet": 1024,
    "osnet_x1_0": 512,
    "osnet_x0_25": 128,
    "mobilenet_v3_small": 576,
    "mobilenet_v3_large": 960,
}


def shapeless(name: str, last_stride: int = 1) -> Trunk:
    """A trunk without numbers, for shapes."""
    with torch.device("meta"):
        return make_trunk(name, last_stride=last_stride)


def parameters(entries: Entries) -> int:
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    return sum(math.prod(shape) for name, shape in entries.items() if not name.endswith(statistics))


def test_every_trunk_is_in_the_list() -> None:
    assert set(TRUNK_ENTRIES) == set(TRUNKS)


@pytest.mark.parametrize("name", TRUNKS)
def test_names_and_shapes_are_the_public_files(name: str) -> None:
    got = {entry: tuple(value.shape) for entry, value in shapeless(name).state_dict().items()}
    assert got == TRUNK_ENTRIES[name]


@pytest.mark.parametrize("name", PARAMETERS)
def test_as_many_parameters_as_published(name: str) -> None:
    with_head = parameters(TRUNK_ENTRIES[name]) + parameters(HEADS[name])
    assert with_head == pytest.approx(PARAMETERS[name], rel=0 if isinstance(PARAMETERS[name], int) else 0.003)
    assert sum(p.numel() for p in shapeless(name).parameters()) == parameters(TRUNK_ENTRIES[name])


@pytest.mark.parametrize("name", OSNET_PARAMETERS)
def test_as_many_parameters_as_published_for_osnet(name: str) -> None:
    head = {entry: shape for entry, shape in HEADS[name].items() if entry.startswith("fc.")}
    assert (parameters(TRUNK_ENTRIES[name]) + parameters(head)) / 1e6 == pytest.approx(OSNET_PARAMETERS[name], abs=0.05)


def sizes(maps: list[torch.Tensor]) -> list[tuple[int, ...]]:
    return [tuple(value.shape[2:]) for value in maps]


@pytest.mark.parametrize("name", TRUNKS)
def test_maps_of_an_upright_picture(name: str) -> None:
    trunk = make_trunk(name).eval()
    with torch.no_grad():
        maps = trunk.stages(torch.zeros(1, 3, 128, 64))
    assert sizes(maps) == [(32, 16), (16, 8), (8, 4), (8, 4)]
    assert tuple(value.shape[1] for value in maps) == trunk.stage_channels
    assert trunk.channels == trunk.stage_channels[-1] == CHANNELS.get(name, trunk.channels)


@pytest.mark.parametrize("name", STRIDED)
def test_stride_two_halves_the_last_map(name: str) -> None:
    maps = shapeless(name, last_stride=2).stages(torch.zeros(1, 3, 128, 64, device="meta"))
    assert sizes(maps) == [(32, 16), (16, 8), (8, 4), (4, 2)]


@pytest.mark.parametrize("name", STRIDED)
def test_the_last_stride_changes_no_entry(name: str) -> None:
    one, two = shapeless(name, 1).state_dict(), shapeless(name, 2).state_dict()
    assert {k: v.shape for k, v in one.items()} == {k: v.shape for k, v in two.items()}


@pytest.mark.parametrize("name", TRUNKS)
def test_gradient_reaches_every_parameter(name: str) -> None:
    # The gates of the narrowest OSNets have one hidden unit, which a draw may leave at rest: hence several draws.
    stuck = {"all"}
    for seed in range(5):
        torch.manual_seed(seed)
        trunk = make_trunk(name)
        maps = trunk(torch.randn(3, 3, 48, 32))
        assert 0.05 < float(maps.detach().std()) < 20  # a fresh trunk neither dies away nor blows up
        (maps * torch.randn_like(maps)).sum().backward()
        gradients = {entry: p.grad for entry, p in trunk.named_parameters()}
        assert all(gradient is not None and bool(gradient.isfinite().all()) for gradient in gradients.values())
        resting = {entry for entry, gradient in gradients.items() if gradient is not None and not gradient.any()}
        stuck = resting if seed == 0 else stuck & resting
        if not stuck:
            break
    assert stuck == set()


@pytest.mark.parametrize(
    "name", ["resnet18_half_ibn_a", "se_resnext50", "googlenet", "mobilenet_v3_small", "osnet_x0_25"]
)
def test_stages_and_forward_agree_in_any_layout(name: str) -> None:
    torch.manual_seed(0)
    trunk = make_trunk(name).eval()
    pictures = torch.randn(2, 3, 64, 48)
    with torch.no_grad():
        last = trunk(pictures)
        torch.testing.assert_close(trunk.stages(pictures)[-1], last)
        trunk.to(memory_format=torch.channels_last)
        torch.testing.assert_close(trunk(pictures.to(memory_format=torch.channels_last)), last, rtol=1e-2, atol=1e-3)


def test_the_seed_decides_the_weights() -> None:
    def weights(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return torch.cat([p.flatten() for p in make_trunk("osnet_x0_25").parameters()])

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_googlenet_takes_pictures_normalised_as_the_others_are() -> None:
    trunk = make_trunk("googlenet").eval()
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    picture = torch.rand(1, 3, 32, 32)
    seen: list[torch.Tensor] = []
    trunk.conv1.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))  # type: ignore[union-attr]
    trunk((picture - mean.view(3, 1, 1)) / deviation.view(3, 1, 1))
    torch.testing.assert_close(seen[0], picture * 2 - 1)


def test_ibn_normalises_half_of_the_channels_by_picture() -> None:
    trunk = make_trunk("resnet18_ibn_a")
    first = trunk.layer1[0].bn1  # type: ignore[index, union-attr]
    torch.manual_seed(0)
    value = torch.randn(3, 64, 6, 5) * 4 + 7
    got = first(value)
    for picture in range(3):
        for channel in (0, 31):
            plane = value[picture, channel]
            want = (plane - plane.mean()) / (plane.var(unbiased=False) + 1e-5).sqrt()
            torch.testing.assert_close(got[picture, channel], want, rtol=1e-4, atol=1e-5)
    channel = value[:, 32]
    want = (channel - channel.mean()) / (channel.var(unbiased=False) + 1e-5).sqrt()
    torch.testing.assert_close(got[:, 32], want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("name", "stride", "message"), [
    ("resnet51", 1, "no trunk 'resnet51'; there are resnet18"),
    ("resnet18", 3, "1 or 2, got 3"),
    ("osnet_x1_0", 2, "no last stride to change"),
])  # fmt: skip
def test_impossible_trunks_are_refused(name: str, stride: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_trunk(name, last_stride=stride)


def test_timm_that_cannot_be_imported_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(SwiftReIDError, match="need timm, which cannot be imported"):
        make_trunk("timm:resnet18")


class FakeTimm(torch.nn.Module):
    """What the trunk needs of a network of timm."""

    num_features = 6
    feature_info = ({"num_chs": 4}, {"num_chs": 6})
    pretrained_cfg = {"classifier": ("head.fc", "head_dist")}  # noqa: RUF012
    tokens = False

    def __init__(self, output_stride: int = 32) -> None:
        super().__init__()
        self.stem = torch.nn.Conv2d(3, 4, 4, stride=4)
        self.body = torch.nn.Conv2d(4, 6, output_stride // 4, stride=output_stride // 4)

    def forward_features(self, pictures: torch.Tensor) -> torch.Tensor:
        last: torch.Tensor = self.body(self.stem(pictures))
        return last.flatten(2) if self.tokens else last

    def forward_intermediates(self, pictures: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        first = self.stem(pictures)
        return self.body(first), [first, self.body(first)]


def test_timm_networks_are_trunks(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, dict[str, object]]] = []

    def create_model(name: str, **settings: object) -> FakeTimm:
        asked.append((name, settings))
        return FakeTimm(*([settings["output_stride"]] if "output_stride" in settings else []))  # type: ignore[list-item]

    monkeypatch.setitem(sys.modules, "timm", SimpleNamespace(create_model=create_model))
    trunk = make_trunk("timm:small")
    assert asked == [("small", {"pretrained": False, "num_classes": 0, "output_stride": 16})]
    assert trunk.stage_channels == (4, 6)
    assert trunk.heads == ("head.fc.", "head_dist.")
    assert trunk.training
    assert trunk.public.training
    maps = trunk.stages(torch.zeros(1, 3, 64, 32))
    assert [tuple(value.shape[1:]) for value in maps] == [(4, 16, 8), (6, 4, 2)]
    torch.testing.assert_close(trunk(torch.zeros(1, 3, 64, 32)), maps[-1])
    assert make_trunk("timm:small", last_stride=2)(torch.zeros(1, 3, 64, 32)).shape == (1, 6, 2, 1)
    monkeypatch.setattr(FakeTimm, "tokens", True)
    with pytest.raises(UsageError, match="timm:small gives no maps"):
        make_trunk("timm:small")


def test_real_timm_networks_are_trunks() -> None:
    timm = pytest.importorskip("timm", exc_type=Exception, reason="timm is not installed")
    trunk = make_trunk("timm:resnet18").eval()
    assert trunk.stages(torch.zeros(1, 3, 128, 64))[-1].shape == (1, 512, 8, 4)
    names = set(timm.create_model("resnet18").state_dict())
    assert {name for name in names if not name.startswith(trunk.heads)} == set(trunk.public.state_dict())

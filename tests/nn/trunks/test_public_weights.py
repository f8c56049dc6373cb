from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from published import HEADS, TRUNK_ENTRIES
from safetensors.torch import save_file
from torch import Tensor

from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.nn.trunks import load_weights, make_trunk

SMALL = "osnet_x0_25"


def public(name: str) -> dict[str, Tensor]:
    """What the public file of an architecture holds, with numbers of our own."""
    generator = torch.Generator().manual_seed(3)
    entries = TRUNK_ENTRIES[name] | HEADS[name]
    return {
        entry: torch.tensor(7) if shape == () else torch.rand(shape, generator=generator) * 0.1 + 0.01
        for entry, shape in entries.items()
    }


@pytest.mark.parametrize("name", ["resnet18", "resnet18_ibn_a", "googlenet", "mobilenet_v3_small", SMALL])
def test_a_public_file_loads_less_its_classifier(name: str, tmp_path: Path) -> None:
    content = public(name)
    torch.save(content, tmp_path / "net.pth")
    trunk = make_trunk(name)
    left_out = load_weights(trunk, tmp_path / "net.pth")
    assert set(left_out) == set(HEADS[name])
    for entry, value in trunk.state_dict().items():
        assert torch.equal(value, content[entry]), entry


def wrapped(content: dict[str, Tensor]) -> object:
    return {"state_dict": {f"module.{name}": value for name, value in content.items()}, "epoch": 60, "rank1": 0.9}


def without_counts(content: dict[str, Tensor]) -> object:
    return {name: value for name, value in content.items() if not name.endswith("num_batches_tracked")}


@pytest.mark.parametrize("change", [wrapped, without_counts])
@pytest.mark.parametrize("suffix", [".pth", ".pt", ".pth.tar"])
def test_ways_in_which_files_are_saved(change: Callable[..., object], suffix: str, tmp_path: Path) -> None:
    content = public(SMALL)
    torch.save(change(content), tmp_path / f"net{suffix}")
    trunk = make_trunk(SMALL)
    load_weights(trunk, tmp_path / f"net{suffix}")
    assert torch.equal(trunk.state_dict()["conv5.conv.weight"], content["conv5.conv.weight"])


def test_safetensors(tmp_path: Path) -> None:
    content = public(SMALL)
    save_file(content, tmp_path / "net.safetensors")
    trunk = make_trunk(SMALL)
    load_weights(trunk, str(tmp_path / "net.safetensors"))
    assert torch.equal(trunk.state_dict()["conv2.0.gate.fc1.bias"], content["conv2.0.gate.fc1.bias"])


def without(content: dict[str, Tensor]) -> object:
    del content["conv3.1.gate.fc2.bias"]
    return content


def reshaped(content: dict[str, Tensor]) -> object:
    return {**content, "conv5.conv.weight": torch.zeros(2, 3)}


def stranger(content: dict[str, Tensor]) -> object:
    return {**content, "conv6.conv.weight": torch.zeros(2, 3)}


def infinite(content: dict[str, Tensor]) -> object:
    content["conv5.bn.bias"][3] = torch.inf
    return content


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without, r"missing: conv3\.1\.gate\.fc2\.bias\."),
        (reshaped, r"of another shape: conv5\.conv\.weight \(2x3 in the file, 128x128x1x1 in the trunk\)"),
        (stranger, r"unknown: conv6\.conv\.weight\."),
        (infinite, r"not finite, in conv5\.bn\.bias"),
        (lambda content: {}, "tensors by name"),
        (lambda content: [1, 2], "holds list"),
        (lambda content: {"state_dict": {"a": torch.zeros(1), "b": 3}}, "other things are stored as b"),
    ],
)
def test_what_does_not_fit_is_named_and_nothing_changes(
    change: Callable[..., object], message: str, tmp_path: Path
) -> None:
    torch.save(change(public(SMALL)), tmp_path / "net.pth")
    trunk = make_trunk(SMALL)
    before = {name: value.clone() for name, value in trunk.state_dict().items()}
    with pytest.raises(SwiftReIDError, match=message):
        load_weights(trunk, tmp_path / "net.pth")
    assert all(torch.equal(value, before[name]) for name, value in trunk.state_dict().items())


def test_another_architecture_is_counted_out(tmp_path: Path) -> None:
    torch.save(public("resnet18"), tmp_path / "net.pth")
    with pytest.raises(SwiftReIDError, match=r"missing: .* and \d+ more.*unknown: .* and \d+ more.*docs/networks\.md"):
        load_weights(make_trunk(SMALL), tmp_path / "net.pth")


class Trap:
    """An object whose unpickling would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("save", [torch.save, lambda content, path: path.write_bytes(pickle.dumps(content))])
@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_file_cannot_run_code(save: Callable[[object, Path], object], tmp_path: Path) -> None:
    save({**public(SMALL), "extra": Trap(tmp_path / "sprung")}, tmp_path / "net.pth")
    with pytest.raises(SwiftReIDError, match="can run code"):
        load_weights(make_trunk(SMALL), tmp_path / "net.pth")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("kept", [0, 7, 3000])
def test_damaged_files_are_told(suffix: str, kept: int, tmp_path: Path) -> None:
    path = tmp_path / f"net{suffix}"
    if suffix == ".pth":
        torch.save(public(SMALL), path)
    else:
        save_file(public(SMALL), path)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(SwiftReIDError, match=r"net\.(pth|safetensors)"):
        load_weights(make_trunk(SMALL), path)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    for name in ("net.pth", "net.safetensors"):
        with pytest.raises(SwiftReIDError, match="No such file"):
            load_weights(make_trunk(SMALL), tmp_path / name)
    with pytest.raises(UsageError, match=r"got 'net\.onnx'"):
        load_weights(make_trunk(SMALL), tmp_path / "net.onnx")

"""Public ImageNet files into trunks, by name and shape."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.nn.trunks.trunk import ADDED, Trunk

NAMED = 5
"""Entries that an error names before it counts the rest."""

_OPTIONAL = ".num_batches_tracked"
"""Batches that a BN has seen: files older than PyTorch 0.4.1 have none, and nothing depends on it."""


def load_weights(trunk: Trunk, path: Path | str) -> dict[str, tuple[int, ...]]:
    """Load a public file of the trunk's architecture, strictly: every weight of the trunk must be there.

    Parts that a method has put into the trunk (`swiftreid.nn.trunks.trunk.ADDED`) keep the weights that they have.
    A file may hold the entries themselves, or hold them under ``state_dict`` (as training scripts save them), and names
    may begin with ``module.`` (as data-parallel training leaves them). The trunk is changed only if all fits.

    Args:
        trunk: changed in place; keeps its device and its type of numbers.
        path: ``.safetensors``, or ``.pth``, ``.pt``, ``.tar``, ``.bin`` or ``.ckpt`` of PyTorch. The latter are read
            with ``weights_only``, so that a file can hold tensors but never run code.

    Returns:
        Shapes of the file's entries that were left out, by their names: the classifier's (`Trunk.heads`).

    Raises:
        SwiftReIDError: the file cannot be read, is damaged, or does not fit: entries missing, of another shape, or
            unknown. The message names them.
        UsageError: the name ends in none of the above.
    """
    path = Path(path)
    entries = _plain_names(_read(path))
    left_out = {name: tuple(value.shape) for name, value in entries.items() if name.startswith(trunk.heads)}
    offered = {name: value for name, value in entries.items() if not name.startswith(trunk.heads)}
    wanted = {name: value for name, value in trunk.public.state_dict().items() if f".{ADDED}" not in name}
    problems = [
        _listed("missing", [n for n in wanted if n not in offered and not n.endswith(_OPTIONAL)]),
        _listed(
            "of another shape",
            [
                f"{n} ({_shape(offered[n])} in the file, {_shape(wanted[n])} in the trunk)"
                for n in wanted
                if n in offered and offered[n].shape != wanted[n].shape
            ],
        ),
        _listed("unknown", [n for n in offered if n not in wanted]),
    ]
    if any(problems):
        raise SwiftReIDError(
            f"{path} does not fit this trunk; {'; '.join(p for p in problems if p)}. "
            "Take the file that was made for this architecture (docs/networks.md lists the files that fit)"
        )
    broken = [n for n, value in offered.items() if value.is_floating_point() and not bool(value.isfinite().all())]
    if broken:
        raise SwiftReIDError(f"{path} holds numbers that are not finite, in {_few(broken)}")
    trunk.public.load_state_dict({name: offered.get(name, value) for name, value in wanted.items()}, strict=False)
    return left_out


def _read(path: Path) -> object:
    """What the file holds."""
    suffix = path.suffix.lower()
    if suffix not in {".safetensors", ".pth", ".pt", ".tar", ".bin", ".ckpt"}:
        raise UsageError(f"weights come as .safetensors or as .pth / .pt of PyTorch, got {path.name!r}")
    try:
        if suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise SwiftReIDError(f"cannot read weights {path}: {error.strerror or error}") from error
    except pickle.UnpicklingError as error:
        raise SwiftReIDError(
            f"{path} holds more than tensors (or is no PyTorch file): it is not opened, because such a file can run "
            "code. Save its state_dict() alone, best as .safetensors"
        ) from error
    except (SafetensorError, RuntimeError, EOFError, ValueError, KeyError) as error:
        why = (str(error) or type(error).__name__).splitlines()[0]
        raise SwiftReIDError(f"{path} is damaged or no file of weights: {why}") from error


def _plain_names(content: object) -> dict[str, Tensor]:
    """Tensors by name, without wrapping and without ``module.``."""
    if isinstance(content, Mapping) and isinstance(content.get("state_dict"), Mapping):
        content = content["state_dict"]
    if not isinstance(content, Mapping) or not content:
        raise SwiftReIDError(f"weights must be tensors by name, the file holds {type(content).__name__}")
    strangers = [str(name) for name, value in content.items() if not isinstance(value, Tensor)]
    if strangers:
        raise SwiftReIDError(f"weights must be tensors by name; other things are stored as {_few(strangers)}")
    return {str(name).removeprefix("module."): value for name, value in content.items()}


def _listed(problem: str, names: list[str]) -> str:
    return f"{problem}: {_few(names)}" if names else ""


def _few(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _shape(value: Tensor) -> str:
    return "x".join(map(str, value.shape)) or "a number"

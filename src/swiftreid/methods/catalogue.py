"""Methods by name. A new method is one file in this folder and one line in `METHODS`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from importlib import import_module
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError

from swiftreid.errors import UsageError
from swiftreid.methods.method import Method, NetworkConfig


class MethodRegistry(Mapping[str, type[Method]]):
    """Classes of methods by name; each is imported when it is first looked up.

    Args:
        places: ``"module:Class"`` of each method.
    """

    def __init__(self, places: Mapping[str, str]) -> None:
        self._methods: dict[str, str | type[Method]] = dict(places)

    def register(self, name: str, method: str | type[Method]) -> None:
        """Add a method, which recipes then find by its name.

        Args:
            name: as recipes have it, such as ``all_in_one``.
            method: the class, or ``"module:Class"``, which is imported when it is needed.

        Raises:
            UsageError: the name is taken, or is no Python name.
        """
        if not name.isidentifier():
            raise UsageError(f"a method's name must be a Python name, such as my_method, got {name!r}")
        if name in self._methods:
            raise UsageError(f"there is a method {name!r} already: take another name")
        self._methods[name] = method

    def __getitem__(self, name: str) -> type[Method]:
        found = self._methods[name]
        if isinstance(found, str):
            module, _, kind = found.partition(":")
            found = self._methods[name] = getattr(import_module(module), kind)
        return found

    def __contains__(self, name: object) -> bool:
        return name in self._methods  # without an import

    def __iter__(self) -> Iterator[str]:
        return iter(self._methods)

    def __len__(self) -> int:
        return len(self._methods)

    def named(self, name: str) -> type[Method]:
        """The class of a method.

        Raises:
            UsageError: there is no such method.
        """
        if name not in self:
            raise UsageError(f"there is no method {name!r}; there are {', '.join(self)}")
        return self[name]


METHODS = MethodRegistry(
    {
        "baseline": "swiftreid.methods.baseline:Baseline",
        "ranking": "swiftreid.methods.ranking:Ranking",
        "all_in_one": "swiftreid.methods.all_in_one:AllInOneMethod",
        "smooth_relaxation": "swiftreid.methods.smooth_relaxation:SmoothRelaxation",
        "self_similarity": "swiftreid.methods.self_similarity:SelfSimilarity",
        "distilled": "swiftreid.methods.distilled:Distilled",
        "cluster_memory": "swiftreid.methods.cluster_memory:ClusterMemory",
        "hybrid_memory": "swiftreid.methods.hybrid_memory:HybridMemory",
        "pcb": "swiftreid.methods.pcb:Pcb",
        "mgn": "swiftreid.methods.mgn:Mgn",
        "abd_net": "swiftreid.methods.abd_net:AbdNet",
    }
)
"""What recipes and `build_method` know by name."""


def build_method(name: str, outputs: int, *, attributes: Sequence[float] = (), **settings: Any) -> Method:
    """A method by name, with random weights from torch's global generator (`torch.manual_seed`).

    Args:
        name: one of `METHODS`.
        outputs: number of training persons; for ``distilled`` the length of the teacher's embedding.
        attributes: share of people with each attribute, for a method that learns some (`learns_attributes`).
        settings: fields of the method's configuration (`Method.config_type`); what is left out has its default.

    Raises:
        UsageError: the method, a setting or a trunk is unknown, a value is impossible, or persons are fewer than 2.

    Example:
        >>> method = build_method("baseline", 10, trunk="resnet18")
        >>> import torch
        >>> method.eval().embed(torch.zeros(2, 3, 128, 64)).shape
        torch.Size([2, 512])
    """
    config = method_config(name, settings)
    kind = METHODS[name]
    if kind.learns_from == "persons" and outputs < 2:
        raise UsageError(f"training needs pictures of at least 2 persons, got {outputs}")
    if kind.learns_attributes(config):
        with_attributes: Callable[[int, Any, Sequence[float]], Method] = kind
        return with_attributes(outputs, config, attributes)
    maker: Callable[[int, Any], Method] = kind
    return maker(outputs, config)


def check_embedding(method: Method, size: tuple[int, int]) -> None:
    """Refuse a method whose embedding is not as long as it states, before any time goes into training it.

    Args:
        method: on any device.
        size: height and width of the pictures.

    Raises:
        UsageError: `Method.embedding_length` is another length.
    """
    training, device = method.training, next(method.parameters()).device
    with torch.no_grad():
        length = method.eval().embed(torch.zeros(2, 3, *size, device=device)).shape[1]
    method.train(training)
    if length != method.embedding_length:
        raise UsageError(
            f"{type(method).__name__} embeds a picture in {length} numbers, and its embedding_length is "
            f"{method.embedding_length}: set self.embedding_length = {length} in its __init__"
        )


def learns_attributes(name: str, settings: Mapping[str, Any]) -> bool:
    """Whether a method with these settings learns attributes beside persons.

    Raises:
        UsageError: as for `build_method`.
    """
    return METHODS.named(name).learns_attributes(method_config(name, settings))


def method_config(name: str, settings: Mapping[str, Any]) -> NetworkConfig:
    """The checked configuration of a method, with defaults for what the settings leave out.

    Raises:
        UsageError: the method or a setting is unknown, or a value is impossible.
    """
    kind = METHODS.named(name).config_type
    known = [field.name for field in fields(kind)]
    for setting in settings:
        if setting not in known:
            raise UsageError(f"method {name} has no setting {setting!r}; it has {', '.join(known)}")
    try:
        config: NetworkConfig = TypeAdapter(kind).validate_python(dict(settings))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(
            f"method {name}{', setting ' + where if where else ''}: {first['msg'].removeprefix('Value error, ')}"
        ) from error
    return config

"""Methods by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from pydantic import TypeAdapter, ValidationError

from swiftreid.errors import UsageError
from swiftreid.methods.abd_net import AbdNet, AbdNetConfig
from swiftreid.methods.all_in_one import AllInOneMethod, AllInOneMethodConfig
from swiftreid.methods.baseline import Baseline, BaselineConfig
from swiftreid.methods.distilled import Distilled, DistilledConfig
from swiftreid.methods.method import Method, NetworkConfig
from swiftreid.methods.mgn import Mgn, MgnConfig
from swiftreid.methods.pcb import Pcb, PcbConfig
from swiftreid.methods.ranking import Ranking, RankingConfig
from swiftreid.methods.smooth_relaxation import SmoothRelaxation, SmoothRelaxationConfig

CONFIGS: Mapping[str, type[NetworkConfig]] = {
    "baseline": BaselineConfig,
    "ranking": RankingConfig,
    "all_in_one": AllInOneMethodConfig,
    "smooth_relaxation": SmoothRelaxationConfig,
    "distilled": DistilledConfig,
    "pcb": PcbConfig,
    "mgn": MgnConfig,
    "abd_net": AbdNetConfig,
}
"""Settings of each method: frozen dataclasses that pydantic can check."""

METHODS: Mapping[str, type[Method]] = {
    "baseline": Baseline,
    "ranking": Ranking,
    "all_in_one": AllInOneMethod,
    "smooth_relaxation": SmoothRelaxation,
    "distilled": Distilled,
    "pcb": Pcb,
    "mgn": Mgn,
    "abd_net": AbdNet,
}
"""What `build_method` makes, by name; each takes the number of its targets and its settings."""


def build_method(name: str, targets: int, *, attributes: Sequence[float] = (), **settings: Any) -> Method:
    """A method by name, with random weights from torch's global generator (`torch.manual_seed`).

    Args:
        name: one of `METHODS`.
        targets: number of training persons; for ``distilled`` the length of the teacher's embedding.
        attributes: share of people with each attribute, for a method that learns some (`learns_attributes`).
        settings: fields of the method's configuration (`CONFIGS`); what is left out has its default, the paper's.

    Raises:
        UsageError: the method, a setting or a trunk is unknown, a value is impossible, or persons are fewer than 2.

    Example:
        >>> method = build_method("baseline", 10, trunk="resnet18")
        >>> method.eval().embed(torch.zeros(2, 3, 128, 64)).shape
        torch.Size([2, 512])
    """
    config = _config(name, settings)
    if _attribute_weight(config):
        with_attributes: Callable[[int, Any, Sequence[float]], Method] = METHODS[name]
        return with_attributes(targets, config, attributes)
    maker: Callable[[int, Any], Method] = METHODS[name]
    return maker(targets, config)


def learns_attributes(name: str, settings: Mapping[str, Any]) -> bool:
    """Whether a method with these settings learns attributes beside persons.

    Raises:
        UsageError: as for `build_method`.
    """
    return _attribute_weight(_config(name, settings)) > 0


def _attribute_weight(config: NetworkConfig) -> float:
    return float(getattr(config, "attribute_weight", 0.0))


def _config(name: str, settings: Mapping[str, Any]) -> NetworkConfig:
    if name not in CONFIGS:
        raise UsageError(f"there is no method {name!r}; there are {', '.join(METHODS)}")
    kind = CONFIGS[name]
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

"""Targets by the names that methods have for them (`swiftreid.methods.Method.learns_from`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from swiftreid.training.targets.clusters import Clusters
from swiftreid.training.targets.hybrid import Hybrid
from swiftreid.training.targets.people import People
from swiftreid.training.targets.pseudo_pairs import PseudoPairs
from swiftreid.training.targets.targets import Targets, TargetsPlan
from swiftreid.training.targets.teacher import TeacherOutputs

TARGETS: Mapping[str, Callable[[TargetsPlan], Targets]] = {
    "persons": People,
    "teacher": TeacherOutputs,
    "pseudo_pairs": PseudoPairs,
    "clusters": Clusters,
    "hybrid": Hybrid,
}
"""Where labels may come from. Further kinds are a file in this folder and a line here."""

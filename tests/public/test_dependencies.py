"""What is imported is declared, and what the core declares is imported."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
BROUGHT = {"warp-lang": "anny", "roma": "anny"}
"""Packages that are imported and come with another, which is declared."""


def named(requirement: str) -> str:
    """The normalised name of a requirement's distribution."""
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()  # type: ignore[index]


def imported(folder: str) -> Iterator[str]:
    """Names of packages, neither Python's own nor files of the repository, that files of a folder import."""
    files = [path for room in ("tests", "studies", "tools") for path in (ROOT / room).rglob("*.py")]
    own = {"swiftreid"} | {path.stem for path in files} | {path.parent.name for path in files}
    for path in (ROOT / folder).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                modules = [node.module or ""]
            yield from {module.partition(".")[0] for module in modules} - set(sys.stdlib_module_names) - own


@cache
def distributions(folder: str) -> frozenset[str]:
    """The distributions that files of a folder import from."""
    return frozenset(named(home) for module in imported(folder) for home in homes()[module])


@cache
def homes() -> Mapping[str, list[str]]:
    """The distributions that each package comes with."""
    return packages_distributions()


@pytest.mark.parametrize("dependency", [named(each) for each in PROJECT["dependencies"]])
def test_every_core_dependency_is_imported(dependency: str) -> None:
    assert dependency in distributions("src")


@pytest.mark.parametrize("folder", ["src", "studies", "tools", "tests"])
def test_every_import_is_declared(folder: str) -> None:
    chosen = [extra for extra in EXTRAS if folder == "tests" or extra not in ("dev", "docs")]
    declared = {named(each) for each in PROJECT["dependencies"]}
    declared |= {named(each) for extra in chosen for each in EXTRAS[extra]}
    for distribution in distributions(folder) - declared:
        brings = BROUGHT[distribution]
        assert brings in declared
        assert distribution in {named(each) for each in requires(brings) or []}


def test_every_dependency_has_a_constraint() -> None:
    pinned = {named(line) for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").split()}
    installed = [extra for extra in EXTRAS if extra != "tensorboard"]  # in none of the environments of the Makefile
    wanted = [*PROJECT["dependencies"], *(each for extra in installed for each in EXTRAS[extra])]
    assert {named(each) for each in wanted} <= pinned

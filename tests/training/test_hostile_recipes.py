"""Recipes made wrong by hand or by malice are refused in a sentence, quickly, and run nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from command import run_in
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.methods import METHODS, method_config
from swiftreid.training.frozen.recipe import FrozenRecipe, load_recipe
from swiftreid.training.network.recipe import NetworkRecipe, load_network_recipe
from swiftreid.training.yaml_text import LONGEST, MOST, parse_yaml

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30)
)
TEXTS = [
    ("[" * 3000, "is nested more than 20 deep"),
    ("{" * 3000, "is nested more than 20 deep"),
    ("- " * 3000, "is nested more than 20 deep"),
    ("? " * 3000, "is nested more than 20 deep"),
    (BOMB, r"has an alias, \*a0 \(line 2\): write the value out"),
    ("method: &x [*x]", "has an alias"),
    ("method: !!python/object/apply:os.system [true]", "has a tag, tag:yaml.org,2002:python/object/apply:os.system"),
    ("method: !!timestamp never", "has a tag"),
    ("seed: " + "9" * 5000, "has a value that cannot be read: Exceeds the limit"),
    ("method: 2001-99-99", "has a value that cannot be read: month must be in 1..12"),
    ("method: 0b_", "has a value that cannot be read"),
    ("x: [" + "1, " * MOST + "]", "holds more than 20,000 values"),
    ("#" * (LONGEST + 1), "100,001 bytes long; at most 100,000"),
    ("method: [1, 2", r"is not YAML \(line 1\)"),
    ("? [a]\n: b", r"is not YAML \(line 1\)"),
    ("method: a\0b", "is not YAML"),
    ("--- a\n--- b", r"is not YAML \(line 2\)"),
    ("", "must be a mapping of fields"),
    ("- method", "must be a mapping of fields"),
    ("1: 2\nmethod: baseline", "1"),
    ("method: [baseline]", "field method"),
    ("method: nothing", "there is no method 'nothing'; there are baseline"),
]


@pytest.mark.parametrize(("text", "message"), TEXTS, ids=range(len(TEXTS)))
def test_a_hostile_text_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message) as caught:
        load_network_recipe(path)
    assert str(caught.value).startswith(f"recipe {path}")
    assert len(str(caught.value)) < 600 + len(str(path))


def test_bytes_that_are_no_text_and_files_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_bytes(b"method: \xff\xfe")
    with pytest.raises(UsageError, match="is not YAML"):
        load_network_recipe(tmp_path / "r.yaml")
    with pytest.raises(SwiftReIDError, match="cannot read recipe"):
        load_network_recipe(tmp_path)


@pytest.mark.parametrize("value", ["[" * 3000, "*x", "!!int 3", "9" * 5000])
def test_a_hostile_setting_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match=r"setting seed=.*the value "):
        load_recipe(None, [f"seed={value}"])


def test_the_command_says_so_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("[" * 3000)
    assert "is nested more than 20 deep" in run_in(tmp_path)("train", "r.yaml", tmp_path, "-o", "run", code=2).err


ODD: list[Any] = [
    None, True, -1, 0, 10**30, 10**400, -(10**400), 1e308, float("inf"), float("nan"), "", "x", "1e999999", [], [[]],
    [10**30], ["x"], [None], {}, {"x": 1}, {"1": [{}]}, b"x",
]  # fmt: skip


def fields_of(content: dict[str, Any], place: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, value in content.items():
        yield (*place, name)
        if isinstance(value, dict):
            yield from fields_of(value, (*place, name))


@pytest.mark.parametrize(
    ("kind", "base"), [(NetworkRecipe, {"method": "baseline"}), (FrozenRecipe, {})], ids=["network", "frozen"]
)
def test_every_field_takes_what_it_can_or_says_what_is_wrong(kind: Any, base: dict[str, Any], tmp_path: Path) -> None:
    load = load_network_recipe if kind is NetworkRecipe else load_recipe
    path, refused = tmp_path / "r.yaml", 0
    for place in fields_of(kind(**base).model_dump(mode="json")):
        for value in ODD:
            content: dict[str, Any] = dict(base)
            inner = content
            for name in place[:-1]:
                inner = inner.setdefault(name, {})
            inner[place[-1]] = value
            path.write_text(yaml.safe_dump(content))
            try:
                load(path).model_dump_json()
            except UsageError:
                refused += 1
    assert refused > 300


@pytest.mark.parametrize("name", METHODS)
def test_every_setting_takes_what_it_can_or_says_what_is_wrong(name: str) -> None:
    refused = 0
    for field in METHODS[name].config_type.__dataclass_fields__:
        for value in ODD:
            try:
                config = method_config(name, {field: value})
            except UsageError:
                refused += 1
            else:
                number = getattr(config, field)
                assert not isinstance(number, int) or abs(number) <= 65_536, f"{field} of {number}"
    assert refused > 20


def test_what_people_write_is_read() -> None:
    text = "method: ranking\nsize: [256, 128]\nsettings: {lin_weight: 0.4, neck: true}\ninit: null\n# 1\n'a b': 1e-3\n"
    assert parse_yaml(text) == yaml.safe_load(text)

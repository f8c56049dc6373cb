from __future__ import annotations

from pathlib import Path

import pytest

from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.recipes import RECIPES
from swiftreid.training.frozen.recipe import FrozenRecipe, load_recipe

FROZEN = sorted((RECIPES / "frozen").glob("*.yaml"))


@pytest.mark.parametrize("path", FROZEN, ids=lambda p: p.stem)
def test_shipped_recipes_load(path: Path) -> None:
    assert load_recipe(path).training.lengths == (2048, 512, 128, 32)


def test_the_default_recipe_states_the_defaults() -> None:
    (default,) = [path for path in FROZEN if path.stem == "all_in_one"]
    assert load_recipe(default) == FrozenRecipe()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("training: {epochz: 3}", "training.epochz"),
        ("training: {objective: {lambda: 3}}", "training.objective.lambda"),
        ("method: telepathy", "method"),
        ("views: 0", "views"),
        ("training: {epochs: 0}", "training"),
        ("schedule: {epochs: 3}", "is one of `swiftreid train`"),
        ("just words", "must be a mapping"),
        ("a: [", "not YAML"),
    ],
)
def test_bad_recipes_name_the_field(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=message):
        load_recipe(path)


def test_settings_change_single_fields() -> None:
    recipe = load_recipe(None, ["training.epochs=2", "views=3", "training.objective.similarity_weight=7"])
    assert (recipe.training.epochs, recipe.views) == (2, 3)
    assert recipe.training.objective.similarity_weight == 7


@pytest.mark.parametrize("setting", ["training.epochs", "=3", "views.x=1", "nonsense=1", "views=[", "views=many"])
def test_bad_settings_are_refused(setting: str) -> None:
    with pytest.raises(UsageError):
        load_recipe(None, ["views=1", setting])


def test_missing_recipe(tmp_path: Path) -> None:
    with pytest.raises(SwiftReIDError, match="cannot read recipe"):
        load_recipe(tmp_path / "none.yaml")

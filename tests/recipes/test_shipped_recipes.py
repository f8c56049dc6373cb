"""Recipes come with the package, and are found by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from command import run_in
from swiftreid.errors import UsageError
from swiftreid.recipes import RECIPES, find_recipe, shipped_recipes


def test_every_recipe_has_a_name_and_a_description() -> None:
    shipped = shipped_recipes()
    assert {recipe.path for recipe in shipped} == set(RECIPES.rglob("*.yaml"))
    assert len(shipped) > 30
    for recipe in shipped:
        assert recipe.description.endswith((".", ":")), recipe.name
        assert 20 < len(recipe.description) < 200, recipe.name
        assert find_recipe(recipe.name) == recipe.path


def test_an_abbreviation_does_not_end_a_description() -> None:
    [pcb] = [recipe for recipe in shipped_recipes() if recipe.name == "smooth_relaxation/hosts/pcb"]
    assert pcb.description.startswith("PCB (Sun et al. 2018, section 4.2), float;")
    assert "trunk" not in pcb.description


@pytest.mark.parametrize("spelled", ["small/mgn", "small/mgn.yaml", "recipes/small/mgn.yaml", Path("small/mgn")])
def test_names_may_look_like_paths(spelled: str | Path) -> None:
    assert find_recipe(spelled) == RECIPES / "small" / "mgn.yaml"


def test_a_file_goes_before_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small").mkdir()
    assert find_recipe("small/mgn") == RECIPES / "small" / "mgn.yaml", "no file of that name"
    (tmp_path / "small" / "mgn").write_text("method: mgn\n")
    assert find_recipe("small/mgn") == Path("small/mgn")
    (tmp_path / "baseline").mkdir()
    assert find_recipe("baseline") == RECIPES / "baseline.yaml", "a folder is no recipe"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("small/all_in_on", "did you mean small/all_in_one"),
        ("mgn", "did you mean small/mgn or smooth_relaxation/hosts/mgn?"),
        ("paper.yaml", "did you mean all_in_one/paper or cluster_memory/paper or frozen/paper or "),
        ("xyzzy", "there are all_in_one/paper, "),
    ],
)
def test_what_is_neither_gives_similar_names(name: str, hint: str) -> None:
    with pytest.raises(
        UsageError, match=f"^{name} is neither a recipe's file nor the name of a shipped recipe; {hint}"
    ):
        find_recipe(name)


def test_the_command_lists_and_prints_them(tmp_path: Path) -> None:
    swiftreid = run_in(tmp_path)
    listed = swiftreid("recipes").out.splitlines()
    assert [line.split()[0] for line in listed] == [recipe.name for recipe in shipped_recipes()]
    assert swiftreid("recipes", "--json").json["recipes"][0]["name"] == "all_in_one/paper"
    assert swiftreid("recipes", "small/mgn").out == (RECIPES / "small" / "mgn.yaml").read_text(encoding="utf-8")
    assert "did you mean small/mgn" in swiftreid("recipes", "small/mng", code=2).err


def test_commands_take_names(tmp_path: Path) -> None:
    swiftreid = run_in(tmp_path)
    assert "did you mean small/baseline" in swiftreid("train", "small/bseline", "nowhere", "-o", "run", code=2).err
    hashed = ("hash", "nowhere", "--encoder", "stripes", "-o", "h.safetensors", "--recipe")
    assert "did you mean frozen/shipped" in swiftreid(*hashed, "frozen/shiped", code=2).err
    assert "is one of `swiftreid train`" in swiftreid(*hashed, "small/mgn", code=2).err

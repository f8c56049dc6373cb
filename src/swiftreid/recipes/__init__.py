"""The recipes that ship with the package, found by name: a name is a file's place in this folder, without ``.yaml``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from swiftreid.errors import UsageError

RECIPES = Path(__file__).parent
"""Folder of the shipped recipes."""


@dataclass(frozen=True)
class ShippedRecipe:
    """A recipe of the package.

    Attributes:
        name: what it is asked for by, such as ``small/all_in_one``.
        path: its file.
        description: a sentence, the first of the file's opening comment.
    """

    name: str
    path: Path
    description: str


def shipped_recipes() -> list[ShippedRecipe]:
    """All recipes of the package, in the order of their names.

    Example:
        >>> [recipe.name for recipe in shipped_recipes()][:2]
        ['all_in_one/paper', 'all_in_one/released']
    """
    paths = {path.relative_to(RECIPES).with_suffix("").as_posix(): path for path in RECIPES.rglob("*.yaml")}
    return [ShippedRecipe(name, paths[name], _description(paths[name])) for name in sorted(paths)]


def find_recipe(recipe: str | Path) -> Path:
    """The file of a recipe: a path that exists, or the name of a shipped recipe.

    Args:
        recipe: a YAML file, or a name such as ``small/all_in_one``. A file goes before a name.

    Raises:
        UsageError: it is neither; the message has names that resemble it.

    Example:
        >>> find_recipe("small/all_in_one").name
        'all_in_one.yaml'
    """
    path = Path(recipe)
    if path.is_file():
        return path
    shipped = {each.name: each.path for each in shipped_recipes()}
    name = path.as_posix().removesuffix(".yaml").removeprefix("recipes/")
    if name in shipped:
        return shipped[name]
    raise UsageError(f"{recipe} is neither a recipe's file nor the name of a shipped recipe; {_hint(name, shipped)}")


def _hint(name: str, shipped: dict[str, Path]) -> str:
    last = name.rpartition("/")[2]
    similar = [each for each in shipped if each.rpartition("/")[2] == last]
    similar += [each for each in get_close_matches(name, shipped, 3) if each not in similar]
    return f"did you mean {' or '.join(similar)}?" if similar else f"there are {', '.join(shipped)}"


def _description(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    opening = []
    for line in lines:
        if not line.startswith("#"):
            break
        opening.append(line.lstrip("# "))
    return re.split(r"(?<=\.) (?=[A-Z])", " ".join(opening))[0]

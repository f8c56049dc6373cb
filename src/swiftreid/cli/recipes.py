"""`swiftreid recipes`: the recipes that come with the package."""

from __future__ import annotations

from typing import Annotated

import typer

from swiftreid.cli.console import JsonOption, QuietOption, Report
from swiftreid.recipes import find_recipe, shipped_recipes


def recipes(
    recipe: Annotated[str | None, typer.Argument(help="Print this recipe, as a start for your own.")] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """List the recipes that `swiftreid train` and `swiftreid hash --recipe` take by name, or print one."""
    report = Report(as_json=as_json, quiet=quiet)
    if recipe is not None:
        path = find_recipe(recipe)
        text = path.read_text(encoding="utf-8")
        report.text(text.rstrip())
        report.document({"recipe": str(path), "text": text})
        return
    shipped = shipped_recipes()
    width = max(len(each.name) for each in shipped)
    for each in shipped:
        report.text(f"{each.name:{width}}  {each.description}")
    report.document({"recipes": [{"name": r.name, "path": str(r.path), "description": r.description} for r in shipped]})

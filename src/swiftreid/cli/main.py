"""The `swiftreid` command and its groups. Each command's module is imported when it is called: most need little."""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup
from typer.main import get_group

import swiftreid
from swiftreid.cli.settings import option_defaults

COMMANDS: Final = {
    "demo": "demo:demo",
    "search": "searching:search",
    "explain": "explaining:explain",
    "evaluate": "evaluate:evaluate",
    "compare": "compare:compare",
    "doctor": "doctor:doctor",
    "train": "train:train",
    "adapt": "adapt:adapt",
    "label": "label:label",
    "recipes": "recipes:recipes",
    "hash": "coding:hash_embedding",
    "encode": "coding:encode",
    "calibrate": "coding:calibrate",
    "synth": "synth:synth",
    "gallery": "galleries:app",
    "group": "people:group",
    "people": "people:app",
    "encoder": "encoders:app",
    "bench": "bench:app",
    "cache": "caching:app",
    "figure": "figures:app",
}
"""Name of each command and group -> its module in `swiftreid.cli`, and the function or group there."""


class _Lazy(TyperGroup):
    """A group that imports a command's module only when that command is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name].split(":")
        found = getattr(import_module(f"swiftreid.cli.{module}"), name)
        around = typer.Typer(rich_markup_mode=None, add_completion=False)
        if isinstance(found, typer.Typer):
            around.add_typer(found, name=cmd_name)
        else:
            around.command(cmd_name)(found)
        return get_group(around).commands[cmd_name]


app = typer.Typer(
    cls=_Lazy,
    name="swiftreid",
    help="Find a person across cameras: binary codes, a durable gallery, coarse-to-fine search.",
    epilog="Defaults of options may stand in a settings file: ./swiftreid.toml, or ~/.config/swiftreid/config.toml.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"swiftreid {swiftreid.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Print the version.", callback=_version, is_eager=True),
) -> None:
    context.default_map = option_defaults(context)

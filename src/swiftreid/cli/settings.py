"""The settings file: defaults of options, for all commands or for one, below the command line and the environment."""

from __future__ import annotations

import inspect
import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperGroup, TyperOption

from swiftreid.errors import SwiftReIDError, UsageError

LOCAL = "swiftreid.toml"
_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a string"}


def settings_file() -> Path | None:
    """The file that is read: that of the working folder, else the user's own; None where there is neither."""
    above = os.environ.get("XDG_CONFIG_HOME") or Path("~/.config").expanduser()
    places = (Path(LOCAL), Path(above) / "swiftreid" / "config.toml")
    return next((path for path in places if path.is_file()), None)


def option_defaults(context: typer.Context) -> dict[str, Any] | None:
    """Defaults for the command that was called, as `Context.default_map` takes them; None without a settings file.

    Raises:
        SwiftReIDError: the file cannot be read.
        UsageError: it is not TOML, or a key or its value does not fit; the message names the file and the key.
    """
    path, name, root = settings_file(), context.invoked_subcommand, context.command
    if path is None or name is None or not isinstance(root, TyperGroup):
        return None
    content = _read(path)
    everywhere, tables = _divided(content)
    for table in tables:
        _known(path, f"[{table}]", table, root.list_commands(context), "command")
    called = root.get_command(context, name)
    own, inner = _divided(tables.get(name, {}))
    if not isinstance(called, TyperGroup):
        if inner:
            raise UsageError(f"settings file {path}, [{name}.{next(iter(inner))}]: {name} has no commands below it")
        commands, inner = {name: called}, {name: own}
    else:
        for table in inner:
            _known(path, f"[{name}.{table}]", table, called.commands, "command")
        commands = dict(called.commands)
    options = {each: _options(command) for each, command in commands.items()}
    _check_names(path, "", everywhere, options, lambda: _all_options(root, context))
    _check_names(path, f"[{name}] ", own, options)
    maps: dict[str, dict[str, Any]] = {each: {} for each in commands}
    for each, command in commands.items():
        place = f"[{name}.{each}] " if each != name else f"[{name}] "
        last = inner.get(each, {})
        _check_names(path, place, last, {each: options[each]})
        for where, settings in (("", everywhere), (f"[{name}] ", own), (place, last)):
            for key, value in settings.items():
                if (option := options[each].get(_spelt(key))) is not None:
                    words = f"settings file {path}, {where}{key}"
                    maps[each][option.name] = _value(words, command, option, value, context)
    return {name: maps} if isinstance(called, TyperGroup) else maps


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SwiftReIDError(f"settings file {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"settings file {path} is not TOML: {error}") from error


def _divided(table: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """Single values, and tables."""
    tables = {key: value for key, value in table.items() if isinstance(value, dict)}
    return {key: value for key, value in table.items() if key not in tables}, tables


def _spelt(key: str) -> str:
    return key.replace("_", "-")


def _options(command: Any) -> dict[str, TyperOption]:
    """Options by their names without dashes in front; the short name of those that have no other."""
    found: dict[str, TyperOption] = {}
    for option in command.params:
        if isinstance(option, TyperOption) and option.name != "help":
            names = [each.lstrip("-") for each in option.opts if each.startswith("--")]
            found |= dict.fromkeys(names or [each.lstrip("-") for each in option.opts], option)
    return found


def _all_options(root: TyperGroup, context: typer.Context) -> set[str]:
    found: set[str] = set()
    for name in root.list_commands(context):
        command = root.get_command(context, name)
        for each in command.commands.values() if isinstance(command, TyperGroup) else [command]:
            found |= set(_options(each))
    return found


def _check_names(
    path: Path,
    place: str,
    table: Mapping[str, Any],
    here: Mapping[str, Mapping[str, TyperOption]],
    others: Callable[[], Iterable[str]] | None = None,
) -> None:
    """Refuse keys that are options neither of the commands here nor of others, which are asked for only then."""
    known = {key for options in here.values() for key in options}
    unknown = [key for key in table if _spelt(key) not in known]
    if unknown and others is not None:
        known |= set(others())
    for key in unknown:
        _known(path, f"{place}{key}", _spelt(key), known, "option")


def _known(path: Path, place: str, name: str, known: Iterable[str], what: str) -> None:
    known = sorted(known)
    if name not in known:
        close = get_close_matches(name, known, 1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
        raise UsageError(f"settings file {path}, {place}: no {what} is called {name}; {hint}")


def _value(place: str, command: Any, option: TyperOption, value: Any, context: typer.Context) -> Any:
    """The value, once it is of the option's type and in its range."""
    wanted, several = _type(command, option)
    for each in value if several and isinstance(value, list) else [value]:
        fits = isinstance(each, int | float) if wanted is float else isinstance(each, wanted)
        if not fits or (isinstance(each, bool) and wanted is not bool) or (several and not isinstance(value, list)):
            words = f"a list, each {_WORDS[wanted]}" if several else _WORDS[wanted]
            raise UsageError(f"{place}: this must be {words}, not {each!r}")
    try:
        option.process_value(context, value)
    except typer.BadParameter as error:
        raise UsageError(f"{place}: {error.message}") from error
    return value


def _type(command: Any, option: TyperOption) -> tuple[type, bool]:
    """The TOML type of an option, and whether it takes a list of them."""
    hint = get_type_hints(inspect.unwrap(command.callback))[option.name]
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if get_origin(hint) in (Union, UnionType):
        [hint] = [each for each in get_args(hint) if each is not type(None)]
    several = get_origin(hint) in (list, tuple)
    hint = get_args(hint)[0] if several else hint
    return (hint if hint in _WORDS else str), several

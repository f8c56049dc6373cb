"""`docs/reference.md`: what docs/api.md lists, as plain Markdown, to read without building anything."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import swiftreid

PAGE = Path(__file__).resolve().parents[1] / "docs" / "api.md"
HEAD = """# Reference

Made from docs/api.md and the docstrings by `make generated`: signatures and summaries. The [interface](api.md),
built by `make docs`, has arguments, errors and examples too, as `help(name)` does. A name without a module is imported
from `swiftreid`.
"""
_DIRECTIVE = re.compile(r"^\.\. auto(\w+):: ([\w.]+)((?:\n   :.*)*)", re.MULTILINE)


def reference() -> str:
    """The text of the page."""
    parts = [HEAD]
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        parts.append(f"## {section.splitlines()[0]}\n")
        parts += [_entry(*found.groups()) for found in _DIRECTIVE.finditer(section)]
    return "\n".join(parts)


def _entry(kind: str, path: str, options: str) -> str:
    module_name, _, name = path.rpartition(".")
    value = getattr(import_module(module_name), name)
    home = "" if name in dir(swiftreid) else f"`from {module_name} import {name}`\n\n"
    lines = [f"### `{name}`\n", home + (_data(module_name, name) if kind == "data" else _documented(name, value))]
    if rows := [f"| `{name}` | {summary} |" for name, summary in _attributes(inspect.getdoc(value))]:
        lines += ["| attribute | |", "|---|---|", *rows, ""]
    if members := re.search(r":members:(.*)", options):
        chosen = [each.strip() for each in members[1].split(",") if each.strip()]
        rows = [f"| `{signature}` | {summary} |" for signature, summary in _members(value, chosen)]
        lines += ["| member | |", "|---|---|", *rows, ""] if rows else []
    return "\n".join(lines)


def _documented(name: str, value: Any) -> str:
    return f"```text\n{_signature(name, value)}\n```\n\n{_summary(inspect.getdoc(value))}\n"


def _summary(doc: str | None) -> str:
    """The first paragraph, as one line."""
    return " ".join((doc or "").split("\n\n")[0].split()).replace("``", "`").replace("|", "\\|")


def _attributes(doc: str | None) -> list[tuple[str, str]]:
    """Names and descriptions of a docstring's section 'Attributes'."""
    section = re.search(r"^Attributes:\n((?:    .*\n?|\n)+)", doc or "", re.MULTILINE)
    entries = re.findall(r"^    (\w+): (.*(?:\n     +.*)*)", section[1], re.MULTILINE) if section else []
    return [(name, _summary(text)) for name, text in entries]


def _data(module_name: str, name: str) -> str:
    """The string below an assignment."""
    body = ast.parse(inspect.getsource(import_module(module_name))).body
    for statement, after in pairwise(body):
        targets = [statement.target] if isinstance(statement, ast.AnnAssign) else getattr(statement, "targets", [])
        named = any(isinstance(target, ast.Name) and target.id == name for target in targets)
        if named and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            return f"{_summary(str(after.value.value))}\n"
    return ""


def _signature(name: str, value: Any) -> str:
    """Parameters and what comes back, without the parameters' types."""
    if inspect.isclass(value):
        own = _definition(value.__init__) if "__init__" in vars(value) else None
        if own is None or not isinstance(own, ast.FunctionDef):
            return f"class {name}"
        return f"class {name}({_arguments(own)})"
    node = _definition(value)
    if not isinstance(node, ast.FunctionDef):
        return name
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{name}({_arguments(node)}){returns}"


def _definition(value: Any) -> ast.stmt | None:
    try:
        source = textwrap.dedent(inspect.getsource(inspect.unwrap(value)))
    except (OSError, TypeError):  # made by a decorator, such as a data class's __init__
        return None
    return ast.parse(source).body[0]


def _arguments(node: ast.FunctionDef) -> str:
    arguments = node.args
    for each in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]:
        if each is not None:
            each.annotation = None
    return re.sub(r"^(self|cls)(, )?", "", ast.unparse(arguments))


def _members(value: type, chosen: list[str]) -> Iterator[tuple[str, str]]:
    """Methods and properties of a class and of those of ours that it is made of, in the order of the source."""
    seen: set[str] = set()
    for part in value.__mro__:
        if not _ours(inspect.getmodule(part)):
            continue
        for name, member in vars(part).items():
            function = member.fget if isinstance(member, property) else getattr(member, "__func__", member)
            wanted = name in chosen if chosen else not name.startswith("_")
            if name in seen or not wanted or not inspect.isfunction(function):
                continue
            seen.add(name)
            signature = name if isinstance(member, property) else _signature(name, function)
            yield signature.replace("|", "\\|"), _summary(inspect.getdoc(function))


@cache
def _ours(module: ModuleType | None) -> bool:
    return module is not None and module.__name__.partition(".")[0] == "swiftreid"

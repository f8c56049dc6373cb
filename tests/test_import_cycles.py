"""No file of the package imports, through others, itself: not at the top, not in functions, not for types only."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "src" / "swiftreid"


def module_of(path: Path, root: Path) -> str:
    """``root/a/b.py`` -> ``root.a.b``; a package's ``__init__.py`` is the package."""
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path, modules: set[str]) -> Iterator[str]:
    """The package's own modules that a file names in any import statement."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in modules)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found = inner if inner in modules else node.module
                if found in modules:
                    yield found


def cycle_in(root: Path) -> list[str] | None:
    """The modules of one cycle; None if there is none."""
    files = {module_of(path, root): path for path in sorted(root.rglob("*.py"))}
    graph = {name: set(imports_of(path, set(files))) - {name} for name, path in files.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        found: list[str] = error.args[1]
        return found
    return None


def test_the_package_has_no_import_cycle() -> None:
    assert cycle_in(PACKAGE) is None


@pytest.mark.parametrize(
    "line", ["from toy.a import A", "def f():\n    import toy.a", "if TYPE_CHECKING:\n    from toy import a"]
)
def test_a_cycle_is_found_wherever_the_import_stands(tmp_path: Path, line: str) -> None:
    toy = tmp_path / "toy"
    toy.mkdir()
    (toy / "__init__.py").write_text("")
    (toy / "a.py").write_text("from toy import b\nclass A: ...\n")
    (toy / "b.py").write_text(f"{line}\n")
    assert set(cycle_in(toy) or ()) == {"toy.a", "toy.b"}

"""The names of `swiftreid` itself: typed, quick to import, and all there."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import swiftreid
from generate import GENERATED

ROOT = Path(__file__).resolve().parents[2]
NAMES = [name for name in swiftreid.__all__ if name != "__version__"]

PROGRAM = """
from swiftreid import Gallery, nothing_of_that_name

Gallery.opn("people")
reveal_type(Gallery.open("people"))
"""


@pytest.mark.parametrize("name", GENERATED)
def test_generated_files_are_as_their_sources_say(name: str) -> None:
    assert (ROOT / name).read_text(encoding="utf-8") == GENERATED[name](), "run `make generated`"


def test_the_stub_has_the_names_that_can_be_imported() -> None:
    stub = ast.parse((ROOT / "src/swiftreid/__init__.pyi").read_text(encoding="utf-8"))
    found = {
        alias.asname: getattr(import_module(node.module or ""), alias.name)
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert set(found) == set(NAMES)
    for name, value in found.items():
        assert getattr(swiftreid, name) is value, name


def test_mypy_sees_a_wrong_name(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    # Alone, without what the package imports: whole seconds instead of minutes.
    options = ["--strict", "--no-site-packages", "--ignore-missing-imports", "--follow-imports=silent"]
    command = [sys.executable, "-m", "mypy", "--config-file=", f"--cache-dir={tmp_path}", *options, "program.py"]
    ran = subprocess.run(
        command, cwd=tmp_path, env={"MYPYPATH": str(ROOT / "src")}, capture_output=True, text=True, check=False
    )
    told = ran.stdout.splitlines()
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert 'program.py:2: error: Module "swiftreid" has no attribute "nothing_of_that_name"' in told[0]
    assert 'program.py:4: error: "type[Gallery]" has no attribute "opn"' in told[1]
    assert 'Revealed type is "swiftreid.gallery.store.Gallery"' in told[2]


def test_importing_the_package_imports_little() -> None:
    code = "import sys; before = set(sys.modules); import swiftreid; print(*sorted(set(sys.modules) - before))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = ran.stdout.split()
    assert [name for name in loaded if name.startswith("swiftreid")] == ["swiftreid"]
    assert not {name.partition(".")[0] for name in loaded} - sys.stdlib_module_names - {"swiftreid"}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_imported_from_its_room_alone(name: str) -> None:
    assert name in dir(swiftreid)
    assert sum(name in names for names in vars(swiftreid)["_ROOMS"].values()) == 1


def test_a_class_has_a_name_of_its_own() -> None:
    places: dict[str, list[str]] = {}
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(path.name)
    assert not {name: files for name, files in places.items() if len(files) > 1}
    assert len(places) > 200

"""Everything public is documented: commands on docs/commands.md, names on docs/api.md."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

import swiftreid
from command import all_commands
from swiftreid.methods import CONFIGS
from swiftreid.nn.trunks import TRUNKS

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = [" ".join(["swiftreid", *words]) for words in all_commands()]


@pytest.mark.parametrize("command", COMMANDS)
def test_command_is_documented(command: str) -> None:
    assert f"`{command}`" in (ROOT / "docs/commands.md").read_text(encoding="utf-8")


def test_documented_commands_exist() -> None:
    told = set(re.findall(r"^\| `(swiftreid [a-z ]+)`", (ROOT / "docs/commands.md").read_text(encoding="utf-8"), re.M))
    assert told == set(COMMANDS)


@pytest.mark.parametrize("name", [name for name in swiftreid.__all__ if name != "__version__"])
def test_public_name_is_documented_and_there(name: str) -> None:
    value = getattr(swiftreid, name)
    assert inspect.getdoc(value), f"{name} has no docstring"
    assert re.search(rf"^\.\. auto\w+:: [\w.]+\.{name}$", (ROOT / "docs/api.md").read_text(encoding="utf-8"), re.M)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = swiftreid.nonsense  # type: ignore[attr-defined]


def test_readme_shows_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make demo" in readme
    assert "make test" in readme


PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md", ROOT / "recipes/README.md"]
BLOCKS = [
    pytest.param(block, id=f"{page.parent.name}-{page.stem}-{number}")
    for page in PAGES
    for number, block in enumerate(
        re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    )
]


def test_there_is_python_on_the_pages() -> None:
    assert len(BLOCKS) == sum(page.read_text(encoding="utf-8").count("```python") for page in PAGES) > 10


@pytest.mark.parametrize("block", BLOCKS)
def test_python_on_the_pages_runs(block: str, tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    ran = subprocess.run([sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout


def test_the_calibration_example_prints_what_the_page_says() -> None:
    page = (ROOT / "docs/calibration.md").read_text(encoding="utf-8")
    [(block, printed)] = re.findall(r"^```python\n(.*?)^```\n\nprints\n\n```text\n(.*?)^```", page, re.M | re.S)
    ran = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, check=True)
    assert ran.stdout == printed


def test_the_calibrate_command_on_the_pages_runs(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    shown = re.compile(r"swiftreid calibrate (stripes examples/station -o \S+\.safetensors)")
    [options] = {
        found[1]
        for page in ("calibration", "commands")
        for found in shown.finditer((ROOT / f"docs/{page}.md").read_text(encoding="utf-8"))
    }
    command = [str(Path(sys.executable).with_name("swiftreid")), "calibrate", *options.split()]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / options.split()[-1]).is_file()


def test_pages_are_in_the_index() -> None:
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        assert page.stem == "index" or re.search(rf"^{page.stem}$", index, re.M), page.name


def test_every_trunk_and_method_is_on_the_page() -> None:
    page = (ROOT / "docs/networks.md").read_text(encoding="utf-8")
    for name in TRUNKS:
        family = re.sub(r"osnet_ain_x0_(5|75)$", "osnet_ain_x0_25", name)
        assert f"`{family}`" in page, name
    for name, config in CONFIGS.items():
        assert f"### `{name}`" in page
        assert config.__doc__
        assert all(re.search(rf"^ {{8}}{field.name}: ", documentation(config), re.M) for field in fields(config)), name


def documentation(config: type) -> str:
    """The docstrings of a configuration and of those that it is made of."""
    return "\n".join(kind.__doc__ or "" for kind in config.__mro__)

"""Everything public is documented: commands on docs/commands.md, names on docs/api.md."""

from __future__ import annotations

import inspect
import re
import shlex
from dataclasses import fields
from importlib import import_module
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

import swiftreid
from command import all_commands, run_in
from swiftreid.cli.main import app
from swiftreid.encoding.kinds import KINDS
from swiftreid.encoding.runtimes.registry import devices
from swiftreid.methods import METHODS, NetworkConfig
from swiftreid.nn.trunks import TRUNKS
from swiftreid.training.network.recipe import NetworkRecipe
from swiftreid.training.targets.catalogue import TARGETS
from warm import run_python

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = [" ".join(["swiftreid", *words]) for words in all_commands()]


@pytest.mark.parametrize("command", COMMANDS)
def test_command_is_documented(command: str) -> None:
    page = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    assert f"`{command}`" in page, f"docs/commands.md: the table lacks a row '| `{command}` | what it does |'"


def test_documented_commands_exist() -> None:
    told = set(re.findall(r"^\| `(swiftreid [a-z ]+)`", (ROOT / "docs/commands.md").read_text(encoding="utf-8"), re.M))
    assert told <= set(COMMANDS), f"docs/commands.md: rows of no command: {sorted(told - set(COMMANDS))}"


@pytest.mark.parametrize("name", [name for name in swiftreid.__all__ if name != "__version__"])
def test_public_name_is_documented_and_there(name: str) -> None:
    value = getattr(swiftreid, name)
    assert inspect.getdoc(value), f"{name} has no docstring"
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    assert re.search(rf"^\.\. auto\w+:: [\w.]+\.{name}$", page, re.M), f"docs/api.md lacks '.. auto...:: ....{name}'"


def test_the_interface_says_where_names_are_imported_from() -> None:
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    seen = set()
    for section in page.split("\n## ")[1:]:
        paths = re.findall(r"^\.\. auto\w+:: ([\w.]+)$", section, re.MULTILINE)
        own = {path for path in paths if path.rpartition(".")[2] not in swiftreid.__all__}
        told = re.search(r"From their modules: ([^.]*)\.", section)
        expected = ", ".join(f"`{path.rpartition('.')[2]}`" for path in paths if path in own) if own else None
        expected = "all of these" if own == set(paths) else expected
        assert (told and " ".join(told[1].split())) == expected, section.splitlines()[0]
        for module, _, name in (path.rpartition(".") for path in own):
            assert hasattr(import_module(module), name), f"{module}.{name}"
        seen |= own
    assert len(seen) > 40


def test_every_configuration_is_on_the_page_of_the_interface() -> None:
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    for name, config in ((name, method.config_type) for name, method in METHODS.items()):
        line = f".. autoclass:: {config.__module__}.{config.__name__}"
        assert f"{line}\n" in page, f"docs/api.md lacks the settings of method {name}: a line '{line}'"


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = swiftreid.nonsense  # type: ignore[attr-defined]


def test_readme_shows_the_two_commands() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make demo" in readme
    assert "make test" in readme


PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]
PYTHON = re.compile(r"^```python\n(.*?)^```\n(?:\nprints\n\n```text\n(.*?)^```)?", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# (\w+\.py)\n")
BLOCKS = [
    pytest.param(page, block[1], block[2], id=f"{page.parent.name}-{page.stem}-{number}")
    for page in PAGES
    for number, block in enumerate(PYTHON.finditer(page.read_text(encoding="utf-8")))
]


def test_there_is_python_on_the_pages() -> None:
    assert len(BLOCKS) == sum(page.read_text(encoding="utf-8").count("```python") for page in PAGES) > 10


@pytest.mark.timeout(1800)  # a page trains a network
@pytest.mark.parametrize(("page", "block", "printed"), BLOCKS)
def test_python_on_the_pages_runs(page: Path, block: str, printed: str | None, tmp_path: Path) -> None:
    """A block that begins with a file's name, as in `# toy.py`, is that file for the other blocks of its page."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    for other in PYTHON.finditer(page.read_text(encoding="utf-8")):
        if name := FILE.match(other[1]):
            (tmp_path / name[1]).write_text(other[1], encoding="utf-8")
    ran = run_python("-c", block, folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout if printed is None and not FILE.match(block) else ran.stdout == (printed or "")


def shown_commands() -> list[list[str]]:
    """Every `swiftreid` command line of the pages' consoles, as words."""
    found = []
    for page in PAGES:
        for block in re.findall(r"^```console\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S):
            lines = block.replace("\\\n", " ").splitlines()
            found += [shlex.split(line[2:], comments=True) for line in lines if line.startswith("$ swiftreid ")]
    return found


@pytest.mark.parametrize("words", shown_commands(), ids=" ".join)
def test_commands_on_the_pages_have_the_arguments_and_options_shown(words: list[str]) -> None:
    command, context, rest = get_command(app), None, words[1:]
    while isinstance(command, TyperGroup):
        context = command.make_context("swiftreid", list(rest), parent=context)
        name, *rest = rest
        command = command.get_command(context, name)
        assert command is not None, name
    command.make_context(words[1], rest, parent=context)  # raises where one does not exist or is missing


def test_the_calibrate_command_on_the_pages_runs(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    shown = re.compile(r"swiftreid calibrate (stripes examples/station -o \S+\.safetensors)")
    [options] = {
        found[1]
        for page in ("calibration", "commands")
        for found in shown.finditer((ROOT / f"docs/{page}.md").read_text(encoding="utf-8"))
    }
    run_in(tmp_path)("calibrate", *options.split())
    assert (tmp_path / options.split()[-1]).is_file()


def test_pages_are_in_the_index() -> None:
    index = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    for page in (ROOT / "docs").glob("*.md"):
        listed = page.stem == "index" or re.search(rf"^{page.stem}$", index, re.M)
        assert listed, f"docs/index.md: no toctree has a line '{page.stem}'"


def test_every_trunk_and_method_is_on_the_page() -> None:
    page = (ROOT / "docs/networks.md").read_text(encoding="utf-8")
    for name in TRUNKS:
        family = re.sub(r"osnet_ain_x0_(5|75)$", "osnet_ain_x0_25", name)
        assert f"`{family}`" in page, f"docs/networks.md: the table of trunks lacks `{family}`"
    for name, method in METHODS.items():
        config = method.config_type
        assert f"### `{name}`" in page, f"docs/networks.md: no heading '### `{name}`' below '## Methods'"
        assert config.__doc__, f"{config.__name__} has no docstring"
        for field in fields(config):
            described = re.search(rf"^ {{8}}{field.name}: ", documentation(config), re.M)
            assert described, f"{config.__name__}: 'Attributes:' of its docstring lacks '{field.name}: ...'"


def test_every_loss_is_on_the_page() -> None:
    section = (ROOT / "docs/networks.md").read_text(encoding="utf-8").partition("## Losses\n")[2].partition("\n## ")[0]
    losses = {path.stem for path in (ROOT / "src/swiftreid/nn/losses").glob("*.py")} - {"__init__", "precision"}
    named = set(re.findall(r"^\| [^|]+ \| `(\w+)` \|", section, re.M))
    assert named == losses, "docs/networks.md: the table below '## Losses' has a row for each file of nn/losses"


def rows_below(page: str, heading: str) -> str:
    """The first columns of tables between a heading and the next."""
    section = (ROOT / f"docs/{page}.md").read_text(encoding="utf-8").partition(f"{heading}\n")[2].partition("\n## ")[0]
    return "\n".join(line.split("|")[1] for line in section.splitlines() if line.startswith("|"))


@pytest.mark.parametrize("device", devices())
def test_every_device_is_on_the_page(device: str) -> None:
    row = f"| `{device}` | what must be installed |"
    there = f"`{device}`" in rows_below("encoders", "## Threads and devices")
    assert there, f"docs/encoders.md: the table of devices below '## Threads and devices' lacks the row '{row}'"


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_encoder_is_on_the_page(kind: str) -> None:
    there = f"`{kind}`" in rows_below("encoders", "# Encoders")
    assert there, f"docs/encoders.md: the table below '# Encoders' lacks the row '| `{kind}` | what it is |'"


@pytest.mark.parametrize("name", TARGETS)
def test_every_kind_of_targets_is_on_the_page(name: str) -> None:
    page = (ROOT / "docs/add_a_method.md").read_text(encoding="utf-8").partition("## Targets")[2]
    assert f"`{name}`" in page, f"docs/add_a_method.md: nothing below '## Targets' is said of `{name}`"


def stated(value: object) -> str:
    """A default as the pages' tables have it."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return f"`{value}`"
    return f"{value:g}" if isinstance(value, int | float) else str(list(value))  # type: ignore[call-overload]


@pytest.mark.parametrize("name", METHODS)
def test_every_setting_of_a_method_is_on_the_page_with_its_default(name: str) -> None:
    methods = (ROOT / "docs/networks.md").read_text(encoding="utf-8").partition("\n## Methods\n")[2]
    common, *sections = re.split(r"^### ", methods, flags=re.MULTILINE)
    found = [section for section in sections if section.startswith(f"`{name}`")]
    assert len(found) == 1, f"docs/networks.md: {len(found)} headings '### `{name}`' below '## Methods', not one"
    [own] = found
    shared = {field.name for field in fields(NetworkConfig)}
    for field in fields(METHODS[name].config_type):
        page, value = (common, NetworkConfig) if field.name in shared else (own, METHODS[name].config_type)
        default = getattr(value(), field.name)
        place = "below '## Methods'" if field.name in shared else f"below '### `{name}`'"
        row = f"| `{field.name}` | {stated(default)} | "
        there = re.search(f"^{re.escape(row)}", page, re.MULTILINE)
        assert there, f"docs/networks.md: the table {place} lacks the row '{row}what it is |'"
        if default != (other := getattr(METHODS[name].config_type(), field.name)):
            words = f"`{name}` has {stated(other)}"
            assert words in common, f"docs/networks.md: the row of `{field.name}` below '## Methods' lacks '{words}'"


def test_every_field_of_a_recipe_is_on_the_page_with_its_default() -> None:
    page = (ROOT / "docs/training.md").read_text(encoding="utf-8")
    defaults = NetworkRecipe(method="baseline").model_dump()
    told: dict[str, object] = {}
    for name, value in defaults.items():
        told |= {f"{name}.{inner}": each for inner, each in value.items()} if isinstance(value, dict) else {name: value}
    assert len(told) > 30
    for name, value in told.items():
        if name != "method":
            row = f"| `{name}` | {stated(value)} | "
            there = re.search(f"^{re.escape(row)}", page, re.MULTILINE)
            assert there, f"docs/training.md: the table below '## Recipes' lacks the row '{row}what it is |'"
    methods = re.findall(r"^\| `method` \| \| (.*);", page, re.MULTILINE)
    assert len(methods) == 1, "docs/training.md: the table below '## Recipes' has no row '| `method` | | names;'"
    named = set(re.findall(r"`(\w+)`", methods[0]))
    assert named >= set(METHODS), f"docs/training.md: the row of `method` lacks {sorted(set(METHODS) - named)}"
    assert named <= set(METHODS), f"docs/training.md: the row of `method` has no methods {sorted(named - set(METHODS))}"
    assert set(re.findall(r"^\| `(\w+\.\w+)` \| [^|]+ \| ", page, re.MULTILINE)) == {n for n in told if "." in n}


def documentation(config: type) -> str:
    """The docstrings of a configuration and of those that it is made of."""
    return "\n".join(kind.__doc__ or "" for kind in config.__mro__)

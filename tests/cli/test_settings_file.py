"""The settings file: option before environment before file before default, and clear errors."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from command import run_in
from swiftreid.cli.main import app
from swiftreid.cli.settings import option_defaults
from swiftreid.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]


def read(text: str, *command: str) -> dict[str, object]:
    """What a settings file in the working folder gives the command that is called."""
    Path("swiftreid.toml").write_text(text, encoding="utf-8")
    root = get_command(app)
    context = root.make_context("swiftreid", ["--help"], resilient_parsing=True)
    context.invoked_subcommand = command[0]
    found = option_defaults(context)  # type: ignore[arg-type]
    for name in command:
        found = found[name] if found else {}
    return found or {}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_tables_go_before_what_stands_above_them() -> None:
    text = "quiet = true\nk = 5\n[search]\nk = 20\nnot-camera = ['3']\n"
    text += "[gallery]\nquiet = false\n[gallery.add]\nid_prefix = 'x'\n"
    assert read(text, "search") == {"quiet": True, "k": 20, "not_camera": ["3"]}
    assert read(text, "gallery", "add") == {"quiet": False, "id_prefix": "x"}
    assert read(text, "gallery", "info") == {"quiet": False}
    assert read(text, "recipes") == {"quiet": True}


@pytest.mark.parametrize(
    ("text", "command", "message"),
    [
        ("k = 'many'", "search", "swiftreid.toml, k: this must be a whole number, not 'many'"),
        ("[search]\nk = 0", "search", r"swiftreid.toml, \[search\] k: Input should be greater than or equal to 1"),
        ("[search]\nk = true", "search", r"\[search\] k: this must be a whole number, not True"),
        ("quiet = 1", "search", "quiet: this must be true or false, not 1"),
        ("[search]\nnot-camera = '3'", "search", "not-camera: this must be a list, each a string, not '3'"),
        ("[search]\nnot-camera = [3]", "search", "not-camera: this must be a list, each a string, not 3"),
        ("[search]\nlambda = 'half'", "search", "lambda: this must be a number, not 'half'"),
        ("[search]\npicture = 3", "search", "picture: this must be a string, not 3"),
        (
            "[search]\nnot-camra = []",
            "search",
            r"\[search\] not-camra: no option is called not-camra; did you mean",
        ),
        ("encodr = 'x'", "search", "swiftreid.toml, encodr: no option is called encodr; did you mean encoder?"),
        ("[serch]\nk = 3", "search", r"\[serch\]: no command is called serch; did you mean search?"),
        ("[gallery.ad]\nquiet = true", "gallery", r"\[gallery.ad\]: no command is called ad; did you mean add?"),
        ("[search.deep]\nk = 1", "search", r"\[search.deep\]: search has no commands below it"),
        ("k =", "search", "settings file swiftreid.toml is not TOML: Invalid value"),
    ],
)
def test_what_does_not_fit_names_the_file_and_the_key(text: str, command: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read(text, command)


def test_an_option_of_another_command_is_left_alone() -> None:
    assert read("beta = 3.0", "recipes") == {}
    assert read("beta = 3", "calibrate") == {"beta": 3}


def test_the_file_of_the_working_folder_goes_before_the_users(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / "home"))
    users = folder / "home" / "swiftreid" / "config.toml"
    users.parent.mkdir(parents=True)
    users.write_text("k = 7")
    assert read("quiet = true", "search") == {"quiet": True}
    Path("swiftreid.toml").unlink()
    context = get_command(app).make_context("swiftreid", ["--help"], resilient_parsing=True)
    context.invoked_subcommand = "search"
    assert option_defaults(context) == {"search": {"k": 7}}  # type: ignore[arg-type]
    users.unlink()
    assert option_defaults(context) is None  # type: ignore[arg-type]


def test_the_command_takes_options_then_the_environment_then_the_file(
    folder: Path, drawn_people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swiftreid = run_in(folder)
    Path("swiftreid.toml").write_text(
        "encoder = 'nowhere.safetensors'\n[search]\njson = true\nk = 3\nno-picture = true\n", encoding="utf-8"
    )
    swiftreid("gallery", "create", "g")  # SWIFTREID_ENCODER is stripes
    swiftreid("gallery", "add", "g", drawn_people / "query", "-q")
    search = ("search", "g", drawn_people / "query" / "0015_c2s1_000001_01.jpg", "--encoder", "stripes")
    assert len(swiftreid(*search).json["queries"][0]["hits"]) == 3
    assert len(swiftreid(*search, "-k", "2").json["queries"][0]["hits"]) == 2
    assert not Path("search.png").exists()
    assert "not there" in swiftreid("search", "not there", search[2], code=1).json["error"]
    monkeypatch.delenv("SWIFTREID_ENCODER")
    assert "nowhere.safetensors" in swiftreid("gallery", "create", "h", code=1).err
    assert "settings file swiftreid.toml, [search] kk" in _with(swiftreid, "[search]\nkk = 3", *search)


def _with(swiftreid, text: str, *command: object) -> str:
    Path("swiftreid.toml").write_text(text, encoding="utf-8")
    return swiftreid(*command, code=2).err


def test_help_and_the_page_tell_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "swiftreid.toml" in CliRunner().invoke(app, ["--help"]).output
    page = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    [example] = re.findall(r"^```toml\n(.*?)^```", page, re.M | re.S)
    assert tomllib.loads(example)
    assert read(example, "search")["k"] == 20
    assert read(example, "gallery", "add")["skip_existing"] is True

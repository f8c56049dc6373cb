"""Help texts list what the registries have: whoever adds a reader, a runtime or a format has no text to change."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from swiftreid.cli.main import app
from swiftreid.data.readers import READERS
from swiftreid.encoding.runtimes.formats import FORMATS
from swiftreid.encoding.runtimes.registry import devices


@pytest.mark.parametrize(
    ("command", "listed"),
    [
        (["evaluate"], [*READERS, "manifest", *devices()]),
        (["doctor"], READERS),
        (["encoder", "wrap"], [*devices(), *(f"({format.suffix}" for format in FORMATS.values())]),
    ],
)
def test_help_lists_what_there_is(command: list[str], listed: list[str]) -> None:
    shown = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    text = shown.output.replace("\n", " ")
    assert [name for name in listed if name not in text] == []

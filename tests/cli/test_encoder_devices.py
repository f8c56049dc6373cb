"""Every command that encodes takes a device and threads for its encoder: options, variables, settings file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from command import Ran, all_commands
from swiftreid.cli.main import app
from swiftreid.data.pictures import read_picture
from swiftreid.encoding import encoder as opening
from swiftreid.encoding.encoder import open_encoder
from swiftreid.encoding.encodings_file import load_encodings
from swiftreid.encoding.runtimes.contract import RunOptions
from swiftreid.encoding.runtimes.registry import devices

Run = Callable[..., Ran]
DATA = "nowhere"
ENCODING = [
    ["encode", "plain", "-o", "e.safetensors"],
    ["calibrate", "rendered", DATA, "-o", "c.safetensors"],
    ["evaluate", DATA],
    ["explain", "rendered", "plain/a.png"],
    ["gallery", "add", "g", "plain", "--camera", "2"],
    ["search", "g", "plain/a.png"],
    ["search", "g", "plain/a.png", "--encoder", "stripes"],
    *(["figure", name, DATA] for name in ("beta", "w", "distances", "ranked")),
]
HASH = ["hash", DATA, "--encoder", "rendered", "-o", "h.safetensors"]
OTHERS = {  # commands with an encoder that they do not run, or run as a whole and not for encoding
    "adapt": "its device is that of training",
    "demo": "runs other commands with their defaults",
    "encoder info": "reads the card",
    "encoder mirror": "changes the file",
    "gallery create": "copies the file",
}


class Opened(Exception):
    """Raised in place of opening an encoder, with the options that it would have."""


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Callable[..., RunOptions]:
    """Runs a command up to where it opens its encoder: the options of that."""

    def stop(card: object, tensors: object, options: RunOptions) -> None:
        raise Opened(options)

    monkeypatch.setattr(opening, "build_encoder", stop)

    def run(*words: str) -> RunOptions:
        ran = CliRunner().invoke(app, [*words])
        assert isinstance(ran.exception, Opened), (words, ran.exception, ran.output)
        options: RunOptions = ran.exception.args[0]
        return options

    return run


@pytest.mark.parametrize("words", [*ENCODING, HASH], ids=" ".join)
def test_options_variables_and_settings_reach_the_encoder(
    words: list[str], small: Path, opened: Callable[..., RunOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    if words == HASH:
        pytest.importorskip("torch")
    monkeypatch.chdir(small)
    if words[0] == "figure":
        pytest.importorskip("matplotlib")
    given = ["--device", "openvino", "--encoder-threads", "3"]
    assert opened(*words, *given) == RunOptions(3, "openvino")
    monkeypatch.setenv("SWIFTREID_DEVICE", "cuda")
    monkeypatch.setenv("SWIFTREID_ENCODER_THREADS", "2")
    assert opened(*words) == RunOptions(2, "cuda")
    assert opened(*words, *given) == RunOptions(3, "openvino"), "options go before the environment"
    monkeypatch.delenv("SWIFTREID_DEVICE")
    table = ".".join(words[:2]) if words[0] in ("gallery", "figure") else words[0]
    Path("swiftreid.toml").write_text(f'[{table}]\ndevice = "openvino"\nencoder-threads = 5\n', encoding="utf-8")
    assert opened(*words) == RunOptions(2, "openvino"), "the environment goes before the settings file"


def test_no_command_with_an_encoder_was_forgotten() -> None:
    root = get_command(app)
    lacking = {}
    for words in all_commands():
        command, context = root, root.make_context("swiftreid", ["--help"], resilient_parsing=True)
        for word in words:
            assert isinstance(command, TyperGroup)
            command = command.get_command(context, word)  # type: ignore[assignment]
        names = {parameter.name for parameter in command.params}
        if "encoder" in names and not {"device", "encoder_threads"} <= names:
            lacking[" ".join(words)] = names
    assert set(lacking) == set(OTHERS), "give them DeviceOption and EncoderThreadsOption of cli/devices.py"


def test_what_needs_no_encoder_opens_none(small: Path, swiftreid: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    swiftreid("encode", "plain", "-o", "codes.safetensors", "--encoder", "stripes")
    monkeypatch.setenv("SWIFTREID_DEVICE", "openvino")  # on which stripes, the gallery's encoder, does not run
    assert "no network to run on 'openvino'" in swiftreid("search", "g", "plain/a.png", code=2).err
    assert swiftreid("search", "g", "--like", "1/a.png", "--no-picture", "--json").json["queries"]
    codes = ("--codes", "codes.safetensors", "--id-prefix", "x-", "--camera", "1")
    assert swiftreid("gallery", "add", "g", *codes, "--json").json["added"] == 1


def test_devices_are_listed_and_others_refused(small: Path, swiftreid: Run) -> None:
    assert ", ".join(devices()) in " ".join(swiftreid("evaluate", "--help").out.split())
    refused = swiftreid("encode", "plain", "-o", "e.safetensors", "--device", "tpu", code=2)
    assert "no device 'tpu': encoders run on cpu, cuda" in refused.err
    assert (
        "no device 'tpu'" in swiftreid("gallery", "add", "g", "plain", "--camera", "2", "--device", "tpu", code=2).err
    )
    assert "greater than or equal to 1" in swiftreid("search", "g", "plain/a.png", "--encoder-threads", "0", code=2).err


def test_a_gallery_is_filled_and_searched_on_a_device(small: Path, swiftreid: Run) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("openvino")
    swiftreid("gallery", "create", "h", "--encoder", "rendered")
    device = ("--device", "openvino", "--encoder-threads", "1")
    assert swiftreid("gallery", "add", "h", "plain", "--camera", "1", *device, "--json").json["added"] == 1
    found = swiftreid("search", "h", "plain/a.png", "--no-picture", *device, "--json").json["queries"][0]["hits"]
    assert [(hit["id"], hit["distance"]) for hit in found] == [("1/a.png", 0)]
    swiftreid("encode", "plain", "-o", "e.safetensors", "--encoder", "rendered", *device)
    shot = np.asarray(load_encodings(small / "e.safetensors").encoding.embedding)
    expected = open_encoder("rendered").encode([read_picture(small / "plain" / "a.png")]).embedding
    np.testing.assert_allclose(shot, expected, atol=1e-3)

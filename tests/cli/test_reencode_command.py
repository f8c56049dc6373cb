"""`swiftreid gallery reencode`, as a user runs it."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from command import COMMAND, Ran
from swiftreid.encoding.encoder import open_encoder
from swiftreid.gallery.store import Gallery

Run = Callable[..., Ran]


def test_there_and_back_and_for_good(swiftreid: Run, filled: Path, tmp_path: Path) -> None:
    ask = ("search", "g", filled, "--no-picture", "--json")
    before = swiftreid(*ask).json["queries"]
    ran = swiftreid("gallery", "reencode", "g", "rendered")
    entries = swiftreid("gallery", "info", "g", "--json").json["entries"]
    assert f"g moved from stripes to rendered (ebd1d16cfd15): {entries} entries, {entries} encoded now" in ran.out
    assert "--back goes back to them, --discard removes them for good" in ran.err
    assert f"{entries} codes by stripes, kept to go back to" in swiftreid("gallery", "info", "g").out
    (version,) = swiftreid("gallery", "info", "g", "--json").json["versions"]
    assert (version["state"], version["encoder_name"], version["entries"]) == ("kept", "stripes", entries)
    verified = swiftreid("gallery", "verify", "g")
    assert "the gallery is sound" in verified.out
    assert f"{entries} rows of codes by encoder 'stripes' are kept to go back to" in verified.err
    assert "holds codes by rendered already" in swiftreid("gallery", "reencode", "g", "rendered").out

    back = swiftreid("gallery", "reencode", "g", "--back", "--json").json
    assert (back["switched"], back["encoder_name"], back["encoded"]) == (True, "stripes", 0)
    after = swiftreid(*ask).json["queries"]
    assert [query["hits"] for query in after] == [query["hits"] for query in before]
    assert "removed the codes by rendered" in swiftreid("gallery", "reencode", "g", "--discard").out
    assert swiftreid("gallery", "reencode", "g", "--discard", "--json").json["discarded"] == []
    assert (
        "keeps no codes of an encoder before 'stripes'" in swiftreid("gallery", "reencode", "g", "--back", code=2).err
    )


def test_missing_sources_name_the_ways_out(swiftreid: Run, drawn_people: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for file in sorted((drawn_people / "bounding_box_test").iterdir())[:6]:
        (pictures / file.name).write_bytes(file.read_bytes())
    swiftreid("gallery", "create", "g", "--encoder", "stripes")
    swiftreid("gallery", "add", "g", pictures)
    gone = sorted(pictures.iterdir())[:2]
    for file in gone:
        file.unlink()
    stripes = open_encoder("stripes")
    card = stripes.card.model_copy(update={"name": "other", "fingerprint": ""})
    tensors = {**stripes.tensors, "whitening": np.roll(stripes.tensors["whitening"], 1, axis=0)}
    type(stripes)(card, tensors).save(tmp_path / "other.safetensors")
    ran = swiftreid("gallery", "reencode", "g", "other.safetensors", code=2)
    assert "2 of 6 entries of gallery g cannot be encoded again: 2 state a file that is gone" in ran.err
    assert "--from-thumbnails takes the thumbnails, --drop-missing deletes the entries" in ran.err
    listed = swiftreid("gallery", "reencode", "g", "other.safetensors", "--json", code=2).json
    assert set(listed["ids"]) == {file.name for file in gone}
    assert listed["exit"] == 2
    assert swiftreid("gallery", "info", "g", "--json").json["encoder_name"] == "stripes"
    done = swiftreid("gallery", "reencode", "g", "rendered", "--from-thumbnails")  # nothing was encoded by the other
    assert "6 encoded now, 2 of them from thumbnails" in done.out

    swiftreid("gallery", "delete", "g", *(file.name for file in gone))
    max(pictures.iterdir()).write_bytes(b"no picture")  # which shows only when the others are encoded
    ran = swiftreid("gallery", "reencode", "g", "other.safetensors", code=2)
    assert "1 of 4 entries of gallery g cannot be encoded again: 1 state a file that holds another picture" in ran.err
    third = swiftreid("gallery", "reencode", "g", "stripes", "--from-thumbnails")  # was before: its codes are kept
    assert "4 entries, 0 encoded now" in third.out
    states = {one["encoder_name"]: one["state"] for one in swiftreid("gallery", "info", "g", "--json").json["versions"]}
    assert states == {"rendered": "kept", "other": "filling"}
    dropped = swiftreid("gallery", "reencode", "g", "other.safetensors", "--drop-missing", "--json")
    assert (dropped.json["entries"], dropped.json["encoded"], len(dropped.json["dropped"])) == (3, 0, 1)
    assert "1 entries could not be encoded again and were deleted" in dropped.err


@pytest.mark.parametrize(
    "given", [(), ("stripes", "--back"), ("--back", "--discard"), ("--discard", "--from-thumbnails")]
)
def test_options_that_do_not_go_together(swiftreid: Run, small: Path, given: tuple[str, ...]) -> None:
    assert "give a new encoder" in (err := swiftreid("gallery", "reencode", "g", *given, code=2).err) or (
        "encodes nothing" in err
    )


def test_killed_and_run_again(swiftreid: Run, drawn_people: Path, tmp_path: Path) -> None:
    swiftreid("gallery", "create", "g", "--encoder", "stripes")
    swiftreid("gallery", "add", "g", drawn_people / "bounding_box_test")
    entries = swiftreid("gallery", "list", "g", "--json").json["entries"]
    command = [sys.executable, COMMAND, "gallery", "reencode", "g", "rendered", "--quiet"]
    with subprocess.Popen(command, cwd=tmp_path) as process:
        with Gallery.open(tmp_path / "g", read_only=True) as gallery:
            while process.poll() is None and not gallery.reencoded and not gallery.versions:
                time.sleep(0.01)
        process.kill()
    swiftreid("gallery", "verify", "g")
    swiftreid("gallery", "reencode", "g", "rendered")
    assert swiftreid("gallery", "list", "g", "--json").json["entries"] == entries
    info = swiftreid("gallery", "info", "g", "--json").json
    assert (info["encoder_name"], info["entries"]) == ("rendered", len(entries))
    assert swiftreid("gallery", "verify", "g").code == 0

"""Own vectors, from the file to the gallery, without any picture."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from command import Ran


def test_vectors_become_codes_in_a_gallery(swiftreid: Callable[..., Ran], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    persons = np.repeat(np.arange(1, 13), 4)
    vectors = rng.normal(size=(12, 24))[persons - 1] + rng.normal(size=(48, 24)) / 4
    np.save(tmp_path / "v.npy", vectors.astype(np.float32))
    rows = [f"v{i},p{person},{i % 2},{1e9 + i:.0f}" for i, person in enumerate(persons)]
    (tmp_path / "rows.csv").write_text("id,person,camera,time\n" + "\n".join(rows) + "\n")

    assert "takes 24 floats a row" in swiftreid("encoder", "vectors", "v.npy", "-o", "mine.safetensors").out
    assert "takes float vectors of 24 numbers" in swiftreid("encoder", "info", "mine.safetensors").out
    quick = ["--set", "held_out=0.4", "--set", "training.epochs=1", "--set", "training.persons_per_batch=4"]
    how = ["--encoder", "mine.safetensors", "-o", "hashed.safetensors"]
    learned = swiftreid("hash", "v.npy", "--labels", "rows.csv", *how, *quick, "--json").json
    assert learned["training"]["data"] == "v"
    assert learned["calibration"]["persons"] == 5

    encoded = ["encode", "v.npy", "-o", "codes.safetensors", "--encoder", "hashed.safetensors"]
    assert swiftreid(*encoded, "--labels", "rows.csv", "--json").json["encoded"] == 48
    swiftreid("gallery", "create", "g", "--encoder", "hashed.safetensors")
    swiftreid("gallery", "add", "g", "--codes", "codes.safetensors")
    assert swiftreid("gallery", "info", "g", "--json").json["entries"] == 48
    found = swiftreid("search", "g", "--like", "v0", "--json").json
    assert found


def test_wrong_uses_of_vectors(swiftreid: Callable[..., Ran], tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.random.default_rng(0).normal(size=(9, 8)).astype(np.float32))
    (tmp_path / "rows.csv").write_text("id\na\n")
    swiftreid("encoder", "vectors", "v.npy", "-o", "mine.safetensors")
    mine = ["--encoder", "mine.safetensors"]
    for words, message in (
        (["encode", "v.npy", "v.npy", "-o", "c.safetensors", *mine], "give one file of vectors"),
        (["encode", "v.npy", "-o", "c.safetensors", "--labels", "rows.csv", *mine], "1 rows for the 9 vectors"),
        (["encode", "v.npy", "-o", "c.safetensors", "--labels", "rows.csv"], "stripes takes pictures"),
        (["hash", "v.npy", "-o", "c.safetensors", *mine], "the person of vector 0 is not known"),
        (["evaluate", "v.npy", *mine], ""),
    ):
        assert message in swiftreid(*words, code=2).err

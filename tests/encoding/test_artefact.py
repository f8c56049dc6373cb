from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from swiftreid.encoding.artefact import load_artefact, save_artefact
from swiftreid.encoding.card import Calibration, EncoderCard, Preprocessing, fingerprint_of
from swiftreid.encoding.encoder import build_encoder, open_encoder
from swiftreid.errors import SwiftReIDError

TENSORS = {"weight": np.arange(6, dtype=np.float32).reshape(2, 3)}


def card(**changes: object) -> EncoderCard:
    settings: dict[str, object] = {
        "kind": "stripes",
        "name": "test",
        "architecture": {"a": 1},
        "spec": "id32 id128",
        "preprocessing": Preprocessing(height=8, width=4),
        "provenance": "made up",
        "licence": "CC0",
    }
    return EncoderCard.model_validate(settings | changes)


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    written = save_artefact(tmp_path / "e.safetensors", card(), TENSORS)
    read, tensors = load_artefact(tmp_path / "e.safetensors")
    assert read == written
    assert read.fingerprint == fingerprint_of(card(), TENSORS)
    np.testing.assert_array_equal(tensors["weight"], TENSORS["weight"])
    assert sorted(p.name for p in tmp_path.iterdir()) == ["e.safetensors"]


@pytest.mark.parametrize(
    "changed",
    [
        card(spec="id32"),
        card(architecture={"a": 2}),
        card(preprocessing=Preprocessing(height=8, width=4, colour="bgr")),
        card(attributes=["hat"]),
    ],
)
def test_fingerprint_covers_all_that_decides_the_codes(changed: EncoderCard) -> None:
    assert fingerprint_of(changed, TENSORS) != fingerprint_of(card(), TENSORS)


def test_fingerprint_covers_tensors() -> None:
    one_bit = {"weight": TENSORS["weight"].copy()}
    one_bit["weight"][0, 0] = np.nextafter(one_bit["weight"][0, 0], np.float32(1))
    assert fingerprint_of(card(), one_bit) != fingerprint_of(card(), TENSORS)
    assert fingerprint_of(card(), {"weight": TENSORS["weight"].reshape(3, 2)}) != fingerprint_of(card(), TENSORS)


def test_calibration_and_words_leave_the_fingerprint_alone() -> None:
    calibration = Calibration(
        cascade="id32<=3 > id128",
        default_cascade="id32<=3 > id128",
        method="gaussian",
        beta=2,
        data="d",
        data_fingerprint="f",
        persons=2,
        pictures=9,
    )
    changed = card(name="other", licence="MIT", provenance="else", calibration=calibration)
    assert fingerprint_of(changed, TENSORS) == fingerprint_of(card(), TENSORS)


def test_missing_file_names_the_path(tmp_path: Path) -> None:
    with pytest.raises(SwiftReIDError, match=r"no encoder file at .*nothing\.safetensors"):
        open_encoder(tmp_path / "nothing.safetensors")


@pytest.mark.parametrize("content", [b"", b"\x00" * 40, b"not an encoder at all, just text" * 9])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "e.safetensors"
    path.write_bytes(content)
    with pytest.raises(SwiftReIDError, match="not a readable encoder file"):
        load_artefact(path)


def test_truncated_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "e.safetensors"
    save_artefact(path, card(), TENSORS)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(SwiftReIDError, match="not a readable encoder file"):
        load_artefact(path)


def test_safetensors_of_others_are_refused(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "e.safetensors")
    with pytest.raises(SwiftReIDError, match="without an encoder card"):
        load_artefact(tmp_path / "e.safetensors")


def test_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "e.safetensors"
    save_artefact(path, card(), TENSORS)
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(SwiftReIDError, match="damaged: its card states fingerprint"):
        load_artefact(path)


def test_newer_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "e.safetensors"
    written = save_artefact(path, card(), TENSORS)
    text = written.model_dump_json().replace('"format":1', '"format":2')
    save_file(TENSORS, path, metadata={"card": text})
    with pytest.raises(SwiftReIDError, match="newer swiftreid"):
        load_artefact(path)


def test_unknown_kind_is_refused() -> None:
    with pytest.raises(SwiftReIDError, match="unknown kind 'telepathy'"):
        build_encoder(card(kind="telepathy"), TENSORS)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "e.safetensors"
    save_artefact(path, card(), TENSORS)
    before = path.read_bytes()
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(SwiftReIDError, match="could not write"):
        save_artefact(blocked / "e.safetensors", card(), TENSORS)
    assert path.read_bytes() == before
    with safe_open(path, framework="numpy") as stored:
        assert list(stored.keys()) == ["weight"]

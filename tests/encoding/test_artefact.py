from __future__ import annotations

import errno
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from swiftreid import durable
from swiftreid.calibration.calibration import Calibration
from swiftreid.encoding.artefact import load_artefact, save_artefact
from swiftreid.encoding.card import EncoderCard, Preprocessing, fingerprint_of
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
    with pytest.raises(SwiftReIDError, match="without the 'card' header"):
        load_artefact(tmp_path / "e.safetensors")


def test_types_that_numpy_lacks_are_refused_too(tmp_path: Path) -> None:
    """As most published weights have them."""
    header = b'{"w":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}'
    path = tmp_path / "e.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))
    with pytest.raises(SwiftReIDError, match="without the 'card' header"):
        load_artefact(path)


def test_flipped_bit_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "e.safetensors"
    save_artefact(path, card(), TENSORS)
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)
    with pytest.raises(SwiftReIDError, match="damaged: its card states fingerprint"):
        load_artefact(path)


@pytest.mark.parametrize("number", [2, 10])
def test_newer_format_is_refused(tmp_path: Path, number: int) -> None:
    path = tmp_path / "e.safetensors"
    written = save_artefact(path, card(architecture={"base": {"format": 1}}), TENSORS)
    text = written.model_dump_json().replace('{"format":1,"kind"', f'{{"format":{number},"kind"')
    save_file(TENSORS, path, metadata={"card": text})
    with pytest.raises(SwiftReIDError, match="newer swiftreid"):
        load_artefact(path)


@pytest.mark.parametrize(("text", "why"), [("{}", "kind: Field required"), ("garbage", "Invalid JSON")])
def test_a_broken_card_is_not_called_newer(tmp_path: Path, text: str, why: str) -> None:
    save_file(TENSORS, tmp_path / "e.safetensors", metadata={"card": text})
    with pytest.raises(SwiftReIDError, match=f"{why}.*copy it again"):
        load_artefact(tmp_path / "e.safetensors")


@pytest.mark.parametrize("setting", [{"std": (1, 0, 1)}, {"mean": (0, float("nan"), 0)}, {"scale": float("inf")}])
def test_preprocessing_that_no_picture_survives_is_refused(setting: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(setting))):
        Preprocessing.model_validate({"height": 8, "width": 4} | setting)


def test_unknown_kind_is_refused() -> None:
    with pytest.raises(SwiftReIDError, match="unknown kind 'telepathy'"):
        build_encoder(card(kind="telepathy"), TENSORS)


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "e.safetensors"
    written = save_artefact(path, card(), TENSORS)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(durable, "flush", full)
    with pytest.raises(SwiftReIDError, match=r"could not write .*No space left"):
        save_artefact(path, card(spec="id32"), TENSORS)
    assert load_artefact(path)[0] == written
    assert [p.name for p in tmp_path.iterdir()] == ["e.safetensors"]


def test_a_file_in_the_way_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(SwiftReIDError, match="could not write"):
        save_artefact(tmp_path / "file" / "e.safetensors", card(), TENSORS)

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from swiftreid.data.market import read_market
from swiftreid.data.pictures import BadPicture, read_picture, resize
from swiftreid.encoding.calibrate import calibrated
from swiftreid.encoding.composed import PyramidEncoder
from swiftreid.encoding.encoder import open_encoder
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.progress import no_progress
from swiftreid.training.frozen.hashing import embed_views, learn_hash
from swiftreid.training.frozen.pyramid import FrozenConfig
from swiftreid.training.frozen.recipe import FrozenRecipe
from swiftreid.training.holding_out import hold_out

QUICK = FrozenConfig(lengths=(64, 32), epochs=2, persons_per_batch=6)


def learn(
    root: Path,
    held_out: float = 0.4,
    on_bad: Callable[[BadPicture], None] | None = None,
    export: Literal["fp32", "fp16"] = "fp32",
) -> PyramidEncoder:
    return learn_hash(
        open_encoder("stripes"),
        read_market(root, need=("train",)),
        name="hashed",
        recipe=FrozenRecipe(held_out=held_out, training=QUICK, export=export),
        beta=2,
        max_loss=0.005,
        seed=0,
        on_bad=on_bad,
        progress=no_progress,
    )


@pytest.mark.parametrize(("share", "count"), [(0.2, 2), (0.01, 2), (0.5, 5), (0.9, 8)])
def test_people_are_held_out_whole(share: float, count: int) -> None:
    persons = np.repeat(np.arange(10) * 3, 4)
    held = hold_out(persons, share, seed=1)
    kept, others = set(persons[held].tolist()), set(persons[~held].tolist())
    assert (len(kept), len(others)) == (count, 10 - count)
    assert not kept & others


def test_too_few_people_to_hold_out() -> None:
    with pytest.raises(UsageError, match="held_out to 0"):
        hold_out(np.array([1, 1, 2, 3]), 0.2, seed=0)


def test_embedded_views_are_those_of_the_pictures_that_could_be_read(drawn_people: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(drawn_people, tmp_path / "people"))
    data = read_market(root, need=("train",))
    data.train[1].path.write_bytes(b"broken")
    samples, bad = data.train[:5], []
    base = open_encoder("stripes")
    views = embed_views(base, samples, views=2, seed=0, on_bad=bad.append, progress=no_progress)
    assert len(bad) == 1
    good = [samples[i] for i in (0, 2, 3, 4)]
    pictures = np.stack([resize(read_picture(s.path), *base.size) for s in good])
    for seen, shown in zip(views.embeddings, (pictures, pictures[:, :, ::-1]), strict=True):
        np.testing.assert_allclose(seen, base.encode(np.ascontiguousarray(shown)).embedding, atol=1e-5)
    assert views.persons.tolist() == [s.person for s in good]
    assert views.cameras.tolist() == [s.camera for s in good]


def test_half_precision_halves_the_matrices_and_keeps_the_codes(drawn_people: Path) -> None:
    whole, half = learn(drawn_people, held_out=0), learn(drawn_people, held_out=0, export="fp16")
    for name, value in half.tensors.items():
        matrix = name.startswith("pyramid.") and value.ndim == 2
        assert value.dtype == (np.float16 if matrix else whole.tensors[name].dtype), name
    embeddings = np.random.default_rng(0).normal(size=(200, 192)).astype(np.float32)
    for code, values in half.values_of(embeddings).items():
        assert ((values > 0) != (whole.values_of(embeddings)[code] > 0)).mean() < 0.01, code


def test_figures_are_of_people_held_out_and_the_encoder_learns_from_all(drawn_people: Path) -> None:
    learned = learn(drawn_people)
    assert learned.card.calibration is not None
    assert learned.card.calibration.persons == round(0.4 * 12)
    assert learned.card.calibration.encoder == learned.fingerprint
    with pytest.raises(UsageError, match="this calibration is for the encoder"):
        calibrated(open_encoder("stripes"), learned.card.calibration)
    assert learned.card.training["persons"] == 12
    assert [row["ranking"] for row in learned.card.metrics] == [
        "id32 exhaustive",
        "id64 exhaustive",
        "CtF",
        "float embedding",
    ]
    alone = learn(drawn_people, held_out=0.0)
    assert alone.card.calibration is None
    assert alone.card.metrics == []
    assert alone.fingerprint == learned.fingerprint


def test_distractors_and_junk_are_not_learned(drawn_people: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(drawn_people, tmp_path / "people"))
    train = root / "bounding_box_train"
    for name in ("0000_c1s1_000001_01.jpg", "-1_c2s1_000001_01.jpg"):
        shutil.copy(sorted((root / "query").iterdir())[0], train / name)
    assert learn(root, held_out=0.0).fingerprint == learn(drawn_people, held_out=0.0).fingerprint
    for path in train.glob("00[01]*"):
        if not path.name.startswith("0000"):
            path.unlink()
    with pytest.raises(UsageError, match="no training pictures of known persons"):
        learn(root)


def test_one_camera_is_refused_before_any_learning(drawn_people: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(drawn_people, tmp_path / "people"))
    for path in (root / "bounding_box_train").iterdir():
        if "_c1" not in path.name:
            path.unlink()
    with pytest.raises(UsageError, match=r"by two cameras.*held_out to 0"):
        learn(root)
    assert learn(root, held_out=0.0).card.calibration is None


def test_no_readable_picture(drawn_people: Path, tmp_path: Path) -> None:
    root = tmp_path / "people"
    (root / "bounding_box_train").mkdir(parents=True)
    (root / "bounding_box_train" / "0001_c1s1_000001_01.jpg").write_bytes(b"broken")
    with pytest.raises(SwiftReIDError, match="could be read"):
        learn(root, on_bad=lambda _: None)

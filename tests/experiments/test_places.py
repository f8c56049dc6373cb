"""Statistics of cameras are used on the data set that they are of, and on no other one."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from swiftreid.adaptation.normalising import normalise_cameras
from swiftreid.data.fingerprint import fingerprint_of
from swiftreid.data.samples import Sample
from swiftreid.data.sources import open_data
from swiftreid.encoding.encoder import open_encoder
from swiftreid.experiments.calibrate import CalibrationSettings, calibrate_encoder
from swiftreid.experiments.encoded import encode_test_set
from swiftreid.experiments.evaluate import evaluate
from swiftreid.experiments.settings import EvaluationSettings

STATION = Path(__file__).resolve().parents[2] / "examples" / "station"


def test_cameras_of_the_same_names_at_another_place_are_others(tmp_path: Path) -> None:
    data, plain = open_data(STATION), open_encoder("stripes")
    samples = [Sample(each.path, None, str(each.camera)) for each in data.train]
    seen: list[int] = []
    here = normalise_cameras(
        plain, samples, name="here", data="station", data_fingerprint=fingerprint_of(data),
        progress=lambda _, done, _total, *_more: seen.append(done),
    )  # fmt: skip
    assert seen[-1] == len(samples)
    assert here.card.provenance.startswith(f"cameras: {len(samples):,} unlabelled pictures by ")
    assert here.knows_cameras == {str(each.camera) for each in data.train}
    shutil.copytree(STATION, tmp_path / "other")
    removed = sorted((tmp_path / "other" / "bounding_box_train").iterdir())[0]
    removed.unlink()
    settings = EvaluationSettings(timed=False, per_query=False)
    rows = {}
    for encoder in (plain, here):
        for place in (STATION, tmp_path / "other"):
            card = evaluate(open_data(place), encoder, settings)
            rows[encoder.card.name, place] = [(row.ranking, row.map_standard) for row in card.rows]
    assert rows["here", tmp_path / "other"] == rows["stripes", tmp_path / "other"] == rows["stripes", STATION]
    assert rows["here", STATION] != rows["stripes", STATION]
    test = encode_test_set(data, here)
    known = here.encode_embedding(
        here.statistics.normalise(
            encode_test_set(data, plain).query.embedding,
            [str(each.camera) for each in data.query],  # type: ignore[arg-type]
        )
    )
    np.testing.assert_allclose(test.query.embedding, known.embedding, atol=1e-6)  # type: ignore[arg-type]
    calibrated = calibrate_encoder(here, data, CalibrationSettings(beta=2))
    assert calibrated.card.calibration is not None
    assert calibrated.knows_cameras == here.knows_cameras

"""A gallery whose encoder knows cameras: entries and queries are encoded as of their cameras."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import swiftreid
from swiftreid.adaptation.normalising import normalise_cameras
from swiftreid.data.pictures import read_picture
from swiftreid.retrieval.samples import samples_below

STATION = Path(__file__).resolve().parents[2] / "examples" / "station"


def test_entries_and_queries_are_encoded_by_their_cameras(tmp_path: Path) -> None:
    samples = samples_below([STATION / "bounding_box_train"])
    here = normalise_cameras(swiftreid.open_encoder("stripes"), samples, name="here", data="station")
    file = tmp_path / "here.safetensors"
    here.save(file)
    pictures = sorted((STATION / "bounding_box_test").glob("*_c2*"))[:3]
    arrays = [here._inputs([read_picture(path)], "rgb") for path in pictures]
    code = here.spec.final
    known, unknown = (
        np.concatenate([here.encode(array, cameras=cameras).codes[code] for array in arrays])
        for cameras in (["2"], None)
    )
    assert (known != unknown).any(axis=1).all()
    with swiftreid.open_gallery(tmp_path / "people", encoder=file, create=True) as people:
        people.add(pictures)
        stored = np.stack([people.store.get(entry.id).codes[code].ravel() for entry in people.list()])
        np.testing.assert_array_equal(stored, known)
        # Pixels state no camera: the query says whose they are, or stays as it is.
        for camera, expected in (("2", 0), (None, int(np.bitwise_count(known[0] ^ unknown[0]).sum()))):
            answer = people.search(read_picture(pictures[0]), camera=camera, k=1, exact=True)
            assert answer[0].distance == expected
        assert people.search(pictures[1], k=1, exact=True)[0].distance == 0, "its name states its camera"

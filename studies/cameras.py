"""What statistics of cameras change, without labels and without training: rank-1 and mAP before and after.

They are fitted on the training pictures of a data set, whose persons are not looked at, and measured on its test
people: the float embedding and each identity code. Then with queries whose camera is not known, left as they are or
shifted by the mean over the cameras, and with fewer pictures of each camera. Of data sets without a training split they
are fitted on query and gallery pictures, which then are no unseen ones.

    python studies/cameras.py cuhk03-np-pair1 cuhk01
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from program import progress, run

from swiftreid.data.samples import ReidData
from swiftreid.data.sources import open_data
from swiftreid.encoding.camera_statistics import ALIGNMENT, CameraStatistics, fit_camera_statistics
from swiftreid.encoding.encoder import DEFAULT, Encoder, open_encoder
from swiftreid.encoding.labelled import encode_samples
from swiftreid.evaluation.labelled import LabelledCodes
from swiftreid.evaluation.measure import measure
from swiftreid.experiments.encoded import EncodedData, encode_test_set
from swiftreid.search.cascade import Cascade

FLOAT = "float"


def embedding_of(codes: LabelledCodes) -> NDArray[np.float32]:
    assert codes.embedding is not None
    return codes.embedding


def moved(part: LabelledCodes, encoder: Encoder, statistics: CameraStatistics) -> LabelledCodes:
    """Codes of normalised embeddings."""
    embedding = statistics.normalise(embedding_of(part), [str(camera) for camera in part.cameras.tolist()])
    return replace(part, codes=encoder.encode_embedding(embedding).codes, embedding=embedding)


def shifted(part: LabelledCodes, encoder: Encoder, statistics: CameraStatistics) -> LabelledCodes:
    """Codes of embeddings normalised as of every camera in turn, and averaged."""
    embedding = embedding_of(part)
    of_each = [statistics.normalise(embedding, [camera] * len(embedding)) for camera in statistics.cameras]
    mean = np.mean(of_each, axis=0)
    return replace(part, codes=encoder.encode_embedding(mean).codes, embedding=mean)


Change = Callable[[LabelledCodes, Encoder, CameraStatistics], LabelledCodes]


def line(title: str, test: EncodedData, statistics: CameraStatistics | None, queries: Change = moved) -> None:
    query, gallery = test.query, test.gallery
    if statistics is not None:
        query = queries(query, test.encoder, statistics)
        gallery = moved(gallery, test.encoder, statistics)
    codes = {name: Cascade.parse(name) for name in test.encoder.spec if name.startswith("id")}
    rows = measure(codes, query, gallery, timed=False, protocol=test.protocol, float_label=FLOAT)
    cells = {row.label: f"{100 * row.metrics.rank1:.1f} / {100 * row.metrics.map_standard:.1f}" for row in rows}
    print(f"{title:34}" + "".join(f"{cells[name]:>16}" for name in (FLOAT, *codes)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+", help="Data sets with known cameras.")
    parser.add_argument("--encoder", default=DEFAULT)
    parser.add_argument("--few", type=int, nargs="*", default=[10, 50, 200], help="Pictures of each camera.")
    args = parser.parse_args()
    encoder = open_encoder(args.encoder)
    for place in args.data:
        data: ReidData = open_data(place)
        test = encode_test_set(data, encoder, progress=progress())
        fitted = encode_samples(encoder, data.train or [*data.query, *data.gallery], progress=progress())
        embeddings, cameras = embedding_of(fitted), [str(camera) for camera in fitted.cameras.tolist()]
        print(f"\n{data.name}: fitted on {'its training pictures' if data.train else 'query and gallery pictures'}")
        print(" " * 34 + "".join(f"{name:>16}" for name in (FLOAT, *(n for n in encoder.spec if n.startswith("id")))))
        line("as it is", test, None)
        line("means", test, fit_camera_statistics(embeddings, cameras, alignment=0))
        statistics = fit_camera_statistics(embeddings, cameras, alignment=ALIGNMENT)
        line("means and covariances", test, statistics)
        line("... queries of no known camera", test, statistics, lambda query, *_: query)
        line("... shifted by the cameras' mean", test, statistics, shifted)
        rng = np.random.default_rng(0)
        for few in args.few:
            of_each = [np.flatnonzero(fitted.cameras == camera) for camera in np.unique(fitted.cameras)]
            rows = np.concatenate([rng.choice(rows, min(few, len(rows)), replace=False) for rows in of_each])
            found = fit_camera_statistics(embeddings[rows], [cameras[row] for row in rows.tolist()])
            line(f"... of {few} pictures a camera", test, found)


if __name__ == "__main__":
    run(main)

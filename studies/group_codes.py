"""How much the discriminant below codes on groups should shrink, chosen on training people that were held out.

For every ``result.json`` that `studies/adapting.py` left below the folders: codes by the trial's encoder, learned on
the groups of the pictures that it learned from, and measured on the training people of whom it saw none: those by one
camera are searched for among those by the others. mAP in percent of the float and of each code. Test people are not
looked at.

    python studies/group_codes.py runs --shrinkage 1 3 10 30 100
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from adapting import COLUMNS, FLOAT, persons_of, runs_below
from numpy.typing import NDArray
from program import progress, run

from swiftreid.adaptation.adapt import SHRINKAGE, TRIAL, with_group_codes
from swiftreid.adaptation.pictures import UnlabelledPictures, embed_pictures, held_out_rows, training_pictures
from swiftreid.clustering.two_stage import ClusterSettings
from swiftreid.data.sources import open_data
from swiftreid.encoding.encoder import Encoder, open_encoder
from swiftreid.evaluation.measure import LabelledCodes, measure
from swiftreid.experiments.inputs import TRAIN
from swiftreid.search.cascade import Cascade
from swiftreid.training.network.finish import ENCODER


def some(pictures: UnlabelledPictures, rows: NDArray[np.bool_]) -> UnlabelledPictures:
    kept = [sample for sample, row in zip(pictures.samples, rows.tolist(), strict=True) if row]
    arrays = {name: getattr(pictures, name)[rows] for name in ("cameras", "raw", "embeddings")}
    return replace(pictures, samples=kept, **arrays)


def precision(encoder: Encoder, pictures: UnlabelledPictures, persons: NDArray[np.int64]) -> dict[str, float]:
    """mAP in percent of the float and of each code, of people by the first camera among those by the others."""
    encoded = encoder.encode_embedding(pictures.embeddings)
    known = LabelledCodes(encoded.codes, persons, pictures.cameras, embedding=pictures.embeddings)
    first = pictures.cameras == pictures.cameras.min()
    codes = {name: Cascade.parse(name) for name in encoder.spec if name in COLUMNS}
    rows = measure(codes, known.take(first), known.take(~first), timed=False, float_label=FLOAT)
    return {row.label: 100 * row.metrics.map_standard for row in rows}


def found(file: Path, one: dict[str, Any], shrinkage: list[float]) -> dict[float, dict[str, float]]:
    data, base = open_data(one["data"], need=TRAIN), open_encoder(one["encoder"])
    old = embed_pictures(base, training_pictures(data))
    rest = held_out_rows(old.clusters(ClusterSettings()), one["held_out"], one["seed"])
    trial = open_encoder(file.with_name(TRIAL) / ENCODER)
    new = embed_pictures(trial, old.samples)
    named = persons_of(data, new.samples)
    unseen = ~np.isin(named, named[~rest])
    learned, own = some(new, ~rest), some(new, unseen)
    groups = learned.clusters(ClusterSettings())
    table = {}
    for value in shrinkage:
        words = {"name": "codes", "data": data.name, "seed": one["seed"], "progress": progress()}
        made = with_group_codes(trial, base, learned, groups, shrinkage=value, **words)
        table[value] = precision(made, own, named[unseen])
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="Folders of runs by `studies/adapting.py`.")
    parser.add_argument("--shrinkage", type=float, nargs="+", default=[1, 3, SHRINKAGE, 30, 100])
    args = parser.parse_args()
    for name, file, one in runs_below(args.runs):
        if "refused" in one:
            continue
        print(f"\n{name}\n{'shrinkage':12}" + "".join(f"{column:>10}" for column in COLUMNS))
        for value, row in found(file, one, args.shrinkage).items():
            print(f"{value:<12g}" + "".join(f"{row[column]:10.1f}" for column in COLUMNS), flush=True)


if __name__ == "__main__":
    run(main)

"""Whether the guard of `swiftreid adapt` predicts gains: what it measures without labels beside the true gain of mAP.

For every ``result.json`` that `studies/adapting.py` left below the folders, by the trial, on the pictures that it did
not learn from:

- ``links``: clusters linked to another camera beyond chance (the guard of `swiftreid adapt`).
- ``halves``: clusters whose mutually nearest one by another camera is the same by either half of their pictures.
- ``nearest``: the mean logarithm of the strangers that a cluster expects as close as its nearest one by another camera.
- ``tracks``: pictures whose nearest one by their camera is of their own cluster, as the encoder before gave clusters.

Each is the gain from the encoder before to the one after, in percent (of ``nearest`` in hundredths of a logarithm, and
positive where fewer are expected). ``true`` is the gain of mAP on test people, from
statistics of cameras alone. Below: the correlation of each with it (Pearson, and Spearman's of ranks).

    python studies/guard.py runs
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from program import run

from swiftreid.adaptation.adapt import TRIAL
from swiftreid.adaptation.pictures import UnlabelledPictures, embed_pictures, held_out_rows, training_pictures
from swiftreid.clustering.strangers import CAP, closest
from swiftreid.clustering.two_stage import (
    ClusterSettings,
    PeopleClusters,
    centred,
    centroids_of,
    first_of,
    links_between,
)
from swiftreid.data.sources import open_data
from swiftreid.encoding.encoder import open_encoder
from swiftreid.errors import UsageError
from swiftreid.experiments.inputs import TRAIN
from swiftreid.training.network.finish import ENCODER

MEASURES = ("links", "halves", "nearest", "tracks")
Ids = NDArray[np.int64]


@cache
def embedded(encoder: str, data: str) -> UnlabelledPictures:
    return embed_pictures(open_encoder(encoder), training_pictures(open_data(data, need=TRAIN)))


@cache
def clusters(encoder: str, data: str) -> PeopleClusters:
    return embedded(encoder, data).clusters(ClusterSettings())


def nearest_by(units: NDArray[np.float32], cameras: Ids, tracks: Ids) -> Ids:
    """The mutually nearest cluster by another camera of each cluster, -1 for none; int64 [clusters]."""
    count = int(tracks.max()) + 1
    means, of = centroids_of(units, tracks, count), first_of(cameras, tracks, count)
    cosines = np.where(of[:, None] == of[None, :], -np.inf, means @ means.T)
    best = cosines.argmax(axis=1)
    return np.where(best[best] == np.arange(count), best, -1)


def halves(units: NDArray[np.float32], cameras: Ids, tracks: Ids) -> float:
    """Clusters that have the same mutually nearest one by either half of their pictures, in percent."""
    order = np.random.default_rng(0).permutation(len(tracks))
    rank = np.zeros(len(tracks), np.int64)
    seen: dict[int, int] = {}
    for row in order.tolist():
        track = int(tracks[row])
        rank[row] = seen.get(track, 0)
        seen[track] = rank[row] + 1
    whole = np.array([seen[track] > 1 for track in range(int(tracks.max()) + 1)])[tracks]
    if not whole.any():
        return float("nan")
    own = np.unique(tracks[whole], return_inverse=True)[1].astype(np.int64)
    found = [
        nearest_by(units[whole][part], cameras[whole][part], own[part])
        for part in (rank[whole] % 2 == 0, rank[whole] % 2 == 1)
    ]
    return 100 * float(np.mean((found[0] == found[1]) & (found[0] >= 0)))


def nearest(units: NDArray[np.float32], cameras: Ids, tracks: Ids) -> float:
    """Mean of log expected strangers as close as the nearest cluster by another camera, negative, in hundredths."""
    close = links_between(units, cameras, tracks).pairs
    best = np.full(int(tracks.max()) + 1, CAP)
    np.minimum.at(best, close.left, close.expected)
    np.minimum.at(best, close.right, close.expected)
    return -100 * float(np.log(best).mean())


def tracks_kept(units: NDArray[np.float32], cameras: Ids, tracks: Ids) -> float:
    """Pictures of clusters of two or more whose nearest by their camera is of their cluster, in percent."""
    right: list[bool] = []
    sizes = np.bincount(tracks)
    for camera in np.unique(cameras):
        rows = np.flatnonzero(cameras == camera)
        if len(rows) > 1:
            found = rows[closest(units[rows], units[rows], 1, skip_self=True)[0][:, 0]]
            known = sizes[tracks[rows]] > 1
            right += (tracks[found] == tracks[rows])[known].tolist()
    return 100 * float(np.mean(right)) if right else float("nan")


def measured(pictures: UnlabelledPictures, rows: NDArray[np.bool_], tracklets: Ids) -> tuple[float, ...]:
    units, cameras = centred(pictures.embeddings[rows]), pictures.cameras[rows]
    own = np.unique(tracklets[rows], return_inverse=True)[1].astype(np.int64)
    links = 100 * pictures.agreement(rows, tracklets).linked
    return links, halves(units, cameras, own), nearest(units, cameras, own), tracks_kept(units, cameras, own)


def gains(file: Path, one: dict[str, Any]) -> tuple[float, ...]:
    """Of each measure, from the encoder before to the one after."""
    before = clusters(one["encoder"], one["data"])
    rows = held_out_rows(before, one["held_out"], one["seed"])
    after = embed_pictures(
        open_encoder(file.with_name(TRIAL) / ENCODER), training_pictures(open_data(one["data"], need=TRAIN))
    )
    pairs = zip(
        measured(embedded(one["encoder"], one["data"]), rows, before.tracklets),
        measured(after, rows, before.tracklets),
        strict=True,
    )
    return tuple(new - old for old, new in pairs)


def ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.argsort(np.argsort(values)).astype(np.float64)


def correlations(true: Sequence[float], found: Sequence[float]) -> str:
    x, y = np.array(true), np.array(found)
    kept = np.isfinite(y)
    if kept.sum() < 3:
        return "-"
    x, y = x[kept], y[kept]
    return f"{np.corrcoef(x, y)[0, 1]:.2f} / {np.corrcoef(ranks(x), ranks(y))[0, 1]:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="Folders of runs by `studies/adapting.py`.")
    args = parser.parse_args()
    files = sorted(file for folder in args.runs for file in folder.rglob("result.json"))
    table: list[tuple[float, ...]] = []
    right = 0
    print(f"{'run':44}{'true':>8}" + "".join(f"{name:>9}" for name in MEASURES) + "   guard")
    for file in files:
        one = json.loads(file.read_text())
        name = "/".join(file.parts[-4:-1])
        if "refused" in one:
            print(f"{name:44} refused: {one['refused'][:80]}")
            continue
        start = json.loads((file.parents[2] / "start.json").read_text())
        true = one["found"]["float"][1] - start["cameras"]["float"][1]
        found = gains(file, one)
        believed = one["verdict"]["believed"]
        right += believed == (true > 0)
        table.append((true, *found))
        cells = "".join(f"{value:+9.1f}" for value in found)
        print(f"{name:44}{true:+8.1f}{cells}   {'yes' if believed else 'no'}", flush=True)
    if len(table) < 3:
        raise UsageError(f"a correlation needs at least 3 runs; there are {len(table)}")
    columns = list(zip(*table, strict=True))
    print(f"\nPearson / Spearman over {len(table)} runs: ", end="")
    print("; ".join(f"{name} {correlations(columns[0], columns[1 + i])}" for i, name in enumerate(MEASURES)))
    print(f"the guard was right about {right} of {len(table)}")


if __name__ == "__main__":
    run(main)

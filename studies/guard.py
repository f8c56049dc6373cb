"""Whether the guard of `swiftreid adapt` predicts gains: what it measures without labels beside the true gain of mAP.

For every ``result.json`` that `studies/adapting.py` left below the folders, by the trial, on the pictures that it did
not learn from:

- ``leads``: how far the nearest cluster by another camera leads the next one there (the guard of `swiftreid adapt`).
- ``nearest``: the mean logarithm of the strangers that a cluster expects as close as its nearest one by another camera.
- ``links``: clusters linked to another camera beyond chance.
- ``halves``: clusters whose mutually nearest one by another camera is the same by either half of their pictures.
- ``tracks``: pictures whose nearest one by their camera is of their own cluster, as the encoder before gave clusters.

Each is the gain from the encoder before to the one after, in percent (of ``leads`` and ``nearest`` in hundredths of a
logarithm; of ``nearest`` positive where fewer are expected). ``true`` is the gain of mAP on test people, from
statistics of cameras alone, by the trial's encoder, which is the one that the guard judges. ``strangers`` is what the
guard says where of every held-out person the pictures by one camera remain, so that nobody is seen twice: its gain in
standard errors, of which it believes in more than two. Below: the correlation of each with the true gain (Pearson, and
Spearman's of ranks).

    python studies/guard.py runs
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from adapting import FLOAT, measured, persons_of, runs_below
from numpy.typing import NDArray
from program import run

from swiftreid.adaptation.adapt import TRIAL
from swiftreid.adaptation.guard import GuardVerdict, judge
from swiftreid.adaptation.pictures import UnlabelledPictures, embed_pictures, held_out_rows, training_pictures
from swiftreid.clustering.strangers import CAP, closest
from swiftreid.clustering.two_stage import (
    ClusterSettings,
    PeopleClusters,
    centred,
    centroids_of,
    first_of,
    link_threshold,
    links_between,
)
from swiftreid.data.fingerprint import fingerprint_of
from swiftreid.data.samples import ReidData
from swiftreid.data.sources import open_data
from swiftreid.encoding.camera_encoder import with_cameras
from swiftreid.encoding.encoder import Encoder, open_encoder
from swiftreid.errors import UsageError
from swiftreid.experiments.inputs import TRAIN
from swiftreid.training.network.finish import ENCODER

MEASURES = ("leads", "nearest", "links", "halves", "tracks")
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


def measures_of(pictures: UnlabelledPictures, rows: NDArray[np.bool_], tracklets: Ids) -> tuple[float, ...]:
    units, cameras = centred(pictures.embeddings[rows]), pictures.cameras[rows]
    own = np.unique(tracklets[rows], return_inverse=True)[1].astype(np.int64)
    leads = 100 * float(np.nanmean(pictures.leads(rows, tracklets).values))
    links = 100 * link_threshold(links_between(units, cameras, own), ClusterSettings())[1]
    return leads, nearest(units, cameras, own), links, halves(units, cameras, own), tracks_kept(units, cameras, own)


@dataclass(frozen=True)
class Gains:
    """From the encoder before to that of the trial.

    Attributes:
        true: of mAP on test people, in percent.
        measures: each of `MEASURES`.
        verdict: the guard's.
        strangers: the guard's where nobody is seen twice.
    """

    true: float
    measures: tuple[float, ...]
    verdict: GuardVerdict
    strangers: GuardVerdict


def gains(file: Path, one: dict[str, Any]) -> Gains:
    old, groups = embedded(one["encoder"], one["data"]), clusters(one["encoder"], one["data"])
    rows, tracklets = held_out_rows(groups, one["held_out"], one["seed"]), groups.tracklets
    data = open_data(one["data"], need=(*TRAIN, "query", "gallery"))
    trial = open_encoder(file.with_name(TRIAL) / ENCODER)
    new = embed_pictures(trial, training_pictures(data))
    pairs = zip(measures_of(old, rows, tracklets), measures_of(new, rows, tracklets), strict=True)

    def verdict(some: NDArray[np.bool_]) -> GuardVerdict:
        return judge(old.leads(some, tracklets), new.leads(some, tracklets), groups.groups_of_tracklets(some))

    alone = rows & by_one_camera(persons_of(data, old.samples), old.cameras, np.random.default_rng(one["seed"]))
    measures = tuple(after - before for before, after in pairs)
    start = json.loads((file.parents[2] / "start.json").read_text())["cameras"][FLOAT][1]
    reached = one["found"][FLOAT][1] if one["trial_only"] else precision(trial, new, data)
    return Gains(reached - start, measures, verdict(rows), verdict(alone))


def precision(trial: Encoder, pictures: UnlabelledPictures, data: ReidData) -> float:
    """mAP of an encoder's embedding on the test people, with statistics of cameras, in percent."""
    if pictures.statistics is not None:
        own = fingerprint_of(data)
        trial = with_cameras(trial, pictures.statistics, name=TRIAL, provenance=data.name, data_fingerprint=own)
    return measured(trial, data)[FLOAT][1]


def by_one_camera(persons: Ids, cameras: Ids, rng: np.random.Generator) -> NDArray[np.bool_]:
    """The pictures of every person by one of their cameras, drawn at random, bool [n]."""
    chosen = {person: rng.choice(np.unique(cameras[persons == person])) for person in np.unique(persons).tolist()}
    return np.array([chosen[person] == camera for person, camera in zip(persons.tolist(), cameras, strict=True)])


def errors(verdict: GuardVerdict) -> str:
    """A gain in standard errors."""
    if verdict.before is None or verdict.after is None or verdict.error is None:
        return "too few"
    return f"{(verdict.after - verdict.before) / verdict.error:+.1f}"


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
    table: list[tuple[float, ...]] = []
    right = 0
    columns = "".join(f"{name:>9}" for name in MEASURES)
    print(f"{'run':40}{'true':>7}{columns}{'guard':>9}{'':5}{'strangers':>10}")
    for name, file, one in runs_below(args.runs):
        if "refused" in one:
            print(f"{name:40} refused: {one['refused'][:80]}")
            continue
        found = gains(file, one)
        right += found.verdict.believed == (found.true > 0)
        table.append((found.true, *found.measures))
        cells = "".join(f"{value:+9.1f}" for value in found.measures)
        says = "yes" if found.verdict.believed else "no"
        print(
            f"{name:40}{found.true:+7.1f}{cells}{errors(found.verdict):>9} {says:4}{errors(found.strangers):>10}",
            flush=True,
        )
    if len(table) < 3:
        raise UsageError(f"a correlation needs at least 3 runs; there are {len(table)}")
    values = list(zip(*table, strict=True))
    print(f"\nPearson / Spearman over {len(table)} runs: ", end="")
    print("; ".join(f"{name} {correlations(values[0], values[1 + i])}" for i, name in enumerate(MEASURES)))
    print(f"the guard was right about {right} of {len(table)}")


if __name__ == "__main__":
    run(main)

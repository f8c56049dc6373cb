"""Memory and time of clustering 100,000 pictures without labels, by both ways that training without labels has.

Pictures are embeddings alone, drawn like those of a data set: people, and what a camera makes of each, are normal with
the covariance that the training people of the data set show; single pictures differ as its pictures do; cameras differ
by their means. Quantiles of distances, of the data set's and of those drawn, say how like they are. Each way runs in a
process of its own, whose peak of memory is printed, with the share of right pairs among those put together and of those
that could be. The data set needs people with several pictures by one camera.

    python studies/clustering_memory.py cuhk03-np-pair1
    python studies/clustering_memory.py cuhk03-np-pair1 --pictures 20000 --cameras 2 --ways two_stage
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from program import progress, run

from swiftreid.clustering.self_paced import reliable_clusters
from swiftreid.clustering.two_stage import cluster_people
from swiftreid.data.samples import persons_of
from swiftreid.data.sources import open_data
from swiftreid.encoding.camera_statistics import fit_camera_statistics
from swiftreid.encoding.encoder import DEFAULT, open_encoder
from swiftreid.encoding.labelled import encode_samples
from swiftreid.errors import UsageError
from swiftreid.experiments.inputs import TRAIN

WAYS: Final = ("two_stage", "dbscan")
QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
Floats = NDArray[np.float32]
Ids = NDArray[np.int64]


def normalised(embeddings: Floats, cameras: Ids) -> Floats:
    """Without what is the cameras'."""
    names = [str(camera) for camera in cameras.tolist()]
    return fit_camera_statistics(embeddings, names).normalise(embeddings, names)


def means_of(values: NDArray[Any], groups: Ids) -> tuple[NDArray[np.float64], Ids]:
    """The mean of each group, and how many it has."""
    counts = np.bincount(groups)
    sums = np.zeros((len(counts), values.shape[1]))
    np.add.at(sums, groups, values)
    return sums / counts[:, None], counts


def root(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """A matrix by which normal numbers get a covariance; what is below 0 by chance is 0."""
    values, vectors = np.linalg.eigh(covariance)
    found: NDArray[np.float64] = vectors * np.sqrt(np.maximum(values, 0))
    return found


def drawn(
    embeddings: Floats, persons: Ids, cameras: Ids, *, pictures: int, number: int, shots: int, seed: int
) -> tuple[Floats, Ids, Ids]:
    """Embeddings like some labelled ones, their people and their cameras.

    Args:
        embeddings: float32 [n, d].
        persons: int64 [n].
        cameras: int64 [n].
        pictures: how many to draw.
        number: cameras; each person is seen by one to four of them.
        shots: pictures of a person by a camera: one to twice as many less one.
        seed: of everything random.
    """
    shift, _ = means_of(embeddings, np.unique(cameras, return_inverse=True)[1])
    plain = embeddings - shift[np.unique(cameras, return_inverse=True)[1]]
    who, track = np.unique(persons, return_inverse=True)[1], np.unique(persons * 1000 + cameras, return_inverse=True)[1]
    tracks, shown = means_of(plain, track)
    owner = np.zeros(len(tracks), np.int64)
    owner[track] = who
    middle, seen = means_of(tracks, owner)
    noise = plain - tracks[track]
    of_pictures = noise.T @ noise / max(1, len(noise) - len(tracks))
    apart = tracks - middle[owner]
    of_tracks = apart.T @ apart / max(1, len(apart) - len(middle)) - of_pictures / shown.mean()
    of_people = np.cov(middle.T) - of_tracks / seen.mean()
    rng = np.random.default_rng(seed)
    people: list[Ids] = []
    places: list[Ids] = []
    count = person = 0
    while count < pictures:
        for camera in rng.choice(number, rng.integers(1, min(4, number) + 1), replace=False).tolist():
            several = int(rng.integers(1, 2 * shots))
            people.append(np.full(several, person))
            places.append(np.full(several, camera))
            count += several
        person += 1
    all_people, all_cameras = np.concatenate(people)[:pictures], np.concatenate(places)[:pictures]
    own = np.unique(all_people * number + all_cameras, return_inverse=True)[1]
    length = embeddings.shape[1]

    def normal(rows: int, covariance: NDArray[np.float64]) -> NDArray[np.float64]:
        return rng.normal(size=(rows, length)) @ root(covariance).T

    scale = np.sqrt(max(1e-12, float(np.trace(np.cov(shift.T))) / length)) if len(shift) > 1 else 0.0
    values = normal(person, of_people)[all_people].astype(np.float32)
    values += normal(int(own.max()) + 1, of_tracks)[own].astype(np.float32)
    values += embeddings.mean(axis=0) + scale * rng.normal(size=(number, length)).astype(np.float32)[all_cameras]
    several_shown = shown[track] > 1
    if not several_shown.any():
        raise UsageError("nobody has several pictures by one camera: how pictures differ cannot be seen")
    single = noise[several_shown] * np.sqrt(shown[track] / np.maximum(1, shown[track] - 1))[several_shown, None]
    values += single.astype(np.float32)[rng.integers(0, len(single), pictures)]
    order = rng.permutation(pictures)
    return values[order], all_people[order], all_cameras[order]


def distances(embeddings: Floats, persons: Ids, cameras: Ids) -> list[tuple[str, list[float]]]:
    """Quantiles of the distances of pictures of one person, by one camera and by two, and of strangers."""
    rows = np.random.default_rng(0).permutation(len(persons))[:6000]
    moved = normalised(embeddings, cameras)
    moved = moved - moved.mean(axis=0)
    units, who, place = (moved / np.linalg.norm(moved, axis=1, keepdims=True))[rows], persons[rows], cameras[rows]
    apart = np.sqrt(np.maximum(0, 2 - 2 * units @ units.T))
    same, one = who[:, None] == who[None], place[:, None] == place[None]
    np.fill_diagonal(one, False)
    kinds = {"one person, one camera": same & one, "one person, two cameras": same & ~one & (place[:, None] >= 0)}
    np.fill_diagonal(kinds["one person, two cameras"], False)
    kinds["strangers"] = ~same
    return [
        (name, np.quantile(apart[chosen], QUANTILES).tolist() if chosen.any() else []) for name, chosen in kinds.items()
    ]


def pairs(groups: Ids, persons: Ids) -> tuple[float, float]:
    """Of pairs that are put together, the share that shows one person; and of all such pairs, the share found."""

    def number(labels: Ids) -> float:
        counts = np.unique(labels, return_counts=True)[1].astype(float)
        return float((counts * (counts - 1)).sum()) / 2

    inside = groups >= 0
    right = number(groups[inside] * (int(persons.max()) + 1) + persons[inside])
    return right / max(1.0, number(groups[inside])), right / number(persons)


def cluster(way: str, file: Path) -> dict[str, float]:
    """Cluster the pictures of a file in this process; what it took."""
    with np.load(file) as stored:
        embeddings, persons, cameras = (stored[name] for name in ("embeddings", "persons", "cameras"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started, used = time.perf_counter(), time.process_time()
    moved = normalised(embeddings, cameras)
    if way == "two_stage":
        groups = cluster_people(moved, cameras).people
    else:
        groups = reliable_clusters(moved, progress=progress()).clusters
    took, busy = time.perf_counter() - started, time.process_time() - used
    right, found = pairs(groups, persons)
    return {
        "before": before / 2**20,  # ru_maxrss is in KiB
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
        "seconds": took,
        "processor": busy,
        "groups": int(groups.max()) + 1,
        "alone": float((groups < 0).mean()),
        "right": right,
        "found": found,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="Data set with training people, to whom those drawn are like.")
    parser.add_argument("--encoder", default=DEFAULT)
    parser.add_argument("--pictures", type=int, default=100_000)
    parser.add_argument("--cameras", type=int, default=8)
    parser.add_argument("--shots", type=int, default=4, help="Pictures of a person by a camera, on average.")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--child", choices=WAYS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        print(json.dumps(cluster(args.child, args.data)))
        return
    if args.pictures < 100 or args.cameras < 1 or args.shots < 1:
        raise UsageError("give 100 pictures or more, and 1 camera and 1 shot or more")
    train = open_data(args.data, need=TRAIN).train
    real = encode_samples(open_encoder(args.encoder), train, progress=progress())
    if real.embedding is None:
        raise UsageError(f"encoder {args.encoder} gives no embedding")
    given = (real.embedding, persons_of(train)[: len(real.embedding)], real.cameras)
    sizes = {"pictures": args.pictures, "number": args.cameras, "shots": args.shots}
    made = drawn(*given, **sizes, seed=args.seed)
    print(f"{args.pictures:,} pictures of {int(made[1].max()) + 1:,} people, {args.cameras} cameras")
    print(f"{'quantiles of distances':40}" + "".join(f"{q:>8.0%}" for q in QUANTILES))
    for name, values in (("data set", given), ("drawn", made)):
        for kind, quantiles in distances(*values):
            print(f"{name + ': ' + kind:40}" + "".join(f"{q:>8.2f}" for q in quantiles))
    print(f"\n{'':10}{'peak GiB':>10}{'seconds':>10}{'cpu s':>10}{'groups':>10}{'alone':>8}{'right':>8}{'found':>8}")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pictures.npz"
        np.savez(file, embeddings=made[0], persons=made[1], cameras=made[2])
        for way in args.ways:
            command = [sys.executable, __file__, str(file), "--child", way]
            ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            got = json.loads(ran.stdout)
            print(
                f"{way:10}{got['peak']:>10.2f}{got['seconds']:>10.0f}{got['processor']:>10.0f}{got['groups']:>10,}"
                f"{got['alone']:>8.1%}{got['right']:>8.1%}{got['found']:>8.1%}",
                flush=True,
            )


if __name__ == "__main__":
    run(main)

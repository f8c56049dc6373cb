"""What answers of `swiftreid label` do to groups, beside answers about random close pairs; true labels answer.

    python studies/label_questions.py cuhk03-np-pair1 splits/cuhk01-half

Groups are of the training pictures. Precision, recall and F of pairs of pictures by two cameras, and of all pairs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from program import progress, run

from swiftreid.adaptation.pictures import UnlabelledPictures, embed_pictures, training_pictures
from swiftreid.clustering.questions import informative_pairs
from swiftreid.clustering.two_stage import ALONE, KnownPairs, PeopleClusters, cluster_people
from swiftreid.data.samples import persons_of
from swiftreid.data.sources import open_data
from swiftreid.encoding.encoder import open_encoder

Ids = NDArray[np.int64]
Choose = Callable[[PeopleClusters, KnownPairs, int], list[tuple[int, int]]]


def pairs_in(groups: Ids, cameras: Ids) -> tuple[int, int]:
    """Pairs of pictures in one group: by two cameras, and all."""
    kept = groups != ALONE

    def count(keys: Ids) -> int:
        sizes = np.unique(keys, return_counts=True, axis=0)[1]
        return int((sizes * (sizes - 1) // 2).sum())

    every = count(groups[kept][:, None])
    return every - count(np.stack([groups[kept], cameras[kept]], axis=1)), every


def scores(groups: Ids, persons: Ids, cameras: Ids) -> str:
    both = np.unique(np.stack([groups, persons], axis=1), axis=0, return_inverse=True)[1].reshape(-1)
    right, found, there = (
        pairs_in(values, cameras) for values in (np.where(groups == ALONE, ALONE, both), groups, persons)
    )
    cells = []
    for r, f, t in zip(right, found, there, strict=True):
        cells.append(f"{100 * r / max(1, f):.1f} / {100 * r / t:.1f} / {100 * 2 * r / (f + t):.1f}")
    return ", ".join(cells)


def by_gain(pictures: UnlabelledPictures) -> Choose:
    def choose(found: PeopleClusters, known: KnownPairs, count: int) -> list[tuple[int, int]]:
        asked = informative_pairs(found, pictures.embeddings, pictures.cameras, known=known, count=count)
        return [(question.one, question.other) for question in asked]

    return choose


def at_random(seed: int) -> Choose:
    rng = np.random.default_rng(seed)

    def choose(found: PeopleClusters, _: KnownPairs, count: int) -> list[tuple[int, int]]:
        rows = rng.choice(len(found.close), count, replace=False)
        firsts = np.unique(found.tracklets, return_index=True)[1]
        return [(int(firsts[found.close.left[row]]), int(firsts[found.close.right[row]])) for row in rows]

    return choose


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--encoder", default="rendered")
    parser.add_argument("--answers", type=int, nargs="+", default=[0, 100, 300])
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    print("data, questions, answers (yes): precision / recall / F in %, of pairs by two cameras, of all pairs")
    for folder in args.data:
        data = open_data(folder)
        samples = training_pictures(data)
        pictures = embed_pictures(open_encoder(args.encoder), samples, progress=progress())
        who = dict(zip((sample.id for sample in samples), persons_of(data.train).tolist(), strict=True))
        persons = np.array([who[sample.id] for sample in pictures.samples])
        for name, choose in (("chosen", by_gain(pictures)), ("random close", at_random(args.seed))):
            start = cluster_people(pictures.embeddings, pictures.cameras, tracks=pictures.tracks)
            asked = np.zeros((0, 2), np.int64)
            for number in args.answers:
                while True:
                    same = persons[asked[:, 0]] == persons[asked[:, 1]]
                    known = KnownPairs(asked[same], asked[~same])
                    more = choose(start, known, min(10, number - len(asked))) if len(asked) < number else []
                    if not more:
                        break
                    asked = np.concatenate([asked, np.array(more)])
                groups = cluster_people(
                    pictures.embeddings, pictures.cameras, tracks=pictures.tracks, known=known
                ).people
                print(
                    f"{Path(folder).name}, {name}, {len(asked)} ({int(same.sum())}):",
                    scores(groups, persons, pictures.cameras),
                    flush=True,
                )


if __name__ == "__main__":
    run(main)

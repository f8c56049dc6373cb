"""How well `swiftreid group` sorts pictures into people whom nobody named: scores of groups of real pictures.

All pictures of a data set, training and test, are one gallery. Their persons are hidden, and compared with the groups
afterwards: precision and recall of pairs of pictures; purity (pictures that show whom most of their group shows) and
completeness (pictures in the group that most of their person's are in); B-cubed. By the float embedding, and by the
longest code. With ``--answers`` a user who always knows answers so many questions, of which each batch is chosen after
the answers before: pairs whose expected strangers are nearest to the threshold.

    python studies/grouping.py cuhk03-np-pair1 cuhk01 --answers 100 300
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from program import progress, run

from swiftreid.adaptation.grouping import LEAST_BITS, sorted_into_people, without_cameras
from swiftreid.clustering.answers import PairAnswer, known_pairs
from swiftreid.clustering.two_stage import ALONE, cluster_people
from swiftreid.data.numbering import numbers_of
from swiftreid.data.samples import ReidData
from swiftreid.data.sources import open_data
from swiftreid.encoding.embedded import embed_paths
from swiftreid.encoding.encoder import DEFAULT, open_encoder
from swiftreid.evaluation.groups import GroupScores, group_scores
from swiftreid.gallery.entries import Entry
from swiftreid.search.codes import bits_of

BATCH = 50
"""Answers between two choices of questions."""


def entries_and_people(data: ReidData) -> tuple[list[Entry], list[Path], NDArray[np.int64]]:
    """Entries without a person, their files, and whom they show."""
    samples = [sample for split in (data.train, data.query, data.gallery) for sample in split if sample.person > 0]
    cameras = data.cameras_called(samples)
    entries = [Entry(str(place), str(camera)) for place, camera in enumerate(cameras)]
    return entries, [sample.path for sample in samples], np.array([sample.person for sample in samples])


def questions(
    entries: list[Entry], vectors: NDArray[np.float32], answers: list[PairAnswer], number: int
) -> list[tuple[int, int]]:
    """Pairs of entries whose clusters are nearest to the threshold, at most one about two groups."""
    cameras = numbers_of(entry.camera for entry in entries)
    known = known_pairs(answers, [entry.id for entry in entries])
    found = cluster_people(vectors, cameras, known=known)
    first = np.full(int(found.tracklets.max()) + 1, -1, np.int64)
    first[found.tracklets[::-1]] = np.arange(len(entries))[::-1]
    alone = np.arange(len(entries)) + len(entries)
    groups = np.where(found.people == ALONE, alone, found.people)
    asked = {frozenset((answer.one, answer.other)) for answer in answers}
    distance = np.abs(np.log(found.close.expected) - np.log(max(found.threshold, 1e-3)))
    chosen: dict[frozenset[int], tuple[int, int]] = {}
    for place in np.argsort(distance, kind="stable"):
        one, other = int(first[found.close.left[place]]), int(first[found.close.right[place]])
        about = frozenset((int(groups[one]), int(groups[other])))
        if frozenset((str(one), str(other))) not in asked and about not in chosen:
            chosen[about] = (one, other)
        if len(chosen) == number:
            break
    return list(chosen.values())


def line(title: str, scores: GroupScores) -> str:
    values = [scores.pair_precision, scores.pair_recall, scores.purity, scores.completeness]
    values += [scores.bcubed_precision, scores.bcubed_recall]
    cells = "".join(f"{100 * value:10.1f}" for value in values)
    return f"{title:26}{scores.groups:8,}{scores.alone:8,}{cells}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+", help="Data sets whose persons and cameras are known.")
    parser.add_argument("--encoder", default=DEFAULT)
    parser.add_argument("--answers", type=int, nargs="*", default=[], help="Numbers of answers to score after.")
    args = parser.parse_args()
    encoder = open_encoder(args.encoder)
    columns = ("groups", "alone", "pair P", "pair R", "purity", "complete", "B3 P", "B3 R")
    for place in args.data:
        data = open_data(place)
        entries, paths, people = entries_and_people(data)
        kept, views = embed_paths(encoder, paths, progress=progress())
        entries, people, raw = [entries[row] for row in kept.tolist()], people[kept], views[0]
        print(f"\n{data.name}: {len(entries):,} pictures, {len(set(people.tolist())):,} people, {encoder.card.name}")
        print(" " * 26 + "".join(f"{column:>{8 if n < 2 else 10}}" for n, column in enumerate(columns)))
        vectors = without_cameras(raw, entries, encoder.card)

        def scored(own: NDArray[np.float32], answers: list[PairAnswer]) -> GroupScores:
            numbers, _ = sorted_into_people(entries, own, answers=answers, progress=progress())  # noqa: B023 (used now)
            return group_scores(numbers, people)  # noqa: B023 (used now)

        print(line("float", scored(vectors, [])), flush=True)
        long = [name for name in encoder.spec.names if name.startswith("id") and bits_of(name) >= LEAST_BITS]
        for name in sorted(long, key=bits_of, reverse=True):
            packed = encoder.encode_embedding(raw).codes[name]
            bits = 2 * np.unpackbits(packed, axis=1, count=bits_of(name), bitorder="little").astype(np.float32) - 1
            plain = without_cameras(bits, entries, encoder.card, covariances=False)
            print(line(name, scored(plain, [])), flush=True)
        answers: list[PairAnswer] = []
        for number in sorted(args.answers):
            while len(answers) < number:
                pairs = questions(entries, vectors, answers, min(BATCH, number - len(answers)))
                if not pairs:
                    break
                answers += [
                    PairAnswer(entries[one].id, entries[other].id, same=bool(people[one] == people[other]))
                    for one, other in pairs
                ]
            share = sum(answer.same for answer in answers) / max(1, len(answers))
            print(line(f"float, {len(answers)} answers, {share:.0%} yes", scored(vectors, answers)), flush=True)


if __name__ == "__main__":
    run(main)

"""What adapting without labels gains, and how far true labels would go: rank-1 / mAP on people never seen.

For each data set: the encoder as it is, with statistics of cameras, and adapted to its training pictures
(`swiftreid adapt`, without their labels); and with ``--labels`` the same training on the true persons. Float
and codes of the data set's own test people; of the data sets ``--beside`` the float alone, as the place that must not
be lost. Then the guard's verdict on each run, and the true gain. Runs are kept in folders.

    python studies/adapting.py cuhk03-np-pair1 splits/one-camera --beside cuhk01 --out runs --seeds 3 --labels
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from program import names_of, progress, run, spread, training_reports

from swiftreid.adaptation.adapt import AdaptSettings, adapt
from swiftreid.adaptation.normalising import normalise_cameras
from swiftreid.adaptation.pictures import training_pictures
from swiftreid.clustering.strangers import NO_PAIRS
from swiftreid.clustering.two_stage import PeopleClusters
from swiftreid.data.fingerprint import fingerprint_of
from swiftreid.data.samples import ReidData
from swiftreid.data.sources import open_data
from swiftreid.encoding.encoder import DEFAULT, Encoder, open_encoder
from swiftreid.errors import SwiftReIDError
from swiftreid.evaluation.measure import measure
from swiftreid.experiments.encoded import encode_test_set
from swiftreid.experiments.inputs import TRAIN
from swiftreid.recipes import find_recipe
from swiftreid.search.cascade import Cascade
from swiftreid.training.network.recipe import load_network_recipe
from swiftreid.training.targets.clusters import Clusters
from swiftreid.training.targets.targets import TargetsPlan

FLOAT = "float"
COLUMNS = (FLOAT, "id2048", "id512", "id128", "id32")
Figures = dict[str, tuple[float, float]]


class TrueLabels(Clusters):
    """Persons in place of clusters, of the same form."""

    def __init__(self, plan: TargetsPlan, persons: dict[Path, int]) -> None:
        super().__init__(plan)
        self._persons = persons

    def cluster(self, embeddings: np.ndarray, cameras: np.ndarray) -> PeopleClusters:
        assert self.pictures is not None
        persons = np.array([self._persons[path] for path in self.pictures.paths])
        people = np.unique(persons, return_inverse=True)[1]
        tracklets = np.unique(np.stack([people, cameras]), axis=1, return_inverse=True)[1].ravel()
        return PeopleClusters(people, tracklets, NO_PAIRS, 0, 0.0, 0.0)


def measured(encoder: Encoder, data: ReidData) -> Figures:
    """Rank-1 and mAP in percent of the float embedding and of each identity code."""
    test = encode_test_set(data, encoder, progress=progress())
    codes = {name: Cascade.parse(name) for name in encoder.spec if name in COLUMNS}
    rows = measure(codes, test.query, test.gallery, timed=False, protocol=test.protocol, float_label=FLOAT)
    return {row.label: (100 * row.metrics.rank1, 100 * row.metrics.map_standard) for row in rows}


def print_line(title: str, runs: Sequence[Figures], beside: Sequence[Figures] = ()) -> None:
    cells = [[one.get(column) for one in runs] for column in COLUMNS] + [[one[FLOAT] for one in beside]]
    words = [
        " / ".join(spread([pair[place] for pair in cell if pair]) for place in (0, 1)) if all(cell) and cell else "-"
        for cell in cells
    ]
    print(f"{title:14}" + "".join(f"{word:^26}" for word in words), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+", help="Data sets with training, query and gallery pictures.")
    parser.add_argument("--beside", type=Path, help="Another place's data set.")
    parser.add_argument("--out", type=Path, required=True, help="Folder of the runs.")
    parser.add_argument("--encoder", default=DEFAULT)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--labels", action="store_true", help="Learn from true labels too.")
    parser.add_argument("--set", action="append", default=[], help="Change a field of the recipe; repeatable.")
    args = parser.parse_args()
    names_of(args.data)
    encoder = open_encoder(args.encoder)
    recipe = load_network_recipe(find_recipe("small/cluster_memory"), args.set)
    other = open_data(args.beside) if args.beside else None
    for place in args.data:
        data = open_data(place, need=(*TRAIN, "query", "gallery"))
        persons = {sample.path.absolute(): sample.person for sample in data.train}
        samples, fingerprint = training_pictures(data), fingerprint_of(data)
        print(f"\n{data.name}: {len(samples):,} pictures, {len(set(persons.values())):,} people")
        print(" " * 14 + "".join(f"{title:^26}" for title in (*COLUMNS, f"{other.name} float" if other else "")))
        as_it_is = [measured(encoder, other)] if other else []
        print_line("as it is", [measured(encoder, data)], as_it_is)
        normal = normalise_cameras(encoder, samples, name="here", data=data.name, data_fingerprint=fingerprint)
        first = measured(normal, data)
        print_line("cameras", [first], as_it_is)
        for labels in (False, True) if args.labels else (False,):
            found, beside, words = [], [], []
            for seed in range(args.seeds):
                folder = args.out / data.root.name / ("labels" if labels else "adapted") / str(seed)
                try:
                    done = adapt(
                        encoder,
                        samples,
                        folder,
                        init=args.encoder,
                        name=f"{data.name}-{seed}",
                        data=data.name,
                        data_fingerprint=fingerprint,
                        settings=AdaptSettings(recipe, seed=seed),
                        resume=folder.exists(),
                        reports=training_reports(),
                        targets=(lambda plan: TrueLabels(plan, persons)) if labels else None,  # noqa: B023 (called now)
                    )
                except SwiftReIDError as error:
                    print(f"seed {seed}: {error}")
                    continue
                done.encoder.save(folder / "adapted.safetensors")
                found.append(measured(done.encoder, data))
                beside += [measured(done.encoder, other)] if other else []
                gain = found[-1][FLOAT][1] - first[FLOAT][1]
                believed = "believed" if done.verdict.believed else "not believed"
                words.append(f"  seed {seed}: {believed} ({done.verdict.reason}); true gain of mAP {gain:+.1f}")
            if found:
                print_line("true labels" if labels else "adapted", found, beside)
                print("\n".join(words), flush=True)


if __name__ == "__main__":
    run(main)

"""What adapting without labels gains, and how far true labels would go: rank-1 / mAP on people never seen.

For each data set: the encoder as it is, with statistics of cameras, and adapted to its training pictures
(`swiftreid adapt`, without their labels); and with ``--labels`` the same training on the true persons. Float
and codes of the data set's own test people; of the data sets ``--beside`` the float alone, as the place that must not
be lost. Then the guard's verdict on each run, and the true gain. Figures are kept in
``OUT/DATA/NAME/SEED/result.json``: what is there is not run again, and `studies/guard.py` reads them.

    python studies/adapting.py cuhk03-np-pair1 splits/one-camera --beside cuhk01 --out runs --seeds 0 1 2 --labels
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from program import names_of, progress, run, spread, training_reports

from swiftreid.adaptation.adapt import AdaptSettings, adapt
from swiftreid.adaptation.normalising import normalise_cameras
from swiftreid.adaptation.pictures import training_pictures
from swiftreid.clustering.strangers import NO_PAIRS
from swiftreid.clustering.two_stage import PeopleClusters
from swiftreid.data.fingerprint import fingerprint_of
from swiftreid.data.samples import NamedSample, ReidData
from swiftreid.data.sources import open_data
from swiftreid.durable import save_bytes
from swiftreid.encoding.encoder import DEFAULT, Encoder, open_encoder
from swiftreid.errors import SwiftReIDError
from swiftreid.evaluation.measure import measure
from swiftreid.experiments.encoded import encode_test_set
from swiftreid.experiments.inputs import TRAIN
from swiftreid.recipes import find_recipe
from swiftreid.search.cascade import Cascade
from swiftreid.training.network.recipe import load_network_recipe
from swiftreid.training.network.stopping import Stopped
from swiftreid.training.targets.clusters import Clusters
from swiftreid.training.targets.targets import TargetsPlan

FLOAT = "float"
COLUMNS = (FLOAT, "id2048", "id512", "id128", "id32")
Figures = dict[str, tuple[float, float]]


def runs_below(folders: Sequence[Path]) -> Iterator[tuple[str, Path, dict[str, Any]]]:
    """Name, file and content of every ``result.json`` of a run without labels."""
    for file in sorted(file for folder in folders for file in folder.rglob("result.json")):
        one = json.loads(file.read_text())
        if not one["labels"]:
            yield "/".join(file.parts[-4:-1]), file, one


def persons_of(data: ReidData, samples: Sequence[NamedSample]) -> NDArray[np.int64]:
    """The true person of each of a data set's training pictures, int64 [n]."""
    persons = {sample.path.absolute(): sample.person for sample in data.train}
    return np.array([persons[sample.path.absolute()] for sample in samples])


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


def kept(file: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What a file holds, which is made and written first where it is missing."""
    if not file.exists():
        made = make()
        file.parent.mkdir(parents=True, exist_ok=True)
        save_bytes(file, json.dumps(made, indent=1).encode())
    found: dict[str, Any] = json.loads(file.read_text())
    return found


@dataclass(frozen=True)
class Place:
    """A data set to adapt to, another that must not be lost, and the settings."""

    path: Path
    data: ReidData
    other: ReidData | None
    init: str
    settings: AdaptSettings
    changes: list[str]

    def start(self) -> dict[str, Any]:
        """Figures before any training."""
        encoder, samples = open_encoder(self.init), training_pictures(self.data)
        here = normalise_cameras(
            encoder, samples, name="here", data=self.data.name, data_fingerprint=fingerprint_of(self.data)
        )
        return {"as it is": measured(encoder, self.data), "cameras": measured(here, self.data), **self._beside(encoder)}

    def train(self, folder: Path, *, labels: bool) -> dict[str, Any]:
        """Figures of one run, or why there was none."""
        record = {"data": str(self.path.absolute()), "encoder": self.init, "labels": labels, "set": self.changes}
        record |= {name: getattr(self.settings, name) for name in ("seed", "held_out", "trial_only")}
        persons = {sample.path.absolute(): sample.person for sample in self.data.train}
        # The guard is not asked about true labels: the shortest trial will do.
        settings = replace(self.settings, trial=1e-9, trial_only=False) if labels else self.settings
        began, resumed = time.process_time(), folder.exists()
        try:
            done = adapt(
                open_encoder(self.init),
                training_pictures(self.data),
                folder,
                init=self.init,
                name=f"{self.data.name}-{folder.parent.name}-{folder.name}",
                data=self.data.name,
                data_fingerprint=fingerprint_of(self.data),
                settings=settings,
                resume=resumed,
                reports=training_reports(),
                targets=(lambda plan: TrueLabels(plan, persons)) if labels else None,
            )
        except Stopped:
            raise
        except SwiftReIDError as error:
            return {**record, "refused": str(error)}
        seconds = None if resumed else time.process_time() - began  # of a part they say nothing
        record |= {"seconds": seconds, "verdict": asdict(done.verdict)}
        done.encoder.save(folder / "adapted.safetensors")
        return {**record, "found": measured(done.encoder, self.data), **self._beside(done.encoder)}

    def _beside(self, encoder: Encoder) -> dict[str, Figures]:
        return {"beside": measured(encoder, self.other)} if self.other else {}


def verdict_of(one: dict[str, Any], before: dict[str, Any]) -> str:
    """The guard's verdict on a run, the true gain, and the time."""
    if "refused" in one:
        return str(one["refused"])
    verdict, gain = one["verdict"], one["found"][FLOAT][1] - before["cameras"][FLOAT][1]
    believed = "believed" if verdict["believed"] else "not believed"
    seconds = "resumed" if one["seconds"] is None else f"{one['seconds']:.0f} s of processor time"
    return f"{believed} ({verdict['reason']}); true gain of mAP {gain:+.1f}; {seconds}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+", help="Data sets with training, query and gallery pictures.")
    parser.add_argument("--beside", type=Path, help="Another place's data set.")
    parser.add_argument("--out", type=Path, required=True, help="Folder of the runs.")
    parser.add_argument("--name", default="adapted", help="Of these settings, for the folders.")
    parser.add_argument("--encoder", default=DEFAULT)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--labels", action="store_true", help="Learn from true labels too.")
    parser.add_argument("--held-out", type=float, default=0.5)
    parser.add_argument("--trial-only", action="store_true", help="Of the guard's trials alone, for `guard.py`.")
    parser.add_argument("--set", action="append", default=[], help="Change a field of the recipe; repeatable.")
    args = parser.parse_args()
    names_of(args.data)
    recipe = load_network_recipe(find_recipe("small/cluster_memory"), args.set)
    other = open_data(args.beside) if args.beside else None
    for path in args.data:
        data, own = open_data(path, need=(*TRAIN, "query", "gallery")), args.out / path.resolve().name
        places = {
            seed: Place(
                path,
                data,
                other,
                args.encoder,
                AdaptSettings(recipe, held_out=args.held_out, force=True, trial_only=args.trial_only, seed=seed),
                args.set,
            )
            for seed in args.seeds
        }
        before = kept(own / "start.json", next(iter(places.values())).start)
        print(f"\n{data.name}: {len(data.train):,} pictures, {len({sample.person for sample in data.train}):,} people")
        print(" " * 14 + "".join(f"{title:^26}" for title in (*COLUMNS, f"{other.name} float" if other else "")))
        for title in ("as it is", "cameras"):
            print_line(title, [before[title]], [before["beside"]] if other else [])
        for labels in (False, True) if args.labels else (False,):
            name = f"{args.name}-labels" if labels else args.name
            runs = []
            for seed, place in places.items():
                folder = own / name / str(seed)
                runs.append(kept(folder / "result.json", partial(place.train, folder, labels=labels)))
            done = [one for one in runs if "found" in one]
            if done:
                beside = [one["beside"] for one in done if "beside" in one]
                print_line("true labels" if labels else args.name, [one["found"] for one in done], beside)
            for one in runs:
                print(f"  seed {one['seed']}: {verdict_of(one, before)}", flush=True)


if __name__ == "__main__":
    run(main)

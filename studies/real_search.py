"""What a user gets: pictures into a gallery and searches out of it, counted.

All pictures of all folders given, each a data set in Market-1501 layout, go into one gallery, which is made in a
temporary folder and removed again. Every query of the first folder that camera 1 took is then searched among the
pictures of the other cameras. An entry is right if it shows the query's person and comes from the first folder: data
sets number their people alike, so the answer's own verdict would take strangers for the person.

    python studies/real_search.py cuhk03-np-pair1 cuhk01 --encoder hashed.safetensors --json real.json
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from program import progress, run

from swiftreid.data.market import read_market
from swiftreid.experiments.unreadable import Unreadable
from swiftreid.gallery.filters import Filters
from swiftreid.retrieval.opening import open_gallery
from swiftreid.retrieval.query import Query
from swiftreid.retrieval.samples import samples_in

CAMERA = 1
PLACES = 5


def measure(folders: Sequence[Path], encoder: str, gallery: Path) -> dict[str, Any]:
    queries = [sample.path for sample in read_market(folders[0]).query if sample.camera == CAMERA]
    if not queries:
        raise SystemExit(f"error: {folders[0]} has no query by camera {CAMERA}; give a data set that has some first")
    unreadable, adding = Unreadable(), 0.0
    with open_gallery(gallery, encoder=encoder, create=True) as people:
        for number, folder in enumerate(folders):
            samples, started = samples_in([folder], id_prefix=f"{number}/"), time.perf_counter()
            people.add_samples(samples, on_bad=unreadable, progress=progress())
            adding += time.perf_counter() - started
        stored, started = len(people), time.perf_counter()
        asking = [Query(pictures=path, k=PLACES, filters=Filters(other_cameras=True)) for path in queries]
        answers = people.search_batch(asking, on_bad=unreadable, progress=progress())
        searching = time.perf_counter() - started
    right = [[bool(hit.right) and hit.id.startswith("0/") for hit in answer.hits] for answer in answers]
    return {
        "data": [folder.resolve().name for folder in folders],
        "cascade": str(answers[0].cascade),
        "stored": stored,
        "unreadable": len(unreadable.found),
        "pictures_per_second": stored / adding,
        "searches": len(right),
        "first": sum(hits[:1] == [True] for hits in right) / len(right),
        "among_five": sum(any(hits) for hits in right) / len(right),
        "adding_seconds": adding,
        "search_seconds": searching,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="data sets; queries are the first's")
    parser.add_argument("--encoder", required=True, help="encoder file, or 'stripes'")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="swiftreid-") as scratch:
        figures = measure(options.folders, options.encoder, Path(scratch) / "gallery")
    print(
        f"{' + '.join(figures['data'])}, cascade {figures['cascade']}\n"
        f"stored    {figures['stored']:,} pictures in {figures['adding_seconds']:.1f} s, "
        f"{figures['pictures_per_second']:.1f} a second; {figures['unreadable']} could not be read\n"
        f"searches  {figures['searches']:,} by camera {CAMERA} among the other cameras, "
        f"{figures['search_seconds']:.1f} s with encoding the queries\n"
        f"right     {figures['first']:.1%} at the first place, {figures['among_five']:.1%} among the first {PLACES}"
    )
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)

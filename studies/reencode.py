"""What re-encoding a gallery from its kept thumbnails costs: rank-1 and mAP beside those from source pictures.

A gallery of a data set's test pictures is filled by one encoder and moved to another: once from its source pictures,
once from its thumbnails, with the sources taken away. Queries are encoded from their pictures by the new encoder.

    python studies/reencode.py cuhk03-np-pair1 --before stripes --to rendered
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from program import progress, run

import swiftreid
from swiftreid.data.samples import ReidData, Split
from swiftreid.data.sources import open_data
from swiftreid.encoding.encoder import Encoder, open_encoder
from swiftreid.encoding.labelled import encode_samples
from swiftreid.evaluation.labelled import LabelledCodes
from swiftreid.evaluation.measure import measure
from swiftreid.gallery.entries import Entry
from swiftreid.gallery.meta import FloatName
from swiftreid.retrieval.local import LocalGallery
from swiftreid.search.cascade import Cascade
from swiftreid.search.stages import EMBEDDING


def filled(folder: Path, samples: Split, encoder: Encoder) -> LocalGallery:
    """A gallery in ``folder``, of copies of pictures beside it."""
    pictures = folder / "pictures"
    pictures.mkdir()
    files = [
        Path(shutil.copy(sample.path, pictures / f"{row}{sample.path.suffix}")) for row, sample in enumerate(samples)
    ]
    entries = [Entry(str(row), str(sample.camera)) for row, sample in enumerate(samples)]
    floats: FloatName | None = None if encoder.card.embedding is None else "float16"
    people = swiftreid.open_gallery(folder / "people", encoder=encoder, create=True, embedding=floats)
    people.add(files, entries=entries, progress=progress())
    return people


def codes_of(people: LocalGallery, samples: Split) -> LabelledCodes:
    """What a gallery holds, with who is who."""
    with people.store.snapshot() as snapshot:
        batches = list(snapshot.batches())
    rows = np.array([int(id_) for batch in batches for id_ in batch.ids])
    columns = {name: np.concatenate([batch.codes[name] for batch in batches]) for name in batches[0].codes}
    embedding = columns.pop(EMBEDDING, None)
    return LabelledCodes(
        columns,
        np.array([sample.person for sample in samples])[rows],
        np.array([sample.camera for sample in samples])[rows],
        None if embedding is None else embedding.astype(np.float32),
    )


def line(title: str, names: Sequence[str], query: LabelledCodes, gallery: LabelledCodes) -> None:
    rows = measure({name: Cascade.parse(name) for name in names}, query, gallery, timed=False, float_label="float")
    cells = (f"{100 * row.metrics.rank1:.1f} / {100 * row.metrics.map_standard:.1f}" for row in rows)
    print(f"{title:34}" + "".join(f"{cell:>16}" for cell in cells))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="Data set with queries and gallery.")
    parser.add_argument("--before", default="rendered", help="Encoder that fills the gallery.")
    parser.add_argument("--to", nargs="+", default=["stripes"], help="Encoders that it is moved to.")
    args = parser.parse_args()
    if args.before in args.to:
        parser.error(f"a gallery by {args.before} is not moved to {args.before}: give another --before")
    data: ReidData = open_data(args.data)
    for name in args.to:
        after = open_encoder(name)
        cameras = [str(sample.camera) for sample in data.query]
        query = encode_samples(after, data.query, cameras=cameras, progress=progress())
        codes = [code for code in after.spec if code.startswith("id")]
        floats = ["float"] if after.card.embedding is not None else []
        print(f"\n{data.name}: {len(data.gallery):,} entries by {args.before}, moved to {after.card.name}")
        print(" " * 34 + "".join(f"{code:>16}" for code in [*codes, *floats]))
        with tempfile.TemporaryDirectory() as folder:
            people = filled(Path(folder), data.gallery, open_encoder(args.before))
            people.reencode(after, progress=progress())
            line("from source pictures", codes, query, codes_of(people, data.gallery))
            people.go_back()
            people.discard_versions()
            (Path(folder) / "pictures").rename(Path(folder) / "taken away")
            done = people.reencode(after, from_thumbnails=True, progress=progress())
            assert done.from_thumbnails == len(data.gallery), "all sources were taken away"
            line("from thumbnails", codes, query, codes_of(people, data.gallery))
            people.close()


if __name__ == "__main__":
    run(main)

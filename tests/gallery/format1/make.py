"""Made `galleries.tar.gz` with the code of commit 3fbda71, the last one that wrote format 1. Kept to say what is in it.

    python tests/gallery/format1/make.py galleries.tar.gz

Entries and codes are random and follow from the ids alone (`gallery_samples`). `expected.json` holds, for each gallery,
what that code answered.
"""

from __future__ import annotations

import base64
import json
import sys
import tarfile
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import gallery_samples as samples
import numpy as np

from swiftreid.gallery import Entry, Gallery
from swiftreid.search.cascade import Cascade

CASCADES = ("id96", "id32<=15 > id96")
ASKED = ("e3", "e17", "stranger")


def create(path: Path, segment_size: int = 10, encoder_file: Path | None = None) -> Gallery:
    return Gallery.create(
        path,
        encoder_name="stripes",
        fingerprint=samples.PRINT,
        spec=samples.SPEC,
        segment_size=segment_size,
        encoder_file=encoder_file,
    )


def ids(count: int) -> list[str]:
    return [f"e{i}" for i in range(count)]


def make_tail(path: Path) -> None:
    with create(path, 65_536) as gallery:
        samples.add(gallery, ids(20))


def make_sealed(path: Path) -> None:
    with create(path) as gallery:
        for first in range(0, 34, 8):
            samples.add(gallery, ids(34)[first : first + 8])


def make_deleted(path: Path) -> None:
    """Deletions in segments and in the tail, one compaction between them, one deletion not yet compacted."""
    with create(path) as gallery:
        samples.add(gallery, ids(45))
        gallery.delete(["e2", "e3", "e18", "e44"])
        gallery.compact()
        samples.add(gallery, ["e2", "late"])
        gallery.delete(["e21", "late"])


def make_full(path: Path) -> None:
    """Every field, unusual text, an encoder's copy."""
    encoder = path.with_name("encoder")
    encoder.write_bytes(b"weights " * 50)
    with create(path, encoder_file=encoder) as gallery:
        rng = np.random.default_rng(5)
        texts = ["ü/人.jpg", "a'b\"c", "x" * 300, "emoji 😀", *ids(20)]
        entries = [
            Entry(
                id_,
                f"Gleis {i % 3} / süd",
                None if i % 4 == 0 else -0.5 + 1e9 * i,
                None if i % 5 == 0 else f"人 {i % 6}",
                None if i % 7 == 0 else f"/pictures/{id_}",
                {"bag": "yes" if i % 2 else "no", "k é": f"v\n{i % 3}"} if i % 3 else {},
                rng.bytes(200) if i % 2 else None,
            )
            for i, id_ in enumerate(texts)
        ]
        gallery.add(entries, samples.codes_of(texts), fingerprint=samples.PRINT)
        gallery.delete(["e4", "a'b\"c"])
    encoder.unlink()


def expected(path: Path) -> dict[str, object]:
    with Gallery.open(path, read_only=True) as gallery, gallery.snapshot() as view:
        assert gallery.verify().ok
        live = np.arange(len(view)) if view.mask is None else np.flatnonzero(view.mask)
        entries = []
        for id_ in view.ids(live):
            stored = gallery.get(id_)
            picture = None if stored.thumbnail is None else base64.b64encode(stored.thumbnail).decode()
            entries.append(
                vars(stored.entry)
                | {"labels": dict(stored.entry.labels), "thumbnail": picture}
                | {"codes": {name: code.tobytes().hex() for name, code in stored.codes.items()}}
            )
        answers = []
        for text in CASCADES:
            for asked in ASKED:
                result = Cascade.parse(text).search(view.table, samples.codes_of([asked]), k=8, mask=view.mask)
                found = slice(int(result.counts[0]))
                hits = [view.ids(result.indices[0, found]), result.distances[0, found].tolist()]
                answers.append([text, asked, *hits])
        return {"entries": entries, "answers": answers, "segments": gallery.info().segments}


def main(target: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        stated = {}
        for make in (make_tail, make_sealed, make_deleted, make_full):
            name = make.__name__.removeprefix("make_")
            make(Path(folder) / name)
            stated[name] = expected(Path(folder) / name)
        (Path(folder) / "expected.json").write_text(json.dumps(stated, ensure_ascii=False), encoding="utf-8")
        with tarfile.open(target, "w:gz") as archive:
            for path in sorted(Path(folder).rglob("*")):
                archive.add(path, path.relative_to(folder).as_posix(), recursive=False, filter=anonymous)


def anonymous(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    return info


if __name__ == "__main__":
    main(*sys.argv[1:])

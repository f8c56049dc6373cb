"""How far a network gives what its teacher gives: cosines between two encoders' float embeddings of the same pictures.

The mean cosine over up to ``--limit`` pictures of each folder, and the same after each encoder's mean embedding there
is taken away, which all pictures share. A student that agrees with its teacher on pictures like those it learned from,
but on no others, wants other pictures; one that agrees on neither wants more weights or a longer run.

    python studies/agreement.py rendered teacher.safetensors rendered-test/query cuhk01/query
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from program import run

from swiftreid.data.pictures import find_pictures
from swiftreid.encoding.encoder import Encoder, open_encoder
from swiftreid.encoding.stream import encode_all


def embeddings(encoder: Encoder, paths: Sequence[Path]) -> NDArray[np.float32]:
    """Float embeddings of pictures, [n, d]."""
    found = encode_all(encoder, paths)[1].embedding
    if found is None:
        raise SystemExit(f"error: encoder {encoder.card.name} gives no float embedding")
    return found


def cosine(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> float:
    """Mean cosine of rows."""
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    return float(((ours * theirs).sum(axis=1) / np.maximum(lengths, 1e-12)).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("student", help="Encoder: a file, or a shipped one.")
    parser.add_argument("teacher", help="The one that it learned from.")
    parser.add_argument("pictures", type=Path, nargs="+", help="Folders of pictures.")
    parser.add_argument("--limit", type=int, default=300, help="Pictures of a folder, at most, spread over it.")
    args = parser.parse_args()
    student, teacher = open_encoder(args.student), open_encoder(args.teacher)
    if student.card.embedding != teacher.card.embedding:
        raise SystemExit(
            f"error: embeddings of {student.card.embedding} and {teacher.card.embedding} numbers cannot be compared: "
            "the first encoder has not learned from the second"
        )
    print(f"{student.card.name} beside {teacher.card.name}: mean cosine of embeddings")
    print(f"{'':40}{'pictures':>9}{'cosine':>9}{'centred':>9}")
    for folder in args.pictures:
        found = find_pictures(folder)
        paths = found[:: max(1, len(found) // args.limit)][: args.limit]
        ours, theirs = embeddings(student, paths), embeddings(teacher, paths)
        centred = cosine(ours - ours.mean(axis=0), theirs - theirs.mean(axis=0))
        print(f"{folder!s:40}{len(paths):9}{cosine(ours, theirs):9.3f}{centred:9.3f}", flush=True)


if __name__ == "__main__":
    run(main)

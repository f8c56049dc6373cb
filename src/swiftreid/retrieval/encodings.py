"""Pictures into a file of encodings, which a gallery, or another program, takes in place of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from swiftreid.data.samples import NamedSample
from swiftreid.encoding.encoder import Encoder
from swiftreid.encoding.encodings_file import save_encodings
from swiftreid.encoding.stream import OnBad, encode_all
from swiftreid.errors import SwiftReIDError
from swiftreid.progress import Progress, no_progress
from swiftreid.retrieval.samples import refuse_same_ids


def encode_to_file(
    encoder: Encoder,
    samples: Sequence[NamedSample],
    path: Path,
    *,
    on_bad: OnBad | None = None,
    progress: Progress = no_progress,
) -> int:
    """Encode pictures into one file of packed codes and float embeddings; returns how many.

    Args:
        encoder: makes the codes.
        samples: as `swiftreid.retrieval.samples.samples_below` finds them, each with an id of its own.
        path: the file, ``.safetensors``; its owner alone can read it.
        on_bad: takes pictures that cannot be used, which are left out; without it the first one raises.
        progress: takes pictures encoded and pictures in all.

    Raises:
        SameIds: two samples have the same id.
        BadPicture: a picture cannot be used, and there is no ``on_bad``.
        SwiftReIDError: no picture could be used, or the file cannot be written.
    """
    refuse_same_ids(samples, "encode them into files of their own, and add those with different prefixes of ids")
    paths, cameras = [sample.path for sample in samples], [sample.camera for sample in samples]
    kept, encoding = encode_all(encoder, paths, cameras=cameras, on_bad=on_bad, progress=progress)
    if not len(kept):
        raise SwiftReIDError(f"none of the {len(samples)} pictures could be read; nothing was written")
    chosen = [samples[i] for i in kept]
    save_encodings(
        path,
        encoder,
        encoding,
        ids=[sample.id for sample in chosen],
        cameras=[sample.camera for sample in chosen],
        persons=[sample.person for sample in chosen],
    )
    return len(chosen)

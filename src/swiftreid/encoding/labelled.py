"""Encode the samples of a data set, keeping who and where beside the codes; pool them for multi-query evaluation."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from swiftreid.data.samples import Split, cameras_of, persons_of
from swiftreid.encoding.abstract import Cameras, Encoder
from swiftreid.encoding.cache import EncodingCache
from swiftreid.encoding.embedded import BATCH, embed_paths
from swiftreid.encoding.encoding import Encoding
from swiftreid.encoding.stream import OnBad, encode_all
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.evaluation.labelled import LabelledCodes
from swiftreid.progress import Progress, no_progress
from swiftreid.search.codes import pack_bits


def encode_samples(
    encoder: Encoder,
    samples: Split,
    *,
    cameras: Cameras | None = None,
    on_bad: OnBad | None = None,
    progress: Progress = no_progress,
    task: str = "encoding",
    cache: EncodingCache | None = None,
) -> LabelledCodes:
    """Codes, persons, cameras and paths of every sample that can be read; the others go to ``on_bad``.

    Embeddings are kept in the user's cache, and taken from there when the same pictures are encoded again.

    Args:
        encoder: of pictures.
        samples: what to encode.
        cameras: the name of each sample's camera, for an encoder that knows cameras by name; None if it knows none of
            these.
        on_bad: called for each picture that cannot be used; without it the first one raises.
        progress: called as pictures are encoded.
        task: what progress is of.
        cache: None for the user's own (`EncodingCache.default`); ``EncodingCache(None)`` for none.

    Raises:
        UsageError: there are no samples.
        SwiftReIDError: none could be read.
    """
    if not samples:
        raise UsageError("there are no pictures to encode: the data set has none where some are needed")
    paths = [sample.path for sample in samples]
    if encoder.card.embedding is None:
        kept, encoding = encode_all(encoder, paths, on_bad=on_bad, progress=progress, task=task)
    else:
        kept, views = embed_paths(encoder, paths, on_bad=on_bad, progress=progress, task=task, cache=cache)
        names = None if cameras is None else [cameras[place] for place in kept.tolist()]
        encoding = _encoding_of(encoder, encoder.normalise(views[0], names))
    if not len(kept):
        raise SwiftReIDError(
            f"none of {len(samples)} pictures could be read; run `swiftreid doctor` on the data folder"
        )
    return LabelledCodes(
        encoding.codes,
        persons_of(samples)[kept],
        cameras_of(samples)[kept],
        encoding.embedding,
        [samples[i].path for i in kept],
    )


def _encoding_of(encoder: Encoder, embedding: NDArray[np.float32]) -> Encoding:
    """Codes of embeddings, made in the same batches as if pictures were encoded, so that no bit differs."""
    parts = [encoder.encode_embedding(embedding[i : i + BATCH]).codes for i in range(0, max(1, len(embedding)), BATCH)]
    return Encoding({name: np.concatenate([part[name] for part in parts]) for name in encoder.spec}, embedding)


def pool_queries(encoder: Encoder, query: LabelledCodes, more: LabelledCodes) -> LabelledCodes:
    """Multi query: each query pooled with all further pictures of its person by its camera.

    The values behind the bits are averaged before they become bits (methods.md, section 5), and so is the embedding.
    The query's own picture counts once: Market-1501's ``gt_bbox`` holds it too, by the same name.

    Args:
        encoder: what encoded both.
        query: the queries, with their paths.
        more: further pictures, with theirs.

    Returns:
        The queries with pooled codes and embeddings, in their order.

    Raises:
        UsageError: the encoder gives no embedding to pool, or paths are missing.
    """
    if query.embedding is None or more.embedding is None:
        raise UsageError(f"encoder {encoder.card.name} gives no float embedding, so several pictures cannot be pooled")
    if query.paths is None or more.paths is None:
        raise UsageError("pooling needs the paths of queries and of further pictures")
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for row, who in enumerate(zip(more.persons.tolist(), more.cameras.tolist(), strict=True)):
        groups[who].append(row)
    codes = {name: np.empty_like(code) for name, code in query.codes.items()}
    embedding = np.empty_like(query.embedding)
    for row, (person, camera) in enumerate(zip(query.persons.tolist(), query.cameras.tolist(), strict=True)):
        others = [i for i in groups[person, camera] if more.paths[i].name != query.paths[row].name]
        together: NDArray[np.float32] = np.concatenate([query.embedding[row : row + 1], more.embedding[others]])
        embedding[row] = together.mean(axis=0)
        for name, values in encoder.values_of(together).items():
            codes[name][row] = pack_bits(values.mean(axis=0, keepdims=True))[0]
    return LabelledCodes(codes, query.persons, query.cameras, embedding, query.paths)

"""Opening and creating a gallery on this machine."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from swiftreid.durable import path_of
from swiftreid.encoding.encoder import DEFAULT, Encoder, open_encoder
from swiftreid.encoding.runtimes.contract import RunOptions
from swiftreid.encoding.runtimes.registry import devices
from swiftreid.errors import UsageError
from swiftreid.gallery.meta import FloatName
from swiftreid.gallery.store import Gallery
from swiftreid.retrieval.gallery_encoder import EncoderSource
from swiftreid.retrieval.local import LocalGallery
from swiftreid.search.numbers import whole_number


def open_gallery(
    path: Path | str,
    *,
    encoder: EncoderSource | None = None,
    create: bool = False,
    rendered: bool = False,
    embedding: FloatName | None = None,
    read_only: bool = False,
    threads: int = 1,
    encoder_threads: int | None = None,
    device: str = "cpu",
) -> LocalGallery:
    """Open a gallery to add pictures to and to search.

    Args:
        path: its folder.
        encoder: an encoder, its file, or the name of a shipped one. A new gallery keeps a copy, and by default that of
            the shipped encoder ``rendered``. For a gallery that is there it is only needed to use another calibration.
        create: make the gallery if it is not there.
        rendered: for a new gallery: all its people are rendered, so a calibration on rendered people decides.
        embedding: for a new gallery: keep the float embeddings beside the codes, as this type.
        read_only: refuse every change; needs no writer lock.
        threads: that search.
        encoder_threads: that encode, as `swiftreid.open_encoder` takes them; None: one for one picture, for several all
            processors.
        device: where the encoder computes: ``cpu``, ``cuda`` and others of `swiftreid.open_encoder`.

    Raises:
        NotAGallery: nothing is there, and it is not to be created.
        OtherEncoder: the gallery holds codes of another encoder.
        UsageError: there is no such device, or an option is for a new gallery only.
        SwiftReIDError: the encoder cannot be opened.

    Example:
        >>> import tempfile
        >>> people = open_gallery(tempfile.mkdtemp() + "/people", encoder="stripes", create=True)
        >>> people.add("examples/station/query").ids[0]
        '0004_c1s3_052497_01.jpg'
        >>> answer = people.search("examples/station/query/0004_c1s3_052497_01.jpg", k=1)
        >>> [(hit.id, hit.distance) for hit in answer.hits]
        [('0004_c1s3_052497_01.jpg', 0)]
    """
    path = path_of(path, "a gallery")
    whole_number("threads", threads, 1)
    if device not in devices():
        raise UsageError(f"there is no device {device!r}: encoders run on {', '.join(devices())}")
    if create and (not path.exists() or (path.is_dir() and not any(path.iterdir()))):
        if read_only:
            raise UsageError(
                f"there is no gallery at {path}, and a new one that is read-only stays empty: drop read_only"
            )
        store = create_gallery(path, DEFAULT if encoder is None else encoder, rendered=rendered, embedding=embedding)
    else:
        store = Gallery.open(path, read_only=read_only)
    try:
        if embedding is not None and (store.embedding is None or store.embedding.dtype != np.dtype(embedding)):
            kept = "no embeddings" if store.embedding is None else f"embeddings {store.embedding}"
            raise UsageError(f"gallery {path} keeps {kept}, which was decided when it was created: drop embedding")
        options = RunOptions(encoder_threads, device)
        return LocalGallery(store, encoder, threads=threads, encoder_options=options)
    except BaseException:
        store.close()
        raise


def create_gallery(
    path: Path | str, source: EncoderSource = DEFAULT, *, rendered: bool = False, embedding: FloatName | None = None
) -> Gallery:
    """Create an empty gallery with a copy of an encoder, and open it for writing.

    Args:
        path: the new folder.
        source: an encoder, its file, or the name of a shipped one.
        rendered: all its people are rendered, so a calibration on rendered people decides.
        embedding: keep the float embeddings beside the codes, as this type.

    Raises:
        UsageError: something is there, or the encoder makes no codes.
        SwiftReIDError: the encoder cannot be opened, or the gallery cannot be written.
    """
    encoder = source if isinstance(source, Encoder) else open_encoder(source)
    if not encoder.spec.names and embedding is None:
        raise UsageError(
            f"encoder {encoder.card.name} makes no codes: learn some (`learn_hash` in Python, `swiftreid hash`), or "
            "keep its embeddings: embedding='float16'"
        )
    return Gallery.create(path, encoder, rendered=rendered, embedding=embedding)

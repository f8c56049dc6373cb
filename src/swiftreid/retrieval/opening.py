"""Opening and creating a gallery on this machine."""

from __future__ import annotations

from pathlib import Path

from swiftreid.encoding.encoder import DEFAULT, Encoder, open_encoder
from swiftreid.encoding.runtimes.contract import RunOptions
from swiftreid.errors import UsageError
from swiftreid.gallery.meta import FloatName
from swiftreid.gallery.store import Gallery
from swiftreid.retrieval.gallery_encoder import EncoderSource
from swiftreid.retrieval.local import LocalGallery


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
    path = Path(path)
    if create and (not path.exists() or (path.is_dir() and not any(path.iterdir()))):
        store = create_gallery(path, DEFAULT if encoder is None else encoder, rendered=rendered, embedding=embedding)
        if read_only:
            store.close()
            store = Gallery.open(path, read_only=True)
    else:
        store = Gallery.open(path, read_only=read_only)
    try:
        options = RunOptions(encoder_threads, device)
        return LocalGallery(store, encoder, threads=threads, encoder_options=options)
    except BaseException:
        store.close()
        raise


def create_gallery(
    path: Path, source: EncoderSource = DEFAULT, *, rendered: bool = False, embedding: FloatName | None = None
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

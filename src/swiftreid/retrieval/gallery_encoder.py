"""The encoder of an open gallery, opened when it is first needed."""

from __future__ import annotations

import threading
from pathlib import Path

from swiftreid.encoding.artefact import load_artefact
from swiftreid.encoding.card import EncoderCard
from swiftreid.encoding.encoder import Encoder, encoder_path, open_encoder
from swiftreid.encoding.runtimes.contract import RunOptions
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.gallery.store import Gallery

_DEFAULTS = RunOptions()

EncoderSource = str | Path | Encoder
"""An encoder, its file, or the name of a shipped one."""


class GalleryEncoder:
    """The encoder that was given, or the gallery's own copy; threads may share one.

    Args:
        gallery: that holds its codes.
        source: None for the gallery's own copy.
        options: threads and device of an encoder that is still to be opened.

    Raises:
        OtherEncoder: the encoder that was given is not the gallery's.
        UsageError: it is open already, and has threads and a device of its own.
    """

    def __init__(self, gallery: Gallery, source: EncoderSource | None, options: RunOptions = _DEFAULTS) -> None:
        if isinstance(source, Encoder) and options != _DEFAULTS:
            raise UsageError("an open encoder has threads and a device of its own: give them to open_encoder")
        self._gallery = gallery
        self._source = source
        self._options = options
        self._lock = threading.Lock()
        self._encoder: Encoder | None = source if isinstance(source, Encoder) else None
        self._card: EncoderCard | None = source.card if isinstance(source, Encoder) else None
        if source is not None:
            self._check(self.card())

    def encoder(self) -> Encoder:
        """See `swiftreid.retrieval.local.LocalGallery.encoder`."""
        with self._lock:
            if self._encoder is None:
                file = self._file()
                if file is None:
                    raise SwiftReIDError(
                        f"{self._gallery.path} carries no encoder file, only codes of {self._gallery.encoder_name}: "
                        "open it with that encoder, or add and search codes that were made elsewhere"
                    )
                opened = open_encoder(file, threads=self._options.threads, device=self._options.device)
                self._check(opened.card)
                self._encoder, self._card = opened, opened.card
            return self._encoder

    def card(self) -> EncoderCard | None:
        """See `swiftreid.retrieval.local.LocalGallery.card`."""
        with self._lock:
            if self._card is None and (file := self._file()) is not None:
                card = load_artefact(file)[0]
                self._check(card)
                self._card = card
            return self._card

    def _file(self) -> Path | None:
        if isinstance(self._source, (str, Path)):
            return encoder_path(self._source)
        file = self._gallery.encoder_file
        return file if file is not None and file.is_file() else None

    def _check(self, card: EncoderCard | None) -> None:
        if card is not None:
            self._gallery.check_encoder(card.fingerprint, card.name)

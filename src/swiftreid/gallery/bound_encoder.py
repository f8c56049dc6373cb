"""The encoder that a gallery is bound to: its identity, and the copy of its file."""

from __future__ import annotations

from pathlib import Path

from swiftreid.gallery.digests import file_digest
from swiftreid.gallery.errors import OtherEncoder, damaged, plain_errors
from swiftreid.gallery.meta import Meta


class BoundEncoder:
    """Knows which encoder made the codes of a gallery."""

    def __init__(self, gallery: Path, meta: Meta) -> None:
        self._gallery = gallery
        self._meta = meta
        self._checked: tuple[int, ...] | None = None

    def file(self) -> Path | None:
        """See `swiftreid.gallery.store.Gallery.encoder_file`."""
        if not self._meta.encoder_digest:
            return None
        path = self._gallery / self._meta.encoder_file
        with plain_errors(self._gallery, "reading the encoder"):
            state = path.stat()
            now = (state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
            if now != self._checked and file_digest(path) != self._meta.encoder_digest:
                raise damaged(self._gallery, f"{path.name} does not match its checksum")
            self._checked = now
        return path

    def check(self, fingerprint: str, encoder_name: str | None = None) -> None:
        """See `swiftreid.gallery.store.Gallery.check_encoder`."""
        own_name, own_print = self._meta.encoder_name, self._meta.fingerprint
        if fingerprint == own_print:
            return
        other = "an encoder"
        if encoder_name:
            other = f"{'another ' if encoder_name == own_name else ''}encoder {encoder_name!r}"
        own = f"the encoder with fingerprint {own_print}"
        if self._meta.encoder_digest:
            own = f"the gallery's own copy, {self._gallery / self._meta.encoder_file}"
        raise OtherEncoder(
            f"gallery {self._gallery} holds codes of encoder {own_name!r} (fingerprint {own_print}), not of {other} "
            f"(fingerprint {fingerprint}), and their codes can't be compared: encode with {own}, or create another "
            "gallery for the other encoder"
        )

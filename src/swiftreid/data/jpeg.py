"""JPEG headers, read by hand: what must be known before a decoder is trusted with the file."""

from __future__ import annotations

from dataclasses import dataclass

_START_OF_SCAN, _APP1 = 0xDA, 0xE1
_NO_LENGTH = {0x01, *range(0xD0, 0xD9)}
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_EXIF = b"Exif\x00\x00"


@dataclass(frozen=True)
class JpegHeader:
    """What a JPEG file says of itself before its first scan.

    Attributes:
        height: pixels.
        width: pixels.
        bits: bits per sample; 8 in all common files.
        channels: 1 grey, 3 colour, 4 CMYK or YCCK.
        exif: the EXIF block without its six leading bytes, or None.
    """

    height: int
    width: int
    bits: int
    channels: int
    exif: bytes | None


def read_jpeg_header(data: bytes) -> JpegHeader | None:
    """Read a JPEG's frame header and EXIF block (ITU-T T.81 annex B); None if the header is damaged or cut off."""
    position, exif, frame = 2, None, None
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            return None
        marker = data[position + 1]
        if marker == 0xFF:  # fill byte before a marker
            position += 1
            continue
        if marker in _NO_LENGTH:
            position += 2
            continue
        length = int.from_bytes(data[position + 2 : position + 4])
        body = position + 4
        if length < 2 or position + 2 + length > len(data):
            return None
        if marker in _FRAMES and length >= 8:
            frame = body
        elif marker == _APP1 and exif is None and data.startswith(_EXIF, body):
            exif = data[body + len(_EXIF) : position + 2 + length]
        elif marker == _START_OF_SCAN:
            break
        position += 2 + length
    if frame is None:
        return None
    height, width = int.from_bytes(data[frame + 1 : frame + 3]), int.from_bytes(data[frame + 3 : frame + 5])
    return JpegHeader(height, width, data[frame], data[frame + 5], exif)


def scans_of(data: bytes) -> int:
    """At most so many scans: in a scan's data 0xFF is stuffed, but a thumbnail or trailing bytes may add some."""
    return data.count(b"\xff\xda")

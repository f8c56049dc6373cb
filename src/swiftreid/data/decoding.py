"""One picture file to RGB, or a plain reason why not: strict, bounded in memory, never a grey-filled rest."""

from __future__ import annotations

import io
import re
import stat
from pathlib import Path

import numpy as np
import simplejpeg
from numpy.typing import NDArray
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from swiftreid.data.jpeg import read_jpeg_header, scans_of
from swiftreid.data.quiet import quiet_pillow
from swiftreid.errors import SwiftReIDError

MIN_SIDE = 8
"""Least height and width, in pixels, of a picture in which a person could be seen."""

MAX_PIXELS = 64_000_000
"""Most pixels of a picture (as 8000 x 8000); larger ones are refused by their header, before any decoding."""

MAX_BYTES = 256 * 1024 * 1024
"""Largest picture file that is read at all."""

MAX_SCANS = 500
"""Most scans of a progressive JPEG; real ones have about ten, thousands are an attack on the decoder's time."""

_BACKGROUND = (128, 128, 128, 255)
_SAMPLE_16_BIT = 257  # 65535 / 255
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION = 0x0112

# Chosen by the file's first bytes and called directly: Image.open would warn of large pictures before they can be
# refused, and would try decoders that nobody should run on strangers' files.
_DECODERS: list[tuple[re.Pattern[bytes], str, type[ImageFile.ImageFile]]] = [
    (re.compile(rb"\xff\xd8\xff"), "JPEG", JpegImagePlugin.JpegImageFile),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "PNG", PngImagePlugin.PngImageFile),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "WebP", WebPImagePlugin.WebPImageFile),
    (re.compile(rb"GIF8[79]a"), "GIF", GifImagePlugin.GifImageFile),
    (re.compile(rb"II\*\x00|MM\x00\*|II\+\x00|MM\x00\+"), "TIFF", TiffImagePlugin.TiffImageFile),
    (re.compile(rb"P[1-6]\s"), "PPM", PpmImagePlugin.PpmImageFile),
    (re.compile(rb"BM"), "BMP", BmpImagePlugin.BmpImageFile),
]


class BadPicture(SwiftReIDError):
    """A picture that cannot be used.

    Attributes:
        name: the file, as the caller named it.
        reason: why, in words for the user.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


class _Refused(Exception):
    """A reason on its way to the place that knows the file's name."""


def read_picture(source: Path | str | bytes, *, name: str | None = None) -> NDArray[np.uint8]:
    """Decode one picture, uint8 [height, width, 3] RGB, upright.

    JPEG, PNG, WebP, GIF, TIFF, PPM and BMP are recognised by their content, whatever the file is called. EXIF
    orientation is applied. Of an animation the first frame is taken. Transparent pixels are laid over middle grey
    (128); CMYK, palette and grey become RGB; 16-bit samples are scaled to 8 bits over their full range.

    Args:
        source: a file, or a file's content.
        name: what to call the picture in errors; a file's path by default.

    Raises:
        BadPicture: missing, unreadable, empty, truncated, damaged, of another kind, smaller than `MIN_SIDE` on a side,
            or larger than `MAX_PIXELS` or `MAX_BYTES`; with a reason.
    """
    if isinstance(source, str):
        source = Path(source)
    label = name if name is not None else (str(source) if isinstance(source, Path) else "picture")
    try:
        return _decode(_content(source))
    except _Refused as refusal:
        raise BadPicture(label, str(refusal)) from None
    except MemoryError:
        raise BadPicture(label, "there is not enough memory to decode it") from None


def _content(source: Path | bytes) -> bytes:
    if not isinstance(source, Path):
        return bytes(source)
    try:
        status = source.stat()
        if stat.S_ISDIR(status.st_mode):
            raise _Refused("it is a folder, not a picture file")
        if not stat.S_ISREG(status.st_mode):
            raise _Refused("it is not a regular file")
        if status.st_size > MAX_BYTES:
            raise _Refused(f"the file has {status.st_size:,} bytes; at most {MAX_BYTES:,} are read")
        return source.read_bytes()
    except FileNotFoundError:
        raise _Refused("the file does not exist") from None
    except PermissionError:
        raise _Refused("permission to read it is denied") from None
    except OSError as error:
        raise _Refused(f"it cannot be read: {error.strerror or error}") from None
    except ValueError as error:  # a NUL in the path
        raise _Refused(f"it cannot be read: {error}") from None


def _decode(data: bytes) -> NDArray[np.uint8]:
    if not data:
        raise _Refused("the file is empty")
    for magic, kind, decoder in _DECODERS:
        if magic.match(data):
            picture = _decode_jpeg(data) if kind == "JPEG" else None
            return picture if picture is not None else _decode_with_pillow(data, kind, decoder)
    raise _Refused("it is not a picture (known are JPEG, PNG, WebP, GIF, TIFF, PPM and BMP)")


def _check_size(height: int, width: int) -> None:
    if height < MIN_SIDE or width < MIN_SIDE:
        raise _Refused(f"it has {width} x {height} pixels; at least {MIN_SIDE} x {MIN_SIDE} are needed")
    if height * width > MAX_PIXELS:
        raise _Refused(f"it claims {width:,} x {height:,} pixels; at most {MAX_PIXELS:,} in all are decoded")


def _decode_jpeg(data: bytes) -> NDArray[np.uint8] | None:
    """The quick and strict way for 8-bit grey and colour JPEG; None for those left to Pillow (CMYK, odd colour)."""
    header = read_jpeg_header(data)
    if header is None:
        raise _Refused("the JPEG file is truncated or damaged in its header")
    _check_size(header.height, header.width)
    if header.bits != 8:
        raise _Refused(f"it is a JPEG of {header.bits} bits per sample; only 8 are supported")
    if scans_of(data) > MAX_SCANS:
        raise _Refused(f"the JPEG file has more than {MAX_SCANS} scans")
    if header.channels not in (1, 3):
        return None
    try:
        picture: NDArray[np.uint8] = simplejpeg.decode_jpeg(data, "RGB", strict=True)
    except ValueError as error:
        raise _Refused(_jpeg_reason(str(error))) from None
    if header.exif is None:
        return picture
    return _upright(picture, _orientation_in(header.exif))


def _jpeg_reason(message: str) -> str:
    if message.startswith("Premature end"):
        return "the JPEG file is truncated: its end is missing"
    return f"the JPEG data is damaged ({message.rstrip('.')})"


def _orientation_in(exif: bytes) -> int:
    """EXIF orientation, 1 to 8; 1 where the block is damaged, which must not cost the picture."""
    block = Image.Exif()
    try:
        with quiet_pillow():
            block.load(b"Exif\x00\x00" + exif)
            return int(block.get(_ORIENTATION, 1))
    except Exception:
        return 1


def _upright(picture: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    method = _TRANSPOSE.get(orientation)
    return picture if method is None else np.array(Image.fromarray(picture).transpose(method))


def _decode_with_pillow(data: bytes, kind: str, decoder: type[ImageFile.ImageFile]) -> NDArray[np.uint8]:
    try:
        with quiet_pillow(), decoder(io.BytesIO(data)) as image:
            _check_size(image.height, image.width)
            image.load()
            _check_size(image.height, image.width)
            picture = np.array(_to_rgb(image, kind))
            return _upright(picture, _orientation_of(image))
    except (_Refused, MemoryError):
        raise
    except Image.DecompressionBombError:
        raise _Refused(f"it claims more than the {MAX_PIXELS:,} pixels that are decoded") from None
    except Exception as error:  # decoders meet hostile bytes: every way they fail means the same here
        reason = f"{error}" or type(error).__name__
        raise _Refused(f"the {kind} data is truncated or damaged ({reason})") from None


def _orientation_of(image: Image.Image) -> int:
    """What is left to do after loading: Pillow itself turns TIFF, and then forgets the tag."""
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:
        return 1


def _to_rgb(image: Image.Image, kind: str) -> Image.Image:
    if image.mode.startswith("I;16") or (image.mode == "I" and kind in ("PNG", "PPM")):
        scaled = (np.asarray(image).astype(np.int64) + _SAMPLE_16_BIT // 2) // _SAMPLE_16_BIT
        return Image.fromarray(scaled.clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        raise _Refused(f"its {kind} samples are 32 bits wide, without an agreed range; save it with 8 or 16 bits")
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, _BACKGROUND), layer).convert("RGB")
    return image.convert("RGB")

"""The zoo of hostile and odd files: each is read right or refused with a reason; never a traceback or a warning."""

from __future__ import annotations

import io
import os
import pickle
import struct
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from swiftreid.data.decoding import MAX_PIXELS, MIN_SIDE, BadPicture, read_picture
from swiftreid.data.quiet import quiet_pillow
from swiftreid.errors import SwiftReIDError


@pytest.fixture(autouse=True)
def _no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def scene(height: int = 48, width: int = 32) -> np.ndarray:
    """A smooth picture without symmetry: red grows to the right, green downwards, one corner blue."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[..., 0] = np.linspace(0, 250, width)[None, :]
    picture[..., 1] = np.linspace(0, 250, height)[:, None]
    picture[: height // 3, : width // 3, 2] = 255
    return picture


def noise(height: int = 48, width: int = 32) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def encoded(image: Image.Image | np.ndarray, kind: str, **options: object) -> bytes:
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def close(left: np.ndarray, right: np.ndarray, tolerance: float = 4) -> bool:
    return left.shape == right.shape and bool(np.abs(left.astype(int) - right.astype(int)).mean() < tolerance)


def refused(source: bytes | Path, *words: str) -> BadPicture:
    with pytest.raises(BadPicture) as caught:
        read_picture(source, name="cam1/x.jpg") if isinstance(source, bytes) else read_picture(source)
    for word in words:
        assert word in caught.value.reason, caught.value.reason
    if isinstance(source, bytes):
        assert str(caught.value) == f"cam1/x.jpg: {caught.value.reason}"
    assert "0x" not in caught.value.reason
    assert "\n" not in caught.value.reason
    return caught.value


LOSSLESS = {"PNG": {}, "BMP": {}, "TIFF": {}, "PPM": {}, "WEBP": {"lossless": True}}


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_kinds_come_back_exactly(kind: str, tmp_path: Path) -> None:
    data = encoded(noise(), kind, **LOSSLESS[kind])
    assert np.array_equal(read_picture(data), noise())
    path = tmp_path / "wrongly_named.jpg"
    path.write_bytes(data)
    picture = read_picture(path)
    assert picture.dtype == np.uint8
    assert picture.flags.writeable
    assert np.array_equal(picture, noise())


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"])
def test_tiff_compressions(compression: str) -> None:
    assert close(read_picture(encoded(scene(), "TIFF", compression=compression)), scene(), 8)


@pytest.mark.parametrize(
    "options", [{}, {"progressive": True}, {"subsampling": 0}, {"optimize": True}, {"keep_rgb": True}]
)
def test_jpeg_agrees_with_pillow(options: dict) -> None:
    data = encoded(scene(), "JPEG", quality=90, **options)
    assert close(read_picture(data), np.asarray(Image.open(io.BytesIO(data))), 1)
    assert close(read_picture(data), scene(), 8)


def test_grey_jpeg_and_odd_sizes() -> None:
    grey = Image.fromarray(scene(47, 33)).convert("L")
    assert close(read_picture(encoded(grey, "JPEG")), np.asarray(grey.convert("RGB")))


def test_bytes_after_a_jpegs_end_do_no_harm() -> None:
    data = encoded(scene(), "JPEG")
    assert np.array_equal(read_picture(data + b"\x00" * 999), read_picture(data))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF", "PPM", "WEBP", "GIF"])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.6, 0.9])
def test_truncated(kind: str, share: float) -> None:
    data = encoded(noise(96, 64), kind)
    refused(data[: int(len(data) * share)])


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("lost", [2, 3, 40, 400])
def test_jpeg_without_its_end(lost: int, progressive: bool) -> None:
    data = encoded(noise(96, 64), "JPEG", progressive=progressive)
    refused(data[:-lost], "truncated")


def test_damage_inside_a_jpeg() -> None:
    data = bytearray(encoded(noise(96, 64), "JPEG"))
    data[len(data) // 2 : len(data) // 2 + 20] = b"\xff\xd0" * 10
    refused(bytes(data), "damaged")


def test_no_picture_at_all() -> None:
    refused(b"", "empty")
    refused(b"hello, I am a text file called .jpg", "not a picture")
    refused(b"%PDF-1.7 ...", "not a picture")
    refused(b"\xff\xd8\xff", "damaged")
    refused(b"\xff\xd8\xff\xe0" + bytes(100), "damaged")
    refused(b"\x89PNG\r\n\x1a\n" + bytes(100), "PNG")
    refused(b"BM" + bytes(200), "BMP")


def test_formats_off_the_list_are_not_tried() -> None:
    for kind in ("TGA", "ICO", "PCX", "SGI"):
        refused(encoded(noise(), kind), "not a picture")
    refused(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n", "not a picture")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "TIFF", "PPM", "WEBP", "GIF"])
def test_too_small(kind: str) -> None:
    refused(encoded(noise(1, 1), kind), "1 x 1", str(MIN_SIDE))
    refused(encoded(noise(MIN_SIDE - 1, 99), kind), "99 x 7")
    assert read_picture(encoded(noise(MIN_SIDE, MIN_SIDE), kind)).shape == (MIN_SIDE, MIN_SIDE, 3)


def png_of(width: int, height: int, depth: int = 8, colour: int = 2, rows: bytes = b"", extra: bytes = b"") -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_20000_by_20000_is_refused_by_its_header() -> None:
    jpeg = bytearray(encoded(noise(), "JPEG"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", 20_000, 20_000)
    refused(bytes(jpeg), "20,000 x 20,000", f"{MAX_PIXELS:,}")
    refused(png_of(20_000, 20_000), "20,000 x 20,000", f"{MAX_PIXELS:,}")
    refused(encoded(Image.new("1", (20_000, 20_000)), "TIFF", compression="group4"), "20,000 x 20,000")
    gif = bytearray(encoded(noise(), "GIF"))
    gif[6:10] = struct.pack("<HH", 20_000, 20_000)
    refused(bytes(gif), "20,000 x 20,000")
    bmp = bytearray(encoded(noise(), "BMP"))
    bmp[18:26] = struct.pack("<ii", 20_000, 20_000)
    refused(bytes(bmp), "20,000 x 20,000")
    refused(b"P6 20000 20000 255\n" + bytes(100), "20,000 x 20,000")


def test_largest_allowed_size_is_allowed() -> None:
    side = int(MAX_PIXELS**0.5)
    assert read_picture(encoded(Image.new("L", (side, side), 77), "PNG")).shape == (side, side, 3)
    refused(encoded(Image.new("1", (side + 1, side + 1)), "PNG"), "at most")


def test_a_jpeg_of_thousands_of_scans_is_refused() -> None:
    data = encoded(noise(), "JPEG", progressive=True)
    scan = data.index(b"\xff\xda")
    refused(data[:scan] + b"\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00" * 2000 + data[scan:], "scans")


def test_cmyk_jpeg_and_tiff() -> None:
    cmyk = Image.fromarray(scene()).convert("CMYK")
    expected = np.asarray(cmyk.convert("RGB"))
    assert close(read_picture(encoded(cmyk, "JPEG", quality=95)), expected, 8)
    assert close(read_picture(encoded(cmyk, "TIFF")), expected, 1)
    refused(encoded(Image.fromarray(noise()).convert("CMYK"), "JPEG")[:-500])


def test_palette_with_and_without_transparency() -> None:
    palette = Image.fromarray(scene()).quantize(64)
    assert np.array_equal(read_picture(encoded(palette, "PNG")), np.asarray(palette.convert("RGB")))
    assert np.array_equal(read_picture(encoded(palette, "GIF")), np.asarray(palette.convert("RGB")))
    assert np.array_equal(read_picture(encoded(palette, "BMP")), np.asarray(palette.convert("RGB")))
    corner = palette.getpixel((0, 0))
    seen_through = read_picture(encoded(palette, "PNG", transparency=corner))
    assert seen_through[0, 0].tolist() == [128, 128, 128]
    several = read_picture(encoded(palette, "PNG", transparency=bytes([0] * 64)))
    assert (several == 128).all()


def test_bilevel_and_grey() -> None:
    bilevel = Image.fromarray(scene()).convert("1")
    assert np.array_equal(read_picture(encoded(bilevel, "PNG")), np.asarray(bilevel.convert("RGB")))
    grey = Image.fromarray(scene()).convert("L")
    assert np.array_equal(read_picture(encoded(grey, "PNG")), np.asarray(grey.convert("RGB")))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_transparent_pixels_lie_over_grey(kind: str) -> None:
    rgba = np.dstack([scene(), np.full((48, 32), 255, np.uint8)])
    rgba[:10, :, 3] = 0
    rgba[10:20, :, 3] = 128
    picture = read_picture(encoded(Image.fromarray(rgba), kind, **LOSSLESS[kind]))
    assert (picture[:10] == 128).all()
    assert np.array_equal(picture[20:], scene()[20:])
    blended = scene()[10:20] * (128 / 255) + 128 * (127 / 255)
    assert np.abs(picture[10:20] - blended).max() <= 1.5


def test_grey_with_alpha() -> None:
    image = Image.fromarray(np.dstack([scene()[..., 0], np.zeros((48, 32), np.uint8)]), "LA")
    assert (read_picture(encoded(image, "PNG")) == 128).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_16_bit_grey_is_scaled_not_clipped(kind: str) -> None:
    ramp = np.linspace(0, 65535, 48 * 32).astype(np.uint16).reshape(48, 32)
    picture = read_picture(encoded(Image.fromarray(ramp), kind))
    assert np.abs(picture - (ramp / 257)[..., None]).max() <= 0.51
    assert picture.min() == 0
    assert picture.max() == 255


def test_16_bit_big_endian_tiff() -> None:
    ramp = np.linspace(0, 65535, 48 * 32).astype(">u2").reshape(48, 32)
    header = b"MM\x00*" + struct.pack(">I", 8)
    entries = [(256, 32), (257, 48), (258, 16), (259, 1), (262, 1), (273, 134), (277, 1), (278, 48), (279, ramp.nbytes)]
    directory = struct.pack(">H", len(entries)) + b"".join(struct.pack(">HHII", t, 4, 1, v) for t, v in entries)
    data = (header + directory + struct.pack(">I", 0)).ljust(134, b"\0") + ramp.tobytes()
    assert np.abs(read_picture(data) - (ramp / 257)[..., None]).max() <= 0.51


def test_16_bit_rgb_png_is_scaled_not_clipped() -> None:
    deep = (scene().astype(np.uint16) * 257).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in deep)
    assert np.array_equal(read_picture(png_of(32, 48, 16, 2, rows)), scene())


@pytest.mark.parametrize("mode", ["I", "F"])
def test_32_bit_samples_have_no_agreed_range(mode: str) -> None:
    refused(encoded(Image.new(mode, (32, 32), 5), "TIFF"), "32 bits")


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_first_frame_of_an_animation(kind: str) -> None:
    frames = [Image.new("RGB", (32, 48), colour) for colour in ("red", "green", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **options)
    assert Image.open(io.BytesIO(data)).n_frames == 3
    assert (read_picture(data) == [255, 0, 0]).all()


STORED = {
    1: lambda p: p,
    2: lambda p: p[:, ::-1],
    3: lambda p: p[::-1, ::-1],
    4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2),
    6: lambda p: np.rot90(p, 1),
    7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
    8: lambda p: np.rot90(p, -1),
}


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_orientation(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(STORED[orientation](scene()))
    data = encoded(stored, kind, exif=exif, **(LOSSLESS.get(kind) or {"quality": 95, "subsampling": 0}))
    assert close(read_picture(data), scene(), 3)


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_nonsense_orientation_means_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    assert close(read_picture(encoded(scene(), "JPEG", exif=exif)), scene(), 8)
    assert close(read_picture(encoded(scene(), "PNG", exif=exif)), scene(), 8)


def test_damaged_exif_does_not_cost_the_picture() -> None:
    for block in (b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0garbage" * 9):
        assert close(read_picture(encoded(scene(), "JPEG", exif=block)), scene(), 8)


def test_12_bit_jpeg_is_refused_by_name() -> None:
    data = bytearray(encoded(scene(), "JPEG"))
    data[data.index(b"\xff\xc0") + 4] = 12
    refused(bytes(data), "12 bits")


def test_places_that_hold_no_picture(tmp_path: Path) -> None:
    refused(tmp_path / "gone.jpg", "does not exist")
    (tmp_path / "folder.jpg").mkdir()
    refused(tmp_path / "folder.jpg", "folder")
    os.mkfifo(tmp_path / "pipe.jpg")
    refused(tmp_path / "pipe.jpg", "regular file")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    refused(tmp_path / "loop.jpg", "cannot be read")
    refused(Path("a\0b.jpg"), "cannot be read")


def test_denied_permission_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.jpg"
    path.write_bytes(b"x")

    def deny(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", deny)
    assert refused(path, "permission").name == str(path)


def test_a_file_too_long_to_read(tmp_path: Path) -> None:
    path = tmp_path / "endless.jpg"
    with path.open("wb") as file:
        file.truncate(300 * 1024 * 1024)
    refused(path, "bytes")


def test_bad_picture_is_a_swiftreid_error_and_travels_between_processes() -> None:
    bad = pickle.loads(pickle.dumps(BadPicture("a.jpg", "why")))
    assert isinstance(bad, SwiftReIDError)
    assert (bad.name, bad.reason, str(bad)) == ("a.jpg", "why", "a.jpg: why")


def test_only_pillows_warnings_are_silenced() -> None:
    with warnings.catch_warnings(record=True) as shown, quiet_pillow():
        warnings.filterwarnings("always", message="somebody else's")
        warnings.warn_explicit("odd file", UserWarning, "x.py", 1, module="PIL.Image")
        warnings.warn("somebody else's", UserWarning, stacklevel=1)
    assert [str(warning.message) for warning in shown] == ["somebody else's"]


def test_warning_filters_are_as_before_after_many_threads() -> None:
    before = list(warnings.filters)
    data = [encoded(Image.fromarray(noise()).quantize(8), "PNG", transparency=bytes([9] * 8)) for _ in range(4)]
    threads = [threading.Thread(target=lambda d=d: [read_picture(d) for _ in range(20)]) for d in data]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(warnings.filters) == before


SEEDS = [encoded(noise(24, 16), kind) for kind in ("JPEG", "PNG", "BMP", "TIFF", "PPM", "WEBP", "GIF")]
SEEDS.append(encoded(Image.fromarray(noise(24, 16)).convert("CMYK"), "JPEG"))


@settings(max_examples=400)
@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), min_size=1, max_size=12))
def test_any_damage_gives_a_picture_or_a_reason(seed: bytes, changes: list[tuple[int, int]]) -> None:
    data = bytearray(seed)
    for place, value in changes:
        data[place % len(data)] = value
    try:
        picture = read_picture(bytes(data))
    except BadPicture:
        return
    assert picture.dtype == np.uint8
    assert picture.ndim == 3
    assert picture.shape[2] == 3
    assert picture.shape[0] * picture.shape[1] <= MAX_PIXELS

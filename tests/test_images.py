"""Decoding image files to gray levels: formats, color modes, orientation and limits."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.GifImagePlugin import GifImageFile

from facial_expression.images import (
    ALL_FORMATS,
    DamagedImage,
    ImageError,
    TooManyPixels,
    UnsupportedImage,
    decode_color,
    decode_gray,
    decode_picture,
    read_picture,
)
from helpers.photos import draw, encode, photograph

PIXELS = 1_000_000
GRAY = np.hstack([draw(), draw("sad", 1)])


def colors() -> Image.Image:
    """A color image whose gray levels differ from each of its channels."""
    return Image.merge("RGB", [Image.fromarray(channel) for channel in (GRAY, 255 - GRAY, GRAY // 2 + 60)])


def gray_levels(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("RGB").convert("L")).astype(int)


def rejected(data: bytes, max_pixels: int = PIXELS) -> ImageError:
    with pytest.raises(ImageError) as caught:
        decode_gray(data, max_pixels)
    return caught.value


@pytest.mark.parametrize("file_format", ["PNG", "BMP", "GIF"])
def test_lossless_gray_is_unchanged(file_format):
    decoded = decode_gray(encode(GRAY, file_format), PIXELS)
    assert decoded.dtype == np.uint8
    np.testing.assert_array_equal(decoded, GRAY)


@pytest.mark.parametrize(
    ("file_format", "options"),
    [
        ("AVIF", {"quality": 95}),
        ("JPEG", {"quality": 95}),
        ("JPEG", {"quality": 95, "progressive": True}),
        ("JPEG", {"quality": 95, "keep_rgb": True}),
        ("PNG", {}),
        ("WEBP", {"quality": 95}),
        ("WEBP", {"lossless": True}),
        ("BMP", {}),
    ],
)
def test_converts_color_to_gray(file_format, options):
    decoded = decode_gray(encode(colors(), file_format, **options), PIXELS)
    assert np.abs(decoded - gray_levels(colors())).mean() < 3


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "LA", "RGBA"])
def test_converts_every_mode_to_gray(mode):
    image = colors().convert("L").convert(mode) if mode in ("1", "LA") else colors().convert(mode)
    data = encode(image, "JPEG" if mode == "CMYK" else "PNG")
    assert np.abs(decode_gray(data, PIXELS) - gray_levels(image)).mean() < 4


def test_scales_16_bit_gray():
    image = Image.fromarray(GRAY.astype(np.uint16) * 257)
    np.testing.assert_array_equal(decode_gray(encode(image), PIXELS), GRAY)


def test_scales_16_bit_color():
    size = struct.pack(">II", 2, 1)
    pixels = b"\0" + struct.pack(">6H", 0xFFFF, 0xFFFF, 0xFFFF, 0x8080, 0x8080, 0x8080)
    png = b"\x89PNG\r\n\x1a\n"
    for name, content in ((b"IHDR", size + b"\x10\x02\0\0\0"), (b"IDAT", zlib.compress(pixels)), (b"IEND", b"")):
        png += struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    np.testing.assert_array_equal(decode_gray(png, PIXELS), [[255, 128]])


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_composites_transparency_onto_white(mode):
    if mode == "P":
        image = Image.new("P", (4, 4), 0)
        image.putpalette([10, 10, 10])
        data = encode(image, transparency=0)
    else:
        data = encode(Image.new(mode, (4, 4), (10, 10, 10, 0) if mode == "RGBA" else (10, 0)))
    np.testing.assert_array_equal(decode_gray(data, PIXELS), np.full((4, 4), 255))


def test_half_transparent_black_becomes_gray():
    data = encode(Image.new("RGBA", (4, 4), (0, 0, 0, 127)), "WEBP", lossless=True)
    np.testing.assert_allclose(decode_gray(data, PIXELS), 128, atol=1)


@pytest.mark.parametrize("file_format", ["GIF", "WEBP"])
def test_decodes_first_frame_of_animation(file_format):
    frames = [Image.new("L", (8, 8), 200), Image.new("L", (8, 8), 20)]
    data = encode(frames[0], file_format, save_all=True, append_images=frames[1:])
    np.testing.assert_allclose(decode_gray(data, PIXELS), 200, atol=2)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_applies_exif_orientation(file_format, orientation):
    upright = np.zeros((16, 32), np.uint8)
    upright[:8, :16], upright[8:, 16:] = 250, 120
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(np.ascontiguousarray(stored), file_format, exif=exif, quality=95)
    decoded = decode_picture(data, PIXELS, ALL_FORMATS)
    assert decoded.gray.shape == (decoded.height, decoded.width) == upright.shape
    assert np.abs(decoded.gray.astype(int) - upright).mean() < 6


@pytest.mark.parametrize("levels", [np.linspace(0, 1, 64, dtype=np.float32), np.arange(-32, 32), np.arange(64) + 2**16])
def test_rejects_levels_of_more_than_16_bits(levels):
    data = encode(Image.fromarray(levels.reshape(8, 8).astype(levels.dtype if levels.dtype == "f4" else "i4")), "TIFF")
    with pytest.raises(UnsupportedImage, match="more than 16 bits"):
        decode_picture(data, PIXELS, ALL_FORMATS)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_ignores_damaged_exif():
    data = encode(GRAY, "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\xff" * 40)
    assert decode_gray(data, PIXELS).shape == GRAY.shape


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "GIF", "BMP", "AVIF"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_rejects_truncated_file(file_format, share):
    data = encode(colors(), file_format)
    assert isinstance(rejected(data[: int(share * len(data))]), (DamagedImage, UnsupportedImage))


@pytest.mark.parametrize("data", [b"x", b"hello world" * 50, b"%PDF-1.7", b"\xff\xd8", b"<svg/>", b"\0" * 5000])
def test_rejects_non_images(data):
    assert isinstance(rejected(data), UnsupportedImage)


@pytest.mark.parametrize("file_format", ["TIFF", "PPM", "ICO", "TGA"])
def test_rejects_other_formats(file_format):
    assert isinstance(rejected(encode(GRAY, file_format)), UnsupportedImage)


def test_counts_pixels_before_decoding(monkeypatch):
    def load(self):
        pytest.fail("decoded an image that is too large")

    data = encode(Image.new("L", (1001, 1000)))
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", load)
    error = rejected(data)
    assert isinstance(error, TooManyPixels)
    assert "1 million pixels" in str(error)


@pytest.mark.parametrize(("mode", "file_format"), [("RGBA", "PNG"), ("LA", "PNG"), ("RGBA", "WEBP")])
def test_allows_transparent_image_half_of_pixels(mode, file_format):
    """A few kilobytes can stand for all of its pixels, and each takes the time of two others."""
    fits = encode(Image.new(mode, (1000, 500)), file_format, lossless=True)
    assert decode_gray(fits, PIXELS).shape == (500, 1000)
    error = rejected(encode(Image.new(mode, (1000, 501)), file_format, lossless=True))
    assert isinstance(error, TooManyPixels)
    assert "transparency is 0.5 million pixels" in str(error)


@pytest.mark.parametrize("side", [5_000, 60_000, 2**31 - 1])
def test_rejects_decompression_bomb(side):
    header = struct.pack(">II", side, side) + b"\x08\0\0\0\0"
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + header
    png += struct.pack(">I", zlib.crc32(b"IHDR" + header))
    png += struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    assert isinstance(rejected(png), TooManyPixels)


def test_accepts_image_at_pixel_limit():
    assert decode_gray(encode(Image.new("L", (1000, 1000))), PIXELS).shape == (1000, 1000)


def test_rejects_jpeg_with_many_scans():
    """A progressive JPEG may repeat scans, and each makes the decoder process the whole image."""
    data = encode(colors(), "JPEG", progressive=True)
    start = data.rindex(b"\xff\xda")  # the last scan
    scan = data[start:-2]
    assert isinstance(rejected(data[:start] + 200 * scan + data[-2:]), DamagedImage)
    few = decode_gray(data[:start] + 5 * scan + data[-2:], PIXELS)
    assert few.shape == GRAY.shape


def test_rejects_jpeg_with_many_exif_blocks():
    block = b"\xff\xe1\x00\x10Exif\0\0" + bytes(8)
    data = encode(colors(), "JPEG")
    assert isinstance(rejected(data[:2] + 50 * block + data[2:]), DamagedImage)
    assert decode_gray(data[:2] + 2 * block + data[2:], PIXELS).shape == GRAY.shape


def test_accepts_scan_markers_in_other_formats():
    image = Image.frombytes("L", (40, 20), 400 * b"\xff\xda")
    assert decode_gray(encode(image, "BMP"), PIXELS).shape == (20, 40)


def large_jpeg(**options) -> bytes:
    """A JPEG of 1200 x 800 pixels whose left half is dark."""
    levels = np.full((800, 1200), 200, np.uint8)
    levels[:, :600] = 60
    return encode(levels, "JPEG", quality=95, **options)


def test_reads_heic():
    gray = decode_gray((Path(__file__).parent / "files" / "happy.heic").read_bytes(), PIXELS)
    expected = photograph(draw(), side=192, size=(240, 320))
    assert gray.shape == expected.shape
    assert np.abs(gray.astype(int) - expected).mean() < 4


def test_ignores_video_of_motion_photo():
    data = encode(colors(), "JPEG")
    video = np.random.default_rng(0).bytes(2_000_000)  # with many bytes that look like markers
    np.testing.assert_array_equal(decode_gray(data + video, PIXELS), decode_gray(data, PIXELS))


def test_reads_first_image_of_several_in_jpeg():
    data = encode(colors(), "MPO", save_all=True, append_images=[Image.new("RGB", colors().size)])
    assert np.abs(decode_gray(data, PIXELS) - gray_levels(colors())).mean() < 4


@pytest.mark.parametrize("missing", [1, 2, 20, 200])
@pytest.mark.parametrize("progressive", [False, True])
def test_reads_jpeg_without_its_last_bytes(missing, progressive):
    data = encode(colors().resize((384, 192)), "JPEG", quality=95, progressive=progressive)
    whole, cut = decode_gray(data, PIXELS), decode_gray(data[:-missing], PIXELS)
    assert cut.shape == whole.shape
    assert np.abs(cut[:96].astype(int) - whole[:96]).mean() < 2


def test_says_how_much_of_a_cut_jpeg_is_there():
    data = encode(colors().resize((768, 384)), "JPEG", quality=95)
    error = rejected(data[: int(0.4 * len(data))])
    assert isinstance(error, DamagedImage)
    assert "of its rows are there" in str(error)


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG", "AVIF"])
def test_skips_black_frames_at_start_of_animation(file_format):
    black = Image.new("L", (96, 48))
    shown = Image.fromarray(GRAY)
    data = encode(black, file_format, save_all=True, append_images=[black, shown], duration=40)
    assert np.abs(decode_gray(data, PIXELS).astype(int) - GRAY).mean() < 12


def test_stops_searching_a_long_uniform_animation(monkeypatch):
    frames = [Image.new("L", (100, 100), level) for level in range(9)]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    sought = []
    seek = GifImageFile.seek
    monkeypatch.setattr(GifImageFile, "seek", lambda image, frame: (sought.append(frame), seek(image, frame)))
    assert decode_gray(data, 10_000).max() == 0
    assert sought == [0, 1, 2, 3]  # together as many pixels as the largest JPEG


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
def test_scales_levels_of_fewer_bits_stored_in_16(bits):
    levels = (GRAY.astype(np.uint32) * (2**bits - 1) // 255).astype(np.uint16)
    levels[0, 0] = 2**bits - 1
    difference = decode_gray(encode(Image.fromarray(levels)), PIXELS).astype(int) - GRAY
    assert np.abs(difference).ravel()[1:].max() <= 1


def test_decodes_very_large_jpeg_at_half_size():
    picture = decode_picture(large_jpeg(), max_pixels=240_000)
    assert (picture.width, picture.height) == (1200, 800)
    assert picture.gray.shape == (400, 600)
    assert picture.scale.tolist() == [2, 2]
    np.testing.assert_allclose(picture.gray[:, [0, -1]], np.tile([60, 200], (400, 1)), atol=2)
    assert isinstance(rejected(large_jpeg(), max_pixels=239_999), TooManyPixels)


def test_size_of_large_jpeg_follows_its_orientation():
    exif = Image.Exif()
    exif[0x0112] = 6
    picture = decode_picture(large_jpeg(exif=exif), max_pixels=240_000)
    assert (picture.width, picture.height) == (800, 1200)
    assert picture.gray.shape == (600, 400)


def test_allows_large_jpeg_fewer_scans():
    data = large_jpeg(progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    repeated = data[:-2] + 40 * scan + data[-2:]
    assert decode_picture(repeated, max_pixels=960_000).gray.shape == (800, 1200)
    assert isinstance(rejected(repeated, max_pixels=240_000), DamagedImage)


@pytest.mark.parametrize("file_format", ["TIFF", "PPM"])
def test_reads_formats_of_older_collections(tmp_path, file_format):
    path = tmp_path / "face"
    path.write_bytes(encode(GRAY, file_format))
    np.testing.assert_array_equal(read_picture(path).gray, GRAY)
    assert "HEIF, TIFF, PPM" in str(rejected_file(tmp_path, b"%PDF-1.7"))


def rejected_file(folder: Path, data: bytes) -> ImageError:
    path = folder / "other"
    path.write_bytes(data)
    with pytest.raises(UnsupportedImage) as caught:
        read_picture(path)
    return caught.value


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "I;16"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_colors_are_upright_and_fit_the_gray_levels(mode, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(GRAY.astype(np.uint16) * 257) if mode == "I;16" else colors().convert(mode)
    data = encode(image, exif=exif)
    shown, gray = decode_color(data, PIXELS), decode_gray(data, PIXELS)
    assert shown.shape == (*gray.shape, 3)
    assert np.abs(gray_levels(Image.fromarray(shown)) - gray).max() <= 1


def test_colors_of_large_jpeg_have_its_reduced_size():
    data = encode(colors().resize((1200, 600)), "JPEG", quality=95)
    assert decode_color(data, 240_000).shape == (300, 600, 3)
    with pytest.raises(DamagedImage, match="of its rows"):
        decode_color(data[: len(data) // 5], 240_000)

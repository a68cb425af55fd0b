"""One encoded image in, its pixels out, or an error that says where it came from."""

from __future__ import annotations

import contextlib
import io
import re
import struct
import warnings
import zlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image

from .errors import DataError

FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
MAX_FILE_BYTES = 64 * 2**20
MAX_SIDE = 16_384
MAX_PIXELS = 50_000_000
MIN_SIDE = 4

UNREADABLE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    RuntimeError,
    struct.error,
    zlib.error,
    MemoryError,
)
"""What opening or reading a damaged image may raise."""
_ADDRESS = re.compile(r" ?<[^<>]* at 0x[0-9a-fA-F]+>")

BOMBS = (Image.DecompressionBombError, Image.DecompressionBombWarning)


def decode_image(data: bytes, *, size: int, where: str) -> npt.NDArray[np.uint8]:
    """Decode an image, cut out its central square and resize that.

    Args:
        data: the encoded file, PNG, JPEG, WEBP or BMP.
        size: side of the result in pixels; an image of that size keeps its pixels untouched.
        where: names the image in errors, such as `birds.parquet, row 3`.

    Returns:
        uint8 of shape (size, size, 3), RGB.

    Raises:
        DataError: if it is no such image, truncated, of an absurd size, or of more than 8 bits.
    """
    if len(data) > MAX_FILE_BYTES:
        raise DataError(
            f"{where}: the image takes {len(data):,} bytes; expected at most {MAX_FILE_BYTES:,}"
        )
    try:
        with _quiet(), Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_size(image.size, where)
            _check_mode(image.mode, where)
            return _square(_rgb(image), size)
    except BOMBS as error:
        raise DataError(
            f"{where}: a decompression bomb: {len(data):,} bytes that claim more than "
            f"{MAX_PIXELS:,} pixels"
        ) from error
    except DataError:
        raise
    except UNREADABLE as error:
        raise DataError(
            f"{where}: not a readable image ({reason_of(error)}); expected {', '.join(FORMATS)}"
        ) from error


def reason_of(error: Exception) -> str:
    """What was wrong with an image, without addresses in memory."""
    return _ADDRESS.sub("", str(error)) or type(error).__name__


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """No word of harmless oddities, such as damaged EXIF data; a decompression bomb is an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        yield


def _check_size(size: tuple[int, int], where: str) -> None:
    width, height = size
    if width * height > MAX_PIXELS or max(size) > MAX_SIDE:
        raise DataError(
            f"{where}: the image claims {width} x {height} pixels; "
            f"expected at most {MAX_PIXELS:,} pixels and {MAX_SIDE:,} a side"
        )
    if min(size) < MIN_SIDE:
        raise DataError(
            f"{where}: the image has {width} x {height} pixels; expected at least {MIN_SIDE} a side"
        )


def _check_mode(mode: str, where: str) -> None:
    if mode.startswith(("I", "F")):
        raise DataError(f"{where}: pixels of mode {mode}; expected 8 bits a channel")


def _rgb(image: Image.Image) -> Image.Image:
    """Without transparency and palette; transparent parts keep the colour stored under them."""
    if image.mode == "RGB":
        return image
    if "transparency" in image.info and image.mode in ("P", "L", "RGB"):
        image = image.convert("RGBA")
    return image.convert("RGB")


def _square(image: Image.Image, size: int) -> npt.NDArray[np.uint8]:
    if image.size != (size, size):
        width, height = image.size
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        image = image.crop((left, top, left + side, top + side))
        image = image.resize((size, size), Image.Resampling.BILINEAR)
    return np.array(image, dtype=np.uint8)

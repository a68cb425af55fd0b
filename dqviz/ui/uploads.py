"""Files that visitors bring: bounded in size, checked, and kept by the hash of their content.

Nothing is loaded here; a checkpoint is read by the worker that uses it, which refuses code.
"""

from __future__ import annotations

import hashlib
import io
import warnings
from pathlib import Path

from PIL import Image, ImageOps

from dqviz.cards import MAX_CARD_BYTES
from dqviz.data.decode import FORMATS, UNREADABLE, reason_of
from dqviz.data.folder_paths import data_folder

CHECKPOINT_SUFFIXES = (".safetensors", ".pt", ".pth", ".th")
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
MAX_CHECKPOINT_BYTES = 400 * 1024**2
MAX_IMAGE_BYTES = 20 * 1024**2
MAX_IMAGE_PIXELS = 40_000_000
MAX_FOLDER_BYTES = 4 * 1024**3
KEPT_SIDE = 1024
"""An uploaded image is kept at no more than this many pixels a side."""


class UploadError(ValueError):
    """A file that is not taken; the message says what it is and what is expected."""


def upload_folder() -> Path:
    """Where uploads lie, inside the data folder."""
    return data_folder() / "uploads"


def keep_checkpoint(name: str, content: bytes, *, card: bytes = b"") -> Path:
    """Stores a checkpoint, and its card beside it, under their hash; returns the weights' path.

    Raises:
        UploadError: if the file's kind or size is wrong.
    """
    suffix = Path(name).suffix.lower()
    if suffix not in CHECKPOINT_SUFFIXES:
        raise UploadError(
            f"a checkpoint ends in {', '.join(CHECKPOINT_SUFFIXES)}; got {suffix or 'no ending'}"
        )
    _check_size("a checkpoint", len(content), MAX_CHECKPOINT_BYTES)
    if not card:
        return _store(content, suffix)
    _check_size("a card", len(card), MAX_CARD_BYTES)
    both = hashlib.sha256(content + card).hexdigest()
    _store(card, f"{suffix}.json", name=both)
    return _store(content, suffix, name=both)


def keep_image(content: bytes) -> Path:
    """Stores an image as an RGB PNG under its hash and returns its path.

    The picture is turned as its camera says and reduced to `KEPT_SIDE` pixels a side.

    Raises:
        UploadError: if it is no image, or larger than is allowed when unpacked.
    """
    _check_size("an image", len(content), MAX_IMAGE_BYTES)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(content), formats=FORMATS) as image:
                _check_pixels(image.size)
                picture = ImageOps.exif_transpose(image).convert("RGB")
    except UploadError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UploadError(f"the image is too large when unpacked: {error}") from error
    except UNREADABLE as error:
        raise UploadError(
            f"the file is not an image that can be read ({reason_of(error)}); "
            f"expected {', '.join(FORMATS)}"
        ) from error
    picture.thumbnail((KEPT_SIDE, KEPT_SIDE))
    packed = io.BytesIO()
    picture.save(packed, format="PNG")
    return _store(packed.getvalue(), ".png")


def numbers(text: str, what: str) -> tuple[float, ...] | None:
    """Numbers separated by commas, None where there is nothing.

    Raises:
        UploadError: if a part is no number.
    """
    if not text.strip():
        return None
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise UploadError(
            f"{what} is numbers separated by commas, such as 0.5, 0.5, 0.5; got {text[:60]!r}"
        ) from None


def _check_size(what: str, size: int, limit: int) -> None:
    if not 0 < size <= limit:
        raise UploadError(
            f"{what} may have 1 byte to {limit // 1024**2} MB; got {size / 1024**2:.1f} MB"
        )


def _check_pixels(size: tuple[int, int]) -> None:
    width, height = size
    if width * height > MAX_IMAGE_PIXELS or min(size) < 8:
        raise UploadError(
            f"an image has 8 pixels a side or more and at most {MAX_IMAGE_PIXELS / 1e6:.0f} "
            f"million in all; got {width} x {height}"
        )


def _store(content: bytes, suffix: str, *, name: str | None = None) -> Path:
    """Writes the content in one step; the same content is stored once, by its hash."""
    folder = upload_folder()
    path = folder / f"{name or hashlib.sha256(content).hexdigest()}{suffix}"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    held = sum(entry.stat().st_size for entry in folder.iterdir() if entry.is_file())
    if held + len(content) > MAX_FOLDER_BYTES:
        raise UploadError(
            f"the folder of uploads holds {held / 1024**3:.1f} GB, the limit is "
            f"{MAX_FOLDER_BYTES / 1024**3:.0f} GB: whoever runs this server may empty {folder.name}"
        )
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(content)
    partial.replace(path)
    return path

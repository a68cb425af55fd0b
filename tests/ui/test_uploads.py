"""Files from visitors: what is taken, what is refused, and where it lies."""

import hashlib
import io
import zlib

import pytest
from PIL import Image

from dqviz.cards import Card, CardError, card_beside, format_card
from dqviz.specs import SpecError
from dqviz.ui import uploads
from dqviz.ui.upload import carded_spec, network_spec


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("DQVIZ_DATA", str(tmp_path))
    return tmp_path / "uploads"


def packed(image, **options):
    out = io.BytesIO()
    image.save(out, **options)
    return out.getvalue()


def png_that_claims(width, height):
    """A tiny PNG file whose header promises an enormous picture."""
    plain = packed(Image.new("L", (8, 8)), format="PNG")
    header = b"IHDR" + width.to_bytes(4, "big") + height.to_bytes(4, "big") + plain[24:29]
    return plain[:12] + header + zlib.crc32(header).to_bytes(4, "big") + plain[33:]


def test_a_checkpoint_is_kept_once_under_its_hash(folder):
    paths = {uploads.keep_checkpoint(name, b"weights") for name in ("a.pth", "b.PTH")}
    (path,) = paths
    assert path == folder / f"{hashlib.sha256(b'weights').hexdigest()}.pth"
    assert path.read_bytes() == b"weights"


def test_a_card_is_kept_beside_its_checkpoint(folder):
    text = format_card(Card(arch="plain20", classes=("a", "b"), mean=(0.4,), std=(0.2,)))
    label, spec = carded_spec("mine.safetensors", b"weights", text.encode())
    assert label == "upload/plain20/mine"
    assert (spec.arch, spec.classes, spec.mean, spec.std) == ("plain20", 2, (0.4,), (0.2,))
    assert card_beside(spec.checkpoint).classes == ("a", "b")
    other = carded_spec("mine.safetensors", b"weights", text.replace('"a"', '"c"').encode())[1]
    assert other.checkpoint != spec.checkpoint


@pytest.mark.parametrize("card", [b"\xff", b"{}", b"not json"])
def test_what_is_no_card_is_refused(card, folder):
    with pytest.raises(CardError, match="the card"):
        carded_spec("mine.pt", b"weights", card)
    assert not folder.exists()


@pytest.mark.parametrize("name", ["model.pkl", "model", "../x.exe", "model.pth.zip"])
def test_another_kind_of_file_is_refused(name):
    with pytest.raises(uploads.UploadError, match=r"\.safetensors"):
        uploads.keep_checkpoint(name, b"x")


def test_empty_and_enormous_files_are_refused(monkeypatch, folder):
    with pytest.raises(uploads.UploadError, match=r"got 0\.0 MB"):
        uploads.keep_checkpoint("a.pt", b"")
    monkeypatch.setattr(uploads, "MAX_CHECKPOINT_BYTES", 10)
    with pytest.raises(uploads.UploadError, match="a checkpoint may have"):
        uploads.keep_checkpoint("a.pt", b"x" * 11)
    assert not folder.exists()


def test_a_full_folder_takes_nothing_more(monkeypatch):
    monkeypatch.setattr(uploads, "MAX_FOLDER_BYTES", 10)
    uploads.keep_checkpoint("a.pt", b"123456")
    with pytest.raises(uploads.UploadError, match="folder of uploads"):
        uploads.keep_checkpoint("a.pt", b"abcdef")
    assert uploads.keep_checkpoint("b.pt", b"123456").exists()


def test_an_image_is_kept_as_a_small_rgb_png():
    path = uploads.keep_image(packed(Image.new("RGBA", (3000, 40), "red"), format="PNG"))
    with Image.open(path) as kept:
        assert kept.mode == "RGB"
        assert kept.width == uploads.KEPT_SIDE
        assert kept.getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize("size", [(60_000, 60_000), (20_000, 5_000), (4, 4)])
def test_bombs_and_specks_are_refused(size):
    with pytest.raises(uploads.UploadError, match=r"too large|pixels a side"):
        uploads.keep_image(png_that_claims(*size))


@pytest.mark.parametrize("content", [b"not an image", b"\x89PNG\r\n\x1a\n", b"GIF89a"])
def test_what_is_no_image_is_refused(content):
    with pytest.raises(uploads.UploadError, match="not an image"):
        uploads.keep_image(content)


def test_a_truncated_image_is_refused():
    whole = packed(Image.effect_noise((64, 64), 50), format="PNG")
    with pytest.raises(uploads.UploadError, match="not an image"):
        uploads.keep_image(whole[: len(whole) // 2])


def test_an_uploaded_network_is_specified_by_what_was_typed():
    name, spec = network_spec("my *net*.th", b"w", "resnet32", 10, "0.5,0.5,0.5", "0.2, 0.2, 0.2")
    assert name == "upload/resnet32/my-net-"
    assert (spec.arch, spec.classes, spec.mean, spec.std) == (
        "resnet32",
        10,
        (0.5, 0.5, 0.5),
        (0.2, 0.2, 0.2),
    )


@pytest.mark.parametrize(
    ("mean", "std", "error", "text"),
    [
        ("0.5", "", uploads.UploadError, "got 1 and 0"),
        ("0.5,0.5", "0.5", uploads.UploadError, "got 2 and 1"),
        ("a", "1", uploads.UploadError, "numbers separated by commas"),
        ("0.5", "0", SpecError, "std must be positive"),
        ("nan", "1", SpecError, "finite"),
    ],
)
def test_wrong_fields_are_named(mean, std, error, text):
    with pytest.raises(error, match=text):
        network_spec("a.pt", b"w", "resnet20", 10, mean, std)

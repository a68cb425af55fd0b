"""Images from parquet files, and what is said of files that cannot be used."""

from __future__ import annotations

import io
import re
import struct
import zlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from dqviz.data import DataError, fingerprint_data, load_data
from dqviz.data import parquet as parquet_module
from dqviz.specs import DataSpec
from tests.data.making_images import pictures, png, write


@pytest.fixture(autouse=True)
def data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DQVIZ_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def refusal(name, **options):
    with pytest.raises(DataError) as caught:
        load_data(DataSpec(name=name, **options))
    return str(caught.value)


def test_pixels_labels_and_names_arrive_unchanged(tmp_path):
    pixels = pictures(7)
    name = write(
        tmp_path / "a.parquet",
        [png(p) for p in pixels],
        [0, 1, 2, 0, 1, 2, 0],
        names=["ant", "bee", "cat"],
        row_group_size=3,
    )
    data = load_data(DataSpec(name=name))
    assert data.images.dtype == torch.float32
    assert data.images.shape == (7, 3, 32, 32)
    np.testing.assert_array_equal(
        (data.images.numpy() * 255).round().astype(np.uint8).transpose(0, 2, 3, 1), pixels
    )
    assert data.labels.tolist() == [0, 1, 2, 0, 1, 2, 0]
    assert data.labels.dtype == data.indices.dtype == torch.int64
    assert data.classes == ("ant", "bee", "cat")
    assert len(data) == 7
    assert data.fingerprint == fingerprint_data(DataSpec(name=name))


@pytest.mark.parametrize("limit", [0, 2**29], ids=["row by row", "whole split cached"])
def test_a_choice_of_rows_is_the_same_either_way(tmp_path, monkeypatch, limit):
    monkeypatch.setattr("dqviz.data.source.MAX_CACHED_BYTES", limit)
    folder = tmp_path / "set"
    pixels = pictures(11)
    write(folder / "test-0.parquet", [png(p) for p in pixels[:6]], [0] * 6, row_group_size=2)
    write(folder / "test-1.parquet", [png(p) for p in pixels[6:]], [1] * 5, row_group_size=2)
    spec = DataSpec(name=f"parquet:{folder}", n_samples=5, seed=3)
    data = load_data(spec)
    rows = data.indices.numpy()
    assert len(set(rows.tolist())) == 5
    expected = torch.from_numpy(pixels[rows]).permute(0, 3, 1, 2) / 255
    assert torch.equal(data.images, expected)
    assert data.labels.tolist() == (rows >= 6).astype(int).tolist()
    smaller = load_data(DataSpec(name=spec.name, n_samples=3, seed=3))
    assert smaller.indices.tolist() == rows[:3].tolist()
    other = load_data(DataSpec(name=spec.name, n_samples=5, seed=4))
    assert other.indices.tolist() != rows.tolist()


def test_splits_of_a_folder(tmp_path):
    one, two = pictures(2)
    for stem, pixels in (("train", one), ("train-lossless", two), ("test", two)):
        write(tmp_path / "set" / f"{stem}.parquet", [png(pixels)], [1])
    name = f"parquet:{tmp_path / 'set'}"
    train, test = (load_data(DataSpec(name=name, split=split)) for split in ("train", "test"))
    assert len(train) == 1
    assert train.images[0, 0, 0, 0] == pytest.approx(one[0, 0, 0] / 255)
    assert train.fingerprint != test.fingerprint
    (tmp_path / "set" / "test.parquet").unlink()
    assert "holds no file test*.parquet" in refusal(name)


def test_other_sizes_are_cut_to_the_square_and_resized(tmp_path):
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, 20:40] = 200  # the central square
    grey = np.full((40, 40), 128, np.uint8)
    name = write(tmp_path / "a.parquet", [png(wide), png(grey)], [0, 1], column="image")
    data = load_data(DataSpec(name=name, image_size=16))
    assert data.images.shape == (2, 3, 16, 16)
    assert torch.allclose(data.images[0], torch.tensor(200 / 255))
    assert torch.allclose(data.images[1], torch.tensor(128 / 255))
    assert load_data(DataSpec(name=name)).images.shape == (2, 3, 32, 32)


def test_progress_reaches_the_end(tmp_path):
    name = write(tmp_path / "a.parquet", [png(p) for p in pictures(3)], [0, 1, 0])
    seen = []
    load_data(DataSpec(name=name), progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (3, 3)


def test_content_that_changed_is_noticed(tmp_path):
    name = write(tmp_path / "a.parquet", [png(p) for p in pictures(2)], [0, 1])
    before = fingerprint_data(DataSpec(name=name))
    write(tmp_path / "a.parquet", [png(p) for p in pictures(3)], [0, 1, 1])
    assert fingerprint_data(DataSpec(name=name)) != before
    assert "has changed" in refusal(name, fingerprint=before)
    assert len(load_data(DataSpec(name=name))) == 3


def bomb(width, height):
    """A PNG of a few bytes that claims so many pixels."""

    def chunk(kind, data):
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


def bmp_of_16_bits():
    file = io.BytesIO()
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"no image at all", "not a readable image"),
        (b"", "not a readable image"),
        (png(pictures(1)[0])[:300], "not a readable image"),
        (None, "holds no bytes"),
        (bomb(9_000, 9_000), "claims 9000 x 9000 pixels"),
        (bomb(11_000, 11_000), "a decompression bomb"),
        (bomb(60_000, 60_000), "a decompression bomb"),
        (bomb(20_000, 10), "at most 50,000,000 pixels and 16,384 a side"),
        (png(np.zeros((2, 90, 3), np.uint8)), "has 90 x 2 pixels; expected at least 4 a side"),
        (bmp_of_16_bits(), "expected 8 bits a channel"),
    ],
)
def test_a_bad_image_is_named_by_file_and_row(tmp_path, data, says):
    good = [png(p) for p in pictures(4)]
    images = [*good[:3], data, good[3]]
    name = write(tmp_path / "a.parquet", images, [0, 1, 0, 1, 0], row_group_size=2)
    message = refusal(name)
    assert f"{tmp_path / 'a.parquet'}, row 3" in message
    assert says in message


def test_only_formats_of_photographs_are_opened(tmp_path):
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 32\n%%EndComments\n"
    name = write(tmp_path / "a.parquet", [eps, png(pictures(1)[0])], [0, 1])
    assert "expected PNG, JPEG, WEBP, BMP" in refusal(name)


def test_transparency_and_palettes_are_read(tmp_path):
    palette = Image.new("P", (32, 32), 1)
    palette.putpalette([9, 9, 9, 10, 20, 30])
    file = io.BytesIO()
    palette.save(file, "PNG", transparency=bytes([0, 128]))
    clear = np.full((32, 32, 4), (10, 20, 30, 0), np.uint8)
    name = write(tmp_path / "a.parquet", [file.getvalue(), png(clear)], [0, 1])
    images = load_data(DataSpec(name=name)).images
    expected = (torch.tensor([10, 20, 30]) / 255)[None, :, None, None].expand(2, 3, 32, 32)
    assert torch.equal(images, expected)


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"picture": [b"x"], "label": [0]}, "has the columns picture, label; expected a column"),
        ({"img": [b"x"], "class": [0]}, "has the columns img, class; expected a column 'label'"),
        ({"img": ["a.png"], "label": [0]}, "column 'img' has type string"),
        ({"img": [{"path": "a"}], "label": [0]}, "expected bytes, or a struct"),
        ({"img": [b"x"], "label": ["cat"]}, "column 'label' has type string; expected integers"),
        ({"img": [b"x", b"x"], "label": [0, None]}, "row 1: the label is missing"),
        ({"img": [b"x", b"x"], "label": [0, -1]}, "row 1: the label is -1"),
        ({"img": [b"x"], "label": [10**9]}, "row 0: the label is 1000000000"),
        ({"img": pa.array([], pa.binary()), "label": pa.array([], pa.int64())}, "has no rows"),
    ],
)
def test_bad_columns_are_named(tmp_path, columns, says):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(columns), path)
    message = refusal(f"parquet:{path}")
    assert str(path) in message
    assert says in message


def test_what_is_no_parquet_file(tmp_path):
    path = tmp_path / "a.parquet"
    path.write_bytes(b"PAR1 and nothing else")
    assert f"{path} cannot be read as parquet" in refusal(f"parquet:{path}")
    assert "there is no file or folder" in refusal("parquet:nowhere.parquet")
    assert "there is no file or folder" in refusal("parquet:" + "x" * 5000)
    assert "there is no file or folder" in refusal("parquet:a\0b")
    assert "needs a path" in refusal("parquet:")


def test_damaged_pages_are_an_error_not_a_crash(tmp_path):
    name = write(tmp_path / "a.parquet", [png(p) for p in pictures(6)], [0, 1, 0, 1, 0, 1])
    content = bytearray((tmp_path / "a.parquet").read_bytes())
    content[4:2000] = bytes(1996)
    (tmp_path / "a.parquet").write_bytes(content)
    assert str(tmp_path / "a.parquet") in refusal(name)


def test_too_many_are_asked_for(tmp_path, monkeypatch):
    name = write(tmp_path / "a.parquet", [png(p) for p in pictures(2)], [0, 1])
    assert "n_samples is 3; expected at most 2" in refusal(name, n_samples=3)
    monkeypatch.setattr("dqviz.data.source.MAX_BYTES", 1000)
    assert "ask for fewer images (n_samples)" in refusal(name)


def test_unwanted_row_groups_are_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("dqviz.data.source.MAX_CACHED_BYTES", 0)
    name = write(
        tmp_path / "a.parquet", [png(p) for p in pictures(8)], [0, 1] * 4, row_group_size=1
    )
    read = []
    original = parquet_module._from_group
    monkeypatch.setattr(
        parquet_module, "_from_group", lambda *args: read.append(args[2]) or original(*args)
    )
    data = load_data(DataSpec(name=name, n_samples=2))
    assert sorted(read) == sorted(data.indices.tolist())


@pytest.fixture
def never_read(monkeypatch):
    """Opening a file for its metadata is all that is allowed."""

    def fail(*_, **__):
        pytest.fail("read, though its metadata said that it is too large")

    for name in ("read", "read_row_group", "read_row_groups", "iter_batches"):
        monkeypatch.setattr(pq.ParquetFile, name, fail)


@pytest.mark.usefixtures("never_read")
def test_a_decompression_bomb_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_module, "MAX_GROUP_BYTES", 100_000)
    images = [png(pictures(1)[0])] * 2 + [bytes(1_000_000)]
    name = write(tmp_path / "a.parquet", images, [0, 1, 0], row_group_size=2)
    assert (tmp_path / "a.parquet").stat().st_size < 100_000  # compressed it is small
    message = refusal(name)
    assert f"{tmp_path / 'a.parquet'}, rows 2 to 2: a decompression bomb" in message
    assert re.search(r"takes 1,000,\d{3} bytes .* at most 100,000", message)


@pytest.mark.usefixtures("never_read")
def test_labels_without_end_are_refused_before_they_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_module, "MAX_ROWS", 1000)
    name = write(tmp_path / "a.parquet", [b"x"] * 1001, [0] * 1001)
    assert f"{tmp_path / 'a.parquet'} has 1,001 rows; expected at most 1,000" in refusal(name)


def test_rows_that_are_held_once_are_read_a_few_at_a_time(tmp_path, monkeypatch):
    picture = pictures(1)[0]
    name = write(tmp_path / "a.parquet", [png(picture)] * 300, [0, 1] * 150)
    limit = 10 * len(png(picture))
    size = pq.read_metadata(tmp_path / "a.parquet").row_group(0).total_byte_size
    assert size < limit  # though 300 images take 30 times that
    monkeypatch.setattr(parquet_module, "MAX_GROUP_BYTES", limit)
    counts = []
    original = pq.ParquetFile.iter_batches
    monkeypatch.setattr(
        pq.ParquetFile,
        "iter_batches",
        lambda self, count, **more: counts.append(count) or original(self, count, **more),
    )
    data = load_data(DataSpec(name=name))
    assert torch.equal(
        data.images * 255, torch.from_numpy(picture).permute(2, 0, 1).expand(300, 3, 32, 32)
    )
    assert counts
    assert max(counts) * len(png(picture)) <= limit


def test_cifar10_in_parquet(shared_folder):
    name = f"parquet:{shared_folder / 'datasets' / 'cifar10' / 'test-lossless.parquet'}"
    data = load_data(DataSpec(name=name))
    assert data.images.shape == (500, 3, 32, 32)
    assert sorted(set(data.labels.tolist())) == list(range(10))
    assert 0.4 < float(data.images.mean()) < 0.55

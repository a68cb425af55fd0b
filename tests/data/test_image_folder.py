"""Images in folders, one folder a class."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from PIL import Image

from dqviz.data import DataError, fingerprint_data, load_data
from dqviz.specs import DataSpec


@pytest.fixture(autouse=True)
def data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DQVIZ_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def save(path, level, size=(32, 32), **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (level, level, level)).save(path, **options)


def refusal(name, **options):
    with pytest.raises(DataError) as caught:
        load_data(DataSpec(name=name, **options))
    return str(caught.value)


def test_a_folder_a_class(tmp_path):
    root = tmp_path / "pets"
    save(root / "dog" / "b.png", 30)
    save(root / "dog" / "a.png", 20, size=(50, 80))
    save(root / "cat" / "deep" / "x.JPG", 10, quality=95)
    save(root / ".hidden" / "x.png", 99)
    (root / "dog" / "notes.txt").write_text("not an image")
    data = load_data(DataSpec(name=f"folder:{root}"))
    assert data.classes == ("cat", "dog")
    assert data.labels.tolist() == [0, 1, 1]
    assert torch.allclose(data.images.mean(dim=(1, 2, 3)) * 255, torch.tensor([10.0, 20.0, 30.0]))
    chosen = load_data(DataSpec(name=f"folder:{root}", n_samples=2, image_size=64))
    assert chosen.images.shape == (2, 3, 64, 64)
    assert chosen.labels.tolist() == data.labels[chosen.indices].tolist()


def test_a_relative_path_is_looked_for_in_the_data_folder(data_folder):
    save(data_folder / "pets" / "cat" / "a.png", 1)
    save(data_folder / "pets" / "dog" / "a.png", 2)
    assert len(load_data(DataSpec(name="folder:pets"))) == 2


def test_classes_of_both_splits_agree(tmp_path):
    for split, names in (("train", "abc"), ("test", "ac")):
        for name in names:
            save(tmp_path / split / name / "1.png", ord(name))
    train, test = (
        load_data(DataSpec(name=f"folder:{tmp_path}", split=split)) for split in ("train", "test")
    )
    assert train.classes == test.classes == ("a", "b", "c")
    assert train.labels.tolist() == [0, 1, 2]
    assert test.labels.tolist() == [0, 2]


@pytest.mark.parametrize("held_out", ["test", "val", "validation"])
def test_folders_of_splits_are_no_classes(tmp_path, held_out):
    for split, level in (("train", 10), (held_out, 20)):
        for name in ("ant", "bee"):
            save(tmp_path / split / name / "1.png", level)
    (tmp_path / "notes").mkdir()
    for split, level in (("train", 10), ("test", 20)):
        data = load_data(DataSpec(name=f"folder:{tmp_path}", split=split))
        assert data.classes == ("ant", "bee")
        assert torch.allclose(data.images * 255, torch.tensor(float(level)))


def test_test_comes_before_val(tmp_path):
    for level, split in enumerate(("train", "val", "test")):
        for name in ("ant", "bee"):
            save(tmp_path / split / name / "1.png", level)
    assert load_data(DataSpec(name=f"folder:{tmp_path}")).images.max() * 255 == 2


@pytest.mark.parametrize(
    ("there", "split", "wanted"),
    [
        ("train", "test", "test or val or validation"),
        ("val", "train", "train"),
    ],
)
def test_a_split_that_is_not_there_is_said(tmp_path, there, split, wanted):
    for name in ("ant", "bee"):
        save(tmp_path / there / name / "1.png", 1)
    said = f"has no folder {wanted} for the {split} split, only {there}"
    assert said in refusal(f"folder:{tmp_path}", split=split)


def test_splits_without_classes_are_not_taken_for_classes(tmp_path):
    for split in ("train", "val"):
        save(tmp_path / split / "1.png", 1)
    assert "train holds 0 folders" in refusal(f"folder:{tmp_path}", split="train")


def test_a_class_may_be_called_train(tmp_path):
    for name in ("bus", "car", "train"):
        save(tmp_path / name / "1.png", 1)
    assert load_data(DataSpec(name=f"folder:{tmp_path}")).classes == ("bus", "car", "train")


def test_the_fingerprint_follows_content_names_and_classes(tmp_path):
    save(tmp_path / "s" / "cat" / "a.png", 1)
    save(tmp_path / "s" / "dog" / "a.png", 2)
    spec = DataSpec(name=f"folder:{tmp_path / 's'}")
    seen = [fingerprint_data(spec), fingerprint_data(spec)]
    assert seen[0] == seen[1]
    save(tmp_path / "s" / "dog" / "b.png", 3)
    seen.append(fingerprint_data(spec))
    (tmp_path / "s" / "dog" / "b.png").rename(tmp_path / "s" / "cat" / "b.png")
    seen.append(fingerprint_data(spec))
    (tmp_path / "s" / "dog").rename(tmp_path / "s" / "dot")
    seen.append(fingerprint_data(spec))
    assert len(set(seen)) == 4


def test_names_that_are_no_text_are_written_out(tmp_path):
    for name in ("caf\udce9", "dog"):
        try:
            save(tmp_path / "s" / name / f"{name}.png", 1)
        except OSError:
            pytest.skip("this file system keeps readable names only")
    data = load_data(DataSpec(name=f"folder:{tmp_path / 's'}"))
    assert data.classes == ("caf\\udce9", "dog")
    assert len(data) == 2
    assert data.fingerprint == fingerprint_data(DataSpec(name=f"folder:{tmp_path / 's'}"))


def test_a_bad_file_is_named(tmp_path):
    save(tmp_path / "cat" / "a.png", 1)
    save(tmp_path / "dog" / "a.png", 2)
    bad = tmp_path / "dog" / "b.jpg"
    bad.write_bytes(b"\xff\xd8\xff nothing more")
    message = refusal(f"folder:{tmp_path}")
    assert f"{bad} (row 2): not a readable image (cannot identify image file); " in message


def test_damaged_exif_data_are_no_matter(tmp_path, recwarn):
    tag_beyond_the_end = b"Exif\0\0II*\0\x08\0\0\0\x05\0\x0f\x01\x02\0" + 4 * b"\xff\xff\0\0"
    save(tmp_path / "cat" / "a.jpg", 1, exif=tag_beyond_the_end)
    save(tmp_path / "dog" / "a.png", 2)
    assert len(load_data(DataSpec(name=f"folder:{tmp_path}"))) == 2
    assert [str(warning.message) for warning in recwarn] == []


def test_a_file_of_absurd_size_is_not_read(tmp_path, monkeypatch):
    save(tmp_path / "cat" / "a.png", 1)
    save(tmp_path / "dog" / "a.png", 2)
    monkeypatch.setattr("dqviz.data.image_folder.MAX_FILE_BYTES", 10)
    assert f"{tmp_path / 'cat' / 'a.png'} (row 0) has more than 10 bytes" in refusal(
        f"folder:{tmp_path}"
    )


def test_folders_without_classes_or_images(tmp_path):
    (tmp_path / "only").mkdir()
    assert "holds 1 folders; expected one folder a class" in refusal(f"folder:{tmp_path}")
    (tmp_path / "other").mkdir()
    assert "hold no images" in refusal(f"folder:{tmp_path}")
    file = tmp_path / "file"
    file.write_text("")
    assert "is a file; expected a folder" in refusal(f"folder:{file}")
    assert "there is no file or folder" in refusal("folder:nowhere")


def test_grey_images_have_three_channels(tmp_path):
    for name, level in (("a", 50), ("b", 60)):
        (tmp_path / name).mkdir()
        Image.fromarray(np.full((9, 9), level, np.uint8)).save(tmp_path / name / "x.bmp")
    images = load_data(DataSpec(name=f"folder:{tmp_path}", image_size=9)).images
    assert torch.allclose(images[1], torch.tensor(60 / 255))


@pytest.mark.parametrize("name", ["a.gif", "b.TIF"])
def test_an_image_of_another_format_is_not_left_out_in_silence(tmp_path, name):
    save(tmp_path / "cat" / "a.png", 1)
    save(tmp_path / "dog" / "a.png", 1)
    (tmp_path / "dog" / name).write_bytes(b"GIF89a")
    assert f"{tmp_path / 'dog' / name} is of a format that is not read" in refusal(
        f"folder:{tmp_path}"
    )


def test_a_folder_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    save(tmp_path / "cat" / "a.png", 1)
    save(tmp_path / "dog" / "a.png", 1)
    real = os.scandir

    def scandir(path):
        if str(path).endswith("dog"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    said = refusal(f"folder:{tmp_path}")
    assert said == f"{tmp_path / 'dog'} cannot be read: Permission denied"

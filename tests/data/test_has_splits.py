"""Whether test images lie apart from those to train on."""

import pytest

from dqviz.data import DataError
from dqviz.data.locations import has_splits


@pytest.mark.parametrize(
    ("kind", "names", "apart"),
    [
        ("parquet", ["train.parquet", "test.parquet"], True),
        ("parquet", ["train-0.parquet", "train-1.parquet", "test-0.parquet"], True),
        ("parquet", ["train.parquet"], False),
        ("parquet", ["test.parquet"], False),
        ("folder", ["train/a/1.png", "train/b/1.png", "test/a/2.png", "test/b/2.png"], True),
        ("folder", ["train/a/1.png", "train/b/1.png", "val/a/2.png", "val/b/2.png"], True),
        ("folder", ["train/a/1.png", "train/b/1.png"], False),
        ("folder", ["a/1.png", "b/1.png"], False),
        ("folder", ["a/1.png"], False),
    ],
)
def test_by_the_names_of_folders_and_files(tmp_path, kind, names, apart):
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert has_splits(f"{kind}:{tmp_path}") is apart


def test_one_file_serves_both_splits(tmp_path):
    (tmp_path / "all.parquet").touch()
    assert not has_splits(f"parquet:{tmp_path / 'all.parquet'}")


def test_names():
    assert has_splits("streetdigits")
    assert has_splits("cifar10")
    assert not has_splits("parquet:nowhere")
    with pytest.raises(DataError, match="no data set is called"):
        has_splits("mnist")

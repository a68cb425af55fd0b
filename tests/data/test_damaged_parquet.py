"""Parquet files that are damaged or odd: an error that names the file, never a crash."""

from __future__ import annotations

import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dqviz.data import DataError, load_data
from dqviz.specs import DataSpec
from tests.data.making_images import pictures, png, write


@pytest.fixture(autouse=True)
def data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DQVIZ_DATA", str(tmp_path / "data"))


def refusal(name):
    with pytest.raises(DataError) as caught:
        load_data(DataSpec(name=name))
    return str(caught.value)


EVERY_BYTE = """
import struct, sys
from pathlib import Path
from dqviz.data import DataError, load_data
from dqviz.specs import DataSpec

file = Path(sys.argv[1])
whole = file.read_bytes()
(length,) = struct.unpack("<I", whole[-8:-4])
refused = 0
for place in range(len(whole) - 8 - length, len(whole)):
    damaged = bytearray(whole)
    damaged[place] = (damaged[place] + 1) % 256
    file.write_bytes(damaged)
    try:
        load_data(DataSpec(name=f"parquet:{file}"))
    except DataError as error:
        assert str(file) in str(error), (place, error)
        refused += 1
print(length, refused)
"""


def test_no_damaged_byte_of_the_metadata_ends_the_process(tmp_path):
    # every read is refused, for these are no images: what matters is how the metadata is read
    table = pa.table({"img": pa.array([b"x", b"y"]), "label": pa.array([0, 1])})
    pq.write_table(table, tmp_path / "a.parquet", store_schema=False)
    command = [sys.executable, "-c", EVERY_BYTE, str(tmp_path / "a.parquet")]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr[-500:]
    length, refused = map(int, answer.stdout.split())
    assert refused == length + 8


@pytest.mark.parametrize("name", ["img", "label"])
def test_a_column_that_is_there_twice_is_refused(tmp_path, name):
    images, labels = pa.array([png(p) for p in pictures(2)]), pa.array([0, 1])
    columns = {"img": images, "label": labels}
    table = pa.table([images, labels, columns[name]], names=["img", "label", name])
    pq.write_table(table, tmp_path / "a.parquet")
    said = refusal(f"parquet:{tmp_path / 'a.parquet'}")
    assert said == f"{tmp_path / 'a.parquet'} has 2 columns {name!r}; expected one"


def test_a_label_too_large_for_any_class_is_shown_as_it_is(tmp_path):
    images = pa.array([png(p) for p in pictures(2)])
    labels = pa.array([0, 2**64 - 1], pa.uint64())
    pq.write_table(pa.table({"img": images, "label": labels}), tmp_path / "a.parquet")
    assert f"row 1: the label is {2**64 - 1}" in refusal(f"parquet:{tmp_path / 'a.parquet'}")


def test_a_damaged_page_is_told_by_its_rows(tmp_path):
    file = tmp_path / "a.parquet"
    name = write(file, [png(p) for p in pictures(6)], [0, 1] * 3, row_group_size=3)
    column = next(
        chunk
        for chunk in map(pq.read_metadata(file).row_group(1).column, range(3))
        if chunk.path_in_schema == "img.bytes"
    )
    damaged = bytearray(file.read_bytes())
    start = column.data_page_offset
    damaged[start : start + 40] = b"\xff" * 40
    file.write_bytes(damaged)
    assert f"{file}: one of the rows 3 to" in refusal(name)

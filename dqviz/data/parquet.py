"""Images in parquet files: a struct column of bytes, `img` or `image`, and an integer `label`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dqviz.cards import numbered_classes
from dqviz.specs import MAX_CLASSES

from .array_cache import Pixels
from .decode import decode_image
from .errors import DataError
from .progress import Progress
from .source import Rows, Source

IMAGE_COLUMNS = ("img", "image")
LABEL_COLUMN = "label"
BATCH_ROWS = 1024

MAX_ROWS = 10_000_000
"""What a file may have: a label that is repeated takes no room in a file, but eight bytes here."""

MAX_GROUP_BYTES = 2 * 2**30
"""What a row group may take once it is decompressed."""


class ParquetSource(Source):
    """A split held in one parquet file, or in several shards, one after the other."""

    def __init__(
        self, files: tuple[Path, ...], *, fingerprint: str, classes: tuple[str, ...] = ()
    ) -> None:
        """Read the labels; pixels are left for later.

        `classes` are the names to use where they cover the labels.

        Raises:
            DataError: for a file that is no parquet, lacks a column, is empty or has bad labels, or
                would take too much memory once it is decompressed.
        """
        self.files = files
        self.columns = tuple(_image_column(file) for file in files)
        for file in files:
            _check_sizes(file)
        shards = [_labels(file) for file in files]
        self.starts = np.cumsum([0, *(len(shard) for shard in shards)])
        labels = np.concatenate(shards)
        if len(labels) == 0:
            raise DataError(f"{files[0]} has no rows; expected at least one image")
        least = int(labels.max()) + 1
        if not classes or len(classes) < least:
            classes = _class_names(files[0], least)
        super().__init__(labels=labels, classes=classes, fingerprint=fingerprint)

    def decode(self, rows: Rows, size: int, progress: Progress) -> Pixels:
        """See `Source.decode`. Row groups without a wanted row are not read."""
        out = np.empty((len(rows), size, size, 3), np.uint8)
        order = np.argsort(rows, kind="stable")
        done = 0
        for shard, (file, column) in enumerate(zip(self.files, self.columns, strict=True)):
            first, last = np.searchsorted(rows[order], self.starts[shard : shard + 2])
            places = order[first:last]
            wanted = rows[places] - self.starts[shard]
            encoded = _encoded(file, column, wanted)
            for place, row, data in zip(places, wanted, encoded, strict=True):
                where = f"{file}, row {row}"
                if data is None:
                    raise DataError(
                        f"{where}: column {column.partition('.')[0]!r} holds no bytes; "
                        "expected an image"
                    )
                out[place] = decode_image(data, size=size, where=where)
                done += 1
                if done % BATCH_ROWS == 0 or done == len(rows):
                    progress(done, len(rows))
        return out


def _open(file: Path) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(file)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read as parquet: {error}") from error


def _image_column(file: Path) -> str:
    """The path of the column of images: `img`, or `img.bytes` where that is a struct."""
    with _open(file) as parquet:
        schema = parquet.schema_arrow
    for name in IMAGE_COLUMNS:
        if name not in schema.names:
            continue
        _check_once(file, schema, name)
        kind, path = schema.field(name).type, name
        if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0:
            kind, path = kind.field("bytes").type, f"{name}.bytes"
        if not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind)):
            raise DataError(
                f"{file}: column {name!r} has type {kind}; "
                "expected bytes, or a struct with a field 'bytes'"
            )
        return path
    raise DataError(
        f"{file} has the columns {', '.join(schema.names)}; expected a column 'img' or 'image'"
    )


def _check_once(file: Path, schema: pa.Schema, name: str) -> None:
    if schema.names.count(name) > 1:
        raise DataError(f"{file} has {schema.names.count(name)} columns {name!r}; expected one")


def _check_sizes(file: Path) -> None:
    """Refuses a file that says itself that it would take too much memory, before it is read.

    Row groups are asked for their size as a whole: damaged metadata of a column ends the process.
    """
    with _open(file) as parquet:
        metadata = parquet.metadata
    if metadata.num_rows > MAX_ROWS:
        raise DataError(f"{file} has {metadata.num_rows:,} rows; expected at most {MAX_ROWS:,}")
    start = 0
    for group in range(metadata.num_row_groups):
        stop = start + metadata.row_group(group).num_rows
        size = metadata.row_group(group).total_byte_size
        if size > MAX_GROUP_BYTES:
            raise DataError(
                f"{file}, rows {start} to {stop - 1}: a decompression bomb: the row group takes "
                f"{size:,} bytes once it is decompressed; expected at most {MAX_GROUP_BYTES:,}"
            )
        start = stop


def _labels(file: Path) -> Rows:
    with _open(file) as parquet:
        schema = parquet.schema_arrow
        if LABEL_COLUMN not in schema.names:
            raise DataError(
                f"{file} has the columns {', '.join(schema.names)}; expected a column 'label'"
            )
        _check_once(file, schema, LABEL_COLUMN)
        kind = schema.field(LABEL_COLUMN).type
        if not pa.types.is_integer(kind):
            raise DataError(f"{file}: column 'label' has type {kind}; expected integers")
        try:
            column = parquet.read(columns=[LABEL_COLUMN])[LABEL_COLUMN].combine_chunks()
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{file}: column 'label' cannot be read: {error}") from error
    if column.null_count:
        row = int(np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False))[0])
        raise DataError(f"{file}, row {row}: the label is missing; expected an integer")
    numbers = column.to_numpy(zero_copy_only=False)
    bad = np.flatnonzero((numbers < 0) | (numbers >= MAX_CLASSES))
    if len(bad):
        raise DataError(
            f"{file}, row {bad[0]}: the label is {numbers[bad[0]]}; "
            f"expected 0 to {MAX_CLASSES - 1:,}"
        )
    labels: Rows = numbers.astype(np.int64)
    return labels


def _class_names(file: Path, least: int) -> tuple[str, ...]:
    """Names from the schema's `huggingface` metadata where they cover the labels, else numbers."""
    with _open(file) as parquet:
        metadata = parquet.schema_arrow.metadata or {}
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        names = tuple(str(name) for name in features[LABEL_COLUMN]["names"])
    except (KeyError, TypeError, ValueError):
        names = ()
    return names if len(names) >= least else numbered_classes(max(least, 2))


def _encoded(file: Path, column: str, rows: Rows) -> Iterator[bytes | None]:
    """The encoded images of ascending rows of one file."""
    with _open(file) as parquet:
        start = 0
        for group in range(parquet.num_row_groups):
            stop = start + parquet.metadata.row_group(group).num_rows
            first, last = np.searchsorted(rows, (start, stop))
            if first < last:
                yield from _from_group(
                    parquet, file, group, column, rows[first:last] - start, start
                )
            start = stop


def _from_group(
    parquet: pq.ParquetFile, file: Path, group: int, column: str, rows: Rows, first_row: int
) -> Iterator[bytes | None]:
    """The encoded images of some rows of one row group, a few in memory at a time.

    `rows` ascend and count from the group's first row, which is the file's row `first_row`.

    Rows that are equal may be held once in the file, so that no row is larger than the column, but
    many together are.
    """
    largest = max(parquet.metadata.row_group(group).total_byte_size, 1)
    count = min(max(MAX_GROUP_BYTES // largest, 1), BATCH_ROWS)
    start = 0
    try:
        for batch in parquet.iter_batches(count, row_groups=[group], columns=[column]):
            first, last = np.searchsorted(rows, (start, start + len(batch)))
            chosen = batch.column(0).take(pa.array(rows[first:last] - start))
            for value in chosen.to_pylist():
                yield value["bytes"] if isinstance(value, dict) else value
            start += len(batch)
        if start <= rows[-1]:
            raise DataError(f"{file} holds fewer rows than its metadata says")
    except (pa.ArrowException, OSError) as error:
        rows_read = f"rows {first_row + start} to {first_row + start + count - 1}"
        raise DataError(f"{file}: one of the {rows_read} cannot be read: {error}") from error

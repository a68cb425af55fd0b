"""Images in parquet files: a struct column of bytes, `img` or `image`, and an integer `label`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .array_cache import Pixels
from .decode import decode_image
from .errors import DataError
from .source import Progress, Rows, Source

IMAGE_COLUMNS = ("img", "image")
LABEL_COLUMN = "label"
MAX_CLASSES = 100_000
BATCH_ROWS = 1024

MAX_ROWS = 10_000_000
"""What a file may have: a label that is repeated takes no room in a file, but eight bytes here."""

MAX_COLUMN_BYTES = 2 * 2**30
"""What a column of a row group may take once it is decompressed."""


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
        for file, column in zip(files, self.columns, strict=True):
            _check_sizes(file, column)
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
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{file} cannot be read as parquet: {error}") from error


def _image_column(file: Path) -> str:
    """The path of the column of images: `img`, or `img.bytes` where that is a struct."""
    with _open(file) as parquet:
        schema = parquet.schema_arrow
    for name in IMAGE_COLUMNS:
        if name not in schema.names:
            continue
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


def _check_sizes(file: Path, column: str) -> None:
    """Refuses a file that says itself that it would take too much memory, before it is read."""
    with _open(file) as parquet:
        metadata = parquet.metadata
    if metadata.num_rows > MAX_ROWS:
        raise DataError(f"{file} has {metadata.num_rows:,} rows; expected at most {MAX_ROWS:,}")
    start = 0
    for group in range(metadata.num_row_groups):
        stop = start + metadata.row_group(group).num_rows
        for name in (LABEL_COLUMN, column):
            size = _column_bytes(metadata, group, name)
            if size > MAX_COLUMN_BYTES:
                raise DataError(
                    f"{file}, rows {start} to {stop - 1}: a decompression bomb: column {name!r} "
                    f"takes {size:,} bytes once it is decompressed; "
                    f"expected at most {MAX_COLUMN_BYTES:,} in a row group"
                )
        start = stop


def _column_bytes(metadata: pq.FileMetaData, group: int, path: str) -> int:
    """The size of a column of a row group, decompressed, by the file's own word."""
    chunks = metadata.row_group(group)
    columns = [chunks.column(index) for index in range(chunks.num_columns)]
    return sum(c.total_uncompressed_size for c in columns if c.path_in_schema == path)


def _labels(file: Path) -> Rows:
    with _open(file) as parquet:
        schema = parquet.schema_arrow
        if LABEL_COLUMN not in schema.names:
            raise DataError(
                f"{file} has the columns {', '.join(schema.names)}; expected a column 'label'"
            )
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
    labels: Rows = column.to_numpy(zero_copy_only=False).astype(np.int64)
    bad = np.flatnonzero((labels < 0) | (labels >= MAX_CLASSES))
    if len(bad):
        raise DataError(
            f"{file}, row {bad[0]}: the label is {labels[bad[0]]}; "
            f"expected 0 to {MAX_CLASSES - 1:,}"
        )
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
    return names if len(names) >= least else tuple(str(k) for k in range(max(least, 2)))


def _encoded(file: Path, column: str, rows: Rows) -> Iterator[bytes | None]:
    """The encoded images of ascending rows of one file."""
    with _open(file) as parquet:
        start = 0
        for group in range(parquet.num_row_groups):
            stop = start + parquet.metadata.row_group(group).num_rows
            first, last = np.searchsorted(rows, (start, stop))
            if first < last:
                yield from _from_group(parquet, file, group, column, rows[first:last] - start)
            start = stop


def _from_group(
    parquet: pq.ParquetFile, file: Path, group: int, column: str, rows: Rows
) -> Iterator[bytes | None]:
    """The encoded images of ascending rows of one row group, a few in memory at a time.

    Rows that are equal may be held once in the file, so that no row is larger than the column, but
    many together are.
    """
    largest = max(_column_bytes(parquet.metadata, group, column), 1)
    count = min(max(MAX_COLUMN_BYTES // largest, 1), BATCH_ROWS)
    start = 0
    try:
        for batch in parquet.iter_batches(count, row_groups=[group], columns=[column]):
            first, last = np.searchsorted(rows, (start, start + len(batch)))
            chosen = batch.column(0).take(pa.array(rows[first:last] - start))
            for value in chosen.to_pylist():
                yield value["bytes"] if isinstance(value, dict) else value
            start += len(batch)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{file}, row group {group} cannot be read: {error}") from error

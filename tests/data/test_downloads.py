"""CIFAR-10 and SVHN: fetched from a local server, found in their folder, or a clear message."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import pickle
import tarfile
import threading

import numpy as np
import pytest
import scipy.io
from torchvision.datasets import CIFAR10, SVHN

from dqviz.data import DataError, downloads, fingerprint_data, list_data, load_data
from dqviz.data.downloads import ARCHIVES, Archive
from dqviz.specs import DataSpec
from tests.data.making_images import pictures, png, write


def md5(data):
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


@pytest.fixture(autouse=True)
def data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DQVIZ_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "server"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_args):
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{running.server_address[1]}"
        running.shutdown()
        thread.join()


def small_cifar10(monkeypatch):
    """The archive's layout with four images; torchvision's checksums are replaced by its own."""
    pixels = pictures(4)
    flat = pixels.transpose(0, 3, 1, 2).reshape(4, -1)
    contents = {
        "data_batch_1": {"data": flat[:3], "labels": [3, 1, 2]},
        "test_batch": {"data": flat[3:], "labels": [9]},
        "batches.meta": {"label_names": list("abcdefghij")},
    }
    files = {name: pickle.dumps(value) for name, value in contents.items()}
    monkeypatch.setattr(CIFAR10, "train_list", [["data_batch_1", md5(files["data_batch_1"])]])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", md5(files["test_batch"])]])
    monkeypatch.setitem(CIFAR10.meta, "md5", md5(files["batches.meta"]))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return pixels, packed.getvalue()


def point_cifar10_to(monkeypatch, url, checksum):
    archive = Archive(
        url=f"{url}/cifar-10-python.tar.gz", md5=checksum, unpacked="cifar-10-batches-py"
    )
    for split in ("train", "test"):
        monkeypatch.setitem(ARCHIVES, ("cifar10", split), archive)


def test_addresses_and_checksums_are_torchvisions():
    for split in ("train", "test"):
        cifar10, svhn = ARCHIVES["cifar10", split], ARCHIVES["svhn", split]
        assert (cifar10.url, cifar10.md5) == (CIFAR10.url, CIFAR10.tgz_md5)
        assert cifar10.unpacked == CIFAR10.base_folder
        assert [svhn.url, svhn.filename, svhn.md5] == SVHN.split_list[split]


def test_cifar10_is_downloaded_once_with_progress(data_folder, server, monkeypatch):
    folder, url = server
    pixels, archive = small_cifar10(monkeypatch)
    (folder / "cifar-10-python.tar.gz").write_bytes(archive)
    point_cifar10_to(monkeypatch, url, md5(archive))
    seen = []
    train = load_data(
        DataSpec(name="cifar10", split="train"),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert (len(archive), len(archive)) in seen
    assert train.labels.tolist() == [3, 1, 2]
    assert train.classes[3] == "cat"
    np.testing.assert_allclose(
        train.images.numpy(), pixels[:3].transpose(0, 3, 1, 2) / 255, atol=1e-7
    )
    (folder / "cifar-10-python.tar.gz").unlink()
    test = load_data(DataSpec(name="cifar10"))
    assert test.labels.tolist() == [9]
    assert test.fingerprint == fingerprint_data(DataSpec(name="cifar10"))
    assert test.fingerprint != train.fingerprint
    assert next(info for info in list_data() if info.name == "cifar10").present
    assert not list((data_folder / "cifar10").glob("*.part"))


def test_an_archive_put_into_the_folder_is_unpacked(data_folder, monkeypatch):
    _, archive = small_cifar10(monkeypatch)
    point_cifar10_to(monkeypatch, "http://127.0.0.1:1", md5(archive))
    (data_folder / "cifar10").mkdir(parents=True)
    (data_folder / "cifar10" / "cifar-10-python.tar.gz").write_bytes(archive)
    assert len(load_data(DataSpec(name="cifar10", split="train"))) == 3


def test_parquet_files_put_into_the_folder_are_used(data_folder):
    write(data_folder / "cifar10" / "test.parquet", [png(p) for p in pictures(2)], [0, 5])
    data = load_data(DataSpec(name="cifar10"))
    assert data.classes[5] == "dog"
    assert data.labels.tolist() == [0, 5]
    assert data.fingerprint == fingerprint_data(DataSpec(name="cifar10"))


def test_svhn_is_read(data_folder, server, monkeypatch):
    folder, url = server
    pixels = pictures(3)
    file = io.BytesIO()
    scipy.io.savemat(file, {"X": pixels.transpose(1, 2, 3, 0), "y": np.array([[10], [1], [9]])})
    (folder / "test_32x32.mat").write_bytes(file.getvalue())
    address, checksum = f"{url}/test_32x32.mat", md5(file.getvalue())
    monkeypatch.setitem(ARCHIVES, ("svhn", "test"), Archive(url=address, md5=checksum))
    monkeypatch.setitem(SVHN.split_list, "test", [address, "test_32x32.mat", checksum])
    data = load_data(DataSpec(name="svhn", image_size=16))
    assert data.images.shape == (3, 3, 16, 16)
    assert data.labels.tolist() == [0, 1, 9]
    whole = load_data(DataSpec(name="svhn"))
    np.testing.assert_allclose(whole.images.numpy(), pixels.transpose(0, 3, 1, 2) / 255, atol=1e-7)


@pytest.mark.parametrize("name", ["cifar10", "svhn"])
def test_without_a_network_the_message_says_what_to_do(data_folder, monkeypatch, name):
    for split in ("train", "test"):
        archive = ARCHIVES[name, split]
        unreachable = Archive(
            url=f"http://127.0.0.1:1/{archive.filename}",
            md5=archive.md5,
            unpacked=archive.unpacked,
        )
        monkeypatch.setitem(ARCHIVES, (name, split), unreachable)
    with pytest.raises(DataError) as caught:
        load_data(DataSpec(name=name))
    message = str(caught.value)
    assert f"{name} is not on this machine and could not be downloaded" in message
    assert str(data_folder / name) in message
    assert ARCHIVES[name, "test"].filename in message
    assert "streetdigits, the embedded default" in message


def test_a_server_without_the_file_is_said(server, monkeypatch):
    _, url = server
    point_cifar10_to(monkeypatch, url, "0" * 32)
    with pytest.raises(DataError, match=r"could not be downloaded .*[Nn]ot [Ff]ound"):
        load_data(DataSpec(name="cifar10"))


def test_another_file_than_the_published_one_is_refused(data_folder, server, monkeypatch):
    folder, url = server
    (folder / "cifar-10-python.tar.gz").write_bytes(b"something else")
    point_cifar10_to(monkeypatch, url, "0" * 32)
    with pytest.raises(DataError, match=r"has the MD5 .* expected 0000"):
        load_data(DataSpec(name="cifar10"))
    kept = {path.name for path in (data_folder / "cifar10").iterdir()}
    assert kept <= {"cifar-10-python.tar.gz.lock"}


def test_files_that_are_not_the_published_ones_are_refused(data_folder):
    batches = data_folder / "cifar10" / "cifar-10-batches-py"
    batches.mkdir(parents=True)
    (batches / "test_batch").write_bytes(b"cos\nsystem\n(S'echo no'\ntR.")
    with pytest.raises(DataError, match="are not the published ones"):
        load_data(DataSpec(name="cifar10"))
    (data_folder / "svhn").mkdir()
    (data_folder / "svhn" / "test_32x32.mat").write_bytes(b"no matrix")
    with pytest.raises(DataError, match="are not the published ones"):
        load_data(DataSpec(name="svhn"))


def test_an_archive_that_cannot_be_unpacked(data_folder):
    (data_folder / "cifar10").mkdir(parents=True)
    (data_folder / "cifar10" / "cifar-10-python.tar.gz").write_bytes(b"no archive")
    with pytest.raises(DataError, match="cannot be unpacked"):
        load_data(DataSpec(name="cifar10"))


def test_an_archive_writes_nothing_outside_its_folder(data_folder, tmp_path):
    (data_folder / "cifar10").mkdir(parents=True)
    with tarfile.open(data_folder / "cifar10" / "cifar-10-python.tar.gz", "w:gz") as tar:
        member = tarfile.TarInfo("../../escaped")
        member.size = 1
        tar.addfile(member, io.BytesIO(b"x"))
    with pytest.raises(DataError, match="cannot be unpacked"):
        load_data(DataSpec(name="cifar10"))
    assert not (tmp_path / "escaped").exists()
    assert not downloads.download_folder("cifar10").joinpath("cifar-10-batches-py").exists()

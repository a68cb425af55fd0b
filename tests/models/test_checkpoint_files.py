"""Files that are no weights: nothing in them is ever run, and the message says what they are."""

import contextlib
import io
import os
import pickle
import struct
import zipfile

import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from dqviz.models import ModelError
from dqviz.models.checkpoint_files import (
    parse_checkpoint,
    parse_safetensors,
    pickled_names,
    read_bytes,
    read_checkpoint_file,
)

STATE = {"a.weight": torch.arange(6.0).view(2, 3), "a.bias": torch.ones(2)}


def saved(document, **options):
    stream = io.BytesIO()
    torch.save(document, stream, **options)
    return stream.getvalue()


ZIPPED = saved(STATE)
LEGACY = saved(STATE, _use_new_zipfile_serialization=False)
SAFE = safetensors.torch.save(STATE)


class Touch:
    """Pickles to a call that makes a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (os.mkdir, (self.path,))


def test_a_safetensors_header_may_begin_as_a_pickle_does():
    assert SAFE[:1] == pickle.dumps(1)[:1] == b"\x80"


@pytest.mark.parametrize("data", [ZIPPED, LEGACY, SAFE], ids=["zip", "legacy", "safetensors"])
def test_the_three_formats_are_read(data):
    read = parse_checkpoint(data, name="file")
    assert read.keys() == STATE.keys()
    assert all(torch.equal(read[key], STATE[key]) for key in STATE)


def evil_files(path):
    touch = Touch(path)
    yield "zip", saved({"state_dict": STATE, "x": touch})
    yield "legacy", saved({"x": touch}, _use_new_zipfile_serialization=False)
    yield "legacy 4", saved({"x": touch}, _use_new_zipfile_serialization=False, pickle_protocol=4)
    yield "second", pickle.dumps(1, protocol=2) + pickle.dumps(touch, protocol=2)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        yield f"pickle {protocol}", pickle.dumps({"x": touch}, protocol=protocol)


KINDS = [kind for kind, _ in evil_files("unused")]


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_holds_code_is_refused_said_to_and_never_run(tmp_path, kind):
    made = tmp_path / "made"
    file = tmp_path / "net.pth"
    file.write_bytes(dict(evil_files(made))[kind])
    with pytest.raises(ModelError, match=r"net\.pth holds code and was not run.* \w+\.mkdir"):
        read_checkpoint_file(file)
    assert not made.exists()
    pickle.loads(pickle.dumps(Touch(made)))  # it does make the folder where it is run
    assert made.exists()


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_tensors_pickled_without_torch_save_hold_a_call_of_torch_load(protocol):
    with pytest.raises(
        ModelError, match=r"holds code.* torch\.storage\._load_from_bytes; expected"
    ):
        parse_checkpoint(pickle.dumps(STATE, protocol=protocol), name="file")


def hidden(*, module, name):
    """A pickle of protocol 4 that seems to name something harmless, and in truth another thing."""
    texts = [b"\x8c" + bytes([len(t)]) + t for t in (module, name, b"collections", b"OrderedDict")]
    return b"\x80\x04" + b"".join(texts) + b"00\x93)R."  # two POPs, STACK_GLOBAL, a call


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (hidden(module=b"os", name=b"getcwd"), "cannot be proved harmless, and was not run"),
        (b"\x80\x02\x82\x07)R.", "holds code.* copyreg extension 7"),
        (b"\x80\x04\x8c\x04time2\x93)R.", "holds code.* names time"),
        (b"ctime\ntime\n)R.", r"holds code.* names time\.time"),
        (pickle.dumps([1], protocol=0), "not a file of weights: its pickle's protocol is older"),
    ],
    ids=["hidden", "extension", "twice the same text", "protocol 0", "protocol 0 without code"],
)
def test_what_cannot_be_proved_harmless_is_said_to(data, said):
    if b"\x82" not in data:  # no extension is registered here
        pickle.loads(data)  # it is a pickle
    with pytest.raises(ModelError, match=said):
        parse_checkpoint(data, name="file")


def test_a_pickle_named_safetensors_is_refused_too(tmp_path):
    file = tmp_path / "net.safetensors"
    file.write_bytes(pickle.dumps(Touch(tmp_path / "made")))
    with pytest.raises(ModelError, match="holds code"):
        read_checkpoint_file(file)
    assert not (tmp_path / "made").exists()


def test_a_whole_module_is_refused_by_the_name_of_its_class():
    with pytest.raises(ModelError, match=r"names torch\.nn\.modules\.linear\.Linear.*state_dict"):
        parse_checkpoint(saved(nn.Linear(2, 2)), name="file")


def test_a_scripted_program_is_refused():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in ("net/data.pkl", "net/constants.pkl", "net/code/__torch__.py"):
            archive.writestr(name, b"")
    with pytest.raises(ModelError, match="holds code"):
        parse_checkpoint(stream.getvalue(), name="file")


def test_names_in_a_pickle_are_found_by_reading():
    assert list(pickled_names(pickle.dumps(Touch("x"), protocol=4))) == [f"{os.name}.mkdir"]
    assert list(pickled_names(b"cposix\nsystem\n.")) == ["posix.system"]
    twice = pickle.dumps([Touch("x"), Touch("y")], protocol=4)
    assert set(pickled_names(twice)) == {f"{os.name}.mkdir"}
    assert list(pickled_names(b"no pickle")) == []


def zip_bomb():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("net/data.pkl", bytes(8 * 2**20))
    return stream.getvalue()


def other_zip():
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("array.npy", b"123")
    return stream.getvalue()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", r"file is empty \(0 bytes\)"),
        (b"hello world", "is not a checkpoint: it begins with b'hello world'"),
        (b"\x89HDF\r\n\x1a\n" + bytes(99), "is not a checkpoint"),
        (b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        (ZIPPED[:-30], "truncated or damaged"),
        (ZIPPED[: len(ZIPPED) // 2], "truncated or damaged"),
        (LEGACY[:-4], "truncated or damaged"),
        (LEGACY[:20], "truncated|damaged"),
        (SAFE[:-1], "not a safetensors file, or is truncated"),
        (SAFE[:20], "not a safetensors file, or is truncated"),
        (struct.pack("<Q", 2**62) + b"{}", "header should have 4,611,686,018,427,387,904 bytes"),
        (struct.pack("<Q", 2) + b"{]", "not a safetensors file"),
        (zip_bomb(), "would expand to 8,388,608"),
        (other_zip(), "a zip archive without weights"),
        (pickle.dumps([1], protocol=4), "damaged, or is not a file of weights"),
        (pickle.dumps([1], protocol=2), "not a file of weights"),
        (b"\x80\x02", "damaged"),
    ],
    ids=range(17),
)
def test_what_is_no_checkpoint_is_named(data, said):
    with pytest.raises(ModelError, match=said) as caught:
        parse_checkpoint(data, name="file")
    assert len(str(caught.value)) < 400


def test_a_safetensors_header_that_points_outside_is_refused():
    header = b'{"a":{"dtype":"F32","shape":[1000],"data_offsets":[0,4000]}}'
    with pytest.raises(ModelError, match="not a safetensors file, or is truncated"):
        parse_safetensors(struct.pack("<Q", len(header)) + header + bytes(8), name="file")


def test_paths_that_are_no_files(tmp_path):
    with pytest.raises(ModelError, match="is a folder; name the file"):
        read_bytes(tmp_path)
    with pytest.raises(ModelError, match="there is no file"):
        read_bytes(tmp_path / "missing.pth")
    with pytest.raises(ModelError, match=r"cannot be read|there is no file"):
        read_bytes("a\0b")


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(["zip", "legacy", "safetensors"]),
    place=st.floats(0, 1, exclude_max=True),
    junk=st.binary(max_size=8),
    keep=st.booleans(),
)
def test_a_damaged_file_is_read_or_refused_never_worse(kind, place, junk, keep):
    data = {"zip": ZIPPED, "legacy": LEGACY, "safetensors": SAFE}[kind]
    cut = int(place * len(data))
    damaged = data[:cut] + junk + (data[cut + len(junk) :] if keep else b"")
    with contextlib.suppress(ModelError):
        parse_checkpoint(damaged, name="file")

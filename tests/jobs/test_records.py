"""Records of jobs: written whole, read back as they were, and refused where they are none."""

import json

import pytest

from dqviz.jobs.folder import MAX_BYTES, JobFolder
from dqviz.jobs.record import Record, read_record, write_record
from dqviz.jobs.titles import title_of
from dqviz.specs import AttackSpec, DataSpec, ExperimentSpec, ModelSpec, QuantSpec


def spec(network="a/b/c", act_bits=4, epsilons=(1 / 255,)):
    return ExperimentSpec(
        kind="amplification",
        model=ModelSpec(id=network, fingerprint="card:0"),
        data=DataSpec(n_samples=64, fingerprint="1"),
        quant=QuantSpec(weight_bits=8 if act_bits < 32 else 32, act_bits=act_bits),
        attack=AttackSpec(name="pgd", epsilons=epsilons),
    )


def record(**changes):
    fields = {
        "user": "u" * 32,
        "title": "what it is",
        "address": ("amplification", (("net", "a/b/c"), ("net", "a/b/d"))),
        "specs": (spec(), spec(epsilons=(0.5 / 255, 1 / 255))),
    }
    return Record(**{**fields, **changes})


def test_a_record_is_read_back_as_it_was():
    for each in (record(), record(specs=(), grid="model = 'x'", store="y.sqlite")):
        assert read_record(write_record(each)) == each
        over = each.over("failed", error="why", error_kind="DataError")
        assert read_record(write_record(over)) == over
        assert over.ended >= over.made


@pytest.mark.parametrize(
    "change",
    [
        {"state": "sleeping"},
        {"state": None},
        {"user": 3},
        {"made": "yesterday"},
        {"specs": [{"class": "DataSpec"}]},
        {"specs": "none"},
        {"address": "here"},
        {"address": ["page", [["n"]]]},
        {"unknown": 1},
    ],
)
def test_what_is_no_record_is_refused(change):
    document = {**json.loads(write_record(record())), **change}
    with pytest.raises(ValueError, match=r"\w"):
        read_record(json.dumps(document))


@pytest.mark.parametrize("text", ["", "[]", "3", "{", "{}", "[" * 100_000])
def test_other_files_are_refused(text):
    with pytest.raises(ValueError, match=r"\w"):
        read_record(text)


def test_the_folder_gives_back_what_it_holds_in_order(tmp_path):
    folder = JobFolder(tmp_path / "jobs")
    assert folder.is_ours
    first, second = record(made=1.0), record(made=2.0, title="zweiter Auftrag: ½")
    folder.save(second)
    folder.save(first)
    assert folder.load() == [first, second]
    folder.save(second.over("done"))
    folder.remove(first.id)
    (left,) = folder.load()
    assert (left.id, left.state) == (second.id, "done")
    assert folder.unreadable == ()
    folder.close()


def test_files_that_are_no_records_are_named_and_left(tmp_path):
    folder = JobFolder(tmp_path)
    good = record()
    folder.save(good)
    (tmp_path / "notes.json").write_text("mine")
    (tmp_path / "half.json").write_text(write_record(good)[:100])
    (tmp_path / "copy.json").write_text(write_record(good))
    (tmp_path / "huge.json").write_text(" " * (MAX_BYTES + 1))
    assert folder.load() == [good]
    assert folder.unreadable == ("copy.json", "half.json", "huge.json", "notes.json")
    assert (tmp_path / "notes.json").read_text() == "mine"
    folder.close()


def test_a_folder_that_cannot_be_had_keeps_nothing(tmp_path):
    (tmp_path / "file").write_text("in the way")
    folder = JobFolder(tmp_path / "file" / "jobs")
    assert not folder.is_ours
    folder.save(record())
    assert folder.load() == []


def test_an_id_is_no_path(tmp_path):
    folder = JobFolder(tmp_path)
    with pytest.raises(ValueError, match="hexadecimal"):
        folder.remove("../../x")
    folder.close()


@pytest.mark.parametrize(
    ("specs", "title"),
    [
        ([spec()], "a/b/c, W8 A4, PGD 1/255, 64 images"),
        ([spec(), spec("a/b/d"), spec(act_bits=32)], "a/b/c, a/b/d, W8 A4, PGD 1/255, 64 images"),
        ([spec(act_bits=32)], "a/b/c, full precision, PGD 1/255, 64 images"),
        ([spec(epsilons=(1 / 255, 4 / 255))], "a/b/c, W8 A4, PGD 1/255 to 4/255, 64 images"),
        (
            [spec(act_bits=bits) for bits in (8, 6, 5, 4)],
            "a/b/c, W8 A8, W8 A6 and 2 more, PGD 1/255, 64 images",
        ),
    ],
)
def test_a_job_in_words(specs, title):
    assert title_of(specs) == title

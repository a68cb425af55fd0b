"""The small parts: remembered results, memos, progress, tables, errors, and what gets imported."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

import dqviz
from dqviz.experiments import COLUMNS, Cancelled, ExperimentError, Result, resolve
from dqviz.experiments.errors import describe
from dqviz.experiments.memo import Memo
from dqviz.experiments.provenance import code_hash
from dqviz.experiments.resolve import Look, default_calibration
from dqviz.experiments.result import make_table
from dqviz.experiments.result_cache import ResultCache
from dqviz.experiments.steps import Steps
from dqviz.experiments.worker import OTHER_CODE, compute, of_same_code
from dqviz.specs import Craft, DataSpec, ExperimentSpec, ModelSpec, QuantSpec, spec_key


@dataclasses.dataclass(frozen=True)
class Weight:
    """Something of a size."""

    nbytes: int


def test_results_are_let_go_by_size_the_oldest_first():
    cache = ResultCache(max_bytes=10)
    for name in ("a", "b"):
        cache.put(name, Weight(4))
    assert cache.get("a") == Weight(4)
    cache.put("c", Weight(4))
    assert cache.get("b") is None
    assert cache.get("a") is not None
    cache.put("huge", Weight(11))
    assert cache.get("huge") is None
    assert cache.nbytes == 8
    cache.put("a", Weight(1))
    assert (cache.nbytes, len(cache)) == (5, 2)


def test_a_memo_keeps_the_latest_and_makes_each_once():
    made = []
    memo = Memo(max_entries=2, max_bytes=10, size=lambda value: value)

    def get(key, value):
        def make():
            made.append(key)
            return value

        return memo.get(key, make)

    assert [get("a", 3), get("b", 3), get("a", 3), get("c", 3), get("a", 3)] == [3] * 5
    assert made == ["a", "b", "c"]
    assert get("b", 3) == 3
    assert made == ["a", "b", "c", "b"]
    assert get("huge", 11) == 11
    assert get("huge", 11) == 11
    assert made.count("huge") == 2
    assert len(memo) == 0


def test_a_memo_takes_what_was_made_elsewhere_and_shows_what_it_has():
    memo = Memo(max_entries=2)
    assert memo.peek("a") is None
    assert [memo.put("a", 1), memo.put("b", 2)] == [1, 2]
    assert memo.peek("a") == 1  # used later than b
    assert memo.put("c", 3) == 3
    assert [memo.peek(key) for key in "abc"] == [1, None, 3]
    assert memo.get("a", lambda: 4) == 1


def test_a_memo_forgets_what_failed():
    memo = Memo(max_entries=2)

    def fail():
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        memo.get("key", fail)
    assert memo.get("key", lambda: 1) == 1


def test_parts_of_the_progress_follow_one_another():
    told = []
    steps = Steps(lambda fraction, text: told.append(round(fraction, 6)))
    first, second = steps.split([1, 3])
    first.counter("first")(1, 2)
    first.at(2.0, "beyond the end")
    inner = second.part(0.5, 1.0)
    inner.at(0.0, "second")
    inner.counter("nothing to do")(0, 0)
    inner.at(1.0, "done")
    assert told == [0.125, 0.25, 0.625, 0.625, 1.0]


def test_cancelling_is_obeyed_in_every_part():
    steps = Steps(cancelled=lambda: True)
    with pytest.raises(Cancelled):
        steps.part(0, 0.5).split([1, 1])[1].counter("part")(0, 1)


def test_a_table_has_the_same_columns_whatever_its_rows():
    empty = make_table([])
    full = make_table([{"metric": "m", "value": 1, "stage": "clean"}], ("stage",))
    assert tuple(empty.columns) == COLUMNS
    assert tuple(full.columns) == (*COLUMNS, "stage")
    assert empty["value"].dtype == full["value"].dtype == np.float64
    assert full["epsilon"].isna().all()


def test_a_result_knows_its_size():
    arrays = {"picture": np.zeros((10, 10), np.float32)}
    table = make_table([{"metric": "m"}])
    result = Result(table=table, arrays=arrays, notes=(), spec_key="", version="")
    assert 400 < result.nbytes < 10_000


@pytest.mark.parametrize(
    ("error", "message", "kind"),
    [
        (ValueError("no such thing"), "no such thing", "ValueError"),
        (FileNotFoundError(2, "gone", "a.png"), "[Errno 2] gone: 'a.png'", "FileNotFoundError"),
        (MemoryError(), "not enough memory: take fewer images or a smaller batch", "MemoryError"),
        (ExperimentError("bad", kind="DataError"), "bad", "DataError"),
        (ValueError("no caf\udce9.png"), "no caf\\udce9.png", "ValueError"),
        (KeyError("x"), "internal error, please report it: KeyError: 'x'", "internal"),
    ],
)
def test_errors_become_one_text(error, message, kind):
    assert describe(error) == (message, kind)


def test_torch_runs_out_of_memory_with_the_same_text():
    error = RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried")
    assert describe(error)[1] == "MemoryError"


def test_resolving_names_the_content(model, data, checkpoint, tmp_path):
    spec = ExperimentSpec(kind="accuracy", model=model, data=data)
    resolved = resolve(spec)
    assert resolved.model.fingerprint
    assert resolved.data.fingerprint
    assert resolve(resolved) == resolved
    other = tmp_path / "other.safetensors"
    other.write_bytes(checkpoint.read_bytes() + b"\0")
    changed = resolve(
        dataclasses.replace(spec, model=dataclasses.replace(model, checkpoint=str(other)))
    )
    assert changed.model.fingerprint != resolved.model.fingerprint
    assert spec_key(changed) != spec_key(resolved)


def test_resolving_chooses_the_calibration(model, data, images_folder):
    quantized = ExperimentSpec(kind="accuracy", model=model, data=data, quant=QuantSpec(act_bits=4))
    chosen = resolve(quantized).calibration
    assert (chosen.name, chosen.split, chosen.n_samples) == (data.name, "train", 256)
    assert chosen.fingerprint
    assert (
        resolve(dataclasses.replace(quantized, quant=QuantSpec(weight_bits=4))).calibration is None
    )
    alone = resolve(dataclasses.replace(quantized, data=DataSpec(name=f"parquet:{images_folder}")))
    assert alone.calibration.split == "train"


def test_without_training_images_the_evaluated_ones_calibrate(tmp_path, images_folder):
    import shutil

    shutil.copy(images_folder / "test.parquet", tmp_path / "test.parquet")
    data = DataSpec(name=f"parquet:{tmp_path}", n_samples=4)
    assert default_calibration(data, Look()) == data
    one_file = Look().data(DataSpec(name=f"parquet:{tmp_path / 'test.parquet'}", n_samples=4))
    assert (
        default_calibration(one_file, Look()) == one_file
    )  # though it answers to any split's name


def test_resolving_covers_the_network_crafted_on(model, data):
    craft = Craft(model=model, quant=QuantSpec())
    spec = resolve(ExperimentSpec(kind="accuracy", model=model, data=data, crafted_on=craft))
    assert spec.crafted_on.model.fingerprint == spec.model.fingerprint


def test_published_weights_are_named_by_their_id():
    spec = ExperimentSpec(kind="lipschitz", model=ModelSpec(id="imagenet/resnet18/IMAGENET1K_V1"))
    assert "IMAGENET1K_V1" in resolve(spec).model.fingerprint


def test_one_network_has_one_key_whatever_it_is_called():
    by_name, by_alias, other = (
        ExperimentSpec(kind="lipschitz", model=ModelSpec(id=f"imagenet/resnet50/{name}"))
        for name in ("IMAGENET1K_V2", "DEFAULT", "IMAGENET1K_V1")
    )
    assert resolve(by_alias) == resolve(by_name)
    assert spec_key(resolve(by_alias)) != spec_key(resolve(other))
    craft = Craft(model=by_alias.model, quant=QuantSpec())
    crafted = resolve(dataclasses.replace(by_name, crafted_on=craft)).crafted_on
    assert crafted.model == resolve(by_name).model


def test_networks_that_do_not_exist_are_named(tmp_path):
    for model in (
        ModelSpec(id="no/such/network"),
        ModelSpec(id="x", checkpoint=str(tmp_path / "missing.pt")),
    ):
        with pytest.raises(ValueError, match=r"no/such/network|missing\.pt"):
            resolve(ExperimentSpec(kind="accuracy", model=model))


def test_the_browsers_process_imports_no_torch():
    code = (
        "import sys, dqviz.experiments as e; e.Engine();"
        "e.resolve(__import__('dqviz.specs').specs.ExperimentSpec("
        "kind='lipschitz', model=__import__('dqviz.specs').specs.ModelSpec("
        "id='imagenet/resnet18/IMAGENET1K_V1')));"
        "import dqviz.experiments.worker, dqviz.experiments.host, dqviz.experiments.warm_up;"
        "print(sorted({'torch', 'torchvision', 'streamlit'} & set(sys.modules)))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert answer.stdout.strip() == "[]"


def test_a_worker_with_other_code_refuses():
    outcome = compute(ExperimentSpec(kind="accuracy"), "task", code="another hash")
    assert outcome.result is None
    assert outcome.error_kind == OTHER_CODE
    assert "install the same version on every machine" in outcome.error
    assert code_hash() in outcome.error
    assert of_same_code().keywords == {"code": code_hash()}


def test_the_hash_of_the_code_follows_its_text(tmp_path, monkeypatch):
    monkeypatch.setattr(dqviz, "__file__", str(tmp_path / "__init__.py"))
    hashes = []
    for text in ("a = 1\n", "a = 1\r\n", "a = 2\n"):
        (tmp_path / "module.py").write_bytes(text.encode())
        hashes.append(code_hash.__wrapped__())
    (tmp_path / "module.py").rename(tmp_path / "other.py")
    hashes.append(code_hash.__wrapped__())
    assert hashes[0] == hashes[1]  # however a checkout ends its lines
    assert len(set(hashes)) == 3

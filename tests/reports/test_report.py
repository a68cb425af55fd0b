"""The report of a store: what it says, and that it needs nothing else."""

import re

import pytest

from dqviz.reports import ReportError, html, write_report
from dqviz.studies import Failure, Owner, Store, StoreError
from tests.studies.conftest import cell_at, with_seed
from tests.studies.making import MADE, finding


@pytest.fixture
def study(tmp_path):
    """A store with twelve finished cells and one that failed."""
    path = tmp_path / "study.sqlite"
    cells = [
        with_seed(cell_at(bits, k / 255), seed)
        for bits in (8, 4)
        for k in (1, 2, 4)
        for seed in (0, 1)
    ]
    failed = cell_at(2, attack="pgd")
    with Store(path, write=True) as store:
        owner = Owner.new()
        store.claim([*cells, failed], owner)
        store.finish([(c, finding(c, 0.1 * c.spec.quant.act_bits)) for c in cells], owner, MADE)
        store.fail([failed], owner, Failure(message="no <such> layer", kind="ModelError"))
    return path


def written(study, tmp_path, **options):
    out = tmp_path / "report.html"
    cells = write_report(study, out, **options)
    return cells, out.read_text(encoding="utf-8")


def words(text):
    """What a person reads: neither scripts nor styles nor tags."""
    bare = re.sub(r"<(script|style)\b.*?</\1>", "", text, flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", bare))


def test_it_says_what_was_asked_what_was_found_and_how(study, tmp_path):
    cells, text = written(study, tmp_path)
    assert cells == 12
    said = words(text)
    assert "13 cells: 12 done, 1 failed" in said
    assert "act bits 8, 4, 2" in said
    assert "seed 0, 1" in said
    assert "epsilon 1/255, 2/255, 4/255" in said
    assert "hash of the weights card:0 36" in said
    assert f"hash of its code {MADE.code} 36" in said
    assert "no &lt;such&gt; layer" in said
    assert text.count("plotly-graph-div") == 3  # two of curves, one of bits by epsilon
    assert "Robust accuracy against Epsilon, FGSM" in said
    assert "the mean of up to 2 seeds" in said


def test_a_part_of_a_store_and_a_title_of_ones_own(study, tmp_path):
    cells, text = written(study, tmp_path, wanted={"act_bits": [8]}, title="<b>mine</b> & yours")
    assert cells == 6
    assert "<h1>&lt;b&gt;mine&lt;/b&gt; &amp; yours</h1>" in text
    assert "act bits 8 " in words(text)
    assert "What failed" not in text


def test_long_tables_are_cut_and_say_so(study, tmp_path, monkeypatch):
    monkeypatch.setattr(html, "ROWS_SHOWN", 5)
    _, text = written(study, tmp_path)
    assert "The first 5 of 36 rows" in words(text)


def test_nothing_of_it_lies_elsewhere(study, tmp_path):
    _, text = written(study, tmp_path)
    tags = re.sub(r"<script>.*?</script>", "", text, flags=re.S)
    assert not re.findall(r"""(?:src|href)\s*=\s*["']?https?:""", tags)
    assert "<link" not in tags


@pytest.mark.parametrize("name", ["study.sqlite", "./study.sqlite"])
def test_the_store_is_not_written_over(study, tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = study.read_bytes()
    with pytest.raises(ReportError, match="is the store itself"):
        write_report(study, name)
    assert study.read_bytes() == before


def test_what_cannot_be_reported_on_is_said(study, tmp_path):
    with pytest.raises(ReportError, match="has no finished cell"):
        write_report(study, tmp_path / "x.html", wanted={"state": ["failed"]})
    with pytest.raises(ReportError, match="cannot be written"):
        write_report(study, tmp_path / "none" / "x.html")
    with pytest.raises(StoreError, match="there is no store"):
        write_report(tmp_path / "none", tmp_path / "x.html")
    assert not (tmp_path / "x.html").exists()

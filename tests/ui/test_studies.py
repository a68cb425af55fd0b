"""The page that looks into stores."""

import dataclasses
import json
from urllib.parse import parse_qsl, urlsplit

import pytest

from dqviz import charts
from dqviz.specs import DataSpec, ModelSpec
from dqviz.studies import Cell, Failure, Owner, Store
from dqviz.ui import opening, show, studies
from tests.studies.conftest import cell_at, with_seed
from tests.studies.making import MADE, finding
from tests.ui.reading import titles, words


@pytest.fixture
def study(engine, tmp_path):
    """A store in the data folder's `results`, with twelve finished cells and one that failed."""
    folder = tmp_path / "results"
    folder.mkdir()
    cells = [
        with_seed(cell_at(bits, k / 255, attack=attack), 0)
        for attack in ("fgsm", "pgd")
        for bits in (8, 4)
        for k in (1, 2, 4)
    ]
    failed = cell_at(2)
    with Store(folder / "mine.sqlite", write=True) as store:
        owner = Owner.new()
        store.claim([*cells, failed], owner)
        store.finish([(c, finding(c, 0.1 * c.spec.quant.act_bits)) for c in cells], owner, MADE)
        store.fail([failed], owner, Failure(message="no such layer", kind="ModelError"))
    return folder / "mine.sqlite"


def drawn(app):
    return json.loads(app.get("plotly_chart")[0].proto.spec)["data"]


def test_without_a_store_the_page_says_how_to_make_one(open_page, monkeypatch):
    monkeypatch.setattr(studies, "shipped_names", lambda: ())
    app = open_page("studies")
    assert "python -m dqviz sweep grid.toml" in words(app)
    assert not app.exception
    assert app.select_slider(key="abits").value == 4


@pytest.mark.parametrize("view", ["Curves", "Layers", "Bits and epsilon", "Parallel", "Cost"])
def test_the_study_that_comes_with_the_package_is_there_at_once(open_page, view):
    app = open_page("studies", study_view=view)
    assert not app.exception
    assert app.selectbox(key="store").value == "shipped:networks"
    assert len(app.get("plotly_chart")) == 1


def test_studies_of_ones_own_come_first(open_page, study):
    app = open_page("studies")
    assert app.selectbox(key="store").options == ["mine.sqlite", "shipped:networks"]


def test_a_number_against_a_setting(open_page, study):
    app = open_page("studies")
    assert not app.exception
    assert titles(app) == ["Robust accuracy against Epsilon"]
    assert "13 cells: 12 done, 1 failed" in words(app)
    app.selectbox(key="number").set_value("margin").run()
    assert titles(app) == ["Margin against Epsilon"]
    app.selectbox(key="number").set_value("robust accuracy").run()
    assert len(drawn(app)) == 4
    app.multiselect(key="attacks").set_value(["pgd"]).run()
    assert len(drawn(app)) == 2
    app.segmented_control(key="against").set_value("Activation bits").run()
    assert titles(app) == ["Robust accuracy against Activation bits"]
    assert [expander.label for expander in app.expander if "failed" in expander.label]


def test_a_link_reproduces_the_view(open_page, study):
    asked = {"number": "robust accuracy", "against": "Activation bits", "attacks": "fgsm"}
    app = open_page("studies", store="mine.sqlite", **asked)
    assert titles(app) == ["Robust accuracy against Activation bits"]
    assert len(drawn(app)) == 3
    assert "Ignored" not in words(app)


def test_what_a_link_asks_for_in_vain_is_named(open_page, study):
    app = open_page("studies", store="other.sqlite", number="nothing")
    assert "Ignored from the link" in words(app)
    assert "store=other.sqlite" in words(app)
    assert "number=nothing" in words(app)


def test_nothing_chosen_is_everything(open_page, study):
    app = open_page("studies", number="robust accuracy", networks="some/net/vanilla")
    before = drawn(app)
    app.multiselect(key="networks").set_value([]).run()
    assert drawn(app) == before


def test_what_is_finished_meanwhile_is_shown(open_page, study):
    app = open_page("studies", number="robust accuracy", attacks="fgsm")
    before = drawn(app)
    more = cell_at(4, 8 / 255)
    with Store(study, write=True) as store:
        owner = Owner.new()
        store.claim([more], owner)
        store.finish([(more, finding(more, 0.05))], owner, MADE)
    app.run()
    assert drawn(app) != before
    assert "13 done" in words(app)


def test_a_damaged_store_is_named_and_the_page_goes_on(open_page, study):
    study.write_bytes(study.read_bytes()[:5000])
    app = open_page("studies")
    assert "mine.sqlite" in app.error[0].value
    assert "results check" in app.error[0].value
    assert not app.exception
    assert app.select_slider(key="abits").value == 4


@pytest.fixture
def rich_study(engine, tmp_path):
    """A store with two networks' accuracies, costs and distances by layer, at several settings."""
    folder = tmp_path / "results"
    folder.mkdir()
    cells, findings = [], []
    for name in ("vanilla", "dq"):
        for bits in (32, 8, 4):
            for level in (0.5, 1.0, 3.3):
                cell = cell_of(f"streetdigits/resnet20/{name}", bits, level)
                cells.append(cell)
                findings.append((cell, rich_finding(cell)))
    with Store(folder / "rich.sqlite", write=True) as store:
        owner = Owner.new()
        store.claim(cells, owner)
        store.finish(findings, owner, MADE)
    return folder / "rich.sqlite"


def cell_of(network, bits, level):
    spec = cell_at(bits, level / 255).spec
    return Cell.of(
        dataclasses.replace(
            spec,
            model=ModelSpec(id=network, fingerprint="card:0"),
            data=DataSpec(n_samples=64, fingerprint="0"),
        )
    )


def rich_finding(cell):
    """Numbers that differ with the setting; not those of any network."""
    bits, epsilon = cell.spec.quant.act_bits, cell.spec.attack.epsilons[0]
    whole = {
        "robust_accuracy": 0.9 - 10 * epsilon - 0.1 / bits,
        "clean_accuracy": 0.9,
        "bit_operations": 1e6 * bits,
        "weight_bytes": 1000.0,
    }
    rows = [("network", -1, metric, "value", value) for metric, value in whole.items()]
    rows += [
        (layer, depth, "relative_distance", "median", (depth + 1) * epsilon / bits)
        for depth, layer in enumerate(("c1", "c2", "logits"))
    ]
    fgsm = cell.spec.attack.name
    plain = finding(cell)
    numbers = tuple((fgsm, epsilon, *row) for row in rows)
    return dataclasses.replace(plain, numbers=numbers)


@pytest.mark.parametrize(
    ("view", "title", "asked"),
    [
        ("Curves", "Robust accuracy against Epsilon", {"number": "robust accuracy"}),
        ("Layers", "by layer and bit-width", {}),
        ("Bits and epsilon", "accuracy by bit-width and epsilon", {"number": "robust accuracy"}),
        ("Parallel", "across all settings", {}),
        ("Cost", "Robust accuracy against bit operations", {}),
    ],
)  # fmt: skip
def test_every_view_of_a_study_is_drawn(open_page, rich_study, view, title, asked):
    app = open_page("studies", study_view=view, **asked)
    assert not app.exception
    assert title in " ".join(titles(app))
    assert app.get("plotly_chart")


def test_rows_are_filtered_by_every_setting_that_varies(open_page, rich_study):
    app = open_page("studies", number="robust accuracy")
    assert len(drawn(app)) == 6
    assert [len(trace["x"]) for trace in drawn(app)] == [3] * 6
    app.multiselect(key="only_eps").set_value(["1/255", "3.3/255"]).run()
    assert [len(trace["x"]) for trace in drawn(app)] == [2] * 6
    app.multiselect(key="only_abits").set_value(["4"]).run()
    assert len(drawn(app)) == 2
    app.multiselect(key="networks").set_value(["streetdigits/resnet20/dq"]).run()
    assert len(drawn(app)) == 1
    assert [widget for widget in app.multiselect if widget.key == "only_seed"] == []


def test_a_map_is_of_one_epsilon_and_says_which(open_page, rich_study):
    app = open_page("studies", study_view="Layers", at="3.3/255")
    assert app.selectbox(key="at").value == "3.3/255"
    before = heat(app)
    assert not app.exception
    app.selectbox(key="at").set_value("0.5/255").run()
    assert heat(app) != before


def heat(app):
    return next(trace["z"] for trace in drawn(app) if trace["type"] == "heatmap")


def test_a_store_without_costs_says_what_is_needed(open_page, study):
    app = open_page("studies", study_view="Cost")
    assert "cells of kind accuracy" in words(app)
    assert not app.exception


def test_the_point_that_is_selected_leads_to_its_very_setting(open_page, rich_study, monkeypatch):
    address = ("streetdigits/resnet20/dq", 32, 4, "fgsm", 3.3 / 255, 0, "streetdigits test", 64)
    monkeypatch.setattr(show, "_put", lambda *args, **more: [list(address)])
    app = open_page("studies", number="robust accuracy")
    links = {link.proto.label: link.proto.url for link in app.get("link_button")}
    assert list(links) == [
        *("Amplification", "Accuracy", "Robustness", "Can you trust it?", "Lipschitz", "Playground")
    ]
    query = dict(parse_qsl(urlsplit(links["Accuracy"]).query))
    expected = {"net": address[0], "abits": "4", "wbits": "32", "eps": "3.3/255", "n": "64"}
    assert query | expected == query
    assert query["view"] == "Failure"
    assert "not as in the study" not in words(app)
    elsewhere = charts.Address(*address)._replace(data="cifar10 test")
    state = studies.stamp("rich.sqlite")
    assert studies.cell_at("rich.sqlite", state, elsewhere) is None
    opened = open_page("amplification", **{k: v for k, v in query.items() if k != "view"})
    assert "Ignored" not in words(opened)
    assert opened.select_slider(key="eps").value == 3.3
    assert opened.multiselect(key="net").value == ["streetdigits/resnet20/dq"]


def test_what_the_pages_cannot_take_is_named(engine):
    spec = cell_at(4, 1 / 255, attack="pgd").spec
    other = dataclasses.replace(
        spec,
        attack=dataclasses.replace(spec.attack, norm="l2", steps=7, seed=5, momentum=0.5),
        data=dataclasses.replace(spec.data, split="train", name="folder:/elsewhere"),
    )
    lost = " ".join(opening.query_of(other)[1])
    assert "squeezed" not in lost
    for bits, label in ((5, "5 bits"), (7, "none")):
        model = dataclasses.replace(spec.model, squeeze_bits=bits)
        query, reasons = opening.query_of(dataclasses.replace(spec, model=model))
        assert dict(query)["squeeze"] == label
        assert ("squeezed otherwise" in " ".join(reasons)) == (label == "none")
    assert "momentum is 0.5" in lost
    assert "queries" not in lost
    for word in ("no shipped one", "data folder", "7 steps", "other seeds", "norm is l2", "split"):
        assert word in lost
    square = dataclasses.replace(spec.attack, name="square", queries=77, steps=7)
    query, lost = opening.query_of(dataclasses.replace(spec, attack=square))
    assert dict(query)["queries"] == "77"
    assert dict(query)["loss"] == "cross_entropy"
    assert "77 queries" in " ".join(lost)
    assert "steps" not in " ".join(lost)

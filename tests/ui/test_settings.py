"""The sidebar's options, what a link may ask for, and the specifications that follow."""

import contextlib

import pytest

from dqviz.charts import tidy
from dqviz.specs import ATTACKS, FULL_PRECISION, Craft, ModelSpec, QuantSpec
from dqviz.ui import choices, requests, robust_requests
from dqviz.ui.links import plain
from dqviz.ui.settings import (
    ACT_BITS,
    ATTACK_NAMES,
    CRAFTED,
    EPSILONS,
    ITERATED,
    MAX_LEVEL,
    MAX_SAMPLES,
    QUERYING,
    WEIGHT_BITS,
    Settings,
    epsilon_text,
    ignored_values,
    sidebar_parameters,
    with_linked,
)

NETS = ("streetdigits/resnet20/vanilla", "streetdigits/resnet20/dq")
SETTINGS = Settings(networks=NETS)
PARAMETERS = sidebar_parameters(NETS, ("streetdigits", "cifar10"))


def ignored(others=frozenset(), **query):
    return ignored_values({k: [v] for k, v in query.items()}, PARAMETERS, others)


def test_bits_are_those_that_a_specification_takes():
    for bits in WEIGHT_BITS:
        QuantSpec(weight_bits=bits)
    for bits in ACT_BITS:
        QuantSpec(act_bits=bits)


@pytest.mark.parametrize(
    ("levels", "text"), [(0.125, "0.125/255"), (1.0, "1/255"), (1.5, "1.5/255"), (8.0, "8/255")]
)
def test_epsilons_are_written_in_grey_levels(levels, text):
    assert levels in EPSILONS
    assert epsilon_text(levels) == text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("abits", "17"),
        ("wbits", "1"),
        ("eps", "8"),
        ("attack", "fgsm"),
        ("n", "-1"),
        ("seed", "x"),
        ("seed", "100000"),
        ("data", "parquet:/etc"),
        ("net", "no/such/net"),
    ],
)
def test_a_value_that_cannot_be_had_is_named(name, value):
    (text,) = ignored(**{name: value})
    assert f"`{name}={value}`" in text
    assert PARAMETERS[name].label in text


def test_what_can_be_had_is_not_named():
    query = {"net": list(NETS), "data": ["cifar10"], "n": ["64"], "wbits": ["8"], "abits": ["1"]}
    query |= {"attack": ["R+FGSM"], "eps": ["0.5/255"], "seed": ["0"], "crafted": ["first network"]}
    assert ignored_values(query, PARAMETERS, frozenset()) == ()
    assert ignored_values({"net": [""]}, PARAMETERS, frozenset()) == ()


def test_a_choice_made_twice_is_named():
    query = {"abits": ["3", "3"], "eps": ["1/255"]}
    assert "`abits=3`" in ignored_values(query, PARAMETERS, frozenset())[0]


def test_more_networks_than_can_be_compared_are_named():
    parameters = sidebar_parameters(tuple("abcdef"), ())
    named = ignored_values({"net": list("abxcdef")}, parameters, frozenset())
    assert named[0].startswith("`net=x`")
    assert named[1:] == tuple(f"`net={name}` (networks: at most 4)" for name in "ef")


def test_an_unknown_name_is_named_unless_a_page_reads_it():
    assert ignored(foo="1") == ("`foo` (unknown)",)
    assert ignored(others=frozenset({"view"}), view="x") == ()


def test_markdown_in_a_link_is_made_harmless():
    (text,) = ignored(abits="`![x](http://evil)<b>")
    assert not set("[]()<>!") & set(text.split("` (")[0])
    assert text.count("`") == 2
    assert plain("a [link](x) *b*") == r"a \[link\](x) \*b\*"


def test_fgsm_takes_all_epsilons_so_that_moving_the_slider_asks_for_nothing_new():
    one, other = (Settings(networks=NETS, epsilon=e / 255) for e in (1.0, 4.0))
    assert requests.amplification(one) == requests.amplification(other)
    assert requests.amplification(one)[0].attack.epsilons == tuple(e / 255 for e in EPSILONS)


def test_an_iterated_attack_takes_the_sidebars_epsilon_and_steps():
    settings = Settings(networks=NETS, attack="pgd", epsilon=2 / 255, steps=20)
    attack = requests.amplification(settings)[0].attack
    assert (attack.name, attack.epsilons, attack.steps) == ("pgd", (2 / 255,), 20)


def test_the_loss_is_that_of_attacks_that_have_none_of_their_own():
    for attack, loss in (("fgsm", "dlr"), ("mifgsm", "dlr"), ("apgd_ce", "cross_entropy")):
        settings = Settings(networks=NETS, attack=attack, epsilon=2 / 255, loss="dlr")
        assert requests.amplification(settings)[0].attack.loss == loss
        ensemble = robust_requests.ensemble(settings)[0].attack
        assert (ensemble.name, ensemble.loss) == ("standard", "cross_entropy")


def test_queries_are_those_of_attacks_that_make_any():
    for attack, queries in (("square", 2000), ("standard", 2000), ("pgd", 500)):
        settings = Settings(networks=NETS, attack=attack, epsilon=2 / 255, queries=2000)
        assert requests.amplification(settings)[0].attack.queries == queries


def test_every_attack_has_one_title_on_pages_and_charts():
    assert tuple(ATTACK_NAMES) == ATTACKS
    assert {name: tidy.ATTACK_NAMES[name] for name in ATTACKS} == ATTACK_NAMES
    assert set(ITERATED) | set(QUERYING) <= set(ATTACKS)


def test_each_network_is_compared_with_itself_at_full_precision():
    specs = requests.amplification(SETTINGS)
    assert [(s.model.id, s.quant.act_bits) for s in specs] == [
        (NETS[0], 4),
        (NETS[1], 4),
        (NETS[0], FULL_PRECISION),
        (NETS[1], FULL_PRECISION),
    ]
    full = Settings(networks=NETS, weight_bits=FULL_PRECISION, act_bits=FULL_PRECISION)
    assert len(requests.amplification(full)) == 2


def test_one_perturbation_for_all_is_crafted_on_the_first_network():
    settings = Settings(networks=NETS, crafted=CRAFTED[1])
    expected = Craft(model=ModelSpec(id=NETS[0]), quant=QuantSpec())
    assert {s.crafted_on for s in requests.amplification(settings)} == {expected}
    assert {s.crafted_on for s in requests.amplification(SETTINGS)} == {None}


def test_an_upload_is_asked_for_by_its_file():
    spec = ModelSpec(id="upload/x", checkpoint="/x.pth", arch="resnet20", classes=10)
    settings = Settings(networks=("upload/x",), uploads=(("upload/x", spec),))
    assert requests.amplification(settings)[0].model == spec


def test_data_lies_in_the_data_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("DQVIZ_DATA", str(tmp_path))
    for name in ("mine/test.parquet", "photos/cat/1.png", "cache/x.parquet", ".hidden.parquet"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "one.parquet").touch()
    (tmp_path / "empty").mkdir()
    with contextlib.suppress(OSError):  # not every file system keeps such a name
        (tmp_path / "caf\udce9.parquet").touch()
    found = choices.data_sets(tmp_path)[3:]
    assert found == ("parquet:mine", "parquet:one.parquet", "folder:photos")
    assert choices.resolve_data("parquet:mine") == f"parquet:{tmp_path.resolve() / 'mine'}"
    assert choices.resolve_data("streetdigits") == "streetdigits"
    for outside in ("parquet:../x", "folder:/etc", "file:x"):
        with pytest.raises(ValueError, match="data must lie in"):
            choices.resolve_data(outside)


@pytest.mark.parametrize(
    ("text", "kind", "added"),
    [
        ("100", int, (100,)),
        ("5000", int, (5000,)),
        ("5001", int, ()),
        ("0", int, ()),
        ("1.5", int, ()),
        ("-3", int, ()),
        ("", int, ()),
        ("many", int, ()),
        ("9" * 400, int, ()),
        ("0.3/255", float, (0.3,)),
        ("16/255", float, (16.0,)),
        ("300/255", float, ()),
        ("nan", float, ()),
        ("1e9", float, ()),
        ("1/0", float, ()),
    ],
)
def test_a_link_adds_what_can_be_had_to_a_slider(text, kind, added):
    options, most = ((16, 32), MAX_SAMPLES) if kind is int else ((0.5, 1.0), MAX_LEVEL)
    found = with_linked(options, text, kind, most)
    assert found == tuple(sorted({*options, *added}))
    assert all(isinstance(value, kind) for value in found)

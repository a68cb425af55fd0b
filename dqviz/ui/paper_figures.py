"""The experiments behind the paper's claims: figures of the networks against bits and by layer."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Sequence

import pandas as pd
import streamlit as st

from dqviz import charts
from dqviz.charts.strength import MEASURES
from dqviz.charts.tidy import ATTACK_NAMES, bits_words, epsilon_text
from dqviz.paper import SHOWN, Shown, Tables, shown_rows, where
from dqviz.paper.page import LAYERS, QUANTIZERS, STRENGTH
from dqviz.paper.plan import HEADLINE, VERDICTS_ATTACK
from dqviz.ui import controls, show
from dqviz.ui.settings import ELEMENTS

ATTACKED = "Attacked, by bits"
ATTACKED_WORDS = (
    "Every network under every attack: vanilla and DQ, trained at these bits. Choose an attack and "
    "an epsilon."
)
LAYERS_WORDS = (
    "How a perturbation of 1/255 grows on its way through the network: FGSM's, and three that "
    "nobody has aimed, of the same length."
)
QUANTIZERS_WORDS = (
    "Is small noise rounded away, and only large noise enlarged? Every quantizer of the vanilla "
    "networks under FGSM at 0.25/255 and 1/255, beside what theory predicts for activations spread "
    "evenly over a bucket."
)
STRENGTH_WORDS = (
    "`streetdigits/resnet20/vanilla`, fine-tuned for two epochs at full precision with the penalty "
    "on the raw kernel (the paper's), on the kernel with BatchNorm folded in, or on the operator "
    "norm above 1; beside it `streetdigits/plain20_nonorm`, trained without BatchNorm, where the "
    "raw kernel is what is applied. One seed, so there is no verdict."
)
CHOICES = {
    "attacked": ("paper_measure", "paper_attack", "paper_eps"),
    "layers": ("paper_noise", "paper_distance"),
    "turning": ("paper_bits", "paper_elements"),
}
"""What is chosen in each box, as the address bar calls it."""

Fill = Callable[[pd.DataFrame, Hashable], None]
MEASURED = {"Attack success": "attack_success", "Robust accuracy": "robust_accuracy"}
DISTANCES = {"Centred": "amplification_centred", "Plain": "amplification"}


def behind(claim: str, tables: Tables, key: Hashable) -> None:
    """The numbers behind a claim against bits, where they are there."""
    shown = SHOWN[claim]
    rows = shown_rows(tables.levels, shown)
    if len(rows):
        _put(f"behind_{claim}", key, functools.partial(charts.by_bits, rows, where=where(shown)))


def draw(tables: Tables, key: Hashable) -> None:
    """A box for each experiment that there are numbers of; an open one shows its figures."""
    if len(tables.levels):
        _box("attacked", ATTACKED, ATTACKED_WORDS, _attacked, tables.levels, key)
    if len(tables.layers):
        _box("layers", LAYERS, LAYERS_WORDS, _layers, tables.layers, key)
    if len(tables.quantizers):
        _box("turning", QUANTIZERS, QUANTIZERS_WORDS, _quantizers, tables.quantizers, key)
    if len(tables.beta):
        _box("strength", STRENGTH, STRENGTH_WORDS, _strength, tables.beta, key)


def _box(name: str, title: str, words: str, fill: Fill, table: pd.DataFrame, key: Hashable) -> None:
    """An experiment; open from the start where the link holds one of its choices."""
    asked = any(choice in st.query_params for choice in CHOICES.get(name, ()))
    with st.container(border=True, key=name, gap="xsmall"):
        st.markdown(f"**{title}**")
        st.markdown(words)
        more = st.expander("Figures", expanded=asked, key=f"open_{name}", on_change="rerun")
        if more.open:
            with more:
                fill(table, key)


def _attacked(levels: pd.DataFrame, key: Hashable) -> None:
    attacked = levels[levels["measure"] == "robust_accuracy"]
    names = [name for name in dict.fromkeys(attacked["attack"]) if name in ATTACK_NAMES]
    at = {epsilon_text(float(e)): float(e) for e in sorted(set(attacked["epsilon"]))}
    with st.container(horizontal=True):
        measure = MEASURED[controls.pick("Measure", list(MEASURED), key="paper_measure")]
        attack = _pick("Attack", names, ATTACK_NAMES, key="paper_attack", first=VERDICTS_ATTACK)
        first = list(at).index(epsilon_text(HEADLINE)) if epsilon_text(HEADLINE) in at else 0
        epsilon = at[controls.pick("Epsilon", list(at), key="paper_eps", first=first)]
    # Vanilla first, and networks that something is added to last: each keeps its colour.
    methods = sorted(set(attacked["method"]), key=lambda name: (", " in name, name[0] != "v", name))
    shown = Shown(measure=measure, attacks=(attack,), epsilon=epsilon, methods=tuple(methods))
    _put(
        "attacked",
        (key, measure, attack, epsilon),
        lambda: charts.by_bits(shown_rows(levels, shown), where=where(shown)),
    )


def _layers(layers: pd.DataFrame, key: Hashable) -> None:
    with st.container(horizontal=True):
        names = list(dict.fromkeys(layers["attack"]))
        names.sort(key=lambda name: (name != "fgsm", list(ATTACK_NAMES).index(name)))
        attack = _pick("Perturbation", names, ATTACK_NAMES, key="paper_noise")
        metric = DISTANCES[controls.pick("Distance", list(DISTANCES), key="paper_distance")]
    draw = functools.partial(charts.bits_by_layer, layers, attack=attack, metric=metric)
    _put("layers", (key, attack, metric), draw)


def _quantizers(quantizers: pd.DataFrame, key: Hashable) -> None:
    found = sorted(set(quantizers["act_bits"]), reverse=True)
    named = {bits_words(int(bits)): int(bits) for bits in found}
    with st.container(horizontal=True):
        bits = named[controls.pick("Bits", list(named), key="paper_bits")]
        elements = ELEMENTS[controls.pick("Elements", list(ELEMENTS), key="paper_elements")]
    draw = functools.partial(charts.turning_point, quantizers, bits=bits, elements=elements)
    _put("turning", (key, bits, elements), draw)


def _pick(
    label: str, names: Sequence[str], words: dict[str, str], *, key: str, first: str = ""
) -> str:
    """One of some names, shown in words; `first` where it is among them and none was chosen."""
    shown = {words[name]: name for name in names}
    place = names.index(first) if first in names else 0
    return shown[controls.pick(label, list(shown), key=key, first=place)]


def _strength(beta: pd.DataFrame, key: Hashable) -> None:
    """What the penalty's strength does, on one network."""
    columns = st.columns(2, gap="medium")
    for place, measure in enumerate(MEASURES):
        with columns[place % 2]:
            draw = functools.partial(charts.strength, beta, measure)
            _put(f"strength_{measure}", key, draw)


def _put(name: str, key: Hashable, draw: Callable[[], charts.Chart]) -> None:
    show.of_store(name, ("paper", key), draw, select=False)

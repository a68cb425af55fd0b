"""The page Robustness: what each of its tabs asks for, shows and says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import streamlit as st

from dqviz import charts
from dqviz.charts import Chart, claims
from dqviz.specs import AttackSpec, ExperimentSpec
from dqviz.ui import controls, links, playground, robust_requests, session, show
from dqviz.ui.settings import ATTACK_NAMES, ITERATED, QUERYING, Settings, epsilon_text
from dqviz.ui.views import View

TABS = (
    "Epsilon",
    "Bit-width",
    "Compare",
    "Which attack",
    "Transfer",
    "Smallest epsilon",
    "Gradients",
)
IN_THE_CHART = ("Bit-width", "Transfer")
"""Tabs whose chart says the clean accuracy of every bit-width."""

NO_ROUNDING = (
    "The gradient through rounding matters where activations are quantized: choose activation bits "
    "below 32."
)
ONE_ONLY = "Two networks are compared here: choose a second one, or fewer bits than 32."
TRUST = "Can you trust it?"
TRUST_HELP = "Checks whether this attack has failed for its own reasons, at the same setting."

Key = tuple[str, int, int]
"""A network and its weight and activation bits."""


class Choice(NamedTuple):
    """What is chosen on the page itself: of a tab, what belongs to it."""

    network: str = ""
    weights: bool = False
    pair: tuple[Key, Key] | None = None


def asked(tab: str, settings: Settings, choice: Choice) -> list[ExperimentSpec]:
    """What a tab needs; nothing where it has nothing to show."""
    if tab == "Bit-width":
        return robust_requests.against_bits(settings, weights=choice.weights)
    if tab == "Transfer":
        return robust_requests.transfer(settings, choice.network)
    if tab == "Compare" and choice.pair is None:
        return []
    makers: Mapping[str, Callable[[Settings], list[ExperimentSpec]]] = {
        "Epsilon": robust_requests.against_epsilon,
        "Compare": robust_requests.compared,
        "Which attack": robust_requests.ensemble,
        "Smallest epsilon": robust_requests.smallest,
        "Gradients": robust_requests.estimators,
    }
    return makers[tab](settings)


def pictures(tab: str, view: View, at: float, choice: Choice) -> dict[str, Callable[[], Chart]]:
    """The charts of a tab, by their keys; `at` is the epsilon (pixel units)."""
    if tab == "Epsilon":
        return {"robust": lambda: charts.robust_curves(view.table)}
    if tab == "Bit-width":
        by = "weight_bits" if choice.weights else "act_bits"
        return {"robust_bits": lambda: charts.robust_curves(view.at(at), against=by)}
    if tab == "Compare" and choice.pair is not None:
        one, other = choice.pair
        rows = partial(view.at, at)
        images = partial(view.samples_at, at)
        return {
            "right": lambda: charts.who_is_right(rows(), images(), one=one, other=other),
            "success": lambda: charts.attack_success(rows(), images()),
        }
    if tab == "Which attack":
        return {"breakers": lambda: charts.breakers(view.at(at), view.samples_at(at))}
    if tab == "Transfer":
        return {"transfer": lambda: charts.transfer_matrix(view.at(at))}
    if tab == "Smallest epsilon":
        return {"smallest": lambda: charts.smallest_curves(view.table, view.samples)}
    return {"gradients": lambda: charts.estimator_bars(view.at(at))}


def statements(tab: str, choice: Choice) -> tuple[Sequence[show.Maker], Sequence[show.Maker]]:
    """What a tab says of the rows alone, and of rows with the numbers by image."""
    if tab == "Compare" and choice.pair is not None:
        one, other = choice.pair
        return [], [partial(claims.two_compared, one=one, other=other)]
    paired: Mapping[str, show.Maker] = {
        "Epsilon": partial(claims.accuracy_difference, metric="robust_accuracy"),
        "Bit-width": claims.bits_compared,
        "Which attack": claims.broken_by_which,
        "Transfer": claims.transferred_better,
        "Smallest epsilon": claims.smallest_compared,
    }
    return [], [paired[tab]] if tab in paired else []


def choose_pair(settings: Settings) -> tuple[Key, Key] | None:
    """Two of the networks compared, at the sidebar's bits or at full precision."""
    found = playground.victims(settings)
    if len(found) < 2:
        st.info(ONE_ONLY, icon=":material/info:")
        return None
    labels = tuple(found)
    with st.container(horizontal=True, key="pair"):
        one = controls.choose("One network", labels, key="one")
        first = _opposite(list(found.values()))
        other = controls.choose("Other network", labels, key="other", first=first)
    if one == other:
        st.info("Choose two different networks.", icon=":material/info:")
        return None
    keys = [_key(settings, *found[label]) for label in (one, other)]
    return keys[0], keys[1]


def _opposite(found: Sequence[tuple[str, bool]]) -> int:
    """Where another network at the bits of the first one stands, else whatever is second."""
    (network, is_quantized), *_ = found
    alike = [
        i for i, (name, kind) in enumerate(found) if (name != network) and kind == is_quantized
    ]
    return (*alike, 1)[0]


def _key(settings: Settings, network: str, is_quantized: bool) -> Key:
    bits = (settings.weight_bits, settings.act_bits) if is_quantized else (32, 32)
    return (network, *bits)


def clean(tab: str, view: View) -> None:
    """The clean accuracies, which are always in view."""
    if view.results and not view.stale and tab not in IN_THE_CHART:
        words = "; ".join(charts.clean_words(view.table))
        st.caption(f"**Clean accuracy** (95 % interval): {links.plain(words)}.")


def made_by(tab: str, specs: Sequence[ExperimentSpec], view: View, at: float) -> None:
    """Which attack, gradient and arithmetic the numbers rest on, and where they are checked."""
    estimators = tuple(dict.fromkeys(spec.quant.estimator for spec in specs))
    parts = [
        f"Attack: {attack_words(specs[0].attack, None if tab == 'Epsilon' else at)}.",
        f"Gradient through rounding: {', '.join(estimators)}.",
    ]
    elsewhere = {spec.crafted_on.label for spec in specs if spec.crafted_on is not None}
    if len(elsewhere) == 1:
        parts.append(f"Crafted on {links.plain(elsewhere.pop())}.")
    if view.arithmetic:
        parts.append(f"Arithmetic of the attack: {links.plain('; '.join(view.arithmetic))}.")
    with st.container(horizontal=True, vertical_alignment="center", key="made_by"):
        st.caption(" ".join(parts), width="stretch")
        page = session.file_of_page("trust")
        st.page_link(page, label=TRUST, icon=":material/verified_user:", help=TRUST_HELP)


def attack_words(attack: AttackSpec, at: float | None) -> str:
    """An attack with its steps and epsilons: `PGD, 10 steps, at 1/255`.

    `at` is the only epsilon that is looked at (pixel units); None looks at all.
    """
    shown = (at,) if at in attack.epsilons else attack.epsilons
    levels = [round(255 * epsilon, 4) for epsilon in shown if epsilon is not None]
    ends = dict.fromkeys(map(epsilon_text, (min(levels), max(levels))))
    steps = f", {attack.steps} steps" if attack.name in ITERATED else ""
    queries = f", {attack.queries} queries" if attack.name in QUERYING else ""
    loss = f", loss {attack.loss}" if attack.loss != AttackSpec.loss else ""
    return f"{ATTACK_NAMES[attack.name]}{steps}{queries}{loss}, at {' to '.join(ends)}"

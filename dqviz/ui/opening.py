"""From a cell of a study to the exploring pages at its very setting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from dqviz.data import data_folder
from dqviz.specs import AttackSpec, DataSpec, ExperimentSpec, ModelSpec, QuantSpec
from dqviz.ui import choices, links
from dqviz.ui.settings import (
    ATTACK_NAMES,
    CRAFTED,
    ITERATED,
    MAX_SEED,
    QUERIES,
    QUERYING,
    SQUEEZES,
    STEPS,
    epsilon_text,
)

PAGES = {
    "Amplification": ("amplification", ()),
    "Accuracy": ("amplification", (("view", "Failure"),)),
    "Robustness": ("robustness", ()),
    "Can you trust it?": ("trust", ()),
    "Lipschitz": ("lipschitz", ()),
    "Playground": ("playground", ()),
}
"""Where a cell can be looked at: a page, and what it is to show."""

Query = tuple[tuple[str, str], ...]


def query_of(spec: ExperimentSpec) -> tuple[Query, tuple[str, ...]]:
    """What the address bar says of an experiment, and what it cannot say, in words."""
    attack, quant, data = spec.attack, spec.quant, spec.data
    query = {
        "net": spec.model.id,
        "data": _data_name(data.name),
        "n": str(data.n_samples),
        "wbits": str(quant.weight_bits),
        "abits": str(quant.act_bits),
        "attack": ATTACK_NAMES.get(attack.name, attack.name),
        "eps": epsilon_text(255 * attack.epsilons[0]),
        "seed": str(data.seed),
        "steps": str(attack.steps),
        "queries": str(attack.queries),
        "loss": attack.loss,
        "ranges": quant.ranges,
        "ste": quant.estimator,
        "crafted": CRAFTED[0],
        "fast": str(spec.fast).lower(),
        "squeeze": _squeeze(spec.model) or "none",
    }
    return tuple(query.items()), tuple(_lost(spec))


def _lost(spec: ExperimentSpec) -> list[str]:
    """What the pages cannot take, of an experiment from a grid."""
    attack, quant, data = spec.attack, spec.quant, spec.data
    plain_attack = AttackSpec(
        name=attack.name,
        epsilons=attack.epsilons,
        steps=attack.steps,
        seed=attack.seed,
        queries=attack.queries,
        loss=attack.loss,
    )
    plain_quant = QuantSpec(
        weight_bits=quant.weight_bits,
        act_bits=quant.act_bits,
        ranges=quant.ranges,
        estimator=quant.estimator,
    )
    plain_data = DataSpec(
        name=data.name, n_samples=data.n_samples, seed=data.seed, fingerprint=data.fingerprint
    )
    iterated, querying = attack.name in ITERATED, attack.name in QUERYING
    reasons = {
        "the network is no shipped one": spec.model.id not in choices.networks(),
        "images are squeezed otherwise": _squeeze(spec.model) is None,
        "the data is not in the data folder": _data_name(data.name) not in choices.data_sets(),
        "all images are used": data.n_samples is None,
        "the perturbation is crafted on another network": spec.crafted_on is not None,
        f"{attack.steps} steps": iterated and attack.steps not in STEPS,
        f"{attack.queries} queries": querying and attack.queries not in QUERIES,
        "the images and the attack have other seeds": attack.seed != data.seed,
        f"the seed is above {MAX_SEED}": data.seed > MAX_SEED,
        **_differences("attack", attack, plain_attack),
        **_differences("quantization", quant, plain_quant),
        **_differences("images", data, plain_data),
    }
    return [reason for reason, holds in reasons.items() if holds]


def _squeeze(model: ModelSpec) -> str | None:
    """The label of a network's feature squeezing; None where the pages offer none like it."""
    wanted = (model.squeeze_bits, model.squeeze_median)
    return next((label for label, squeeze in SQUEEZES.items() if squeeze == wanted), None)


def _differences(what: str, spec: Any, plain: Any) -> Mapping[str, bool]:
    """The fields of a part that a page leaves as they are by default."""
    names = [n for n in vars(spec) if getattr(spec, n) != getattr(plain, n)]
    return {f"the {what}'s {name} is {getattr(spec, name)}": True for name in names}


def _data_name(name: str) -> str:
    """The name of data as the sidebar has it: files by their names in the data folder."""
    kind, separator, path = name.partition(":")
    root = str(data_folder().resolve())
    return f"{kind}:{path[len(root) + 1 :]}" if separator and path.startswith(root) else name


def draw(spec: ExperimentSpec, title: str, *, key: str = "opening") -> None:
    """Links to the pages that show a cell; `key` tells several on one page apart."""
    query, lost = query_of(spec)
    with st.container(horizontal=True, vertical_alignment="center", key=key):
        st.markdown(f"**{links.plain(title)}**: look at it on", width="content")
        for label, (page, more) in PAGES.items():
            address = links.address(page, (*query, *more))
            st.link_button(label, address, icon=":material/open_in_new:")
    if lost:
        st.caption(f"There, this is not as in the study: {links.plain('; '.join(lost))}.")

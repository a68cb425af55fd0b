"""The networks that a visitor has trained in the laboratory: every page's list has them."""

from __future__ import annotations

import contextlib
from pathlib import Path

import streamlit as st

from dqviz import cards
from dqviz.experiments.handle import DONE, FAILED
from dqviz.specs import ModelSpec
from dqviz.ui import jobs, upload, visitor


def networks() -> dict[str, ModelSpec]:
    """This visitor's, by name, the latest first: of a training that diverged the last good one."""
    book, found = jobs.book(), dict[str, ModelSpec]()
    for record in book.records(visitor.user()):
        file = card_in(book.training_folder(record.id)) if record.recipe else None
        if file is None or record.state not in (DONE, FAILED):
            continue
        with contextlib.suppress(cards.CardError):  # the laboratory's page says what is wrong
            card = read(file)
            found[card.id] = upload.of_card(card, weights_beside(file), label=card.id)
    return found


def card_in(folder: Path) -> Path | None:
    """The card of the network that a training has ended with; None while there is none."""
    return next(iter(sorted(folder.glob("*.json"))), None)  # written last: its weights are whole


def weights_beside(card: Path) -> Path:
    """The file of the weights that a training's card speaks of."""
    return card.with_suffix(".safetensors")


@st.cache_resource(max_entries=64, show_spinner=False)
def read(card: Path) -> cards.Card:
    """A training's card, which is written once."""
    return cards.read_card(card)

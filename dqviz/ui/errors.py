"""Errors as a visitor reads them: what happened, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from dqviz.ui import links

ADVICE = {
    "DataError": "Choose `streetdigits`, which needs no files, or bring the files named above.",
    "ClassesError": "Choose the data that the network was trained on, or another network.",
    "ModelError": "Check the architecture, the classes and the file, or choose a shipped network.",
    "TrainError": "Change the laboratory's choices, where the loss diverged the learning rate, and "
    "start again.",
    "UnsupportedOperation": "Choose another network; this one cannot be quantized soundly.",
    "CardError": "Choose a network that is in the list.",
    "QuantizeError": "Choose other bit-widths, or full precision (32).",
    "AttackError": "Choose another attack or epsilon.",
    "StoreError": "Choose another store; `python -m dqviz results check` says what it lacks.",
    "ReportError": "Wait until a cell of the study is finished, or choose another store.",
    "SpecError": "Change the setting named above.",
    "MemoryError": "Take fewer images, or fewer networks at once.",
    "worker": "The computing process was lost, mostly for want of memory. Take fewer images.",
    "engine": "Start it again; if that fails, look at the window in which the app was started.",
    "internal": "This is a fault of the program. Please report it with the sidebar's settings.",
}


def show_error(message: str, kind: str) -> None:
    """One red box: the message, then what to do."""
    text = links.plain(message).rstrip(". ")
    advice = ADVICE.get(kind, "Change a setting of the sidebar and try again.")
    st.error(f"{text}.\n\n{advice}", icon=":material/error:")


@contextmanager
def shown() -> Iterator[None]:
    """Shows what a page cannot do instead of a stack trace; other exceptions pass."""
    try:
        yield
    except (ValueError, OSError) as error:
        show_error(str(error), type(error).__name__)

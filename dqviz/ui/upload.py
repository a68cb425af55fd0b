"""The forms through which a visitor brings a network or an image."""

from __future__ import annotations

import re
from pathlib import Path

import streamlit as st

from dqviz.cards import Card, CardError, parse_card
from dqviz.specs import ModelSpec, SpecError
from dqviz.ui import links, session
from dqviz.ui.uploads import (
    CHECKPOINT_SUFFIXES,
    IMAGE_SUFFIXES,
    MAX_CHECKPOINT_BYTES,
    MAX_IMAGE_BYTES,
    UploadError,
    keep_checkpoint,
    keep_image,
    numbers,
)

ARCHITECTURES = (
    *("resnet20", "resnet32", "resnet44", "resnet56"),
    *("plain20", "plain20_nonorm", "wrn_16_2", "wrn_28_4"),
)

_CARD_HELP = (
    "What `python -m dqviz train` writes beside the weights: architecture, classes, normalisation, "
    "and the histograms from which activation ranges come."
)


def network_form() -> None:
    """A form in the sidebar that adds a checkpoint to the networks compared."""
    with st.expander("Your own network"), st.form("network", border=False):
        file = st.file_uploader(
            "Checkpoint",
            type=[end[1:] for end in CHECKPOINT_SUFFIXES],
            max_upload_size=MAX_CHECKPOINT_BYTES // 1024**2,
        )
        card = st.file_uploader("Its card, if it has one (JSON)", type=["json"], help=_CARD_HELP)
        st.caption("Without a card:")
        arch = st.selectbox("Architecture", ARCHITECTURES, accept_new_options=True)
        classes = st.number_input("Classes", 2, 100_000, value=10)
        mean = st.text_input("Mean of each channel", placeholder="0.485, 0.456, 0.406")
        std = st.text_input("Standard deviation of each channel", placeholder="0.229, 0.224, 0.225")
        st.caption("The file stays on this server. A link cannot carry it.")
        if st.form_submit_button("Add", width="stretch"):
            fields = (arch, int(classes), mean, std)
            _add_network(file, None if card is None else card.getvalue(), *fields)


def _add_network(
    file: object, card: bytes | None, arch: str, classes: int, mean: str, std: str
) -> None:
    if file is None:
        st.error("Choose a file first.")
        return
    name, content = file.name, file.getvalue()  # type: ignore[attr-defined]
    try:
        if card is None:
            name, spec = network_spec(name, content, arch, classes, mean, std)
        else:
            name, spec = carded_spec(name, content, card)
    except (UploadError, SpecError, CardError) as error:
        st.error(f"Not added: {links.plain(str(error)).rstrip('.')}.")
        return
    session.uploads()[name] = spec
    session.choose(name)
    st.rerun()


def network_spec(
    name: str, content: bytes, arch: str, classes: int, mean: str, std: str
) -> tuple[str, ModelSpec]:
    """The name shown and the specification of an uploaded checkpoint, which is stored.

    Raises:
        UploadError, SpecError: if the file or a field is not usable.
    """
    means, stds = numbers(mean, "the mean"), numbers(std, "the standard deviation")
    if (means is None) != (stds is None) or len(means or ()) != len(stds or ()):
        raise UploadError(
            "mean and standard deviation need one number a channel each, or none; "
            f"got {len(means or ())} and {len(stds or ())}"
        )
    path = keep_checkpoint(name, content)
    label = _label(arch, name)
    spec = ModelSpec(
        id=label, checkpoint=str(path), arch=arch, classes=classes, mean=means, std=stds
    )
    return label, spec


def carded_spec(name: str, content: bytes, card: bytes) -> tuple[str, ModelSpec]:
    """The same for a checkpoint with its card, which says all the rest and how it is calibrated.

    Raises:
        UploadError, SpecError, CardError: if one of the two is not usable.
    """
    try:
        known = parse_card(card.decode("utf-8"), name="the card")
    except UnicodeDecodeError as error:
        raise CardError("the card is not a text in UTF-8") from error
    path = keep_checkpoint(name, content, card=card)
    label = _label(known.arch, name)
    return label, of_card(known, path, label=label)


def of_card(card: Card, weights: Path, *, label: str) -> ModelSpec:
    """The network of a card, whose weights lie in a file, under a name to show."""
    return ModelSpec(
        id=label,
        checkpoint=str(weights),
        arch=card.arch,
        classes=len(card.classes),
        mean=card.mean,
        std=card.std,
    )


def _label(arch: str, file_name: str) -> str:
    return f"upload/{arch}/" + re.sub(r"[^\w.-]+", "-", Path(file_name).stem)[:40]


def image_form() -> Path | None:
    """An uploader for one image; returns where it is kept, or None.

    A file that cannot be used is named on the page.
    """
    file = st.file_uploader(
        "Or your own image",
        type=[end[1:] for end in IMAGE_SUFFIXES],
        max_upload_size=MAX_IMAGE_BYTES // 1024**2,
        key="image",
        help="Its label is then the class that the network predicts. A link cannot carry it.",
    )
    if file is None:
        return None
    st.caption("A link to this view shows the image of the data set instead.")
    try:
        return keep_image(file.getvalue())
    except UploadError as error:
        st.error(f"This image is not used: {error}.")
        return None

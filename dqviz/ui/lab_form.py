"""The form of the DQ laboratory: from a visitor's choice to a recipe, and to a training."""

from __future__ import annotations

import secrets
from typing import Any, NamedTuple

import streamlit as st

from dqviz import cards
from dqviz.data import DataError, count_images
from dqviz.data.locations import NAMED
from dqviz.jobs import JobError
from dqviz.specs import DataSpec
from dqviz.specs.toml_text import toml_text
from dqviz.ui import choices, jobs, links, visitor

ARMS = {
    "none": "None (vanilla)",
    "raw": "Raw kernel, as in the paper",
    "folded": "BatchNorm-folded kernel",
    "operator": "Operator norm above 1",
}
ARM_HELP = (
    "What the penalty acts on. BatchNorm undoes the scale of the raw kernel, so that a penalty on "
    "it may change no function; the folded kernel is what the layer really applies."
)
BETAS = (1e-4, 3e-4, 1e-3, 2e-3, 3e-3, 1e-2, 3e-2)
BITS = (32, 8, 5, 4, 3, 2, 1)
RATES = (0.001, 0.003, 0.01, 0.02, 0.05, 0.1, 0.2)
IMAGES = (1000, 2000, 5000, 10_000, 30_000)
EPOCHS = (1, 2, 3, 5, 10, 20)
TEST_IMAGES = 1000
FLIPS = {"streetdigits": False, "svhn": False, "cifar10": True}
"""Whether mirrored images stay in their class; for other data the network's own recipe says."""
ADVERSARIES = {"Clean images": "", "R+FGSM at 4/255": "rfgsm", "PGD-5 at 4/255": "pgd"}
NEW = "New weights: "
SAME = "The network's own"
DATA_HELP = (
    "Data of your own is offered where its test images lie apart. A trained network needs as many "
    "classes as it has; new weights take any."
)


class Choice(NamedTuple):
    """What the form says."""

    start: str
    data: str
    images: int
    epochs: int
    rate: float
    act_bits: int
    arm: str
    beta: float
    decay: float
    adversary: str
    seed: int


def recipe_text(choice: Choice, name: str) -> str:
    """The recipe of a choice as TOML; `name` is that of the weights.

    Where the data has fewer images than are asked for, all of them are taken.

    Raises:
        DataError: if the data's files are gone or cannot be read.
    """
    fresh = choice.start.startswith(NEW)
    basis = cards.load_card(choice.start.removeprefix(NEW))
    dataset, arch, _ = basis.id.split("/")
    data = dataset if choice.data == SAME else choices.resolve_data(choice.data)
    recipe = basis.recipe
    lines = {
        "id": f"{data if data in NAMED else 'own'}/{arch}/{name}",
        **({} if fresh else {"start": basis.id}),
        "data": _part(data, "train", choice.images),
        "test": _part(data, "test", TEST_IMAGES),
        "mean": list(basis.mean),
        "std": list(basis.std),
        "epochs": choice.epochs,
        "learning_rate": choice.rate,
        "warmup_epochs": min(0.25, choice.epochs / 4),
        "weight_decay": choice.decay,
        "crop": recipe.get("crop", 4),
        "flip": FLIPS.get(data, recipe.get("flip", False)),
        "clip": 1.0,
        "seed": choice.seed,
        "defense": {"arm": choice.arm, "beta": 0.0 if choice.arm == "none" else choice.beta},
    }
    if choice.act_bits < 32:
        lines["quant"] = {"act_bits": choice.act_bits, "weight_bits": 8}
    if choice.adversary:
        steps = {"steps": 5} if choice.adversary == "pgd" else {}
        lines["adversary"] = {"name": choice.adversary, "epsilon": "4/255", "share": 0.5, **steps}
    return toml_text(lines)


def _part(name: str, split: str, most: int) -> dict[str, Any]:
    there = count_images(DataSpec(name=name, split=split), enough=most)
    return {"name": name, "split": split, "n_samples": min(most, there)}


def starts() -> tuple[str, ...]:
    """What a training may begin with: networks at full precision, or new weights of their kind."""
    plain = [
        id
        for id in choices.networks()
        if not {"quant", "adversary"} & set(cards.load_card(id).recipe)
    ]
    return (*plain, *(f"{NEW}{id}" for id in plain if id.endswith("/vanilla")))


def form() -> None:
    """The form, and its button."""
    with st.form("lab", border=True):
        left, middle, right = st.columns((4, 3, 3), gap="medium")
        with left:
            start = st.selectbox("Begin with", starts(), key="lab_start")
            data = st.selectbox(
                "Data", (SAME, *choices.trainable()), key="lab_data", help=DATA_HELP
            )
            images = st.select_slider("Training images", IMAGES, value=5000, key="lab_images")
            epochs = st.select_slider("Epochs", EPOCHS, value=1, key="lab_epochs")
        with middle:
            arm = st.selectbox(
                "Penalty on",
                list(ARMS),
                index=2,
                format_func=ARMS.__getitem__,
                key="lab_arm",
                help=ARM_HELP,
            )
            beta = st.select_slider(
                "Beta", BETAS, value=1e-2, key="lab_beta", help="The penalty's strength."
            )
            bits = st.select_slider(
                "Activation bits",
                BITS,
                value=32,
                key="lab_bits",
                help="32 trains at full precision; below, with quantizers in place and weights "
                "at 8 bits.",
            )
        with right:
            rate = st.select_slider("Learning rate", RATES, value=0.02, key="lab_rate")
            trained_on = st.selectbox("Trained on", list(ADVERSARIES), key="lab_adversary")
            decay = st.select_slider("Weight decay", (0.0, 5e-4), value=5e-4, key="lab_decay")
            seed = st.number_input("Seed", 0, 9999, value=0, key="lab_seed")
        if st.form_submit_button("Start the training", icon=":material/play_arrow:"):
            choice = Choice(
                start,
                data,
                images,
                epochs,
                rate,
                bits,
                arm,
                beta,
                decay,
                ADVERSARIES[trained_on],
                int(seed),
            )
            _start(choice)


def _start(choice: Choice) -> None:
    name = f"lab-{choice.arm}-{secrets.token_hex(3)}"
    on = "" if choice.data == SAME else f" on {choice.data}"
    title = f"Training {choice.start.removeprefix(NEW)}{on}: {words(choice)}"
    try:
        jobs.book().add_training(visitor.user(), recipe=recipe_text(choice, name), title=title)
    except (JobError, DataError) as error:
        st.error(f"Not started: {links.plain(str(error))}.")


def words(choice: Choice) -> str:
    """A choice in a few words."""
    bits = "full precision" if choice.act_bits == 32 else f"{choice.act_bits}-bit activations"
    penalty = (
        "no penalty" if choice.arm == "none" else f"{choice.arm} penalty, beta {choice.beta:g}"
    )
    return f"{penalty}, {bits}, {choice.epochs} epoch{'s' * (choice.epochs > 1)}"

"""A network that was trained quantized: what its card says, and what other bits make of it."""

from __future__ import annotations

from dqviz.cards import Card
from dqviz.specs import FULL_PRECISION, QuantSpec

BITS = ("weight_bits", "act_bits", "first_bits", "last_bits")


def trained_bits(card: Card | None) -> dict[str, int] | None:
    """The bits that a network was trained at, by the fields of a `QuantSpec`, None for others."""
    trained = {} if card is None else card.recipe.get("quant", {})
    return {name: int(trained[name]) for name in BITS} if trained else None


def measured_as_trained(card: Card | None, quant: QuantSpec) -> bool:
    """Whether these are the bits that the network was trained at, its own quantizers in place."""
    own = trained_bits(card)
    return own is not None and all(getattr(quant, name) == bits for name, bits in own.items())


def ranges_note(card: Card | None, quant: QuantSpec) -> str | None:
    """Where the activation ranges of a network come from whose card has them; None if nowhere.

    At the bits of its training a network is measured with its own quantizers. At others it is
    quantized anew, activations within the ranges it was trained with, and at full precision not at
    all: a reader must know that this is another network than the one that was trained.
    """
    own = trained_bits(card)
    if own is None:
        from_card = "Activation ranges come from the histograms on the network's card."
        return None if quant.act_bits == FULL_PRECISION else from_card
    if measured_as_trained(card, quant):
        return "The network is measured with the quantizers that it was trained with."
    said = f"weights at {own['weight_bits']} and activations at {own['act_bits']} bits"
    said += f" (first layer {own['first_bits']}, last {own['last_bits']})"
    if quant.act_bits == FULL_PRECISION:
        return f"The network was trained with {said}; without them it is another network."
    return (
        f"The network was trained with {said}; at other bits it is quantized anew, within the "
        "ranges it was trained with."
    )

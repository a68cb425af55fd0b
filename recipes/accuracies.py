"""Clean accuracy of all networks that were trained, from their cards, beside the literature's.

    python recipes/accuracies.py     # writes docs/ACCURACY.md

Nothing in that file is written by hand. A test compares it with the cards that are there.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from dqviz.cards import Card, load_card, shipped_ids

FILE = Path(__file__).parents[1] / "docs" / "ACCURACY.md"
BITS = (32, 5, 4, 3, 2, 1)
HEAD = """# Clean accuracy of the networks that come with dqviz

Percent of the test images of each recipe, with 95 % Wilson intervals; written by
`python recipes/accuracies.py` from the networks' cards. Quantized ones were trained so, with
activations at that many bits, weights at 8, first and last layer at 8. `-` was not trained (yet).
"""
LITERATURE = """## What others reach

ResNet-20 on CIFAR-10, percent:

| | full precision | 5 bits | 4 bits | 3 bits | 2 bits |
| --- | --- | --- | --- | --- | --- |
| He et al. (arXiv 1512.03385), 164 epochs | 91.25 | | | | |
| PACT (arXiv 1805.06085), weights and activations at these bits, 200 epochs | | 91.6 | 90.8 \
| 90.6 | 88.9 |
| the same reproduced (github.com/KwangHoonAn/PACT) | | 91.6 | 90.9 | 90.1 | 87.1 |

Ours are trained far shorter, 15 epochs at full precision and two more quantized, and lie a few
points below. `streetdigits` is drawn by this project, and nobody else has trained on it.
"""


def text() -> str:
    """The document."""
    cards = [load_card(id) for id in shipped_ids()]
    parts = [HEAD, "## With and without the penalty\n", _by_bits(cards), LITERATURE]
    return "\n".join([*parts, "## The others\n", _others(cards)])


def _by_bits(cards: list[Card]) -> str:
    """A line for each data set, architecture, method and seed; a column a bit-width."""
    lines = ["| network | " + " | ".join(_column(bits) for bits in BITS) + " |"]
    lines.append("| --- " * (len(BITS) + 1) + "|")
    table: dict[str, dict[int, str]] = {}
    for card in cards:
        place = _place(card)
        if place is not None:
            name, bits = place
            table.setdefault(name, {})[bits] = _percent(card)
    for name, row in sorted(table.items()):
        lines.append(f"| {name} | " + " | ".join(row.get(bits, "-") for bits in BITS) + " |")
    return "\n".join(lines) + "\n"


def _place(card: Card) -> tuple[str, int] | None:
    """The line and the bits of a network trained on clean images; None for another."""
    method, *rest = card.weights.split("-")
    seed = rest.pop() if rest and rest[-1].startswith("s") and rest[-1][1:].isdigit() else ""
    quant = card.recipe.get("quant", {})
    usual = f"w8a{quant['act_bits']}" if quant else ""
    if method not in ("vanilla", "dq") or "-".join(rest) != usual:
        return None
    name = f"{card.dataset}/{card.arch}/{method}" + (f", seed {seed[1:]}" if seed else "")
    return name, int(quant.get("act_bits", 32))


def _others(cards: list[Card]) -> str:
    lines = ["| network | accuracy | what it is |", "| --- | --- | --- |"]
    others = [card for card in cards if _place(card) is None]
    lines += [f"| {card.id} | {_percent(card)} | {card.statement} |" for card in others]
    return "\n".join(lines) + "\n"


def _column(bits: int) -> str:
    return "full precision" if bits == 32 else f"{bits} bit{'s' * (bits > 1)}"


def _percent(card: Card) -> str:
    value, low, high = (100 * float(card.accuracy[part]) for part in ("value", "low", "high"))
    return f"{value:.1f} ({low:.1f} to {high:.1f})"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")

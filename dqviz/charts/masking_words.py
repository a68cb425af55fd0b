"""What each check of an attack asks, and what to do where it fails."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Question:
    """A check in words.

    `asked` is what ought to hold. `evidence` says the number, with the places `value`, `count` and
    `other`; a difference is in percentage points (`9.7 points fewer standing than`), a share counts
    images. `advice` is what to do where it fails. `is_share` says whether the number is a share of
    images.
    """

    asked: str
    evidence: str
    advice: str
    is_share: bool = False


LEAVES = "the attack leaves {value}"
ITERATED = "the iterated attack leaves {value}"

QUESTIONS = {
    "unbounded": Question(
        "Without a limit, every image is fooled",
        "{value} of {count} images withstand {other} steps that may go anywhere",
        "The gradients lead nowhere. Choose another gradient through rounding, or rescaled logits.",
        is_share=True,
    ),
    "iterated": Question(
        "Many steps beat one step",
        f"{ITERATED} FGSM's single step",
        "Small steps are misled. Take random restarts, rescaled logits or another gradient.",
    ),
    "transfer": Question(
        "Attacking the network itself beats a perturbation made for {other}",
        f"{ITERATED} one carried over from {{other}}",
        "Gradients of the other network are better than its own: they are masked. Choose the "
        "gradient of the unquantized network, and quote the lower accuracy.",
    ),
    "square": Question(
        "Gradients beat a search that sees none",
        f"{ITERATED} Square with {{other}} queries",
        "The gradients are worth less than blind search: quote Square's accuracy.",
    ),
    "larger": Question(
        "Twice the epsilon fools at least as many",
        "twice the epsilon leaves {value} the epsilon chosen",
        "An honest iterated attack gets stronger with its limit. Take more steps or restarts.",
    ),
    "smaller": Question(
        "Half the epsilon fools no more",
        "the epsilon chosen leaves {value} half of it",
        "An honest iterated attack gets weaker with its limit. Take more steps or restarts.",
    ),
    "steps": Question(
        "More steps change little ({other})",
        f"{LEAVES} one with more steps",
        "The attack has not arrived: take more steps, and an iterated attack in place of FGSM.",
    ),
    "restarts": Question(
        "{other} times the random starts change little",
        f"{LEAVES} {{other}} times the random starts",
        "The attack hangs on where it begins: take restarts and quote the lowest accuracy.",
    ),
    "noise": Question(
        "The attack beats random noise",
        f"{LEAVES} random signs of the same size",
        "Noise does better than this attack, so it finds nothing at all: choose another.",
    ),
    "rescaled": Question(
        "Rescaling the logits changes nothing",
        f"{LEAVES} an attack on rescaled logits",
        "The softmax saturates and hides the gradient: choose the loss 'rescaled' or 'dlr'.",
    ),
    "estimator": Question(
        "The gradient through rounding '{other}' does no better",
        f"{LEAVES} the gradient '{{other}}'",
        "Choose that gradient through rounding in the sidebar, and quote its accuracy.",
    ),
    "gradients": Question(
        "Images have a gradient",
        "the gradient is zero, or no number, for {value} of {count} images",
        "Without a gradient nothing can be attacked by one. Choose 'identity', 'clipped' or "
        "'unquantized' in the sidebar, or rescaled logits.",
        is_share=True,
    ),
    "loss": Question(
        "The loss rises along the attack",
        "the attack ends with a lower loss than it began with for {value} of {count} images",
        "Steps lead down instead of up: take shorter steps, or another gradient.",
        is_share=True,
    ),
    "repeatable": Question(
        "The same image gets the same answer twice",
        "two passes differ for {value} of {count} images",
        "There is chance in the network. An attack has to average over it, which is not done "
        "here: do not quote a robust accuracy.",
        is_share=True,
    ),
}
"""The checks by their metric, in the order in which they are shown."""

VARIANTS = {
    "attack": "The attack as chosen",
    "iterated": "Iterated",
    "fgsm": "One step (FGSM)",
    "steps": "More steps",
    "restarts": "More random starts",
    "rescaled": "Logits rescaled",
    "identity": "Gradient: identity",
    "clipped": "Gradient: clipped",
    "unquantized": "Gradient: unquantized",
    "square": "Square (no gradients)",
    "larger": "Twice the epsilon",
    "smaller": "Half the epsilon",
    "unbounded": "No limit at all",
    "noise": "Random signs",
}
"""The variants of the attack, in words; another name is a network that it was crafted on."""

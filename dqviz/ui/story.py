"""The texts of the first page."""

STORY = {
    "Quantization": "rounds weights and activations to a few levels, so that a network fits into "
    "small integers. **W8 A4** means weights of 8 bits, activations of 4.",
    "An adversarial perturbation": "changes each pixel by next to nothing, chosen so that the "
    "network errs.",
    "Amplification": "is what may happen in between: the error grows from layer to layer, and "
    "rounding can enlarge it.",
    "Defensive Quantization": "(**dq**) is a penalty during training, meant to keep every layer "
    "from stretching errors. The network **vanilla** was trained without it.",
}
"""The story in four breaths."""

PENALTY_ONLY = (
    "The shipped dq networks were trained at full precision with the penalty alone and quantized "
    "afterwards; the paper trains quantized."
)

LINKS = {
    "playground": "See the noise in one image",
    "amplification": "Follow it layer by layer",
    "lipschitz": "Ask how much it can grow",
    "glossary": "Look up a word",
}
"""Where to go on, by the page's file."""

SHIPPED = (
    "Computed with the settings that the app starts with when this version was made. "
    "Your own numbers replace it as soon as they are there."
)

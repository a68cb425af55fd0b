"""The texts of the first page."""

STORY = {
    "Quantization": "rounds weights and activations to a few levels, so that a network fits into "
    "small integers and small devices.",
    "An adversarial perturbation": "changes each pixel by next to nothing, chosen so that the "
    "network errs.",
    "Amplification": "is what happens in between: the error grows from layer to layer, and "
    "rounding can enlarge it.",
}
"""The story in three breaths."""

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

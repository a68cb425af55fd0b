"""Words that several claims share: what others found, and on which images success is counted."""

ROBUSTMQ = "RobustMQ (arXiv 2308.02350) finds quantized networks more robust, fewer bits more so."
BERNHARD = (
    "Bernhard et al. (arXiv 1909.12741): quantization gives no protection, it hides gradients, and "
    "attacks carry over badly between bit-widths."
)
BINARY = "Others who used the penalty on binary networks report mixed effects."
NOBODY = "We know of nobody who has measured this claim again."


ON_COMMON = "on the images that both classify correctly unattacked"

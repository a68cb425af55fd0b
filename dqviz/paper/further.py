"""Claims beyond the paper's own: what others say of the same networks, and what our numbers raise.

Two of them were added once the first results had been seen, and say so.
"""

from __future__ import annotations

from dqviz.charts.forest import POINTS, RATIO

from .claim import Claim, attacked, between, moved
from .corrupted import corruption_difference
from .networks import DQ, FULL, VANILLA
from .plan import BLACK_BOX, OTHER_BITS, ROBUST, SMALL, TRANSFER, VERDICTS_ATTACK
from .words import BERNHARD, NOBODY

AFTERWARDS = (
    "Asked once the first results were seen, those of the first seed at 4 and 2 bits, to find out "
    "why quantization hardly enlarges what FGSM does at 1/255. All others were measured afterwards."
)

FURTHER = (
    Claim(
        id="other_bits",
        sentence="Beyond the paper: attacks carry over badly from one bit-width to another.",
        effect="how much more often PGD at 2/255 flips the quantized vanilla network when it is "
        "crafted on the one trained at the fewest other bits than when it is crafted on itself, "
        "on the images that it classifies correctly unattacked: below 0 if little is carried over",
        others=BERNHARD,
        scale=POINTS,
        larger=False,
        measure=attacked(
            VANILLA,
            VANILLA,
            experiment=TRANSFER,
            label=OTHER_BITS,
            epsilon=BLACK_BOX,
            against=(ROBUST, VERDICTS_ATTACK),
        ),
        page="robustness",
        link={"view": "Transfer", "attack": "PGD", "eps": "2/255"},
    ),
    Claim(
        id="enlarged_small",
        sentence="Beyond the paper: quantization enlarges a perturbation of a quarter of a grey "
        "level.",
        effect="by which factor the last layer of the quantized vanilla network moves further than "
        "that of the vanilla one at full precision, FGSM at 0.25/255",
        others=f"{AFTERWARDS} In theory the gain of a quantizer is largest for the smallest noise.",
        scale=RATIO,
        measure=moved(VANILLA, (VANILLA, FULL), epsilon=SMALL),
        link={"eps": "0.25/255"},
    ),
    Claim(
        id="unaimed",
        sentence="Beyond the paper: quantization enlarges noise that nobody has aimed.",
        effect="by which factor the last layer of the quantized vanilla network moves further than "
        "that of the vanilla one at full precision, random signs of the length of FGSM's "
        "perturbation at 1/255",
        others=f"{AFTERWARDS} {NOBODY}",
        scale=RATIO,
        measure=moved(VANILLA, (VANILLA, FULL), attack="random_signs"),
        link={"eps": "1/255", "controls": "true"},
    ),
    Claim(
        id="corruptions",
        sentence="Beyond the paper: DQ helps against corruptions that nobody has aimed.",
        effect="how much more often noise, blur, brightness, contrast and JPEG make the quantized "
        "DQ network err than the quantized vanilla one, the mean of five corruptions at severities "
        "1, 3 and 5, on the images that both classify correctly when clean",
        others="The paper does not say so. Its argument, that a small Lipschitz constant damps any "
        "noise, would make it true.",
        scale=POINTS,
        larger=False,
        measure=between(DQ, VANILLA, corruption_difference),
        page="robustness",
        link={"view": "Compare"},
    ),
)

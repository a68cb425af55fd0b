"""The paper's claims: each in a sentence, its rule, what others found, and where to explore it.

Lin, Gan, Han: *Defensive Quantization: When Efficiency Meets Robustness*, ICLR 2019,
https://arxiv.org/abs/1904.08444. The claims are those of its abstract, introduction and
experiments, and those of `FURTHER`, which go beyond it and say so.
"""

from __future__ import annotations

from dqviz.charts.forest import POINTS, RATIO

from . import effects as measure
from .claim import Claim, attacked, between, hardened, moved, of, pgd
from .further import FURTHER
from .networks import DQ, FULL, VANILLA
from .plan import (
    ADVERSARIAL,
    ATTACKED_AT,
    BLACK_BOX,
    HEADLINE,
    ROBUST,
    SMALL,
    SQUARE,
    SQUEEZE_BITS,
    SQUEEZE_MEDIAN,
    SQUEEZED,
    STRONGEST,
    TRANSFER,
    VERDICTS_ATTACK,
)
from .words import BERNHARD, BINARY, NOBODY, ON_COMMON, ROBUSTMQ

CLAIMS = (
    Claim(
        id="vulnerable",
        sentence="Quantizing a network in the usual way makes it easier to attack.",
        effect=f"how much more often PGD at 1/255 flips the quantized vanilla network than the "
        f"vanilla one at full precision, {ON_COMMON}",
        others=f"{ROBUSTMQ} {BERNHARD}",
        scale=POINTS,
        measure=attacked(
            VANILLA, (VANILLA, FULL), experiment=ROBUST, label=VERDICTS_ATTACK, epsilon=HEADLINE
        ),
        page="robustness",
        link={"attack": "PGD", "eps": "1/255"},
    ),
    Claim(
        id="grows",
        sentence="A perturbation that is small in the image grows from layer to layer.",
        effect="by which factor the relative distance, centred, at the input of the last layer "
        "exceeds that of the normalised image, FGSM at 1/255, vanilla",
        others=NOBODY,
        scale=RATIO,
        measure=of(VANILLA, lambda e, n: measure.amplification(e, n, epsilon=HEADLINE)),
        link={"eps": "1/255"},
    ),
    Claim(
        id="enlarged",
        sentence="Quantization enlarges the noise: the quantized network's last layer moves "
        "further.",
        effect="by which factor the last layer of the quantized vanilla network moves further than "
        "that of the vanilla one at full precision, FGSM at 1/255",
        others=NOBODY,
        scale=RATIO,
        measure=moved(VANILLA, (VANILLA, FULL)),
        link={"eps": "1/255"},
    ),
    Claim(
        id="threshold",
        sentence="Noise much smaller than a quantizer's step is rounded away.",
        effect="by which factor a quantizer enlarges the noise of FGSM at 0.25/255, the median "
        "over the layers, vanilla: below 1 if it is rounded away",
        others="For activations spread evenly over a bucket the expected gain is never below 1 and "
        "largest for the smallest noise.",
        scale=RATIO,
        larger=False,
        measure=of(VANILLA, lambda e, n: measure.quantizer_gain(e, n, epsilon=SMALL)),
        link={"eps": "0.25/255", "view": "Quantizer"},
    ),
    Claim(
        id="flips",
        sentence="What enlarges the noise are the activations that change their bucket.",
        effect="by which factor the logits move further than with every code frozen at the clean "
        "image, FGSM at 1/255, vanilla",
        others=NOBODY,
        scale=RATIO,
        measure=of(VANILLA, lambda e, n: measure.flips_ratio(e, n, epsilon=HEADLINE)),
        link={"eps": "1/255", "view": "Flips"},
    ),
    Claim(
        id="failure",
        sentence="Where the noise grows most, the prediction fails.",
        effect="by how much the area under the curve of centred amplification against flipped "
        "predictions exceeds that of a coin, FGSM at 1/255, vanilla",
        others=NOBODY,
        scale=POINTS,
        measure=of(VANILLA, lambda e, n: measure.failure_area(e, n, epsilon=HEADLINE)),
        link={"eps": "1/255", "view": "Failure"},
    ),
    Claim(
        id="lowered",
        sentence="Defensive Quantization keeps the noise smaller than ordinary training does.",
        effect="by which factor the last layer of the quantized DQ network moves further than that "
        "of the quantized vanilla one, FGSM at 1/255: below 1 if DQ helps",
        others=BINARY,
        scale=RATIO,
        larger=False,
        measure=moved(DQ, VANILLA),
        link={"eps": "1/255"},
    ),
    Claim(
        id="nonexpansive",
        sentence="With Defensive Quantization the noise does not grow at all.",
        effect="by which factor the relative distance, centred, at the input of the last layer "
        "exceeds that of the normalised image, FGSM at 1/255, DQ: 1 or below if it does not grow",
        others=BINARY,
        scale=RATIO,
        larger=False,
        measure=of(DQ, lambda e, n: measure.amplification(e, n, epsilon=HEADLINE)),
        link={"eps": "1/255"},
    ),
    Claim(
        id="robust",
        sentence="A DQ network is harder to attack than a vanilla one of the same bits.",
        effect="how much more often PGD at 1/255 flips the quantized DQ network than the quantized "
        f"vanilla one, {ON_COMMON}: below 0 if DQ helps",
        others=BINARY,
        scale=POINTS,
        larger=False,
        measure=pgd(DQ, VANILLA),
        page="robustness",
        link={"attack": "PGD", "eps": "1/255"},
    ),
    Claim(
        id="strongest",
        sentence="That holds under the strongest attacks too.",
        effect="how much more often the ensemble of APGD-CE, APGD-DLR and Square at 1/255 flips "
        f"the quantized DQ network than the quantized vanilla one, {ON_COMMON}",
        others=f"{BERNHARD} A defence counts only under attacks that do not fail.",
        scale=POINTS,
        larger=False,
        measure=attacked(DQ, VANILLA, experiment=STRONGEST, epsilon=HEADLINE),
        page="robustness",
        link={"attack": "Standard", "eps": "1/255"},
    ),
    Claim(
        id="beyond",
        sentence="A quantized DQ network is harder to attack than a vanilla one at full precision.",
        effect="how much more often PGD at 1/255 flips the quantized DQ network than the vanilla "
        f"one at full precision, {ON_COMMON}: below 0 if it is harder to attack",
        others=BINARY,
        scale=POINTS,
        larger=False,
        measure=pgd(DQ, (VANILLA, FULL)),
        page="robustness",
        link={"attack": "PGD", "eps": "1/255"},
    ),
    Claim(
        id="transfer",
        sentence="A DQ network withstands attacks carried over from another network better.",
        effect="how much more often PGD at 2/255, crafted on a vanilla network at full precision "
        "(of another seed where one was trained), flips the quantized DQ network than the "
        f"quantized vanilla one, {ON_COMMON}",
        others="Crafted on the network of the same seed the attack knows the weights from which "
        "the quantized vanilla one was trained on: that favours DQ.",
        scale=POINTS,
        larger=False,
        measure=attacked(DQ, VANILLA, experiment=TRANSFER, epsilon=BLACK_BOX),
        page="robustness",
        link={"view": "Transfer", "attack": "PGD", "eps": "2/255"},
    ),
    Claim(
        id="square",
        sentence="A DQ network withstands attacks that see its outputs only better.",
        effect="how much more often Square at 2/255 flips the quantized DQ network than the "
        f"quantized vanilla one, {ON_COMMON}",
        others=NOBODY,
        scale=POINTS,
        larger=False,
        measure=attacked(DQ, VANILLA, experiment=SQUARE, epsilon=BLACK_BOX),
        page="robustness",
        link={"attack": "Square", "eps": "2/255"},
    ),
    Claim(
        id="squeezing",
        sentence="DQ withstands attacks better than feature squeezing does.",
        effect="how much more often PGD at 1/255 flips the quantized DQ network than the quantized "
        f"vanilla one behind feature squeezing ({SQUEEZE_BITS} bits, medians of {SQUEEZE_MEDIAN}x"
        f"{SQUEEZE_MEDIAN} pixels; the attack goes through it), {ON_COMMON}",
        others="He et al. (arXiv 1706.04701): attacks that know of feature squeezing defeat it.",
        scale=POINTS,
        larger=False,
        measure=attacked(
            DQ,
            VANILLA,
            experiment=ROBUST,
            label=VERDICTS_ATTACK,
            epsilon=HEADLINE,
            against=(SQUEEZED, ""),
        ),
        page="robustness",
        link={
            "attack": "PGD",
            "eps": "1/255",
            "squeeze": f"{SQUEEZE_BITS} bits, median {SQUEEZE_MEDIAN}",
        },
    ),
    Claim(
        id="adversarial",
        sentence="DQ makes adversarial training stronger.",
        effect="how much more often PGD at 4/255 flips the quantized DQ network than the quantized "
        f"vanilla one, both trained on images attacked by R+FGSM at 4/255, {ON_COMMON}",
        others=NOBODY,
        scale=POINTS,
        larger=False,
        measure=hardened(attacked(DQ, VANILLA, experiment=ADVERSARIAL, epsilon=ATTACKED_AT)),
        page="robustness",
        link={"attack": "PGD", "eps": "4/255"},
    ),
    Claim(
        id="clean",
        sentence="DQ improves the clean accuracy of quantized networks.",
        effect="clean accuracy of the quantized DQ network minus that of the quantized vanilla "
        "one, on all test images",
        others=BINARY,
        scale=POINTS,
        collapsed_too=True,
        measure=between(DQ, VANILLA, lambda e, a, b: measure.clean_difference(a, b)),
        page="robustness",
        link={"view": "Compare"},
    ),
    Claim(
        id="cost",
        sentence="DQ costs no more than ordinary quantization once it is trained.",
        effect="by which factor the bit operations of the quantized DQ network exceed those of the "
        "quantized vanilla one, for one image",
        others="The penalty is gone once training is over: this one follows from the method.",
        scale=RATIO,
        equal=True,
        collapsed_too=True,
        measure=between(
            DQ,
            VANILLA,
            lambda e, a, b: measure.cost_ratio(e, a, b, experiment=ROBUST, label=VERDICTS_ATTACK),
        ),
        page="studies",
    ),
    *FURTHER,
)

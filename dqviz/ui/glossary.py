"""The words of this field as the pages use them."""

from __future__ import annotations

from typing import NamedTuple


class Term(NamedTuple):
    """A word, what it means here, and its formula (LaTeX, may be empty)."""

    name: str
    meaning: str
    formula: str = ""


GLOSSARY = (
    Term(
        "Quantization",
        "Rounding a network's weights and activations to a few evenly spaced values, so that they "
        "fit into integers of a few bits. Here it is simulated: the numbers stay floating point "
        "but take at most 2^b different values. 32 bits stand for full precision; W8 A4 means "
        "weights of 8 bits and activations of 4. The first and the last layer take 8 bits, and "
        "shortcuts without parameters are not quantized.",
        r"Q(u) = s \left( \operatorname{clip}\!\left( \operatorname{round}(u/s) + z,\ 0,\ 2^b - 1 "
        r"\right) - z \right)",
    ),
    Term(
        "Step, bucket, code",
        "The step s is the distance between two neighbouring values of a quantizer. All numbers "
        "that are rounded to the same value form a bucket; its integer is the code.",
    ),
    Term(
        "Calibration",
        "Choosing the range that a quantizer covers. It is read off histograms of activations: the "
        "whole range, a percentile, or the range of least square error. For a network with a card "
        "they come from training images; for another the page says from where.",
    ),
    Term(
        "Quantization-aware training",
        "Training with the quantizers in place, the gradient passing straight through their "
        "rounding. At 1 to 3 bits a network that was only quantized afterwards collapses.",
    ),
    Term(
        "Adversarial perturbation",
        "A change of the image, too small to notice, made to mislead a network. It is not random: "
        "it follows the gradient of the network's loss.",
        r"x' = x + \delta, \quad \lVert \delta \rVert_\infty \le \varepsilon",
    ),
    Term(
        "Epsilon",
        "The most by which a pixel may change. 1/255 is one grey level of an 8-bit image.",
    ),
    Term(
        "FGSM, R+FGSM, BIM, PGD",
        "Four attacks. FGSM takes one step of size epsilon along the sign of the gradient; R+FGSM "
        "takes a random step before it; BIM takes many small steps; PGD starts BIM at random.",
        r"x' = x + \varepsilon \operatorname{sign} \nabla_x \mathcal{L}(f(x), y)",
    ),
    Term(
        "MI-FGSM",
        "BIM with momentum: every step also follows the directions of the steps before it, which "
        "helps perturbations to carry over to other networks.",
    ),
    Term(
        "APGD",
        "PGD that chooses its step size itself: it halves it whenever the loss has stopped rising, "
        "and goes on from the best point found. APGD-CE raises the cross-entropy, APGD-DLR the "
        "difference of logits ratio.",
    ),
    Term(
        "DLR",
        "Difference of logits ratio: a loss that says how far the true class lies behind the best "
        "other one, measured by the spread of the largest logits. Scaling all logits does not "
        "change it, so a saturated softmax hides nothing.",
        r"-\frac{z_y - \max_{i \ne y} z_i}{z_{\pi_1} - z_{\pi_3}}",
    ),
    Term(
        "Square",
        "An attack without gradients: it changes the image in random squares and keeps what raises "
        "the loss. Where it does better than an attack by gradients, those gradients mislead.",
    ),
    Term(
        "Ensemble (Standard)",
        "Several attacks in turn, each on the images that still stand: APGD-CE, APGD-DLR aimed at "
        "single classes, then Square. An image counts as robust only if all of them fail.",
    ),
    Term(
        "Transfer",
        "A perturbation crafted on one network and tried on another, or on the same one at other "
        "bits. If it does better than the victim's own attack, the victim's gradients are masked.",
    ),
    Term(
        "Gradient masking",
        "When an attack fails because the gradient it follows is zero, noisy or misleading, and "
        "not because the network is robust. Rounding and saturated logits both cause it.",
    ),
    Term(
        "Straight-through estimator",
        "Rounding has a gradient of zero almost everywhere. An attack on a quantized network "
        "therefore pretends that rounding is the identity: everywhere (identity), or inside the "
        "range alone (clipped). An attack without it (none) would fail, and the network would only "
        "look robust.",
    ),
    Term(
        "Backward through the unquantized network",
        "The attack runs the quantized network forward, and goes backward through the same network "
        "at full precision (unquantized; also known as BPDA). Its gradient is free of rounding: "
        "right where few bits leave the straight-through gradient too coarse, less so where "
        "quantization has moved the network far from what it was.",
        r"f_Q(x), \quad g = J_f(x)^\top \, \nabla \mathcal{L}(f_Q(x), y)",
    ),
    Term(
        "Control",
        "A perturbation of the same size that is not adversarial: random signs, Gaussian noise, or "
        "the perturbation made for another image. Only the difference to it speaks of the attack.",
    ),
    Term(
        "Relative distance",
        "How far a layer's activations move when the image is perturbed, measured against their "
        "own length. Its square is the ratio of noise power to signal power.",
        r"\frac{\lVert a(x') - a(x) \rVert_2}{\lVert a(x) \rVert_2}",
    ),
    Term(
        "Centred relative distance",
        "The same, measured against what distinguishes this image from the others of the batch. "
        "An offset that all images share would hide noise.",
        r"\frac{\lVert a(x') - a(x) \rVert_2}{\lVert a(x) - \bar a \rVert_2}",
    ),
    Term(
        "Amplification",
        "A layer's relative distance over that of the normalised image that enters the network. "
        "Above 1 the noise has grown on its way.",
    ),
    Term(
        "SQNR",
        "Signal-to-quantization-noise ratio: the quantized network against the full-precision one "
        "on one and the same image, in decibels. It says nothing about attacks.",
    ),
    Term(
        "Gain and turning point",
        "A quantizer's gain is the noise that comes out of it over the noise that goes in. A "
        "turning point would be a size of the noise below which the gain is under 1 and above "
        "which it is over 1. For activations spread evenly over their buckets there is none: the "
        "smallest noise is enlarged most. Zeros after a ReLU lie in the middle of a bucket and "
        "have one.",
        r"\sqrt{1 + f (1 - f) (s / t)^2}, \quad f = \operatorname{frac}(|t| / s)",
    ),
    Term(
        "Bucket flip",
        "An activation whose code differs between the clean and the perturbed image.",
    ),
    Term(
        "Flip contribution",
        "The distance at the logits, minus that of a run in which the codes are frozen at the "
        "clean image: those of one layer, or at 'logits' those of all. Above 0 the flips enlarge "
        "the noise, below 0 they hold it back.",
    ),
    Term(
        "Lipschitz constant",
        "The most by which a function can stretch the distance between two inputs. At most 1 means "
        "non-expansive: noise cannot grow. A rounding network has none that is finite.",
        r"\lVert f(x') - f(x) \rVert_2 \le L\, \lVert x' - x \rVert_2",
    ),
    Term(
        "sigma of the matrix",
        "Largest singular value of a kernel reshaped to a matrix. The penalty of Defensive "
        "Quantization acts on it, but it is not the norm of the convolution.",
        r"\sigma_{\max}\!\left( W_{\text{out} \times \text{in} \cdot k^2} \right)",
    ),
    Term(
        "Operator norm",
        "The Lipschitz constant of a convolution as it is applied, with its input size, stride and "
        "padding. Folded: with the BatchNorm that follows it, which undoes the kernel's scale.",
    ),
    Term(
        "Measured gain",
        "By how much a layer stretched the noise that really occurred. Never above the norm.",
    ),
    Term(
        "Margin over L",
        "The lead of the largest logit over the second, divided by the square root of 2 times the "
        "Lipschitz constant: no perturbation shorter than that changes the prediction. It allows "
        "networks to be compared whose logits have different scales.",
    ),
    Term(
        "Defensive Quantization (DQ)",
        "A training penalty that pulls the rows of each layer's matrix towards orthonormal ones, "
        "to keep its Lipschitz constant small (Lin, Gan and Han, ICLR 2019).",
        r"\frac{\beta}{2} \sum_\ell \lVert W_\ell^\top W_\ell - I \rVert_F^2",
    ),
    Term(
        "Adversarial training",
        "Training on images that are attacked anew at every step, here half of every batch.",
    ),
    Term(
        "Feature squeezing",
        "Fewer grey levels and a median filter before the network, to remove small perturbations. "
        "The attack goes through it too, as an attacker would.",
    ),
    Term(
        "Seed and pair",
        "A seed decides the first weights and the order of the images. A pair is two networks of "
        "one seed that differ in one thing, such as the penalty; what is said of a method needs "
        "several pairs.",
    ),
    Term(
        "Vanilla",
        "The network trained in the same way but without the penalty.",
    ),
    Term(
        "Logits",
        "A network's output, one number a class; the largest one is its prediction.",
    ),
    Term(
        "Singular values",
        "By how much a linear map stretches along each of its own directions. The largest is the "
        "map's norm.",
    ),
    Term(
        "L2 and L1",
        "Two ways to measure the length of a perturbation: the root of the sum of squares, and the "
        "sum of absolute values.",
    ),
    Term(
        "Median and band",
        "Half of the images lie above the median. A band reaches from the value that a tenth of "
        "the images stay below to the one that a tenth exceed.",
    ),
    Term(
        "Area under the curve",
        "How well a number picks out the images whose prediction flips: 1 is perfect, 0.5 a coin. "
        "It is the chance that a flipped image has the larger number of the two.",
    ),
    Term(
        "Interval of 95 %",
        "The range in which the true value lies in 19 of 20 such measurements. Two results on the "
        "same images are compared image by image, by Student's interval of the mean log ratio.",
    ),
    Term(
        "Clean and robust accuracy",
        "The share of images classified correctly, before and after the perturbation, with its "
        "95 % interval (Wilson).",
    ),
    Term(
        "Smallest epsilon",
        "The smallest epsilon at which an attack flips an image, found by halving again and again. "
        "It is an upper bound: a stronger attack may need less. Half of the images are flipped at "
        "the median.",
        r"\varepsilon_i = \min \{ \varepsilon : \text{the attack within } \varepsilon "
        r"\text{ flips image } i \}",
    ),
    Term(
        "Attack success",
        "Of the images that a network classifies correctly, the share that the attack flips. "
        "Networks of different clean accuracy are compared on the images that all of them get "
        "right.",
    ),
    Term(
        "McNemar's test",
        "Compares two networks on the same images. Only images on which one alone is right count; "
        "p is the chance that they would be divided so unevenly if both were equally good.",
        r"p = 2 \sum_{k=0}^{\min(n_a, n_b)} \binom{n_a + n_b}{k} 2^{-(n_a + n_b)}",
    ),
    Term(
        "Rounded to 8 bits",
        "A perturbed image saved to a file keeps whole grey levels only. From half a grey level up "
        "the accuracy on such images stands beside that on unrounded ones.",
    ),
    Term(
        "Collapsed",
        "A quantized network whose clean accuracy is below 80 % of its full-precision accuracy. "
        "Its curves are greyed, and no sentence rests on them.",
    ),
)

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
        "MI-FGSM, APGD, Square, standard ensemble",
        "Stronger attacks. MI-FGSM is BIM along a running sum of gradients. APGD chooses its step "
        "sizes itself; it raises cross-entropy (CE) or a ratio of logits that does not see their "
        "scale (DLR). Square asks for logits only and needs no gradient, so hiding the gradient "
        "does not help against it. The ensemble runs APGD on both losses and then Square, each on "
        "the images that still stand.",
    ),
    Term(
        "Straight-through estimator",
        "Rounding has a gradient of zero almost everywhere. An attack on a quantized network "
        "therefore pretends that rounding is the identity, everywhere or inside the range. An "
        "attack without it would fail, and the network would only look robust.",
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
        "Collapsed",
        "A quantized network whose clean accuracy is below 80 % of its full-precision accuracy. "
        "Its curves are greyed, and no sentence rests on them.",
    ),
)

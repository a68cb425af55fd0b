"""Bounds on a whole network's Lipschitz constant, logits by pixels, in the Euclidean norm.

The upper one follows the real graph: a product along a chain, a sum over residual branches, the
root of the sum of squares over a concatenation (Szegedy et al., https://arxiv.org/abs/1312.6199,
section 4.3, for the chain). The lower one is met: by the Jacobian at an image, or by an image and
its perturbed version. To compare networks divide margins by the upper one, since a classifier may
scale its logits at will (Tsuzuku, Sato, Sugiyama, https://arxiv.org/abs/1802.04034, proposition 1).
"""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import fx, nn

from dqviz.measure.activations import Progress, device_of, require_pairs
from dqviz.measure.distances import norms
from dqviz.measure.errors import MeasureError
from dqviz.measure.failure import margin
from dqviz.measure.folded import folded_map, linear_map
from dqviz.measure.gain_rules import RULES
from dqviz.measure.jacobian import jacobian_norms
from dqviz.measure.lipschitz import graph_of
from dqviz.measure.operation import NoBound, Operation, refuse_overwriting
from dqviz.measure.pooling_rules import POOLING_RULES
from dqviz.measure.rows import NETWORK, Row, summary_rows
from dqviz.measure.shapes import node_shapes
from dqviz.models.errors import ModelError
from dqviz.models.graph import display_name, layers
from dqviz.models.operations import entry_of
from dqviz.models.squeeze import Squeeze
from dqviz.quantize.modules import AffineQuantizer, NoQuantizer, QuantConv2d, QuantLinear

NETWORK_DEPTH = -1
"""The `depth` of rows of the whole network."""

_ROUNDING = 1e-10
_LOGIT_ROUNDING = 1e-5
_SIZES = frozenset({"shape", "ndim", "dtype", "device"})
"""Attributes of an activation that do not depend on its numbers."""


@dataclasses.dataclass(frozen=True)
class NetworkLipschitz:
    """The rows of the network's bounds, and why a bound is missing.

    `reasons` has the keys `lower` and `upper`, each only where that bound is NaN ('none').
    """

    rows: list[Row]
    reasons: dict[str, str]


def network_lipschitz(
    model: nn.Module,
    input_shape: tuple[int, int, int],
    *,
    images: torch.Tensor | None = None,
    adversarial: torch.Tensor | None = None,
    norms_by_layer: list[Row] | None = None,
    batch_size: int = 64,
    progress: Progress | None = None,
) -> NetworkLipschitz:
    """Bounds on the Lipschitz constant of logits by pixels, and margins over the upper one.

    Rows have the layer `network`:

    - `lipschitz`, statistics `lower` and `upper`. `upper` is certified up to rounding, which is
      paid for; `lower` is the largest Jacobian norm at the images (`jacobian_norms`) or the largest
      ||f(x') - f(x)|| / ||x' - x|| with their perturbed versions. It needs a network whose
      activations are not quantized, for a straight-through Jacobian bounds nothing.
    - `margin_over_lipschitz`, summarised over the images: (largest - second largest logit) /
      (sqrt(2) * upper), in pixel units. No perturbation shorter than this in L2 changes the
      prediction (Tsuzuku et al., proposition 1). With a bound as loose as this one it is small; it
      serves to compare networks.

    A network that rounds its activations is discontinuous and has no finite upper bound.

    Args:
        model: images (N, C, H, W) in [0, 1] in, logits (N, classes) out, in eval mode.
        input_shape: (C, H, W) of one image.
        images: (N, C, H, W); without them there is no lower bound and no margin.
        adversarial: perturbed versions of the same images, the same shape.
        norms_by_layer: the rows of `layer_norms(model, input_shape)`, to spare their computation.
        batch_size: images at once.
        progress: called with images done and in all, of the Jacobians; may raise to cancel.

    Raises:
        MeasureError: if images and their perturbed versions do not fit together, or `input_shape`
            is none.
    """
    if len(input_shape) != 3 or min(input_shape) < 1:
        raise MeasureError(f"input_shape is (C, H, W) of one image; got {tuple(input_shape)}")
    if adversarial is not None and images is None:
        raise MeasureError("perturbed images came without the images themselves")
    reasons: dict[str, str] = {}
    upper = lower = math.nan
    try:
        upper = upper_bound(model, input_shape, norms_by_layer=norms_by_layer)
    except (NoBound, ModelError, MeasureError) as error:
        reasons["upper"] = str(error)
    try:
        lower = _lower_bound(model, images, adversarial, batch_size=batch_size, progress=progress)
    except NoBound as error:
        reasons["lower"] = str(error)
    rows = [
        Row(NETWORK, NETWORK_DEPTH, "lipschitz", "lower", lower),
        Row(NETWORK, NETWORK_DEPTH, "lipschitz", "upper", upper),
    ]
    if images is not None:
        margins = margin(_logits(model, images, batch_size)) / (math.sqrt(2) * upper)
        rows += summary_rows(NETWORK, NETWORK_DEPTH, "margin_over_lipschitz", margins)
    return NetworkLipschitz(rows, reasons)


def upper_bound(
    model: nn.Module,
    input_shape: tuple[int, int, int],
    *,
    norms_by_layer: list[Row] | None = None,
) -> float:
    """The upper bound along the graph; arguments as `network_lipschitz`.

    Raises:
        NoBound: if an operation has no finite bound, or none that is known; the message names it.
        ModelError: if the network cannot be traced.
        MeasureError: if weights are not finite.
    """
    traced = graph_of(model)
    _refuse_rounding(traced)
    factors = _LayerFactors(traced, input_shape, norms_by_layer or [])
    shapes = node_shapes(traced, input_shape)
    gains: dict[fx.Node, float] = {}
    for node in traced.graph.nodes:
        operation = Operation(traced, node, gains, shapes)
        if node.op == "placeholder":
            gains[node] = 1.0
        elif node.op == "output":
            result = operation.source * (1 + _ROUNDING)
            if not math.isfinite(result):
                raise NoBound("the product of the layers' norms exceeds the largest float64")
            return result
        elif operation.operands and not _is_size(node):
            refuse_overwriting(operation)
            gains[node] = _gain(operation, factors)
    raise NoBound("the graph returns nothing")


def _is_size(node: fx.Node) -> bool:
    return node.target == "size" or (node.target is getattr and node.args[1] in _SIZES)


def _gain(operation: Operation, factors: _LayerFactors) -> float:
    node = operation.node
    if node.op == "call_module":
        factor = factors.of(str(node.target))
        if factor is not None:
            return operation.source * factor
    kind = type(operation.module) if node.op == "call_module" else entry_of(node.target)
    rule = RULES.get(kind) or POOLING_RULES.get(kind)
    if rule is None:
        raise NoBound(f"{operation.name} has no known Lipschitz constant")
    return rule(operation)


def _refuse_rounding(traced: fx.GraphModule) -> None:
    for name, module in traced.named_modules():
        if isinstance(module, QuantConv2d | QuantLinear):
            if isinstance(module.input_quantizer, NoQuantizer):
                continue
            raise NoBound(
                f"the input of {display_name(name)} is rounded to {module.act_bits} bits, and a "
                "network that rounds is discontinuous: it has no finite Lipschitz constant"
            )


class _LayerFactors:
    """The factor of every layer, with the BatchNorms it takes in, and 1 for those BatchNorms."""

    def __init__(
        self, traced: fx.GraphModule, input_shape: tuple[int, int, int], known: list[Row]
    ) -> None:
        self.traced = traced
        self.infos = {info.name: info for info in layers(traced, input_shape)}
        pairs = [(info.norm_after, info.norm_before) for info in self.infos.values()]
        self.taken_in = {name for pair in pairs for name in pair if name is not None}
        self.known = {
            (row.layer, row.metric): row.value for row in known if row.statistic == "upper"
        }

    def of(self, name: str) -> float | None:
        """The factor of a module, or None where it is neither a layer nor taken in by one."""
        if name in self.taken_in:
            return 1.0
        if name not in self.infos:
            return None
        info = self.infos[name]
        has_norm = info.norm_after is not None or info.norm_before is not None
        metric = "operator_norm_folded" if has_norm else "operator_norm"
        known = self.known.get((display_name(name), metric))
        if known is not None:
            return known
        linear = folded_map(self.traced, info) or linear_map(self.traced, info)
        return linear.norm(upper_only=True).upper


def _lower_bound(
    model: nn.Module,
    images: torch.Tensor | None,
    adversarial: torch.Tensor | None,
    *,
    batch_size: int,
    progress: Progress | None,
) -> float:
    if any(isinstance(module, AffineQuantizer) for module in model.modules()):
        raise NoBound(
            "activations are quantized: a straight-through Jacobian is no lower bound of anything"
        )
    if any(isinstance(module, Squeeze) and module.bits for module in model.modules()):
        raise NoBound("pixels are rounded: a straight-through Jacobian is no lower bound")
    if images is None:
        raise NoBound("no images were given to take the Jacobian at")
    lower = float(jacobian_norms(model, images, batch_size=batch_size, progress=progress).max())
    if adversarial is not None:
        lower = max(lower, largest_ratio(model, images, adversarial, batch_size))
    return lower


def largest_ratio(
    model: nn.Module, images: torch.Tensor, adversarial: torch.Tensor, batch_size: int
) -> float:
    """The largest ||f(x') - f(x)|| / ||x' - x||, less what float32 may add to the numerator."""
    require_pairs(images, adversarial)
    clean, perturbed = (_logits(model, part, batch_size) for part in (images, adversarial))
    moved = norms(adversarial - images).cpu()
    shift = norms(perturbed - clean) - _LOGIT_ROUNDING * (norms(clean) + norms(perturbed))
    ratios = (shift / moved)[moved > 0]
    return float(ratios.max()) if len(ratios) else 0.0


def _logits(model: nn.Module, images: torch.Tensor, batch_size: int) -> torch.Tensor:
    device = device_of(model)
    with torch.no_grad():
        parts = [model(part.to(device)).cpu() for part in torch.split(images, batch_size)]
    return torch.cat(parts)

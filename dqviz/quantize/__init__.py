"""Quantization on the fly: any bit-width from full-precision weights and one calibration pass."""

from dqviz.quantize.backward import BackwardThrough
from dqviz.quantize.dorefa import dorefa_weight
from dqviz.quantize.errors import QuantizeError
from dqviz.quantize.functional import fake_quantize
from dqviz.quantize.histogram import Histogram, Spread, collect_histograms, from_json, to_json
from dqviz.quantize.learned import LearnedQuantizer, learned_quantize
from dqviz.quantize.modules import (
    AffineQuantizer,
    NoQuantizer,
    QuantConv2d,
    Quantizer,
    QuantLinear,
    quantize_weight,
)
from dqviz.quantize.network import quantize_model, quantized_layers
from dqviz.quantize.own import OwnRange
from dqviz.quantize.ranges import affine_parameters, choose_range

__all__ = [
    "AffineQuantizer",
    "BackwardThrough",
    "Histogram",
    "LearnedQuantizer",
    "NoQuantizer",
    "OwnRange",
    "QuantConv2d",
    "QuantLinear",
    "QuantizeError",
    "Quantizer",
    "Spread",
    "affine_parameters",
    "choose_range",
    "collect_histograms",
    "dorefa_weight",
    "fake_quantize",
    "from_json",
    "learned_quantize",
    "quantize_model",
    "quantize_weight",
    "quantized_layers",
    "to_json",
]

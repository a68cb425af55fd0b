"""Charts: a tidy table in, a `Chart` out: the figure, its words, its formula and its rows.

pandas, numpy and plotly only. A `Chart` has `figure`, `title`, `how_to_read`, `formula` (LaTeX),
`alt`, `table` and `note`. What cannot be drawn raises `ChartError` and says what was found.

Amplification: `distance_by_layer`, `distance_animation` (play button over the epsilons),
`bits_heatmap`, `quantizer_view`, `flips`, `failure_prediction`, `failure_by_layer`, `sqnr`,
`linear_gain`.
Lipschitz: `layer_constants`, `batchnorm_effect`, `gain_against_bound`, `network_bounds`,
`singular_values`.
Playground: `image_triplet`, `probabilities`, `noise_maps`.
Robustness: `accuracy_bars`, `estimator_bars`, `robust_curves` (against epsilon or bits),
`who_is_right` and `attack_success` (networks on the same images), `breakers`, `transfer_matrix`,
`smallest_curves`. Can it be trusted: `attack_variants`, `masking_findings`.
The paper: `forest`, an effect pair by pair; `by_bits`, what it is an effect on; `bits_by_layer`;
`turning_point`, noise into quantizers and out; `strength`, a number against the penalty's strength.
Studies: `study_curves`, one number of many experiments against one of their settings;
`study_layer_map` and `study_bits_epsilon`, heat maps of it; `study_parallel`, all settings at once;
`efficiency_plane`, accuracy against cost. Every point of theirs has an `Address` as its
`customdata`, but for the lines of `study_parallel`.
Sentences computed from the same tables are in `dqviz.charts.claims`. `grey_out` marks the rows
whose clean accuracy has collapsed.
"""

from dqviz.charts.accuracy import accuracy_bars
from dqviz.charts.attack_success import attack_success
from dqviz.charts.batchnorm import batchnorm_effect
from dqviz.charts.bits_by_layer import bits_by_layer
from dqviz.charts.breakers import breakers
from dqviz.charts.bucket_flips import flips
from dqviz.charts.by_bits import by_bits
from dqviz.charts.chart import Chart, ChartError
from dqviz.charts.distance import distance_animation, distance_by_layer
from dqviz.charts.efficiency import efficiency_plane
from dqviz.charts.estimators import estimator_bars
from dqviz.charts.failure import failure_by_layer, failure_prediction
from dqviz.charts.forest import forest
from dqviz.charts.heatmap import bits_heatmap
from dqviz.charts.lines import linear_gain, sqnr
from dqviz.charts.lipschitz import gain_against_bound, layer_constants
from dqviz.charts.masking import (
    Finding,
    any_image,
    attack_variants,
    masking_findings,
    verdict,
)
from dqviz.charts.network import network_bounds, singular_values
from dqviz.charts.noise import noise_maps
from dqviz.charts.pictures import image_triplet
from dqviz.charts.probabilities import probabilities
from dqviz.charts.quantizer import quantizer_view
from dqviz.charts.right_images import who_is_right
from dqviz.charts.robust_rows import clean_words
from dqviz.charts.robustness import robust_curves
from dqviz.charts.smallest import smallest_curves
from dqviz.charts.strength import strength
from dqviz.charts.study import study_curves
from dqviz.charts.study_epsilons import study_bits_epsilon
from dqviz.charts.study_layers import study_layer_map
from dqviz.charts.study_parallel import study_cells, study_parallel
from dqviz.charts.study_rows import Address
from dqviz.charts.tidy import epsilon_text, epsilons, grey_out
from dqviz.charts.transfer import transfer_matrix
from dqviz.charts.turning_point import turning_point

__all__ = [
    "Address",
    "Chart",
    "ChartError",
    "Finding",
    "accuracy_bars",
    "any_image",
    "attack_success",
    "attack_variants",
    "batchnorm_effect",
    "bits_by_layer",
    "bits_heatmap",
    "breakers",
    "by_bits",
    "clean_words",
    "distance_animation",
    "distance_by_layer",
    "efficiency_plane",
    "epsilon_text",
    "epsilons",
    "estimator_bars",
    "failure_by_layer",
    "failure_prediction",
    "flips",
    "forest",
    "gain_against_bound",
    "grey_out",
    "image_triplet",
    "layer_constants",
    "linear_gain",
    "masking_findings",
    "network_bounds",
    "noise_maps",
    "probabilities",
    "quantizer_view",
    "robust_curves",
    "singular_values",
    "smallest_curves",
    "sqnr",
    "strength",
    "study_bits_epsilon",
    "study_cells",
    "study_curves",
    "study_layer_map",
    "study_parallel",
    "transfer_matrix",
    "turning_point",
    "verdict",
    "who_is_right",
]

"""The formula and the axis title of every metric that is drawn."""

from __future__ import annotations

D = r"a_\ell(x') - a_\ell(x)"

FORMULAS = {
    "relative_distance": rf"\frac{{\lVert {D} \rVert_2}}{{\lVert a_\ell(x) \rVert_2}}",
    "relative_distance_centred": rf"\frac{{\lVert {D} \rVert_2}}"
    r"{\lVert a_\ell(x) - \overline{a}_\ell \rVert_2},"
    r"\quad \overline{a}_\ell = \text{mean over the images}",
    "amplification": rf"\frac{{\lVert {D} \rVert_2 / \lVert a_\ell(x) \rVert_2}}"
    r"{\lVert a_0(x') - a_0(x) \rVert_2 / \lVert a_0(x) \rVert_2},"
    r"\quad a_0 = \text{the normalised image}",
    "sqnr_db": r"10 \log_{10} \frac{\lVert a_\ell(x) \rVert_2^2}"
    r"{\lVert a^{Q}_\ell(x) - a_\ell(x) \rVert_2^2}"
    r"\quad \text{(quantized } a^Q \text{ against full precision } a \text{, same image)}",
    "linear_gain": r"\frac{\lVert A_\ell d \rVert_2}{\lVert d \rVert_2}, \quad d = Q(u') - Q(u)",
    "quantizer": r"t = u' - u,\quad f = \operatorname{frac}(|t|/s),\quad "
    r"\widehat{\lVert Q(u') - Q(u) \rVert_2^2} = \sum_i t_i^2 + s^2 f_i (1 - f_i),\quad "
    r"\text{gain} = \frac{\lVert Q(u') - Q(u) \rVert}{\lVert u' - u \rVert}",
    "flips": r"\text{flip rate} = \frac{1}{m} \#\{i : \text{code}(u'_i) \ne \text{code}(u_i)\},"
    r"\qquad \text{frozen codes: } Q(u) + \operatorname{clip}(u') - \operatorname{clip}(u),"
    r"\qquad \text{contribution} = r_{\text{real}} - r_{\text{frozen}} "
    r"\text{ (relative distance at the logits)}",
    "failure": r"\text{AUC} = P(S_{\text{flipped}} > S_{\text{kept}}) + "
    r"\tfrac{1}{2} P(S_{\text{flipped}} = S_{\text{kept}})",
    "failure_auc_amplification": r"\text{AUC} = P(S_{\text{flipped}} > S_{\text{kept}}) + "
    r"\tfrac{1}{2} P(S_{\text{flipped}} = S_{\text{kept}}),\quad S = \text{amplification}",
    "constants": r"\sigma_{\max}(W_{\text{out} \times \text{in} k^2}),\quad "
    r"\lVert A \rVert_2 = \max_d \frac{\lVert A d \rVert_2}{\lVert d \rVert_2},\quad "
    r"\lVert \operatorname{diag}(\gamma / \sigma) A \rVert_2",
    "network": r"L = \sup_{x \ne y} \frac{\lVert f(x) - f(y) \rVert_2}{\lVert x - y \rVert_2},"
    r"\quad \lVert J(x_0) \rVert_2 \le L \le \prod_\ell \lVert A_\ell \rVert_2 "
    r"\text{ (sums over branches)}, \quad \frac{\text{margin}}{\sqrt{2} L}",
    "singular": r"W = U \operatorname{diag}(\sigma_1 \ge \sigma_2 \ge \dots) V^\top,"
    r"\quad W \text{ of shape out} \times \text{in} k^2",
    "gain_bound": r"\frac{\lVert A_\ell d \rVert_2}{\lVert d \rVert_2} \le \lVert A_\ell \rVert_2",
    "probability": r"p_c = \frac{e^{z_c}}{\sum_j e^{z_j}}",
    "noise_map": r"\frac{\sqrt{\operatorname{mean}_c (a_\ell(x') - a_\ell(x))_{c,h,w}^2}}"
    r"{\sqrt{\operatorname{mean}_{c,h,w} a_\ell(x)_{c,h,w}^2}}",
    "image": r"x' = x + \delta,\quad \lVert \delta \rVert \le \varepsilon,\quad x' \in [0, 1]",
    "mean": r"\bar v = \frac{1}{S} \sum_{s=1}^{S} v_s",
    "bit_operations": r"\text{BOPs} = \sum_\ell \text{MACs}_\ell \cdot b^{w}_\ell \cdot b^{a}_\ell,"
    r"\quad b^{w}, b^{a} = \text{bits of weights and activations}",
    "weight_bytes": r"\frac{1}{8} \sum_\ell b^{w}_\ell \cdot |W_\ell|",
    "accuracy": r"\hat p = \frac{k}{n},\quad \frac{\hat p + \frac{z^2}{2n} \pm z "
    r"\sqrt{\frac{\hat p (1 - \hat p)}{n} + \frac{z^2}{4 n^2}}}{1 + \frac{z^2}{n}},\quad z = 1.96",
    "mcnemar": r"\hat p_a - \hat p_b = \frac{n_a - n_b}{n},\quad p = \min\!\left( 1,\ 2 "
    r"\sum_{k=0}^{\min(n_a, n_b)} \binom{n_a + n_b}{k} 2^{-(n_a + n_b)} \right),\quad "
    r"n_a, n_b = \text{images on which one alone is right}",
    "success": r"\frac{\#\{i \in C : f(x'_i) \ne y_i\}}{\#C},\quad "
    r"C = \{i : f_1(x_i) = \dots = f_m(x_i) = y_i\}",
    "breakers": r"\frac{1}{n} \#\{i : \text{attack } k \text{ is the first with } "
    r"f(x'_i) \ne y_i\}",
    "transfer": r"\hat p_{s,t} = \frac{1}{n} \#\{i : f_t(x_i + \delta^{(s)}_i) = y_i\},\quad "
    r"\delta^{(s)} \text{ crafted on } f_s",
    "smallest": r"\varepsilon_i = \min\{\varepsilon : \text{the attack within } \varepsilon "
    r"\text{ flips image } i\},\quad S(\varepsilon) = \frac{1}{n} "
    r"\#\{i : \varepsilon_i > \varepsilon\}",
}

TITLES = {
    "relative_distance": "Relative distance ‖d‖₂ / ‖a‖₂ (ratio)",
    "relative_distance_centred": "Centred relative distance (ratio)",
    "amplification": "Amplification (times the image's)",
    "sqnr_db": "Signal to quantization noise (dB)",
    "linear_gain": "Gain of the layer (ratio)",
    "bucket_flip_rate": "Codes changed (% of elements)",
    "flip_contribution": "Distance added by flips (difference of ratios)",
    "failure_auc_amplification": "Area under the ROC curve (0 to 1)",
    "quantizer_gain": "Gain, out / in (ratio)",
}

NETWORK_TITLES = {
    "lipschitz": "Lipschitz constant (ratio of L2 lengths)",
    "margin_over_lipschitz": "Margin over Lipschitz constant (L2, pixel units)",
    "parameters": "Parameters (number)",
    "weight_bytes": "Weights (bytes)",
    "other_bytes": "Biases and BatchNorm (bytes)",
    "macs": "Multiply-accumulates (number an image)",
    "bit_operations": "Bit operations (number an image)",
}
"""Those of metrics that only whole networks have."""

"""Made-up tables of the paper's experiments: two families, two methods, three bit-widths."""

import pandas as pd

FAMILIES = ("cifar10/resnet20", "streetdigits/resnet20")
BITS = (32, 4, 2)


def level_rows(measure: str = "attack_success", *, intervals: bool = True) -> pd.DataFrame:
    """Values 30 with full precision, 10 more for every step down, 5 more in the second family."""
    rows = []
    for place, family in enumerate(FAMILIES):
        for series in ("vanilla", "DQ"):
            for step, bits in enumerate(BITS):
                for seed in (0, 1, 2) if bits == 4 else (0,):
                    value = 30.0 + 10 * step + 5 * place - 3 * (series == "DQ") + seed
                    rows.append(
                        {
                            "measure": measure,
                            "series": series,
                            "network": f"{family}/{series}-w8a{bits}-s{seed}",
                            "family": family,
                            "seed": seed,
                            "act_bits": bits,
                            "value": value,
                            "low": value - 8 if intervals else float("nan"),
                            "high": value + 8 if intervals else float("nan"),
                            "n": 100,
                            "collapsed": False,
                        }
                    )
    return pd.DataFrame(rows)


def layer_rows() -> pd.DataFrame:
    """Noise that doubles from layer to layer at two bits, and stays at full precision."""
    growth = {32: 1.0, 4: 1.5, 2: 2.0}
    return pd.DataFrame(
        {
            "family": family,
            "method": method,
            "act_bits": bits,
            "attack": attack,
            "layer": layer,
            "place": place,
            "amplification": growth[bits] ** place,
            "amplification_centred": 1.1 * growth[bits] ** place,
        }
        for family in FAMILIES
        for method in ("vanilla", "dq")
        for bits in BITS
        for attack in ("fgsm", "random_signs")
        for place, layer in enumerate(("conv1", "layer1.0.conv1", "linear", "logits"), 1)
    )


def quantizer_rows(*, turns: bool = False) -> pd.DataFrame:
    """Sixteen quantizers: the gain falls with the noise, or rises through 1 where it `turns`."""
    rows = []
    for place in range(16):
        noise = 0.01 * 1.3**place
        gain = 0.5 * 1.1**place if turns else 2.0 * 0.97**place
        rows.append(
            {
                "family": FAMILIES[place % 2],
                "act_bits": 4,
                "epsilon": 1 / 255,
                "elements": "all",
                "layer": f"conv{place}",
                "noise_in": noise,
                "noise_out": gain * noise,
                "predicted": 1.1 * gain * noise,
                "noise_in_l1": noise,
                "noise_out_l1": noise,
            }
        )
    return pd.DataFrame(rows)

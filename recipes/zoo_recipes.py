"""The recipes of networks that are fine-tuned or of other seeds, and the order of training.

    python recipes/zoo_recipes.py     # writes them, and zoo.txt

The settings are in ZOO.md beside this file. A test compares the files with what is written here.
"""

from __future__ import annotations

import dataclasses
import itertools
import sys
import tomllib
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from dqviz.specs.toml_text import toml_text

HERE = Path(__file__).parent
DATASETS = ("streetdigits", "cifar10")
ARCHS = ("resnet20", "plain20")
STARTS = ("vanilla", "dq")
ADVERSARIAL = tuple(f"streetdigits-resnet20-rfgsm{seed}" for seed in ("", "-s1", "-s2"))
BARE = tuple(f"streetdigits-plain20_nonorm-{method}" for method in STARTS)
BY_HAND = (*ADVERSARIAL, *BARE)
"""Recipes written by hand, which are trained first."""
BASIS = ("data", "test", "mean", "std", "crop", "flip", "clip", "weight_decay", "defense")
"""What a recipe takes over from that of its start."""
SERIES_START = "streetdigits-resnet20-vanilla"
SEEDS = (1, 2)
"""The other seeds, of whole trainings: at full precision, and at four bits from there."""
ARMS, BETAS = ("raw", "folded", "operator"), (1e-2, 1e-1)
"""What the penalty acts on in the beta series, and its strengths."""
WEIGHT_BITS = 8
RATE = {"resnet20": 0.02, "plain20": 0.01}
"""A tenth of the rate that the start was trained at."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Seeded:
    """One network at full precision, trained as the one without a seed in its name was."""

    dataset: str
    arch: str
    method: str
    seed: int

    @property
    def stem(self) -> str:
        """The name of its files."""
        return f"{self.dataset}-{self.arch}-{self.method}-s{self.seed}"

    def text(self) -> str:
        """The recipe as TOML."""
        basis = settings_of("-".join((self.dataset, self.arch, self.method)))
        id = "/".join(self.stem.split("-", 2))
        return recipe_text({**basis, "id": id, "stored": "float16", "seed": self.seed})


@dataclasses.dataclass(frozen=True, kw_only=True)
class Member:
    """One network: fine-tuned from `start` of the same seed, with its quantizers in place."""

    dataset: str
    arch: str
    start: str
    act_bits: int
    attacked: bool = False
    seed: int = 0

    @property
    def stem(self) -> str:
        """The name of its files."""
        attack = "-rfgsm" if self.attacked else ""
        seed = f"-s{self.seed}" if self.seed else ""
        bits = f"-w{WEIGHT_BITS}a{self.act_bits}"
        return f"{self.dataset}-{self.arch}-{self.start}{attack}{bits}{seed}"

    def text(self) -> str:
        """The recipe as TOML."""
        seed = (f"s{self.seed}",) if self.seed else ()
        basis = settings_of("-".join((self.dataset, self.arch, self.start)))
        settings = {
            "id": "/".join(self.stem.split("-", 2)),
            "start": "-".join((basis["id"], *seed)),
            **{key: basis[key] for key in BASIS if key in basis},
            "epochs": 2,
            "learning_rate": RATE[self.arch],
            "warmup_epochs": 0.25,
            "quant": {"act_bits": self.act_bits, "weight_bits": WEIGHT_BITS},
            "stored": "int8",
            "seed": self.seed,
        }
        if self.attacked:
            settings["adversary"] = {"name": "rfgsm", "epsilon": "4/255", "share": 0.5}
        return recipe_text(settings)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Graded:
    """One network of the beta series: `vanilla`, fine-tuned with a penalty of some strength."""

    arm: str
    beta: float = 0.0
    weight_decay: float = 5e-4

    @property
    def stem(self) -> str:
        """The name of its files."""
        decay = "" if self.weight_decay else "-wd0"
        return f"streetdigits-resnet20-{self.arm}-beta{self.beta:g}{decay}"

    def text(self) -> str:
        """The recipe as TOML."""
        basis = settings_of(SERIES_START)
        kept = {key: basis[key] for key in ("data", "test", "mean", "std", "crop") if key in basis}
        settings = {
            "id": "/".join(self.stem.split("-", 2)),
            "start": basis["id"],
            **kept,
            "clip": 1.0,
            "weight_decay": self.weight_decay,
            "defense": {"arm": self.arm, "beta": self.beta},
            "epochs": 2,
            "learning_rate": RATE["resnet20"],
            "warmup_epochs": 0.25,
            "stored": "float16",
            "seed": 0,
        }
        return recipe_text(settings)


def settings_of(stem: str) -> dict[str, Any]:
    """What a recipe written by hand says."""
    return tomllib.loads((HERE / f"{stem}.toml").read_text(encoding="utf-8"))


def recipe_text(settings: dict[str, object]) -> str:
    """Settings as a recipe's TOML."""
    return f"# Written by zoo_recipes.py; see ZOO.md.\n{toml_text(settings)}"


def members() -> list[Member]:
    """Every network that is trained quantized."""
    return [member for member in in_order() if isinstance(member, Member)]


def seeds() -> list[Seeded]:
    """The other seeds at full precision."""
    return [member for member in in_order() if isinstance(member, Seeded)]


def series() -> list[Graded]:
    """The beta series: each arm at its strengths; vanilla and the paper's arm without decay too."""
    arms = [Graded(arm=arm, beta=beta) for arm, beta in itertools.product(ARMS, BETAS)]
    decayed = [Graded(arm="none"), *arms]
    bare = [Graded(arm="none"), Graded(arm="raw", beta=1e-2)]
    return [*decayed, *(dataclasses.replace(member, weight_decay=0.0) for member in bare)]


def in_order() -> list[Member | Graded | Seeded]:
    """All of them, what most rests on first: four bits, then what they are compared with."""
    return [
        *_at_bits(4),
        *_attacked(),
        *series(),
        *_at_bits(2),
        *_other_seeds("resnet20"),
        *_at_bits(3, 5, 1),
        *_other_seeds("plain20"),
    ]


def _attacked() -> list[Member]:
    return [
        Member(dataset=dataset, arch=arch, start=start, act_bits=4, attacked=True)
        for arch, dataset, start in itertools.product(ARCHS, DATASETS, STARTS)
    ]


def _other_seeds(arch: str) -> list[Seeded | Member]:
    """At full precision, then at four bits from there."""
    found = list(itertools.product(DATASETS, STARTS, SEEDS))
    return [
        *(Seeded(dataset=d, arch=arch, method=start, seed=seed) for d, start, seed in found),
        *(Member(dataset=d, arch=arch, start=s, act_bits=4, seed=seed) for d, s, seed in found),
    ]


def _at_bits(*bits: int) -> list[Member]:
    """Vanilla and DQ at these activation bits, family by family."""
    return [
        Member(dataset=dataset, arch=arch, start=start, act_bits=act_bits)
        for arch, dataset, act_bits, start in itertools.product(ARCHS, DATASETS, bits, STARTS)
    ]


def write() -> None:
    """Write every recipe, and the order."""
    for member in in_order():
        (HERE / f"{member.stem}.toml").write_text(member.text(), encoding="utf-8")
    order = [*BY_HAND, *(member.stem for member in in_order())]
    text = "# Trained by zoo.py, in this order; written by zoo_recipes.py.\n"
    (HERE / "zoo.txt").write_text(text + "\n".join(order) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write()

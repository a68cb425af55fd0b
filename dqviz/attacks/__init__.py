"""Attacks on images in [0, 1], and the controls they are compared with."""

from dqviz.attacks.base import Attack, AttackStep
from dqviz.attacks.bim import BIM
from dqviz.attacks.controls import matched_control, shortfall
from dqviz.attacks.craft import craft, make_attack
from dqviz.attacks.errors import AttackError
from dqviz.attacks.fgsm import FGSM
from dqviz.attacks.pgd import PGD
from dqviz.attacks.prepare import prepare_for_attack
from dqviz.attacks.rfgsm import RFGSM

__all__ = [
    "BIM",
    "FGSM",
    "PGD",
    "RFGSM",
    "Attack",
    "AttackError",
    "AttackStep",
    "craft",
    "make_attack",
    "matched_control",
    "prepare_for_attack",
    "shortfall",
]

"""Attacks on images in [0, 1], and the controls they are compared with."""

from dqviz.attacks.apgd import APGD
from dqviz.attacks.base import Attack, AttackStep, Outcome
from dqviz.attacks.bim import BIM
from dqviz.attacks.controls import matched_control, shortfall
from dqviz.attacks.craft import craft, craft_outcomes, make_attack
from dqviz.attacks.errors import AttackError
from dqviz.attacks.fgsm import FGSM
from dqviz.attacks.mifgsm import MIFGSM
from dqviz.attacks.pgd import PGD
from dqviz.attacks.prepare import prepare_for_attack
from dqviz.attacks.rfgsm import RFGSM
from dqviz.attacks.smallest import Smallest, smallest_epsilons
from dqviz.attacks.square import Square
from dqviz.attacks.standard import BREAKERS, Standard

__all__ = [
    "APGD",
    "BIM",
    "BREAKERS",
    "FGSM",
    "MIFGSM",
    "PGD",
    "RFGSM",
    "Attack",
    "AttackError",
    "AttackStep",
    "Outcome",
    "Smallest",
    "Square",
    "Standard",
    "craft",
    "craft_outcomes",
    "make_attack",
    "matched_control",
    "prepare_for_attack",
    "shortfall",
    "smallest_epsilons",
]

"""Which figures a report draws of which numbers."""

import pandas as pd
import pytest

from dqviz.reports.figures import charts_of
from tests.charts.study_tables import ONE, OTHER, accuracy_study, layer_study, share

LAYERS = "Relative distance ‖d‖₂ / ‖a‖₂ by layer and bit-width, FGSM 1/255"
EPSILONS = "Robust accuracy by bit-width and epsilon, FGSM"
PLANE = "Robust accuracy against bit operations, FGSM 1/255"
MAPS = (LAYERS, EPSILONS, PLANE)


def maps(*tables):
    """The titles of heat maps and planes; curves are tested with the report."""
    titles = [chart.title for chart in charts_of(pd.concat(tables))]
    assert any("against" in title for title in titles), "curves too"
    return [t for t in titles if "bit-width" in t or t.startswith(PLANE.partition(",")[0])]


def test_everything_there_is():
    assert maps(accuracy_study(), layer_study()) == list(MAPS)


@pytest.mark.parametrize(
    ("tables", "left"),
    [
        ([accuracy_study()], [EPSILONS, PLANE]),
        ([accuracy_study(bits=[(8, 4)]), layer_study(bits=[(8, 4)])], [PLANE]),
        ([accuracy_study([ONE], bits=[(8, 4)])], []),
        ([accuracy_study(epsilons=[1 / 255])], [PLANE]),
        ([pd.DataFrame([*share(0.5), *share(0.4, bits=(2, 2))])], []),
        ([accuracy_study([ONE], bits=[(8, 4)]), layer_study(layers=1)], []),
        ([accuracy_study([ONE], bits=[(8, 4)]), layer_study()], [LAYERS]),
    ],
)
def test_only_what_the_numbers_allow(tables, left):
    assert maps(*tables) == left


def test_attacks_and_images_are_drawn_apart():
    other = accuracy_study().assign(n_samples=8, attack="pgd")
    of = "cifar10 test, {} images, crafted on itself"
    assert maps(accuracy_study(), other) == [
        f"{EPSILONS}, {of.format(64)}",
        f"{PLANE}, {of.format(64)}",
        f"{EPSILONS}, {of.format(8)}".replace("FGSM", "PGD"),
        f"{PLANE}, {of.format(8)}".replace("FGSM", "PGD"),
    ]
    both = pd.concat([accuracy_study([ONE]), accuracy_study([OTHER]).assign(attack="pgd")])
    assert [title.partition(", ")[2] for title in maps(both)] == [
        *("FGSM", "FGSM 1/255", "PGD", "PGD 1/255"),
    ]


def test_it_is_drawn_at_the_epsilon_next_to_the_headline():
    (_, title) = maps(accuracy_study(epsilons=[0.25 / 255, 1.25 / 255, 8 / 255]))
    assert title.endswith("FGSM 1.25/255")

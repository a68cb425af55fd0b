"""The sentences on the pages, and the marks before them."""

import pytest

from dqviz.ui.show import KINDS, KINDS_SAID
from tests.ui.reading import words


def test_sentences_compare_the_networks_image_by_image(open_page):
    said = words(open_page("amplification"))
    assert "95 % interval" in said
    assert "streetdigits" not in said.partition("At the last layer")[2].partition("interval")[0]


def test_accuracies_are_compared_on_the_same_images_clean_and_perturbed(open_page):
    said = words(open_page("amplification", view="Failure"))
    clean, perturbed = (said.partition(f"Of the {w} images ")[2] for w in ("clean", "perturbed"))
    assert "95.0 % correctly and resnet20 vanilla 95.0 % (+0.0 points)" in clean
    assert "no clear difference (exact sign test on the same images" in clean
    assert "75.0 % correctly and resnet20 vanilla 25.0 % (+50.0 points)" in perturbed
    assert "resnet20 dq alone is right on 10 of 20" in perturbed


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("overview", {}),
        ("amplification", {}),
        ("amplification", {"view": "Quantizer"}),
        ("amplification", {"view": "Failure"}),
        ("lipschitz", {}),
    ],
)
def test_every_mark_shown_is_explained_and_no_other(open_page, name, query):
    said = words(open_page(name, **query))
    sentences = said
    for text in KINDS_SAID.values():
        sentences = sentences.replace(text, "")
    for kind, text in KINDS_SAID.items():
        assert (text in said) == (f":material/{KINDS[kind]}: " in sentences), kind
    assert ":material/" in sentences

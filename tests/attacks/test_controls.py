"""Controls: matched per image after clamping, drawn from the generator, honest when short."""

from __future__ import annotations

import pytest
import torch

from dqviz.attacks import AttackError, matched_control, shortfall
from dqviz.specs import CONTROLS


@pytest.fixture
def adversarial(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Sizes that differ from image to image, up to a third of the pixel range."""
    eps = torch.linspace(0.001, 0.3, len(images)).view(-1, 1, 1, 1)
    signs = torch.randint(0, 2, images.shape, generator=generator) * 2 - 1
    return (images + eps * signs).clamp(0, 1)


def seeded(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def lengths(perturbation: torch.Tensor) -> torch.Tensor:
    return perturbation.double().flatten(1).norm(dim=1)


@pytest.mark.parametrize("kind", CONTROLS)
def test_each_image_is_as_far_as_its_adversarial_one(
    kind: str, images: torch.Tensor, adversarial: torch.Tensor
) -> None:
    images = images.clone()
    images[:, :, :4] = images[:, :, :4].round()  # half of the pixels at 0 or 1: clamping matters
    adversarial = (images + (adversarial - images) / 2).clamp(0, 1)
    control = matched_control(kind, images, adversarial, generator=seeded())
    assert control.dtype == torch.float32
    assert control.min() >= 0
    assert control.max() <= 1
    wanted = lengths(adversarial - images)
    torch.testing.assert_close(lengths(control - images), wanted, rtol=1e-5, atol=1e-7)
    assert shortfall(images, adversarial, control).abs().max() < 1e-5


@pytest.mark.parametrize("kind", CONTROLS)
def test_the_scale_is_that_of_a_plain_bisection(
    kind: str, images: torch.Tensor, adversarial: torch.Tensor
) -> None:
    control = matched_control(kind, images, adversarial, generator=seeded())
    for index in range(len(images)):
        x, moved = images[index].double(), control[index].double() - images[index].double()
        free = (control[index] > 0) & (control[index] < 1)
        largest = moved[free].abs().argmax()
        direction = moved / moved[free].abs()[largest]
        # Along its own free elements, bisect for the distance anew; clamped ones run far ahead.
        direction = torch.where(free, direction, moved.sign() * 1e6)
        low, high = 0.0, 1.0
        wanted = lengths((adversarial - images)[index : index + 1]).item()
        for _ in range(60):
            middle = (low + high) / 2
            reached = ((x + middle * direction).clamp(0, 1) - x).norm().item()
            low, high = (middle, high) if reached < wanted else (low, middle)
        assert high == pytest.approx(moved[free].abs().max().item(), rel=1e-4)


@pytest.mark.parametrize("kind", CONTROLS)
def test_the_generator_decides(kind: str, images: torch.Tensor, adversarial: torch.Tensor) -> None:
    first = matched_control(kind, images, adversarial, generator=seeded())
    assert torch.equal(first, matched_control(kind, images, adversarial, generator=seeded()))
    assert not torch.equal(first, matched_control(kind, images, adversarial, generator=seeded(2)))


@pytest.mark.parametrize("kind", ["random_signs", "gaussian"])
def test_an_images_noise_does_not_depend_on_how_many_follow(
    kind: str, images: torch.Tensor, adversarial: torch.Tensor
) -> None:
    whole = matched_control(kind, images, adversarial, generator=seeded())
    part = matched_control(kind, images[:5], adversarial[:5], generator=seeded())
    torch.testing.assert_close(part, whole[:5])


def test_random_signs_move_every_free_value_alike(images: torch.Tensor) -> None:
    images = images * 0.5 + 0.25
    adversarial = images + 0.1
    moved = matched_control("random_signs", images, adversarial, generator=seeded()) - images
    torch.testing.assert_close(moved.abs(), torch.full_like(images, 0.1))
    assert 0.4 < (moved > 0).float().mean() < 0.6


def test_gaussian_noise_has_the_moments_of_one(images: torch.Tensor) -> None:
    images = torch.full((4, 3, 32, 32), 0.5)
    moved = matched_control("gaussian", images, images + 0.01, generator=seeded()) - images
    flat = moved.flatten()
    assert flat.std().item() == pytest.approx(0.01, rel=0.02)
    assert (flat.pow(4).mean() / flat.square().mean() ** 2).item() == pytest.approx(3, rel=0.1)


@pytest.mark.parametrize("count", [2, 3, 12])
def test_other_image_never_gives_an_image_its_own(images: torch.Tensor, count: int) -> None:
    images = images[:count] * 0.5 + 0.25
    perturbation = torch.zeros_like(images)
    for index in range(count):
        perturbation[index].view(-1)[index] = 0.1  # a mark for every image
    adversarial = images + perturbation
    for seed in range(5):
        control = matched_control("other_image", images, adversarial, generator=seeded(seed))
        source = (control - images).flatten(1).argmax(1)
        assert sorted(source.tolist()) == list(range(count))
        assert (source != torch.arange(count)).all()


def test_an_image_left_alone_is_left_alone(images: torch.Tensor, adversarial: torch.Tensor) -> None:
    adversarial[2] = images[2]
    for kind in CONTROLS:
        control = matched_control(kind, images, adversarial, generator=seeded())
        assert torch.equal(control[2], images[2])
        assert shortfall(images, adversarial, control)[2] == 0


def test_out_of_reach_goes_as_far_as_it_can_and_says_so() -> None:
    images = torch.zeros(2, 1, 2, 2)
    adversarial = torch.ones(2, 1, 2, 2)
    control = matched_control("random_signs", images, adversarial, generator=seeded())
    assert ((control == 0) | (control == 1)).all()
    up = control.flatten(1).sum(1)
    assert up.min() < 4
    expected = 1 - up.sqrt() / 2
    torch.testing.assert_close(shortfall(images, adversarial, control).float(), expected)


def test_what_does_not_fit_is_refused(images: torch.Tensor, adversarial: torch.Tensor) -> None:
    with pytest.raises(AttackError, match="random_signs, gaussian, other_image; got 'white'"):
        matched_control("white", images, adversarial, generator=seeded())
    with pytest.raises(AttackError, match=r"\(12, 3, 8, 8\); got \(3, 3, 8, 8\)"):
        matched_control("gaussian", images, adversarial[:3], generator=seeded())
    with pytest.raises(AttackError, match="at least 2 images; got 1"):
        matched_control("other_image", images[:1], adversarial[:1], generator=seeded())

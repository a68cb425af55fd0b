"""Adversarial training against steps made by hand."""

import dataclasses

import pytest
import torch
from torch.nn import functional as F

from dqviz.defense import TrainError, train_network
from dqviz.defense.adversary import Adversary, attacked, pixel_units
from dqviz.defense.batches import ATTACK, Batches, seed_of
from dqviz.defense.optimizer import learning_rate
from dqviz.models import build
from dqviz.models.normalize import Classifier
from tests.defense.test_training import Killed, hurried, images, recipe, same, stop_at

__all__ = ["hurried"]

EPSILON = 8 / 255


def network(seed=0):
    """A network whose running statistics are not those of any batch."""
    model = Classifier(build("plain20", 2, seed=seed), mean=(0.5,) * 3, std=(0.25,) * 3)
    model(torch.rand(16, 3, 32, 32, generator=torch.Generator().manual_seed(7)))
    return model


def gradient(model, x, labels):
    x = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(F.cross_entropy(model(x), labels, reduction="sum"), x)
    return slope


def by_hand(model, x, labels, epsilon, seed):
    """R+FGSM as its paper writes it, on the network in eval mode."""
    generator = torch.Generator().manual_seed(seed * 1_000_003)
    noise = torch.stack([torch.randn(3, 32, 32, generator=generator) for _ in x])
    moved = (x + epsilon / 2 * noise.sign()).clamp(0, 1)
    model.eval()
    moved = moved + epsilon / 2 * gradient(model, moved, labels).sign()
    model.train()
    return moved.clamp(0, 1)


def test_rfgsm_is_crafted_on_the_network_as_it_predicts_and_leaves_it_as_it_was():
    model, data = network(), images(8)
    model.layer_in_eval = model.net.layer1.eval()  # a part in another mode than the whole
    before = {name: value.clone() for name, value in model.state_dict().items()}
    made = attacked(model, data.images, data.labels, adversary=Adversary(), seed=5)
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    expected = by_hand(model, data.images, data.labels, EPSILON, 5)
    # at a gradient of nearly zero the sign is a matter of rounding
    assert ((made - expected).abs() > 1e-6).float().mean() < 1e-3
    assert (made - data.images).abs().max() > 0.9 * EPSILON


def test_pgd_raises_the_loss_more_than_one_step_and_stays_in_its_ball():
    model, data = network(), images(8)
    losses = []
    for adversary in (Adversary(), Adversary(name="pgd", steps=10)):
        made = attacked(model, data.images, data.labels, adversary=adversary, seed=5)
        assert (made - data.images).abs().max() <= EPSILON + 1e-6
        losses.append(F.cross_entropy(model.eval()(made), data.labels).item())
    assert losses[0] < losses[1]


def test_only_the_share_is_attacked():
    model, data = network(), images(8)
    made = attacked(model, data.images, data.labels, adversary=Adversary(share=0.25), seed=5)
    changed = (made != data.images).flatten(1).any(1)
    assert changed.tolist() == [True] * 2 + [False] * 6


def test_a_step_learns_from_what_was_crafted_in_that_step(tmp_path):
    wanted = recipe(epochs=1, momentum=0.0, weight_decay=0.0, adversary=Adversary())
    data = images(32)
    after = train_network(wanted, tmp_path, data=data).model
    model = Classifier(build("plain20", 2, seed=0), mean=(0.5,) * 3, std=(0.25,) * 3)
    batch, labels = Batches(wanted, data, torch.device("cpu")).at(0)
    made = by_hand(model, batch, labels, EPSILON, seed_of(0, ATTACK, 0))
    F.cross_entropy(model(made), labels).backward()
    rate = learning_rate(wanted, 0, 1)
    # BatchNorm saw the attacked batch alone, once
    torch.testing.assert_close(after.net.bn1.running_mean, model.net.bn1.running_mean)
    for name in ("linear.weight", "layer3.2.conv2.weight", "conv1.weight"):
        begin = model.net.get_parameter(name)
        moved = after.net.get_parameter(name) - begin.detach()
        torch.testing.assert_close(moved, -rate * begin.grad, rtol=0.02, atol=2e-4)


@pytest.mark.usefixtures("hurried")
def test_a_killed_training_under_attack_goes_on_to_the_very_same_network(tmp_path):
    wanted = recipe(adversary=Adversary(name="pgd", steps=2, share=0.5))
    undisturbed = train_network(wanted, tmp_path / "a", data=images()).model
    with pytest.raises(Killed):
        train_network(wanted, tmp_path / "b", data=images(), report=stop_at(4))
    resumed = train_network(wanted, tmp_path / "b", data=images()).model
    assert same(undisturbed, resumed)
    plain = dataclasses.replace(wanted, adversary=None)
    assert not same(undisturbed, train_network(plain, tmp_path / "c", data=images()).model)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"name": "fgsm"}, "adversary.name must be rfgsm or pgd; got 'fgsm'"),
        ({"epsilon": 8.0}, "at most 1, in pixel units, such as '8/255'; got 8.0"),
        ({"epsilon": 0.0}, "adversary.epsilon must be above 0"),
        ({"steps": 3}, "rfgsm takes one step of half of epsilon; got steps 3"),
        ({"name": "pgd", "steps": 0}, "adversary.steps must be 1 to 1000; got 0"),
        ({"name": "pgd", "alpha": 2.0}, "adversary.alpha must be above 0 and at most 1"),
        ({"share": 0.0}, "adversary.share must be above 0 and at most 1; got 0.0"),
    ],
)
def test_an_adversary_that_cannot_be_is_refused(settings, said):
    with pytest.raises(TrainError) as caught:
        Adversary(**settings)
    assert said in str(caught.value)


def test_lengths_are_fractions_or_numbers():
    assert pixel_units("8/255", name="epsilon") == EPSILON
    assert pixel_units(0.5, name="epsilon") == 0.5
    for wrong in ("8/0", "eight", True, [8], "inf", "1/2/3"):
        with pytest.raises(TrainError, match="epsilon must be a number or a fraction such as"):
            pixel_units(wrong, name="epsilon")

"""Which images a step trains on: decided by the recipe's seed and the step alone."""

import itertools

import torch

from dqviz.defense.batches import ATTACK, AUGMENT, ORDER, Batches, seed_of
from tests.defense.test_training import images, recipe


def batch(step, **changes):
    return Batches(recipe(**changes), images(), torch.device("cpu")).at(step)


def test_a_step_is_the_same_whenever_it_is_asked_for():
    for step in (0, 4):
        left, right = batch(step), batch(step)
        assert torch.equal(left[0], right[0])
        assert torch.equal(left[1], right[1])


def test_another_seed_draws_another_order_and_other_crops_and_flips():
    """Seeds that differ above the 32 bits that torch reads would be one and the same."""
    plain = {"crop": 0, "flip": False}
    orders = {tuple(batch(0, seed=seed, **plain)[1].tolist()) for seed in range(4)}
    assert len(orders) == 4
    whole = {"batch_size": 96}  # every image, so that the sum tells crops and flips apart
    for changed in ({"flip": False}, {"crop": 0}):
        pixels = [batch(0, seed=seed, **whole, **changed)[0] for seed in range(4)]
        columns = torch.stack([x.sort(dim=0).values.mean((0, 1, 2)) for x in pixels])
        assert (columns[1:] - columns[0]).abs().max() > 1e-5


def test_what_torch_reads_of_a_seed_tells_all_apart():
    seeds = [
        seed_of(seed, purpose, place)
        for seed, purpose, place in itertools.product(
            range(1, 4), (ORDER, AUGMENT, ATTACK), range(1000)
        )
    ]
    assert len({seed % 2**32 for seed in seeds}) == len(seeds)


def test_seed_0_draws_what_it_did_when_the_first_networks_were_trained():
    for purpose in (ORDER, AUGMENT, ATTACK):
        then = torch.Generator().manual_seed(purpose * (1 << 32) + 7)
        now = torch.Generator().manual_seed(seed_of(0, purpose, 7))
        assert torch.equal(torch.rand(3, generator=then), torch.rand(3, generator=now))
    drawn = torch.randperm(96, generator=torch.Generator().manual_seed(0))
    _, labels = batch(0, crop=0, flip=False)
    assert torch.equal(labels, images().labels[drawn[:32]])

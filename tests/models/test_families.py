"""The smallest member of every registered family: traced, listed, folded, quantized, and run."""

import pytest
import torch
from torch import nn
from torchvision import models

from dqviz.models import Classifier, ModelError, UnsupportedOperation, build, catalog, vision
from dqviz.models.graph import fold_batchnorm, layers, trace
from dqviz.quantize import quantize_model
from dqviz.specs import QuantSpec

LAYERS = (nn.Conv2d, nn.Linear)
SIDES = {"inception": 96}
"""Smaller images than the family was made for; 64 pixels where nothing else is said."""

SHRINKING = {
    "alexnet",
    "convnext",
    "densenet",
    "googlenet",
    "inception",
    "squeezenet",
    "vgg",
    "vgg_bn",
}
"""The families that images of 8 pixels are too small for."""


def size_of(name):
    if name in models.list_models(module=models):
        return next(iter(models.get_model_weights(name))).meta["num_params"]
    with torch.device("meta"):
        network = catalog.make_network(name, 10)
    return sum(parameter.numel() for parameter in network.parameters())


def smallest_of_each_family():
    members = {}
    for name in catalog.architectures():
        family = catalog.find_architecture(name).family
        # with and without BatchNorm a VGG is not the same graph
        members.setdefault(family + ("_bn" if name.endswith("_bn") else ""), []).append(name)
    return {family: min(names, key=size_of) for family, names in members.items()}


SMALLEST = smallest_of_each_family()


@pytest.fixture
def quick_constructors(monkeypatch):
    """Leaves out the random numbers that constructors draw and `build` draws again."""
    for name in ("normal_", "uniform_", "trunc_normal_", "kaiming_uniform_", "xavier_uniform_"):
        monkeypatch.setattr(nn.init, name, lambda tensor, *_, **__: tensor)
    drawn = nn.init.kaiming_normal_

    def only_with_a_generator(tensor, *args, generator=None, **options):
        return tensor if generator is None else drawn(tensor, *args, generator=generator, **options)

    monkeypatch.setattr(nn.init, "kaiming_normal_", only_with_a_generator)


def settle(network, images):
    """Statistics of these very images: on others, random weights can make activations explode.

    For the same reason the comparison with the folded network is in double precision.
    """
    norms = [module for module in network.eval().modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None
        norm.train()
    network(images)
    return network.eval()


def check_small_images(family, network):
    """They are taken, or refused with one clear message, whether the network is traced or not."""
    if family not in SHRINKING:
        assert network(torch.zeros(1, 3, 8, 8)).shape == (1, 7)
        return
    with pytest.raises(ModelError, match=rf"{SMALLEST[family]} takes no images of 8x8 pixels"):
        network(torch.zeros(1, 3, 8, 8))
    with pytest.raises(ModelError, match="the network takes no images of 8x8 pixels"):
        layers(trace(network), (3, 8, 8))


def check_quantized(network, images):
    """With 4 bits the logits are finite, and not those of full precision."""
    full = network(images)
    bits = QuantSpec(weight_bits=4, act_bits=4)
    quantized = quantize_model(network, bits, calibration=images)(images)
    assert quantized.shape == full.shape
    assert torch.isfinite(quantized).all()
    assert not torch.allclose(quantized, full, rtol=1e-3, atol=1e-3 * float(full.abs().max()))


def test_the_families_of_the_readme_are_all_here():
    ours = {"cifar_resnet", "cifar_plain", "cifar_plain_nonorm", "wrn"}
    assert set(SMALLEST) == {*vision.FAMILIES, *ours, "vgg_bn"}


@pytest.mark.timeout(900)  # double precision takes a minute, and several on a busy machine
@pytest.mark.parametrize("family", SMALLEST)
@pytest.mark.usefixtures("quick_constructors")
def test_smallest_member(family):
    arch = SMALLEST[family]
    side = 32 if catalog.image_size(arch) == 32 else SIDES.get(family, 64)
    generator = torch.Generator().manual_seed(0)
    network = Classifier(
        build(arch, 7, seed=1), mean=(0.5, 0.4, 0.3), std=(0.2, 0.25, 0.3), arch=arch
    ).requires_grad_(False)
    has_norms = any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    listed = layers(trace(network), (3, side, side))
    every = [name for name, module in network.named_modules() if isinstance(module, LAYERS)]
    assert sorted(info.name for info in listed) == sorted(every)
    assert [info.depth for info in listed] == list(range(len(every)))
    assert listed[0].input_shape == (3, side, side)

    check_small_images(family, network.eval())
    kind = torch.float64 if has_norms else torch.float32
    images = torch.rand(2, 3, side, side, generator=generator, dtype=kind)
    expected = settle(network.to(kind), images)(images)
    assert expected.shape == (2, 7)
    assert torch.isfinite(expected).all()
    assert expected.std() > 0

    if has_norms:
        folded = fold_batchnorm(network)
        torch.testing.assert_close(folded(images), expected, rtol=1e-8, atol=1e-8)
        left = sum(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
        foldable = sum(info.norm_after is not None for info in listed)
        total = sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())
        assert left == total - foldable
    check_quantized(network.float(), images.float())


def test_every_classifier_of_torchvision_is_in_a_family_or_left_out():
    assert {vision.refused_operation(name) is None for name in vision.FAMILIES} == {True}
    for name in models.list_models(module=models):
        known = vision.family_of(name) is not None
        refused = vision.refused_operation(name) is not None
        assert not (known and refused), name
        assert known == (name in catalog.architectures())


@pytest.mark.parametrize(
    ("name", "operation"),
    [
        ("vit_b_16", "MultiheadAttention"),
        ("swin_t", "ShiftedWindowAttention"),
        ("swin_v2_t", "ShiftedWindowAttentionV2"),
        ("maxvit_t", "RelativePositionalMultiHeadAttention"),
    ],
)
def test_attention_is_refused_by_name_and_the_operation_is_the_real_one(name, operation):
    with pytest.raises(UnsupportedOperation, match=rf"{name}.* {operation} "):
        build(name, 10)
    with torch.device("meta"):
        network = models.get_model(name, weights=None)
    assert operation in {type(module).__name__ for module in network.modules()}


def small_transformer():
    return models.VisionTransformer(
        image_size=32, patch_size=16, num_layers=1, num_heads=2, hidden_dim=8, mlp_dim=8
    )


def small_swin():
    return models.SwinTransformer([4, 4], 8, [2], [2], [4, 4], num_classes=5)


@pytest.mark.parametrize("make", [small_transformer, small_swin])
def test_attention_is_refused_in_a_graph_too(make):
    network = Classifier(make(), mean=(0, 0, 0), std=(1, 1, 1))
    with pytest.raises(UnsupportedOperation):
        trace(network)


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_networks_with_auxiliary_heads_return_logits_in_training_too(name):
    side = 96
    network = build(name, 5, seed=0).train()
    out = network(torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0)))
    assert isinstance(out, torch.Tensor)
    assert out.shape == (2, 5)


def test_published_names_are_adapted():
    zero = torch.zeros(())
    state = {
        "features.denseblock1.denselayer12.norm.1.weight": zero,
        "features.denseblock1.denselayer12.conv.2.weight": zero,
        "features.norm0.weight": zero,
        "AuxLogits.fc.weight": zero,
        "aux1.conv.bias": zero,
    }
    assert list(vision.adapt_names(state)) == [
        "features.denseblock1.denselayer12.norm1.weight",
        "features.denseblock1.denselayer12.conv2.weight",
        "features.norm0.weight",
    ]


def test_a_network_of_another_library_is_no_architecture():
    with pytest.raises(ModelError, match="no architecture is named 'fasterrcnn_resnet50_fpn'"):
        build("fasterrcnn_resnet50_fpn", 10)

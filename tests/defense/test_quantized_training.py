"""Quantization-aware training: what is trained is what is measured afterwards."""

import pytest
import torch
from torch.nn import functional as F

from dqviz.cards import read_card
from dqviz.defense import TrainError, ship, train, train_network
from dqviz.defense.adversary import Adversary
from dqviz.defense.keep import keep
from dqviz.defense.quantized import TrainQuant
from dqviz.defense.quantized_layers import (
    QuantizedLayer,
    put_quantizers,
    steps_of,
    take_quantizers,
)
from dqviz.models import build, resolve_model
from dqviz.models.normalize import Classifier
from dqviz.quantize import (
    collect_histograms,
    from_json,
    quantize_model,
    quantize_weight,
    quantized_layers,
)
from dqviz.specs import DefenseSpec, ModelSpec, SpecError
from tests.defense.test_training import Killed, hurried, images, recipe, same, stop_at

__all__ = ["hurried"]

KINDS = {
    "learned": TrainQuant(act_bits=2, weight_bits=4),
    "frozen": TrainQuant(act_bits=3, weight_bits=32, ranges="frozen"),
    "dorefa": TrainQuant(act_bits=1, weight_bits=2, kind="dorefa"),
}


def network():
    model = Classifier(build("plain20", 2, seed=0), mean=(0.5,) * 3, std=(0.25,) * 3)
    model(torch.rand(16, 3, 32, 32, generator=torch.Generator().manual_seed(7)))
    return model.eval()


@pytest.mark.parametrize("kind", KINDS)
def test_the_network_trained_is_the_network_measured(kind):
    model, data, quant = network(), images(8), KINDS[kind]
    put_quantizers(model, quant, data.images)
    with torch.no_grad():
        for step in steps_of(model):
            step.mul_(1.1)  # as if it had learned
        trained = model(data.images)
    ranges = take_quantizers(model)
    for fold in (False, True):
        spec = quant.spec
        spec = type(spec)(**{**spec.__dict__, "fold_batchnorm": fold})
        measured = quantize_model(model, spec, calibration=ranges)
        found = measured(data.images)
        if fold:  # folding rounds otherwise, and a number at the edge of two codes may change sides
            assert ((found - trained).abs() < 1e-3).float().mean() > 0.5
        else:
            torch.testing.assert_close(found, trained, rtol=1e-5, atol=1e-5)
    plain = model(data.images)
    assert (plain - trained).abs().max() > 1e-3, "quantizing these changes something"


@pytest.mark.parametrize("kind", KINDS)
def test_every_layer_sees_its_bits(kind):
    model, data, quant = network(), images(8), KINDS[kind]
    put_quantizers(model, quant, data.images)
    layers = [module for module in model.modules() if isinstance(module, QuantizedLayer)]
    assert len(layers) == 20
    seen = {}
    for place, layer in enumerate(layers):
        layer.layer.register_forward_pre_hook(
            lambda _, inputs, place=place: seen.setdefault(place, inputs[0].detach())
        )
    model(data.images)
    for place, layer in enumerate(layers):
        outer = place in (0, 19)
        assert seen[place].unique().numel() <= 2 ** (8 if outer else quant.act_bits)
        weights = layer.rounded()[0]
        bits = quant.weight_bits if not outer or quant.weight_bits == 32 else 8
        full = weights.unique().numel() == layer.layer.weight[0].unique().numel()
        assert weights.unique().numel() <= 2**bits if bits < 32 else full


def test_gradients_pass_the_weights_rounding_straight_through():
    linear = torch.nn.Linear(6, 3)
    x = torch.rand(5, 6, generator=torch.Generator().manual_seed(0))
    layer = QuantizedLayer(linear, quantizer=torch.nn.Identity(), kind="affine", bits=3)
    layer(x).square().sum().backward()
    rounded = quantize_weight(linear.weight.detach(), 3).requires_grad_()
    F.linear(x, rounded, linear.bias).square().sum().backward()
    torch.testing.assert_close(linear.weight.grad, rounded.grad)


def test_learned_steps_move_and_frozen_ranges_stay(tmp_path):
    for kind, moves in (("learned", True), ("frozen", False)):
        wanted = recipe(quant=KINDS[kind], epochs=1)
        trained = train_network(wanted, tmp_path / kind, data=images())
        start = network_ranges(KINDS[kind])
        changed = [abs(trained.ranges[n].high / start[n].high - 1) > 1e-3 for n in start]
        assert any(changed) == moves
        assert not changed[0], "the image has both signs: its range is never learned"


def network_ranges(quant):
    model = Classifier(build("plain20", 2, seed=0), mean=(0.5,) * 3, std=(0.25,) * 3)
    drawn = torch.randperm(96, generator=torch.Generator().manual_seed(0))
    bytes_of = (images().images[drawn] * 255).round().to(torch.uint8)
    put_quantizers(model, quant, bytes_of.float() / 255)
    return take_quantizers(model)


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("kind", ["learned", "dorefa"])
def test_a_killed_training_goes_on_to_the_very_same_network(tmp_path, kind):
    wanted = recipe(
        quant=KINDS[kind],
        adversary=Adversary(share=0.25),
        defense=DefenseSpec(arm="operator", beta=0.1),
    )
    undisturbed = train_network(wanted, tmp_path / "a", data=images())
    with pytest.raises(Killed):
        train_network(wanted, tmp_path / "b", data=images(), report=stop_at(4))
    resumed = train_network(wanted, tmp_path / "b", data=images())
    assert same(undisturbed.model, resumed.model)
    assert undisturbed.ranges == resumed.ranges


@pytest.mark.parametrize(("kind", "stored"), [("learned", "int8"), ("dorefa", "float16")])
def test_its_card_brings_the_quantizers_along_and_counts_with_them(
    tmp_path, monkeypatch, kind, stored
):
    monkeypatch.setattr(ship, "load_data", lambda _, progress: images())
    quant = KINDS[kind]
    path = train(recipe(quant=quant, epochs=1, stored=stored), tmp_path)
    assert path.stat().st_size < {"int8": 320_000, "float16": 590_000}[stored]
    card = read_card(path.with_suffix(".json"))
    assert path.with_suffix(".json").stat().st_size < 8000
    assert card.recipe["quant"]["act_bits"] == quant.act_bits
    assert card.statement.startswith(f"no penalty, trained with {quant.act_bits}-bit activations")
    loaded = resolve_model(ModelSpec(id="mine", checkpoint=str(path)))
    measured = quantize_model(loaded, quant.spec, calibration=from_json(card.calibration))
    for name, layer in quantized_layers(measured):
        own = card.calibration[name]
        assert layer.input_quantizer.high.item() == pytest.approx(own["high"], rel=1e-6)
    correct = (measured(images().images).argmax(1) == images().labels).float().mean().item()
    assert correct == pytest.approx(card.accuracy["value"])


def test_one_bit_or_dorefa_at_an_input_of_both_signs_is_refused():
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3),
        torch.nn.Conv2d(4, 4, 3),
        torch.nn.Flatten(),
        torch.nn.Linear(64, 2),
    )
    pixels = torch.rand(4, 3, 8, 8)
    for quant, said in (
        (TrainQuant(act_bits=1), "layer '1' has both signs, of which 1 bit loses one"),
        (TrainQuant(act_bits=4, kind="dorefa"), "DoReFa's range from 0 to 1 loses one"),
    ):
        with pytest.raises(TrainError, match=said):
            put_quantizers(model, quant, pixels)
    put_quantizers(model, TrainQuant(act_bits=2), pixels)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"act_bits": 0}, "quant.act_bits must be 1 to 8; got 0"),
        ({"act_bits": 32}, "quant.act_bits must be 1 to 8; got 32"),
        ({"weight_bits": 1}, "quant.weight_bits must be 2 to 8, or 32 for full precision; got 1"),
        ({"first_bits": 32}, "quant.first_bits must be 2 to 8; got 32"),
        ({"kind": "ternary"}, "quant.kind must be one of affine, dorefa; got 'ternary'"),
        ({"ranges": "guessed"}, "quant.ranges must be one of learned, frozen; got 'guessed'"),
    ],
)
def test_quantizers_that_cannot_be_are_refused(settings, said):
    with pytest.raises((TrainError, SpecError)) as caught:
        TrainQuant(**settings)
    assert said in str(caught.value)


def test_ranges_start_where_the_squared_error_is_least():
    model, data = network(), images(8)
    spreads = collect_histograms(model, data.images)
    put_quantizers(model, TrainQuant(act_bits=2), data.images)
    ranges = take_quantizers(model)
    inner = "net.layer2.1.conv1"
    x = torch.linspace(0, spreads[inner].high, 2000)
    assert 0 < ranges[inner].high < 0.95 * x.max()


def test_a_file_of_codes_holds_the_very_weights_that_were_trained(tmp_path):
    quant = KINDS["learned"]
    trained = train_network(recipe(quant=quant, epochs=1), tmp_path, data=images(32))
    before = quantize_model(trained.model, quant.spec, calibration=trained.ranges)
    state = keep(trained, recipe(quant=quant, stored="int8"))
    assert state["layer1.0.conv1.weight"].dtype == torch.int8
    assert state["layer1.0.conv1.weight"].abs().max() == 7  # 4 bits
    assert state["conv1.weight"].abs().max() == 127
    after = quantize_model(trained.model, quant.spec, calibration=trained.ranges)
    pairs = zip(quantized_layers(before), quantized_layers(after), strict=True)
    for (_, left), (_, right) in pairs:  # BatchNorm's numbers are half precision now
        torch.testing.assert_close(left.weight, right.weight, rtol=2e-3, atol=1e-5)

"""Grids as files: what each setting may be, and one clear line for whatever is wrong."""

import pytest

from dqviz.specs import Axis, Craft, DataSpec, Exclusion, ModelSpec, QuantSpec
from dqviz.studies import GridError, grid_file, parse_grid, read_grid

MODEL = "model = 'streetdigits/resnet20/vanilla'\n"
EXAMPLE = grid_file.__doc__.partition("\n\n")[2]


def only_cell(text):
    (cell,) = parse_grid(MODEL + text).cells()
    return cell


def refusal(text):
    """The message that a text is refused with: one line."""
    with pytest.raises(GridError) as caught:
        parse_grid(text)
    message = str(caught.value)
    assert message.isprintable()
    return message


def test_the_example_is_a_grid():
    sweep = parse_grid(EXAMPLE)
    networks = ("streetdigits/resnet20/vanilla", "streetdigits/resnet20/dq")
    assert sweep.axes == (
        Axis(path="model", values=tuple(ModelSpec(id=name) for name in networks)),
        Axis(path="seed", values=(0, 1, 2)),
        Axis(path="quant.act_bits", values=(32, 8, 4)),
        Axis(path="attack.name", values=("fgsm", "pgd")),
        Axis(path="attack.epsilon", values=(1 / 255, 2 / 255)),
    )
    excluded = (
        Axis(path="quant.act_bits", values=(32,)),
        Axis(path="attack.name", values=("pgd",)),
    )
    assert sweep.exclude == (Exclusion(axes=excluded),)
    assert sweep.product == 72
    cells = list(sweep.cells())
    assert len(cells) == 60
    assert {cell.quant.weight_bits for cell in cells} == {8}
    assert {cell.data.n_samples for cell in cells} == {256}
    assert {cell.kind for cell in cells} == {"accuracy"}


def test_a_network_alone_is_a_grid_of_one_cell():
    cell = only_cell("")
    assert cell.model == ModelSpec()
    assert cell.kind == "accuracy"


def test_a_checkpoint_is_a_table():
    sweep = parse_grid(
        """
        [[model]]
        checkpoint = "runs/best.safetensors"
        arch = "wrn_10_1"
        classes = 4
        mean = [0.5, 0.5, 1]
        std = [0.25, 0.25, 0.25]

        [[model]]
        id = "streetdigits/resnet20/dq"

        [[model]]
        checkpoint = "runs/other.pt"
        id = "my own"
        """
    )
    own = ModelSpec(
        id="checkpoint/wrn_10_1/best",
        checkpoint="runs/best.safetensors",
        arch="wrn_10_1",
        classes=4,
        mean=(0.5, 0.5, 1),
        std=(0.25, 0.25, 0.25),
    )
    named = ModelSpec(id="my own", checkpoint="runs/other.pt")
    assert [cell.model for cell in sweep.cells()] == [
        own,
        ModelSpec(id="streetdigits/resnet20/dq"),
        named,
    ]


def test_a_victim_is_itself_or_a_table():
    sweep = parse_grid(
        MODEL
        + """
        crafted_on = ["itself", {model = "a/b/c", act_bits = 4},
            {model = {checkpoint = "x.pt"}, weight_bits = 8}]
        [[exclude]]
        crafted_on = "itself"
        """
    )
    checkpoint = ModelSpec(id="checkpoint/network/x", checkpoint="x.pt")
    assert [cell.crafted_on for cell in sweep.cells()] == [
        Craft(model=ModelSpec(id="a/b/c"), quant=QuantSpec(act_bits=4)),
        Craft(model=checkpoint, quant=QuantSpec(weight_bits=8)),
    ]
    assert only_cell("crafted_on = 'itself'").crafted_on is None


def test_calibration_is_a_table_of_images():
    cell = only_cell("[calibration]\nsplit = 'train'\nn_samples = 64\nimage_size = 32")
    assert cell.calibration == DataSpec(split="train", n_samples=64, image_size=32)
    assert cell.data == DataSpec()


@pytest.mark.parametrize(
    ("written", "number"),
    [("'1/255'", 1 / 255), ("' 8 / 255 '", 8 / 255), ("0.5", 0.5), ("1", 1.0), ("'1e-3'", 0.001)],
)
def test_epsilon_and_alpha_may_be_fractions(written, number):
    cell = only_cell(f"attack.alpha = {written}\nattack.epsilon = {written}")
    assert cell.attack.epsilons == (number,)
    assert cell.attack.alpha == number


def test_one_epsilon_goes_with_the_norms_of_an_axis():
    text = "[attack]\nepsilon = 2\nnorm = ['l2', 'linf']"
    assert only_cell(f"{text}\n[[exclude]]\nattack.norm = 'linf'").attack.norm == "l2"
    assert "attack.norm 'linf': an L-infinity epsilon above 1" in refusal(MODEL + text)


def test_what_the_file_does_not_know_is_left_to_who_computes():
    text = "model = 'no/such/network'\ndata.name = 'nowhere'"
    assert parse_grid(text).base.data.name == "nowhere"


def test_an_exclusion_must_leave_something():
    text = f"{MODEL}seed = [0, 1]\n[[exclude]]\nseed = [0, 1]"
    assert refusal(text) == "exclude leaves no cell of the grid"


def test_a_grid_larger_than_anybody_waits_for_is_read_at_once():
    axes = "".join(f"{name} = {list(range(1, 1000))}\n" for name in ("seed", "batch_size"))
    sweep = parse_grid(f"{MODEL}{axes}attack.steps = {list(range(1, 1000))}")
    assert sweep.product == 999**3
    assert next(sweep.cells()).batch_size == 1


WRONG = {
    "size = 3": "unknown setting 'size'; known are attack.alpha, attack.epsilon, ",
    "[quantize]\nbits = 3": "unknown setting 'quantize'",
    "sample = 3": "unknown setting 'sample'",
    "quant.bits = 3": "unknown setting 'quant.bits'",
    "data.fingerprint = 'x'": "unknown setting 'data.fingerprint'",
    "attack.epsilons = [0.1]": "unknown setting 'attack.epsilons': write epsilon",
    "'quant.act_bits' = 4": "unknown setting '\"quant.act_bits\"'",
    "calibration.bits = 3": "unknown setting 'calibration.bits'; known are name, split,",
    "crafted_on = {model = 'a/b/c', bits = 3}": "unknown setting 'crafted_on.bits'",
    "crafted_on = {model = {name = 'x'}}": "unknown setting 'crafted_on.model.name'",
    "[[exclude]]\nbits = 3": "unknown setting 'bits'",
    "[[exclude]]\nattack.bits = 3": "unknown setting 'attack.bits'",
    "[[exclude]]\ncalibration.seed = 3": "unknown setting 'calibration'",
    '"a\\nb\\u001b" = 3': r"unknown setting 'a\nb\x1b'",
    "seed = []": "seed has no values",
    "crafted_on = []": "crafted_on has no values",
    "[[exclude]]\nseed = []": "seed has no values",
    "[[exclude]]": "an exclusion names at least one axis",
    "exclude = 3": "exclude must be a list of tables, each written [[exclude]]",
    "[exclude]\nseed = 3": "exclude must be a list of tables, each written [[exclude]]",
    "exclude = [3]": "exclude must be a list of tables, each written [[exclude]]",
    "[[exclude]]\nseed = 3": "an exclusion names seed, which is no axis of this grid",
    "kind = 'playground'": "kind in a grid must be one of amplification, lipschitz, accuracy; got",
    "kind = 3": "kind in a grid must be one of",
    "seed = [0, 0]": "seed has the value 0 twice",
    "seed = 1\ndata.seed = 2": "seed sets data.seed too: keep one of them",
    "seed = [1]\nattack.seed = 2": "seed sets attack.seed too: keep one of them",
    f"batch_size = 1{'0' * 400}": "'batch_size' has a whole number of more than 64 bits",
    f"attack.epsilon = ['1/255', 1{'0' * 400}]": "'attack.epsilon' has a whole number of more",
    f"model.mean = [0x{'f' * 6000}]": "'model.mean' has a whole number of more than 64 bits",
    f"seed = {'9' * 5000}": "it has a number of thousands of digits",
    "attack.epsilon = inf": "'attack.epsilon' must be a finite number; got inf",
    "attack.epsilon = [0.1, nan]": "'attack.epsilon' must be a finite number; got nan",
    "quant.percentile = -inf": "'quant.percentile' must be a finite number; got -inf",
    "attack.epsilon = '1e999'": "attack.epsilon must be a number, or a fraction such as '1/255'",
    "attack.epsilon = '1/0'": "attack.epsilon must be a number, or a fraction",
    "attack.epsilon = '1/'": "attack.epsilon must be a number, or a fraction",
    "attack.epsilon = '1/2/3'": "attack.epsilon must be a number, or a fraction",
    "attack.epsilon = [8]": "attack.epsilon 8.0: an L-infinity epsilon above 1 exceeds the pixel",
    "attack.alpha = -1": "attack.alpha must be positive",
    "seed = 2026-01-01": "seed must be a text or a number; got datetime.date(2026, 1, 1)",
    "crafted_on = 2026-01-01": "crafted_on must be 'itself' or a table with a model",
    "attack.epsilon = 07:30:00": "attack.epsilon must be a number, or a fraction",
    "seed = [[0]]": "seed must be a text or a number; got [0]",
    "attack.epsilon = [['1/255']]": "attack.epsilon must be a number, or a fraction",
    "crafted_on = [['itself']]": "crafted_on must be 'itself' or a table with a model",
    "batch_size = true": "batch_size must be a whole number; got True",
    "quant.act_bits = [4, true]": "quant.act_bits must be a whole number; got True",
    "quant.act_bits = 9": "quant.act_bits must be 1 to 8, or 32 for full precision; got 9",
    "attack.epsilon = true": "attack.epsilon must be a number, or a fraction",
    "controls = [true, 1]": "controls must be True or False; got 1",
    "data.n_samples = 8.0": "data.n_samples must be a whole number or None; got 8.0",
    "attack.name = 'magic'": "square, standard; got 'magic'",
    "data.name = {path = 'x'}": "data.name must be a text or a number; got {'path': 'x'}",
    "kind.name = 'x'": "kind must be a text or a number; got {'name': 'x'}",
    "data = 'streetdigits'": "data must be a table, written [data]; got 'streetdigits'",
    "[[quant]]\nact_bits = 4": "quant must be a table, written [quant]; got [{'act_bits': 4}]",
    "calibration = 'train'": "calibration must be a table; got 'train'",
    "calibration.split = 'dev'": "calibration: split must be one of train, test; got 'dev'",
    "crafted_on = {model = 'a/b/c', act_bits = '4'}": "crafted_on: act_bits must be a whole",
    "crafted_on = {model = 'a'}": "crafted_on.model: a network's id has three parts",
    "crafted_on = {act_bits = 4}": "crafted_on must be 'itself' or a table with a model",
    "seed = 1 2": "this is not TOML: ",
    "seed = 1\nseed = 2": "this is not TOML: ",
}


@pytest.mark.parametrize(("text", "message"), WRONG.items(), ids=[text[:40] for text in WRONG])
def test_what_is_wrong_is_named(text, message):
    model = "" if text.startswith("model") else MODEL
    assert message in refusal(model + text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "model is missing: name a network, such as model = '"),
        ("# nothing", "model is missing"),
        ("kind = 'lipschitz'", "model is missing"),
        ("model = []", "model has no values"),
        ("model = 3", "model must be a network's id, such as 'streetdigits/"),
        ("model = [['a/b/c']]", "model must be a network's id, such as 'streetdigits/"),
        ("model = 2026-01-01", "model must be a network's id, such as 'streetdigits/"),
        ("model = 'resnet20'", "model: a network's id has three parts"),
        ("model = ['a/b/c', 'a/b/c']", "model has the value a/b/c twice"),
        ("model.weights = 'x'", "unknown setting 'model.weights'; known are id, checkpoint"),
        ("model.checkpoint = 3", "model: checkpoint must be a text or None; got 3"),
        ("model = {checkpoint = 'x', mean = [[1]]}", "model: mean must be a tuple of finite"),
    ],
)
def test_a_grid_names_networks(text, message):
    assert message in refusal(text)


@pytest.mark.parametrize(
    "text",
    [
        f"model = {'[' * 100_000}",
        f"model = {'[' * 100}{']' * 100}",
        f"{MODEL}quant.{'.'.join('a' * 1000)} = 1",
        f"[quant.{'.'.join('a' * 1000)}]",
    ],
    ids=["endless", "lists", "names", "tables"],
)
def test_what_is_nested_deeply_is_refused(text):
    assert refusal(text).endswith("nested too deeply")


def test_a_message_is_short_whatever_the_file_holds():
    assert len(refusal(f"{MODEL}kind = '{'x' * 10_000}'")) < 1100
    assert len(refusal(f"{MODEL}data = {list(range(10_000))}")) < 1100


def test_a_file_says_what_a_text_says(tmp_path):
    path = tmp_path / "grid.toml"
    path.write_bytes(b"\xef\xbb\xbf" + EXAMPLE.replace("\n", "\r\n").encode())
    assert read_grid(path) == read_grid(str(path)) == parse_grid(EXAMPLE)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x89PNG\r\n\x1a\n\x00", "it is no text in UTF-8: 'utf-8' codec can't decode"),
        (MODEL.encode("utf-16"), "it is no text in UTF-8"),
        ("# Größe".encode("latin-1"), "it is no text in UTF-8"),
        (b"\x00\x01\x02", "this is not TOML"),
        (b"#" * (grid_file.MAX_BYTES + 1), "it has more than 1,048,576 bytes"),
        (b"", "model is missing"),
    ],
)
def test_what_is_no_grid_is_refused_with_its_name(content, message, tmp_path):
    path = tmp_path / "grid.toml"
    path.write_bytes(content)
    with pytest.raises(GridError) as caught:
        read_grid(path)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_what_cannot_be_read_is_refused(tmp_path):
    for path, message in [
        (tmp_path / "none.toml", "there is no such file"),
        (tmp_path, "it cannot be read: it is a folder"),
        ("\0.toml", "it cannot be read: embedded null"),
    ]:
        with pytest.raises(GridError, match=message):
            read_grid(path)

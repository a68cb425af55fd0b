"""Published weights: from a folder, from a server of our own, without a network, damaged."""

import contextlib
import functools
import hashlib
import http.server
import threading

import pytest
import torch
from torchvision import models

from dqviz.models import ModelError, list_models, load_model, model_info, published
from dqviz.models.aliases import canonical_id
from dqviz.models.operations import UnsupportedOperation
from dqviz.specs import ModelSpec

NAME = "imagenet/squeezenet1_1/IMAGENET1K_V1"


@pytest.fixture
def data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("DQVIZ_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "data"


def random_network(name, **options):
    with torch.random.fork_rng(devices=[]):
        return models.get_model(name, weights=None, **options).eval()


def publish(state, folder, monkeypatch, *, arch="squeezenet1_1", url="https://example.invalid/"):
    """Saves a state dict as torchvision publishes one: its hash in its name, its URL known."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(state, folder / "part")
    digest = hashlib.sha256((folder / "part").read_bytes()).hexdigest()
    file = (folder / "part").rename(folder / f"{arch}-{digest[:8]}.pth")
    entry = models.get_model_weights(arch)["IMAGENET1K_V1"].value
    monkeypatch.setattr(entry, "url", url + file.name)
    return file


@contextlib.contextmanager
def serving(folder):
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def images(side=64):
    return torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0))


def normalised(x):
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (x - mean[:, None, None]) / std[:, None, None]


def test_a_file_put_into_the_folder_is_loaded_with_its_normalisation(data_folder, monkeypatch):
    network = random_network("squeezenet1_1")
    publish(network.state_dict(), data_folder / "checkpoints", monkeypatch)
    loaded = load_model(NAME)
    assert not loaded.training
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    with torch.no_grad():
        torch.testing.assert_close(loaded(images()), network(normalised(images())))


def test_a_file_in_torchvisions_own_cache_is_used(data_folder, tmp_path, monkeypatch):
    network = random_network("squeezenet1_1")
    publish(network.state_dict(), tmp_path / "torch" / "hub" / "checkpoints", monkeypatch)
    load_model(NAME)
    assert not data_folder.exists()


def test_weights_are_downloaded_once(data_folder, tmp_path, monkeypatch, capsys):
    network = random_network("squeezenet1_1")
    with serving(tmp_path / "server") as url:
        file = publish(network.state_dict(), tmp_path / "server", monkeypatch, url=url)
        loaded = load_model(NAME)
    assert capsys.readouterr().out == ""
    kept = data_folder / "checkpoints" / file.name
    assert kept.read_bytes() == file.read_bytes()
    again = load_model(NAME)
    with torch.no_grad():
        assert torch.equal(loaded(images()), again(images()))


def test_a_download_that_does_not_match_its_hash_is_refused(data_folder, tmp_path, monkeypatch):
    with serving(tmp_path / "server") as url:
        file = publish({}, tmp_path / "server", monkeypatch, url=url)
        file.write_bytes(file.read_bytes() + b"x")
        with pytest.raises(ModelError, match=r"could not be downloaded \(invalid hash value"):
            load_model(NAME)
    assert list((data_folder / "checkpoints").iterdir()) == []


def test_a_server_without_the_file_is_said(data_folder, tmp_path, monkeypatch):
    with serving(tmp_path) as url:
        publish({}, tmp_path / "elsewhere", monkeypatch, url=url).unlink()
        with pytest.raises(ModelError, match=r"could not be downloaded \(.*[Nn]ot [Ff]ound"):
            load_model(NAME)


def test_without_a_network_the_message_says_which_file_to_put_where(data_folder, monkeypatch):
    with serving(".") as url:
        pass  # the port is closed again
    entry = models.get_model_weights("squeezenet1_1")["IMAGENET1K_V1"].value
    monkeypatch.setattr(entry, "url", f"{url}squeezenet1_1-12345678.pth")
    with pytest.raises(ModelError) as caught:
        load_model(NAME)
    assert f"put squeezenet1_1-12345678.pth into {data_folder / 'checkpoints'}" in str(caught.value)
    assert f"{url}squeezenet1_1-12345678.pth" in str(caught.value)


def test_a_file_put_there_is_compared_with_the_hash_in_its_name(data_folder, monkeypatch):
    file = publish({}, data_folder / "checkpoints", monkeypatch)
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(ModelError, match=r"is damaged .* expected [0-9a-f]{8}; delete it"):
        load_model(NAME)


def test_a_published_file_with_code_is_refused(data_folder, tmp_path, monkeypatch):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "made"), "w"))

    publish({"x": Evil()}, data_folder / "checkpoints", monkeypatch)
    with pytest.raises(ModelError, match="holds code"):
        load_model(NAME)
    assert not (tmp_path / "made").exists()


def test_googlenets_own_normalisation_is_moved_to_the_front(data_folder, monkeypatch):
    network = random_network("googlenet", transform_input=True, aux_logits=True, init_weights=False)
    publish(network.state_dict(), data_folder / "checkpoints", monkeypatch, arch="googlenet")
    loaded = load_model("imagenet/googlenet/IMAGENET1K_V1")
    assert loaded.normalize.mean.flatten().tolist() == [0.5, 0.5, 0.5]
    with torch.no_grad():
        expected = network(normalised(images()))
        torch.testing.assert_close(loaded(images()), expected, rtol=1e-4, atol=1e-4)


def test_inception_has_the_same_transform_inside():
    network = random_network("inception_v3", transform_input=True, init_weights=False)
    inside = network._transform_input(normalised(images(8)))
    torch.testing.assert_close(inside, (images(8) - 0.5) / 0.5, rtol=1e-5, atol=1e-5)
    weights = models.get_model_weights("inception_v3")["IMAGENET1K_V1"]
    assert published.normalisation("inception_v3", weights) == ((0.5,) * 3, (0.5,) * 3)


@pytest.mark.parametrize(
    ("id", "said"),
    [
        ("imagenet/resnet50/V3", "there are: IMAGENET1K_V1, IMAGENET1K_V2"),
        ("imagenet/resnet18/default", "there are: IMAGENET1K_V1"),
        ("imagenet/resnet20/DEFAULT", "none are, for this architecture"),
        ("imagenet/vgg16/IMAGENET1K_FEATURES", "there are: IMAGENET1K_V1"),
        ("imagenet/resnet20/IMAGENET1K_V1", "none are, for this architecture"),
        ("imagenet/resnt18/IMAGENET1K_V1", "close to it: resnet18"),
        ("imagenet/wrn_16_2/IMAGENET1K_V1", "none are"),
    ],
)
def test_weights_that_do_not_exist(id, said):
    with pytest.raises(ModelError, match=said):
        load_model(id)


def test_the_alias_stands_for_what_torchvision_says():
    listed = {info.arch for info in list_models() if not info.shipped}
    assert len(listed) > 60
    for arch in listed:
        canonical = models.get_model_weights(arch)["DEFAULT"].name
        assert canonical_id(f"imagenet/{arch}/DEFAULT") == f"imagenet/{arch}/{canonical}"
        assert model_info(ModelSpec(id=f"imagenet/{arch}/DEFAULT")).id.endswith(canonical)
    for other in (NAME, "imagenet/resnet50/IMAGENET1K_V1", "cifar10/resnet20/DEFAULT"):
        assert canonical_id(other) == other


def test_the_alias_loads_the_same_network(data_folder, monkeypatch):
    network = random_network("squeezenet1_1")
    publish(network.state_dict(), data_folder / "checkpoints", monkeypatch)
    loaded = load_model("imagenet/squeezenet1_1/DEFAULT")
    with torch.no_grad():
        torch.testing.assert_close(loaded(images()), network(normalised(images())))


def test_a_published_transformer_is_refused_before_any_download():
    with pytest.raises(UnsupportedOperation, match="MultiheadAttention"):
        load_model("imagenet/vit_b_16/IMAGENET1K_V1")


def test_what_is_listed_of_published_networks():
    listed = {info.id: info for info in list_models() if info.dataset == "imagenet"}
    assert len(listed) > 80
    info = listed["imagenet/resnet18/IMAGENET1K_V1"]
    assert (info.arch, info.image_size, info.shipped) == ("resnet18", 224, False)
    assert len(info.classes) == 1000
    assert info.classes[0] == "tench"
    assert listed["imagenet/efficientnet_b1/IMAGENET1K_V2"].image_size == 240
    assert "imagenet/vgg16/IMAGENET1K_FEATURES" not in listed
    assert not any("vit" in id for id in listed)


@pytest.mark.parametrize("info", [i for i in list_models() if not i.shipped], ids=lambda i: i.id)
def test_every_published_file_says_its_hash_and_its_normalisation(info):
    _, arch, name = info.id.split("/")
    weights = published.find_weights(arch, name)
    assert published._HASH.search(weights.url.rpartition("/")[2])
    mean, std = published.normalisation(arch, weights)
    assert len(mean) == len(std) == 3
    assert min(std) > 0

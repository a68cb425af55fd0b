"""A network, its checkpoint, and what has to be said of it."""

import torch

from dqviz.models import build

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
GIVEN = {"arch": "resnet20", "classes": 10, "mean": MEAN, "std": STD}
NETWORK = build("resnet20", 10, seed=7).eval()
STATE = NETWORK.state_dict()
IMAGES = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def save(folder, document, name="net.pth", **options):
    torch.save(document, folder / name, **options)
    return folder / name


def logits(network):
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert next(iter(dict(network.named_children()))) == "normalize"
    with torch.no_grad():
        return network(IMAGES)

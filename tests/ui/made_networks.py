"""A network as a training leaves it."""

import dataclasses

from dqviz.cards import file_stem, load_card, weights_folder, write_card


def network_in(folder, *, ending=""):
    """A shipped network and its card, as a training leaves them."""
    card = load_card("streetdigits/resnet20/vanilla")
    id = f"streetdigits/resnet20/lab-folded-abc{ending}"
    weights = folder / f"{file_stem(id)}.safetensors"
    weights.write_bytes(weights_folder().joinpath(card.file).read_bytes())
    name = id.rpartition("/")[2]
    made = dataclasses.replace(card, id=id, weights=name, file=weights.name)
    write_card(made, weights.with_suffix(".json"))
    return id

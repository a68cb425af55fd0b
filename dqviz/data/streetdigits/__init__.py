"""House numbers rendered on the fly: 32x32 colour images of ten digits, after SVHN.

The image's label is the digit in its centre. Everything follows from `DATA_VERSION`, the split and
the image's row; nothing here imports torch.
"""

DATA_VERSION = 1
"""Raised whenever an image of any split would come out otherwise than before."""

IMAGES = {"train": 30_000, "test": 5_000}
"""The number of images by split."""

SIZE = 32
"""Side of an image in pixels."""

CLASSES = tuple("0123456789")

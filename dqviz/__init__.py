"""dqviz: see how errors grow inside a quantized network."""

__version__ = "0.1.0"

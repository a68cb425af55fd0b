"""Measuring a network: tensors in, plain numbers out."""

"""Defensive Quantization: its penalty, and training with and without it."""

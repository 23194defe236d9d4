"""Networks: tensors in, tensors out; knows no rasters."""

from landmix.nn.registry import register

__all__ = ["register"]

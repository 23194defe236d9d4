"""Stored pixels in, class indices out: the seam between rasters and networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from landmix.core.indices import compute
from landmix.core.scaling import Affine, decode, normalise
from landmix.core.tiling import Tiling
from landmix.core.window import Window
from landmix.errors import LandmixError
from landmix.geo.validity import band_validity, validity

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from landmix.bundle import Bundle

COMPUTE = 128
"""Side in pixels of what goes through the network at once: activations then stay in the processor's cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What the network says about one window."""

    index: NDArray[np.uint8 | np.uint16]
    """(H, W) class indices; 0 where not valid."""
    valid: NDArray[np.bool_]
    """(H, W) whether the pixel itself is valid in every band."""
    probabilities: NDArray[np.float32] | None = None
    """(K, H, W) softmax, where asked for."""


class Predictor:
    """Classifies windows of one scene. Holds one network; safe to share between threads."""

    def __init__(
        self,
        bundle: Bundle,
        *,
        scaling: Affine,
        nodata: tuple[float | None, ...],
        device: torch.device,
        precision: str = "fp32",
        probabilities: bool = False,
    ) -> None:
        """Read pixels through `scaling` (stored -> physical) and `nodata` of the scene, in the bundle's band order."""
        network = bundle.network()
        self.margin = network.margin
        self._network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._scale = scaling.then(bundle.normalise)
        self._nodata = nodata
        self._device = device
        self._precision = precision
        self._probabilities = probabilities
        self._dtype = np.uint8 if len(bundle.legend) <= 256 else np.uint16  # noqa: PLR2004

    def __call__(self, stored: NDArray[np.generic], inside: NDArray[np.bool_]) -> Prediction:
        """Classify one window that was read with its margin.

        `stored` (C, H + 2 margin, W + 2 margin) stored values, `inside` the same without the first axis: whether a
        pixel lies in the scene and its masks. Pixels that are invalid in any band count as the training mean.
        """
        valid = inside & validity(stored, self._nodata)
        pixels = normalise(stored, valid, *self._scale.arrays)
        m = self.margin
        height, width = valid.shape[0] - 2 * m, valid.shape[1] - 2 * m
        owned = valid[m : m + height, m : m + width]
        index = np.zeros((height, width), self._dtype)
        classes = self._network.spec.classes
        probabilities = np.zeros((classes, height, width), np.float32) if self._probabilities else None
        area = Window(row=m, col=m, height=height, width=width)
        for tile in Tiling(core=COMPUTE, margin=m).tiles(area):
            rows, cols = tile.write.relative_to(area).slices
            if not owned[rows, cols].any():
                continue
            logits = self._logits(pixels[:, *tile.read.slices])
            # max is several times faster than argmax here
            index[rows, cols] = logits.max(0).indices.to(torch.int32).cpu().numpy()
            if probabilities is not None:
                probabilities[:, rows, cols] = logits.softmax(0).cpu().numpy()
        index[~owned] = 0
        return Prediction(index=index, valid=owned, probabilities=probabilities)

    def _logits(self, pixels: NDArray[np.float32]) -> torch.Tensor:
        """(C, H + 2 margin, W + 2 margin) -> (K, H, W) float32."""
        batch = torch.from_numpy(np.ascontiguousarray(pixels))[None].to(self._device)
        batch = batch.contiguous(memory_format=torch.channels_last)
        bf16 = self._precision == "bf16"
        with torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16, enabled=bf16):
            return self._network(batch)[0].float()  # type: ignore[no-any-return]


def channels(
    bundle: Bundle, stored: NDArray[np.generic], scaling: Affine
) -> tuple[NDArray[np.generic], Affine, tuple[float | None, ...]]:
    """From stored values of the bands that a model reads to what a `Predictor` takes.

    `stored` (C, H, W) in the order of `bundle.bands.inputs`, with a line of `scaling` each. Returns values in the order
    of `bundle.bands`, their scaling and nodata; they are `stored` itself where nothing is decoded or computed.
    """
    inputs = bundle.bands.inputs
    if not any(bundle.steps) and bundle.bands.names == inputs.names:
        return stored, scaling, bundle.nodata
    physical: dict[str, NDArray[np.float32]] = {}
    for band, values, step, nodata, scale, offset in zip(
        inputs, stored, bundle.steps, bundle.nodata, scaling.scale, scaling.offset, strict=True
    ):
        decoded = decode(values, step).astype(np.float32) * np.float32(scale) + np.float32(offset)
        physical[band.name] = np.where(band_validity(values, nodata), decoded, np.float32(np.nan))
    read = [
        compute(band.formula.expression, {letter: physical[own.name] for letter, own in band.formula.inputs})
        if band.formula
        else physical[band.name]
        for band in bundle.bands
    ]
    return np.stack(read), Affine.identity(len(read)), (None,) * len(read)


def choose_device(wanted: str) -> torch.device:
    """`auto` takes a CUDA GPU where there is one. Raises `LandmixError` where a wanted GPU is missing."""
    if wanted == "cuda" and not torch.cuda.is_available():
        msg = "device=cuda needs a CUDA GPU and a CUDA build of torch, but torch finds none here: use device=auto"
        raise LandmixError(msg)
    found = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(found if wanted == "auto" else wanted)

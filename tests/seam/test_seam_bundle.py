from __future__ import annotations

import io
import os
import pickle
import zipfile
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from seam_models import LEGEND, bundle_of

from landmix.bundle import Bundle, load, save
from landmix.core.bands import Band, BandSet
from landmix.core.scaling import Affine
from landmix.errors import LandmixError
from landmix.geo.options import ReadOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Content = dict[str, Any]


def full() -> Bundle:
    return bundle_of(
        bands=2,
        blocks=1,
        band_count=4,
        nodata=(None, -9999.0),
        normalise=Affine(scale=(0.1, 1 / 3), offset=(-0.7, 1e-9)),
        scene=asdict(ReadOptions(scale="none", product="hls_l30", offset=-0.1, quality=["snow"])),
        training={"labels": [{"sha256": "ab"}], "seed": 3},
        accuracy={"kappa": None},
    )


def test_everything_comes_back(tmp_path: Path) -> None:
    bands = (Band(name="rot ü", wavelength=665.0, width=30.0, number=2), Band(name="B4", number=4, named=False))
    bundle = replace(full(), bands=BandSet(bands))
    save(bundle, tmp_path / "model ü.pt")
    found = load(tmp_path / "model ü.pt")
    names = (
        "net",
        "bands",
        "band_count",
        "nodata",
        "normalise",
        "scaling",
        "legend",
        "scene",
        "training",
        "accuracy",
        "decode",
    )
    for name in names:
        assert getattr(found, name) == getattr(bundle, name), name
    assert found.digest == bundle.digest
    assert set(found.weights) == set(bundle.weights)
    for name, tensor in bundle.weights.items():
        assert torch.equal(found.weights[name], tensor)
    x = torch.randn(1, 2, 6, 7)
    assert torch.equal(found.network()(x), bundle.network()(x))
    assert {p.name for p in tmp_path.iterdir()} == {"model ü.pt"}


def test_the_file_is_plain_data(tmp_path: Path) -> None:
    save(full(), tmp_path / "model.pt")
    content = torch.load(tmp_path / "model.pt", weights_only=True)
    assert content["format"] == "landmix-model"


def test_the_network_is_ready_to_predict() -> None:
    network = full().network()
    assert not network.training
    assert not any(p.requires_grad for p in network.parameters())
    assert not any(p.is_meta for p in network.state_dict().values())


def test_the_digest_follows_what_decides_the_map() -> None:
    bundle = full()
    weights = {name: tensor.clone() for name, tensor in bundle.weights.items()}
    weights["head.classifier.bias"][0] += 1
    changed = [
        replace(bundle, weights=weights),
        replace(bundle, legend=type(LEGEND)(tuple(replace(c, value=c.value + 1) for c in LEGEND))),
        replace(bundle, normalise=Affine.identity(2)),
        replace(bundle, nodata=(1.0, None)),
        replace(bundle, scene={"scale": "tiff"}),
    ]
    assert len({b.digest for b in [bundle, *changed]}) == 6
    assert replace(bundle, training={}, accuracy={"kappa": 1}).digest == bundle.digest


@pytest.mark.parametrize("changes", [{"nodata": (None,)}, {"normalise": Affine.identity(3)}, {"bands": BandSet(())}])
def test_parts_that_do_not_fit_are_refused(changes: Content) -> None:
    with pytest.raises(ValueError, match="agree in number"):
        replace(full(), **changes)


def one_number(content: Content) -> None:
    content["weights"]["encoder.layers.0.0.weight"][0, 0, 0, 0] += 1e-3


def nan(content: Content) -> None:
    content["weights"]["head.classifier.bias"][1] = float("nan")


def nan_statistics(content: Content) -> None:
    content["weights"]["encoder.layers.0.1.running_var"][:] = float("inf")


def stride_0(content: Content) -> None:
    weight = content["weights"]["encoder.layers.1.0.weight"]
    content["weights"]["encoder.layers.1.0.weight"] = torch.zeros(1).expand(weight.shape)


def wrong_shape(content: Content) -> None:
    content["weights"]["head.classifier.bias"] = torch.zeros(4)


def wrong_type(content: Content) -> None:
    content["weights"]["head.classifier.bias"] = torch.zeros(3, dtype=torch.float64)


def sparse(content: Content) -> None:
    weight = content["weights"]["head.classifier.bias"]
    content["weights"]["head.classifier.bias"] = weight.to_sparse()


def missing_weight(content: Content) -> None:
    del content["weights"]["head.classifier.bias"]


def extra_weight(content: Content) -> None:
    content["weights"]["more"] = torch.zeros(3)


def no_tensor(content: Content) -> None:
    content["weights"]["head.classifier.bias"] = [0.0, 0.0, 0.0]


def weights_are_a_list(content: Content) -> None:
    content["weights"] = list(content["weights"].values())


def no_bundle(content: Content) -> None:
    del content["bundle"]


def missing_key(content: Content) -> None:
    del content["bundle"]["legend"]


def unknown_key(content: Content) -> None:
    content["bundle"]["net"]["surprise"] = 1


def huge_network(content: Content) -> None:
    content["bundle"]["net"]["encoder"]["widths"] = [10**9]


def many_inputs(content: Content) -> None:
    content["bundle"]["net"]["inputs"] = [1] * 20_000


def deep_encoder(content: Content) -> None:
    content["bundle"]["net"]["encoder"]["residual"] = 20


def two_bands_more(content: Content) -> None:
    content["bundle"]["bands"] *= 2


def scale_0(content: Content) -> None:
    content["bundle"]["normalise"]["scale"] = [0.0, 1.0]


def colour(content: Content) -> None:
    content["bundle"]["legend"][0]["color"] = '"><script>'


def double_value(content: Content) -> None:
    content["bundle"]["legend"][0]["value"] = content["bundle"]["legend"][1]["value"]


DAMAGES = [
    one_number, nan, nan_statistics, stride_0, wrong_shape, wrong_type, sparse, missing_weight, extra_weight,
    no_tensor, weights_are_a_list, no_bundle, missing_key, unknown_key, huge_network, many_inputs, deep_encoder,
    two_bands_more, scale_0, colour, double_value,
]  # fmt: skip


def damaged(path: Path, damage: Callable[[Content], None]) -> Path:
    """A model file with something changed in it."""
    save(full(), path)
    content = torch.load(path, weights_only=True)
    damage(content)
    torch.save(content, path)
    return path


@pytest.mark.filterwarnings("ignore:Sparse invariant:UserWarning")
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_models_are_refused(tmp_path: Path, damage: Callable[[Content], None]) -> None:
    path = damaged(tmp_path / "model.pt", damage)
    with pytest.raises(LandmixError, match=r"model\.pt"):
        load(path)


def test_a_compressed_checkpoint_is_not_inflated(tmp_path: Path) -> None:
    plain, small = tmp_path / "plain.ckpt", tmp_path / "small.ckpt"
    torch.save({"zeros": torch.zeros(10**6)}, plain)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(small, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
    assert small.stat().st_size < 10**5
    with pytest.raises(LandmixError, match="cannot be read as a checkpoint") as caught:
        load(small)
    assert "compressed" in str(caught.value.__cause__)
    with pytest.raises(LandmixError, match="is a checkpoint, but no landmix model"):
        load(plain)


class Canary:
    """Runs `os.mkdir` when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


def as_pickle(content: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(content))


def as_old_checkpoint(content: Any, path: Path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize("write", [torch.save, as_pickle, as_old_checkpoint])
def test_code_in_a_model_does_not_run(tmp_path: Path, write: Callable[[Any, Path], None]) -> None:
    path, canary = tmp_path / "model.pt", tmp_path / "canary"
    save(full(), path)
    content = torch.load(path, weights_only=True)
    write({**content, "extra": Canary(canary)}, path)
    with pytest.raises(LandmixError, match="no landmix model"):
        load(path)
    assert not canary.exists()
    if write is not as_pickle:
        torch.load(path, weights_only=False)
        assert canary.exists(), "the canary does not sing"


def zip_file() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("archive/data.pkl", b"junk")
    return buffer.getvalue()


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x02}q\x00.", b"PK\3\4", zip_file(), b"II*\0" + bytes(100)])
def test_foreign_files_are_no_models(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.pt").write_bytes(content)
    with pytest.raises(LandmixError, match=r"model\.pt is .*no landmix model"):
        load(tmp_path / "model.pt")


@pytest.mark.parametrize("content", [{}, [1], {"format": "other"}, "text", {"pytorch-lightning_version": "2"}])
def test_other_checkpoints_are_no_models(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(LandmixError, match="no landmix model") as caught:
        load(tmp_path / "model.pt")
    assert ("resume=true" in str(caught.value)) == ("pytorch-lightning_version" in content)


def test_a_truncated_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    save(full(), path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(LandmixError, match=r"model\.pt"):
        load(path)


def test_a_newer_format_says_so(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    save(full(), path)
    torch.save({**torch.load(path, weights_only=True), "version": 3}, path)
    with pytest.raises(LandmixError, match="newer landmix"):
        load(path)


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(LandmixError, match=r"no model file"):
        load(tmp_path)
    with pytest.raises(LandmixError, match=r"no model file .*nothing\.pt"):
        load(tmp_path / "nothing.pt")


def test_a_failed_save_leaves_the_old_model(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    save(full(), path)
    before = path.read_bytes()
    with pytest.raises(Exception, match="pickle"):
        save(replace(full(), training={"x": lambda: None}), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["model.pt"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda c: c["bundle"].update(band_count=-3),
        lambda c: c["bundle"].update(band_count=10**9),
        lambda c: c["bundle"]["bands"][0].update(number=-5),
        lambda c: c["bundle"]["bands"][0].update(number=10**30),
        lambda c: c["bundle"]["net"].update(activation="__class__"),
        lambda c: c["bundle"]["accuracy"].update(overall_accuracy=10**400),
        lambda c: c["bundle"]["legend"][0].update(value=True),
        lambda c: c["bundle"]["legend"][0].update(name="a" * 10**6),
    ],
)
def test_descriptions_beyond_all_bounds_are_refused(tmp_path: Path, damage: Callable[[Content], None]) -> None:
    path = damaged(tmp_path / "model.pt", damage)
    with pytest.raises(LandmixError, match=r"model\.pt") as caught:
        load(path)
    assert len(str(caught.value)) < 600

"""landmix verify: every changed byte of a map or a model is noticed."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest
import rasterio
import torch
from commands import done_inside, ended_inside, refused, run, world, write_classes

from landmix.bundle import load, save, save_safetensors
from landmix.errors import LandmixError
from landmix.geo.verifying import verified_tags
from landmix.seal import BLANK, KEY, is_intact, seal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A map with a confidence raster."""
    folder = tmp_path_factory.mktemp("maps")
    wanted = "outputs=[classes,confidence]"
    done_inside("predict", f"model={world().model}", f"scenes={world().scene}", f"out_dir={folder}", wanted)
    return folder


def flips(content: bytes, count: int) -> Iterator[bytes]:
    """Copies with one byte changed, at places all over the file."""
    rng = np.random.default_rng(7)
    for place in [*rng.choice(len(content), count, replace=False).tolist(), 0, len(content) - 1]:
        changed = bytearray(content)
        changed[place] ^= 1 << int(rng.integers(8))
        yield bytes(changed)


@pytest.mark.parametrize("name", ["scene.tif", "scene_confidence.tif"])
def test_a_whole_map_says_what_made_it(maps: Path, tmp_path: Path, name: str) -> None:
    shutil.copy(maps / name, tmp_path / "a copy.tif")  # alone, under another name
    done = ended_inside("verify", f"path={tmp_path / 'a copy.tif'}", "format=json")
    assert done.code == 0, done.err
    facts = json.loads(done.out)
    assert facts["whole"] is True
    assert facts["model"] == load(world().model).digest
    assert facts["input"][0]["name"] == "scene.tif"
    assert len(facts["input"][0]["sha256"]) == 64
    assert facts["settings"]["outputs"] == ["classes", "confidence"]
    assert facts["classes"] == {"1": "field", "2": "forest", "3": "water"}
    assert facts["engine"]["backend"] in {"torch", "openvino"}
    table = ended_inside("verify", f"path={maps / name}")
    assert table.code == 0
    assert "is whole: a map" in table.out
    assert load(world().model).digest in table.out
    assert "scene.tif" in table.out


def test_a_changed_byte_of_a_map_is_noticed(maps: Path, tmp_path: Path) -> None:
    """Anywhere: in pixels, overviews, tags, colours, what lies between blocks."""
    path = tmp_path / "map.tif"
    for changed in flips((maps / "scene.tif").read_bytes(), 300):
        path.write_bytes(changed)
        with pytest.raises(LandmixError, match=r"map\.tif"):
            verified_tags(path)


@pytest.mark.parametrize("cut", [1, 100, 5000])
def test_a_map_cut_short_is_noticed(maps: Path, tmp_path: Path, cut: int) -> None:
    path = tmp_path / "map.tif"
    path.write_bytes((maps / "scene.tif").read_bytes()[:-cut])
    refused(ended_inside("verify", f"path={path}"), 1, "map.tif")


def test_a_map_that_somebody_edited_is_not_ours(maps: Path, tmp_path: Path) -> None:
    path = tmp_path / "map.tif"
    shutil.copy(maps / "scene.tif", path)
    with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as file:
        values = file.read(1)
        values[3, 4] = values[3, 4] % 3 + 1
        file.write(values, 1)
    refused(ended_inside("verify", f"path={path}"), 1, "map.tif", "changed")


def test_what_is_neither_map_nor_model(maps: Path, tmp_path: Path) -> None:
    foreign = write_classes(tmp_path / "foreign.tif")
    refused(ended_inside("verify", f"path={foreign}"), 1, "foreign.tif", "no map of landmix")
    (tmp_path / "text.txt").write_text("a")
    refused(ended_inside("verify", f"path={tmp_path / 'text.txt'}"), 1, "text.txt")
    refused(ended_inside("verify", f"path={tmp_path / 'nothing.tif'}"), 1, "nothing.tif")
    refused(ended_inside("verify", f"path={tmp_path}"), 1, str(tmp_path))
    refused(ended_inside("verify", "path=https://example.com/a.tif"), 2, "copy it here")
    refused(ended_inside("verify", f"path={maps / 'scene.qml'}"), 1, "scene.qml")


@pytest.mark.parametrize("values", [np.int64(2**40), np.int32(2**30), np.int8(-3), np.float32(0.5)])
def test_a_stranger_s_map_of_any_numbers_is_read(tmp_path: Path, values: np.generic) -> None:
    """Whoever makes a file may give it landmix's tags and a seal."""
    path = write_classes(tmp_path / "map.tif", np.full((16, 16), values), nodata=None)
    with rasterio.open(path, "r+") as file:
        file.update_tags(LANDMIX_DIGEST="a", **{KEY: BLANK})
    seal(path)
    done = ended_inside("verify", f"path={path}")
    assert done.code == 0, done.err


def test_a_map_from_before_seals(maps: Path, tmp_path: Path) -> None:
    """Nobody knows whether it is as it was written."""
    path = tmp_path / "map.tif"
    with rasterio.open(maps / "scene.tif") as file:
        values, profile, tags = file.read(), file.profile, file.tags()
    profile.update(driver="GTiff")
    del tags[KEY]
    with rasterio.open(path, "w", **profile) as file:
        file.write(values)
        file.update_tags(**tags)
    refused(ended_inside("verify", f"path={path}"), 1, "map.tif", "does not carry the sha256")


def test_a_whole_model_says_what_it_is(tmp_path: Path) -> None:
    done = ended_inside("verify", f"path={world().model}", "format=json")
    assert done.code == 0, done.err
    facts = json.loads(done.out)
    assert facts["kind"] == "model"
    assert facts["sealed"] is True
    assert facts["bands"] == ["blue", "red", "nir", "swir"]
    assert facts["classes"] == {"1": "field", "2": "forest", "3": "water"}
    assert "torch" in facts["versions"]
    table = run("verify", f"path={world().model}", cwd=tmp_path)
    assert table.code == 0
    assert "is whole: a model" in table.out
    assert "field" in table.out


@pytest.mark.parametrize("write", [save, save_safetensors])
def test_a_changed_byte_of_a_model_is_noticed(tmp_path: Path, write: object) -> None:
    path = tmp_path / "model"
    write(load(world().model), path)  # type: ignore[operator]
    assert is_intact(path)
    content = path.read_bytes()
    places = [content.index(KEY.encode()) + i for i in range(len(KEY) + 6)]
    for place in places:  # nor can the seal itself be damaged into a file without one
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(LandmixError, match="model"):
            load(path)
    for changed in flips(content, 60):
        path.write_bytes(changed)
        with pytest.raises(LandmixError, match="model"):
            load(path)


def test_models_from_before_seals_still_load(tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    torch.save(torch.load(world().model, weights_only=True), path)
    assert is_intact(path) is None
    assert load(path).digest == load(world().model).digest
    done = ended_inside("verify", f"path={path}")
    assert done.code == 0
    assert "before models carried" in done.out
    content = path.read_bytes()
    place = content.index(b"forest")
    path.write_bytes(content[:place] + b"F" + content[place + 1 :])
    with pytest.raises(LandmixError, match="not as it was written"):
        load(path)


def test_a_seal_anywhere_in_a_large_file(tmp_path: Path) -> None:
    for place in (0, 2**20 - 40, 2**20, 3 * 2**20 - 5):
        path = tmp_path / "file"
        path.write_bytes(b"x" * place + f"{KEY} {BLANK}".encode() + b"y" * 100)
        assert is_intact(path) is False
        seal(path)
        assert is_intact(path)
    path.write_bytes(b"nothing")
    assert is_intact(path) is None
    with pytest.raises(ValueError, match="no place"):
        seal(path)


def test_parts_of_another_digest_are_named_and_not_used(tmp_path: Path) -> None:
    common = [f"model={world().model}", f"scenes={world().scene}", f"out_dir={tmp_path}", "backend=torch", "device=cpu"]
    done_inside("predict", *common, "precision=fp32", "shard=1/1")
    work = tmp_path / ".landmix" / "scene"
    (part,) = work.glob("*.tif")
    before = part.read_bytes()
    done = ended_inside("predict", *common, "precision=fp32", "tta=flips", "shard=1/1")
    assert done.code == 0
    assert part.name.partition("-")[0] in done.err
    assert "not used" in done.err
    assert part.read_bytes() == before
    assert len(list(work.glob("*.tif"))) == 2
    done = ended_inside("predict", *common, "precision=fp32", "tta=flips", "shard=1/1", "overwrite=true")
    assert "not used" not in done.err
    assert not part.exists()
    assert len(list(work.glob("*.tif"))) == 1

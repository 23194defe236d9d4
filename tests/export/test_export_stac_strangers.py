"""Files of others, where the STAC documents of landmix would be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from stac_files import run, write_item, write_model, write_scene
from stac_rules import checked, links

from landmix.errors import LandmixError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path)


def test_files_of_others_stay(tmp_path: Path, model: Path) -> None:
    scenes, out = [write_scene(tmp_path / "a.tif")], tmp_path / "maps"
    out.mkdir()
    for name in ("collection.json", "a.stac.json"):
        (out / name).write_text('{"type": "Collection", "id": "mine"}')
        with pytest.raises(LandmixError, match=f"{name} exists and is not by landmix"):
            run(model, scenes, out, overwrite=True)
        assert (out / name).read_text() == '{"type": "Collection", "id": "mine"}'
        assert not (out / "a.tif").exists()
        (out / name).unlink()


def test_an_input_is_never_replaced(tmp_path: Path, model: Path) -> None:
    write_scene(tmp_path / "maps" / "raw" / "x.tif")
    item = write_item(tmp_path / "maps" / "x.stac.json", "raw/x.tif")
    before = item.read_bytes()
    with pytest.raises(UsageError, match=r"the STAC item .*x\.stac\.json would replace an input"):
        run(model, {"name": "x", "path": str(item)}, tmp_path / "maps")
    assert item.read_bytes() == before


EDITED = '{"type": "Feature", "id": "a", "collection": "maps", "properties": {"landmix:digest": ""}, "bbox": [1]}'
FOREIGN = '{"type": "Feature", "properties": {"landmix:digest": 1}}'


@pytest.mark.parametrize("text", ["[]", "{", '{"type": "Feature"}', FOREIGN, EDITED])
def test_what_others_did_to_an_item_breaks_nothing(tmp_path: Path, model: Path, text: str) -> None:
    out = tmp_path / "maps"
    scenes = [write_scene(tmp_path / f"{name}.tif") for name in "ab"]
    run(model, scenes, out)
    (out / "a.stac.json").write_text(text)
    run(model, scenes[1:], out)
    assert links(checked(out / "collection.json"), "item") == ["./b.stac.json"]

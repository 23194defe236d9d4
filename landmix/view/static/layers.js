// The layers as Leaflet draws them: in pixels of the map, row downwards, level n at zoom -n.

const TILE = 256;

/** Leaflet's coordinates: `lat` is the row, `lng` the column; pixels may be wider or narrower than high. */
export function reference(aspect) {
  return L.extend({}, L.CRS.Simple, { transformation: new L.Transformation(aspect, 0, 1, 0) });
}

/** How much wider a pixel is drawn than high: as on the ground, where that is known and differs. */
export function aspectOf(facts) {
  const [height, width] = facts.pixel_m ?? [1, 1];
  const ratio = width / height;
  const sound = ratio > 0.1 && ratio < 10 && Math.abs(ratio - 1) > 0.02;
  return sound ? Math.round(TILE * ratio) / TILE : 1;
}

function options(facts, pane) {
  return {
    pane,
    tileSize: L.point(TILE * aspectOf(facts), TILE),
    minNativeZoom: -facts.levels,
    maxNativeZoom: 0,
    minZoom: -32,
    maxZoom: 16,
    noWrap: true,
    bounds: [[0, 0], [facts.height, facts.width]],
    updateWhenIdle: false,
    keepBuffer: 1,
  };
}

const address = (facts, id, at) => `tiles/${id}/${-at.z}/${at.x}/${at.y}?v=${facts.version}`;

const Picture = L.TileLayer.extend({
  getTileUrl(at) {
    return address(this.options.facts, this.options.id, { x: at.x, y: at.y, z: this._getZoomForUrl() });
  },
});

/** Class indices, coloured here, so that a class appears and vanishes at once. */
const Classes = L.GridLayer.extend({
  createTile(at, done) {
    const tile = L.DomUtil.create("canvas", "leaflet-tile");
    tile.width = tile.height = TILE;
    const { facts, legend } = this.options;
    tile.stop = new AbortController();
    fetch(address(facts, "classes", at), { signal: tile.stop.signal })
      .then((answer) => (answer.ok ? answer.arrayBuffer() : answer.json().then((data) => Promise.reject(new Error(data.error)))))
      .then((bytes) => {
        tile.indices = facts.bytes_an_index === 1 ? new Uint8Array(bytes) : new Uint16Array(bytes);
        paint(tile, legend.colors());
        done(null, tile);
      })
      .catch((error) => done(error, tile));
    return tile;
  },
  repaint() {
    const colors = this.options.legend.colors();
    for (const { el } of Object.values(this._tiles)) if (el.indices) paint(el, colors);
  },
});

function paint(tile, colors) {
  const context = tile.getContext("2d");
  const picture = context.createImageData(TILE, TILE);
  const pixels = new Uint32Array(picture.data.buffer);
  for (let i = 0; i < pixels.length; i++) pixels[i] = colors[tile.indices[i]];
  context.putImageData(picture, 0, 0);
}

/** A layer for a pane; `legend` knows the colours of classes. */
export function layer(facts, id, pane, legend) {
  const own = { ...options(facts, pane), facts, id, legend };
  if (id !== "classes") return new Picture("", own);
  const made = new Classes(own);
  made.on("tileunload", (event) => event.tile.stop.abort());
  return made;
}

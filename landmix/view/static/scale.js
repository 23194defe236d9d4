// How long a metre is on the page, and where north is.

import { byId } from "./dom.js";

/** Keeps the scale bar and the north arrow true. */
export function scale(map, facts, aspect) {
  if (facts.north !== null) {
    byId("north").hidden = false;
    byId("north").querySelector("svg").style.transform = `rotate(${facts.north}deg)`;
  }
  if (!facts.pixel_m) return;
  const bar = byId("scale-bar");
  bar.hidden = false;
  const update = () => {
    const metres = facts.pixel_m[1] / (aspect * 2 ** map.getZoom()); // a CSS pixel across
    const length = round(110 * metres);
    bar.style.width = `${length / metres}px`;
    bar.textContent = length >= 1000 ? `${length / 1000} km` : `${length} m`;
  };
  map.on("zoomend", update);
  update();
}

/** The largest 1, 2 or 5 times a power of ten that is not above `value`. */
function round(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  const lead = [5, 2, 1].find((times) => times * power <= value) ?? 1;
  return Number((lead * power).toPrecision(3));
}

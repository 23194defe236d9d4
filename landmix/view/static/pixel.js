// The pixel under the mouse, in the middle of the map, or held.

import { ask, byId, figure, make, swatch, tell } from "./dom.js";
import { Chart } from "./chart.js";

export class Pixel {
  constructor(map, facts) {
    this.map = map;
    this.facts = facts;
    this.chart = facts.bands.length ? new Chart(facts.bands) : null;
    this.held = false;
    this.wanted = null; // where we want to look next
    this.busy = false;
    this.square = L.rectangle([[0, 0], [1, 1]], { interactive: false, className: "square", fill: false });
  }

  /** Look at the place, unless a pixel is held. */
  look(place) {
    if (!this.held) this.go(place);
  }

  /** Hold the pixel there, or let go the one that is held. */
  hold(place) {
    const here = this.place(place);
    const same = this.held && this.at && here && this.at.row === here.row && this.at.col === here.col;
    this.held = !same && here !== null;
    byId("pixel-held").hidden = !this.held;
    if (this.held) this.go(place);
    else this.mark();
  }

  release() {
    this.held = false;
    byId("pixel-held").hidden = true;
    this.mark();
  }

  place({ lat, lng }) {
    const [row, col] = [Math.floor(lat), Math.floor(lng)];
    const inside = row >= 0 && col >= 0 && row < this.facts.height && col < this.facts.width;
    return inside ? { row, col } : null;
  }

  /** One question at a time, always about the latest place. */
  async go(place) {
    const here = this.place(place);
    if (!here || (this.at && this.at.row === here.row && this.at.col === here.col)) return;
    this.at = here;
    this.wanted = here;
    this.mark();
    if (this.busy) return;
    this.busy = true;
    try {
      while (this.wanted) {
        const { row, col } = this.wanted;
        this.wanted = null;
        const found = await ask(`api/pixel?row=${row}&col=${col}`);
        if (!this.wanted) this.show(found);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    } catch (error) {
      this.at = null;
      tell(error);
    } finally {
      this.busy = false;
    }
  }

  /** A frame around the pixel, where it is large enough to be seen or held. */
  mark() {
    const seen = this.at && (this.held || this.map.getZoom() >= 2);
    if (!seen) this.square.remove();
    else this.square.setBounds([[this.at.row, this.at.col], [this.at.row + 1, this.at.col + 1]]).addTo(this.map);
  }

  show(found) {
    tell(null);
    byId("pixel-hint").hidden = true;
    byId("pixel-facts").hidden = false;
    const own = found.class === null ? null : this.facts.classes[found.class];
    const name = own ? [swatch(own.color), own.name] : ["no class"];
    byId("pixel-name").replaceChildren(...name);
    byId("pixel-sure").textContent = found.confidence === null ? "" : `confidence ${percent(found.confidence)}`;
    byId("summary").replaceChildren(...(own ? [swatch(own.color), own.name] : ["no class"]));
    if (found.confidence !== null) byId("summary").append(make("span", { className: "quiet" }, ` ${percent(found.confidence)}`));
    this.list(found);
    const note = byId("pixel-note");
    note.hidden = found.clear;
    note.textContent = found.clear ? "" : "Not clear: outside the scene, or left out by its quality band.";
    this.spectrum(found.values);
  }

  list(found) {
    const rows = [];
    if (found.lat !== null) rows.push(["Lat, lon", `${found.lat.toFixed(5)}°, ${found.lon.toFixed(5)}°`]);
    if (found.x !== null) rows.push(["x, y", `${plain(found.x)}, ${plain(found.y)}`]);
    rows.push(["Row, column", `${found.row}, ${found.col}`]);
    byId("pixel-list").replaceChildren(...rows.flatMap(([name, text]) => [make("dt", {}, name), make("dd", {}, text)]));
  }

  spectrum(values) {
    if (!this.chart) return;
    byId("spectrum").hidden = byId("values").hidden = false;
    byId("spectrum").replaceChildren(this.chart.svg(values));
    if (!byId("values").open) {
      byId("values").ontoggle = () => this.table(values);
      return;
    }
    this.table(values);
  }

  table(values) {
    const rows = this.facts.bands.map((band, index) => {
      const value = values[index] === null ? "not valid" : figure(values[index], 5);
      const unit = band.unit && band.unit !== this.chart.unit ? ` ${band.unit}` : "";
      return make("tr", {}, make("th", { scope: "row" }, band.name), make("td", {}, band.nm === null ? "" : `${figure(band.nm, 5)} nm`), make("td", {}, value + unit));
    });
    byId("values-table").replaceChildren(make("table", {}, make("tbody", {}, ...rows)));
  }
}

const percent = (share) => `${(100 * share).toFixed(0)} %`;
const plain = (value) => (Math.abs(value) >= 1000 ? value.toFixed(1) : String(Number(value.toFixed(6))));

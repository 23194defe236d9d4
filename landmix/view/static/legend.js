// Classes with their colours and areas; each can be hidden.

import { ask, byId, figure, make, swatch, tell, whole } from "./dom.js";

export class Legend {
  /** `changed` is called when a class appears or vanishes. */
  constructor(facts, changed) {
    this.classes = facts.classes;
    this.hidden = new Set();
    this.changed = changed;
    this.rows = new Map();
    const body = byId("classes").tBodies[0];
    this.classes.forEach((own, index) => body.append(this.row(own, index)));
    byId("all").addEventListener("click", () => this.hide([]));
    byId("none").addEventListener("click", () => this.hide(this.classes.map((_, index) => index)));
  }

  row(own, index) {
    const box = make("input", { type: "checkbox", checked: true });
    box.addEventListener("change", () => {
      if (box.checked) this.hidden.delete(index);
      else this.hidden.add(index);
      this.changed();
    });
    const label = make("label", { title: `${own.name} (value ${own.value})` }, box, swatch(own.color), make("span", {}, own.name));
    const area = make("td"), share = make("td"), bar = make("span", { className: "share", "aria-hidden": "true" });
    this.rows.set(own.value, { box, area, share, bar });
    bar.style.backgroundColor = own.color;
    return make("tr", {}, make("th", { scope: "row" }, label, bar), area, share);
  }

  hide(indices) {
    this.hidden = new Set(indices);
    this.classes.forEach((own, index) => (this.rows.get(own.value).box.checked = !this.hidden.has(index)));
    this.changed();
  }

  /** By number in a tile the colour as a canvas has it in memory; 0, no class, is transparent. */
  colors() {
    const bytes = new Uint8Array(4 * (this.classes.length + 1));
    this.classes.forEach((own, index) => {
      if (this.hidden.has(index)) return;
      const rgb = parseInt(own.color.slice(1), 16);
      bytes.set([rgb >> 16, (rgb >> 8) & 255, rgb & 255, 255], 4 * (index + 1));
    });
    return new Uint32Array(bytes.buffer);
  }

  /** Ask for the areas until all of the map is counted. */
  async count() {
    for (;;) {
      const state = await ask("api/areas");
      if (state.error) {
        tell(new Error(state.error));
        return;
      }
      if (state.share === 1) {
        this.fill(state);
        return;
      }
      byId("counting").textContent = `counting pixels: ${Math.floor(100 * state.share)} %`;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }

  fill(state) {
    byId("counting").textContent = "";
    const [unit, size] = unitOf(state.classes);
    byId("area-h").textContent = unit;
    const amount = (own) => own.m2 ?? own.pixels;
    const sum = state.classes.reduce((total, own) => total + amount(own), 0);
    for (const own of state.classes) {
      const { area, share, bar } = this.rows.get(own.value);
      const part = sum ? amount(own) / sum : 0;
      area.textContent = size ? fixed(own.m2 / size) : whole(own.pixels);
      area.title = `${whole(own.pixels)} pixels`;
      share.textContent = `${(100 * part).toFixed(1)} %`;
      bar.style.width = `${100 * part}%`;
    }
    const mapped = state.seen ? state.classified / state.seen : 0;
    byId("areas-note").textContent =
      `${whole(state.classified)} pixels are classified, ${(100 * mapped).toFixed(1)} % of the map. Areas are counted pixels: the map's errors are in them.`;
  }
}

/** A unit in which the classes of a map have handy figures, and how many square metres it has; pixels without one. */
function unitOf(classes) {
  if (classes.some((own) => own.m2 === null)) return ["Pixels", 0];
  const sum = classes.reduce((total, own) => total + own.m2, 0);
  if (sum < 1e5) return ["m²", 1];
  return sum < 1e10 ? ["ha", 1e4] : ["km²", 1e6];
}

const fixed = (value) => (value >= 100 ? whole(Math.round(value)) : figure(value, 3));

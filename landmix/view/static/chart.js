// The spectrum of a pixel as a small picture.

import { draw, figure } from "./dom.js";

const WIDTH = 312, HEIGHT = 150, LEFT = 40, RIGHT = 8, TOP = 8, BOTTOM = 30;
const COLORS = ["var(--accent)", "#c2571a", "#6b4fbb", "#3b7d23", "#a8326e"];

/** Round steps that cut `from` to `to` into about `count` pieces. */
export function ticks(from, to, count) {
  const rough = (to - from) / count || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((times) => times * power).find((size) => size >= rough * 0.999);
  const found = [];
  for (let i = Math.ceil(from / step - 1e-9); i * step <= to + step * 1e-6; i++) found.push(i * step || 0);
  return found;
}

/** Draws pixel after pixel; the scale only grows, so that pixels can be compared. */
export class Chart {
  constructor(bands) {
    const units = bands.map((band) => band.unit ?? "");
    const common = [...new Set(units)].sort((a, b) => count(units, b) - count(units, a))[0] ?? "";
    this.unit = common;
    this.shown = bands.map((band, index) => ({ ...band, index })).filter((band) => (band.unit ?? "") === common);
    this.byWave = this.shown.length > 0 && this.shown.every((band) => band.nm !== null);
    this.shown.forEach((band) => (band.x = this.byWave ? band.nm : band.index + 1));
    this.roles = [...new Set(this.shown.map((band) => band.role))];
    this.low = 0;
    this.high = 0;
  }

  svg(values) {
    const known = this.shown.map((band) => values[band.index]).filter((value) => value !== null);
    if (known.length) {
      this.low = Math.min(this.low, ...known);
      this.high = Math.max(this.high, ...known);
    }
    const xs = this.shown.map((band) => band.x);
    const [x0, x1] = [Math.min(...xs), Math.max(...xs)];
    const span = this.high - this.low || 1;
    const [y0, y1] = [this.low < 0 ? this.low - 0.04 * span : 0, this.high + 0.04 * span || 1];
    const atX = (x) => LEFT + ((x - x0) / (x1 - x0 || 1)) * (WIDTH - LEFT - RIGHT);
    const atY = (y) => HEIGHT - BOTTOM - ((y - y0) / (y1 - y0)) * (HEIGHT - TOP - BOTTOM);
    const axes = this.axes([x0, x1], [y0, y1], atX, atY);
    const lines = this.roles.map((role, number) => this.line(role, COLORS[number % COLORS.length], values, atX, atY));
    const box = { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": `Spectrum: ${this.unit || "values"} of ${known.length} bands` };
    return draw("svg", box, ...axes, ...lines);
  }

  axes([x0, x1], [y0, y1], atX, atY) {
    const rows = ticks(y0, y1, 4).flatMap((y) => [
      draw("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: atY(y), y2: atY(y), class: "grid" }),
      draw("text", { x: LEFT - 5, y: atY(y) + 3.5, "text-anchor": "end" }, figure(y)),
    ]);
    const columns = ticks(x0, x1, 5)
      .filter((x) => this.byWave || Number.isInteger(x))
      .map((x) => draw("text", { x: atX(x), y: HEIGHT - BOTTOM + 13, "text-anchor": "middle" }, String(x)));
    const label = `${this.unit || "value"} by ${this.byWave ? "wavelength, nm" : "band number"}`;
    return [...rows, ...columns, draw("text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 3, "text-anchor": "middle" }, label)];
  }

  /** One acquisition: lines between neighbours in wavelength, broken where a value is missing. */
  line(role, color, values, atX, atY) {
    const bands = this.shown.filter((band) => band.role === role).sort((a, b) => a.x - b.x);
    let path = "", pen = "M";
    const dots = [];
    for (const band of bands) {
      const value = values[band.index];
      if (value === null) {
        pen = "M";
        continue;
      }
      path += `${pen}${atX(band.x).toFixed(1)} ${atY(value).toFixed(1)}`;
      pen = "L";
      if (bands.length <= 40) {
        const where = band.nm === null ? band.name : `${band.name}, ${band.nm} nm`;
        const dot = draw("circle", { cx: atX(band.x), cy: atY(value), r: 2.6, fill: color });
        dot.append(draw("title", {}, `${where}: ${figure(value, 4)}`));
        dots.push(dot);
      }
    }
    return draw("g", {}, draw("path", { d: path, class: "line", stroke: color }), ...dots);
  }
}

const count = (all, one) => all.filter((other) => other === one).length;

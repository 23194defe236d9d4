// The divider between the left and the right layer.

import { byId } from "./dom.js";

/** Clips the panes `left` and `right` of a map at a share of its width, which is moved by hand or by keyboard. */
export class Swipe {
  constructor(map) {
    this.map = map;
    this.share = 0.5;
    this.on = true;
    this.bar = byId("swipe");
    this.bar.addEventListener("pointerdown", (event) => this.drag(event));
    this.bar.addEventListener("keydown", (event) => this.key(event));
    map.on("move zoom viewreset resize zoomend moveend", () => this.clip());
    this.set(0.5);
  }

  show(on) {
    this.on = on;
    this.bar.hidden = !on;
    this.clip();
  }

  set(share) {
    this.share = Math.min(1, Math.max(0, share));
    const percent = Math.round(100 * this.share);
    this.bar.style.left = `${100 * this.share}%`;
    this.bar.setAttribute("aria-valuenow", percent);
    this.bar.setAttribute("aria-valuetext", `${percent} % of the map show the left layer`);
    this.clip();
  }

  /** Panes move with the map: the clip is told in their own coordinates. */
  clip() {
    const size = this.map.getSize();
    const from = this.map.containerPointToLayerPoint([0, 0]);
    const to = this.map.containerPointToLayerPoint(size);
    const middle = from.x + (this.on ? this.share : 0) * size.x;
    const box = (left, right) => `polygon(${left}px ${from.y}px, ${right}px ${from.y}px, ${right}px ${to.y}px, ${left}px ${to.y}px)`;
    this.map.getPane("left").style.clipPath = box(from.x, middle);
    this.map.getPane("right").style.clipPath = box(middle, to.x);
    const chips = [byId("chip-left"), byId("chip-right")];
    const x = this.share * size.x;
    chips[0].style.right = `${size.x - x + 14}px`;
    chips[1].style.left = `${this.on ? x + 14 : 14}px`;
    chips[0].hidden = !this.on || x < 90;
    chips[1].hidden = this.on && size.x - x < 150;
  }

  drag(down) {
    down.preventDefault();
    this.bar.focus({ preventScroll: true });
    this.bar.setPointerCapture(down.pointerId);
    const box = this.map.getContainer().getBoundingClientRect();
    const move = (event) => this.set((event.clientX - box.left) / box.width);
    const end = () => {
      this.bar.removeEventListener("pointermove", move);
      this.bar.removeEventListener("pointerup", end);
      this.bar.removeEventListener("pointercancel", end);
    };
    this.bar.addEventListener("pointermove", move);
    this.bar.addEventListener("pointerup", end);
    this.bar.addEventListener("pointercancel", end);
  }

  key(event) {
    const step = event.shiftKey ? 0.1 : 0.02;
    const moved = {
      ArrowLeft: this.share - step, ArrowDown: this.share - step,
      ArrowRight: this.share + step, ArrowUp: this.share + step,
      PageDown: this.share - 0.1, PageUp: this.share + 0.1, Home: 0, End: 1,
    }[event.key];
    if (moved === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    this.set(moved);
  }
}

// The page: asks what there is to show, and puts its parts together.

import { ask, byId, make, tell, whole } from "./dom.js";
import { aspectOf, layer, reference } from "./layers.js";
import { Legend } from "./legend.js";
import { Pixel } from "./pixel.js";
import { scale } from "./scale.js";
import { Swipe } from "./swipe.js";

class View {
  constructor(facts) {
    this.facts = facts;
    this.title();
    this.map = this.makeMap();
    this.legend = new Legend(facts, () => this.repaint());
    this.sides = { left: null, right: null };
    this.opacity = 1;
    this.swipe = new Swipe(this.map);
    this.pixel = new Pixel(this.map, facts);
    this.choices();
    this.hands();
    scale(this.map, facts, aspectOf(facts));
    this.legend.count().catch(tell);
  }

  title() {
    const { name, scene, crs, height, width, notes } = this.facts;
    document.title = `${name} · landmix view`;
    byId("title").textContent = name;
    const size = `${whole(height)} × ${whole(width)} pixels`;
    byId("subtitle").textContent = [size, crs ?? "no CRS", scene && `over ${scene}`].filter(Boolean).join(" · ");
    byId("notes").replaceChildren(...notes.map((note) => make("p", { className: "note" }, note)));
  }

  makeMap() {
    const { height, width } = this.facts;
    const map = L.map("map", {
      crs: reference(aspectOf(this.facts)),
      attributionControl: false,
      zoomControl: false,
      zoomSnap: 0.25,
      fadeAnimation: false,
      minZoom: -this.facts.levels - 2,
      maxZoom: 7,
      maxBoundsViscosity: 0.8,
    });
    L.control.zoom({ position: "topright" }).addTo(map);
    for (const [number, name] of ["under", "left", "right"].entries()) map.createPane(name).style.zIndex = 200 + number;
    this.whole = L.latLngBounds([[0, 0], [height, width]]);
    map.fitBounds(this.whole, { padding: [12, 12], animate: false });
    map.setMaxBounds(this.whole.pad(0.7));
    const sharp = () => map.getContainer().classList.toggle("sharp", map.getZoom() >= 0.9);
    map.on("zoomend", sharp);
    sharp();
    new ResizeObserver(() => map.invalidateSize({ animate: false })).observe(map.getContainer());
    return map;
  }

  choices() {
    const { layers, ramp } = this.facts;
    for (const side of ["left", "right"]) {
      byId(side).append(...layers.map(({ id, name }) => make("option", { value: id }, name)));
      byId(side).addEventListener("change", () => this.choose(side, byId(side).value));
    }
    const picture = layers.find((own) => own.kind === "picture");
    if (picture) layer(this.facts, picture.id, "under", null).addTo(this.map);
    byId("ramp").querySelector(".bar").style.background = `linear-gradient(to right, ${ramp.join(", ") || "transparent"})`;
    const other = picture ?? layers.find((own) => own.id === "confidence");
    this.choose("right", "classes");
    this.choose("left", other?.id ?? "classes");
    this.compare(Boolean(other));
  }

  choose(side, id) {
    byId(side).value = id;
    this.sides[side]?.remove();
    const made = layer(this.facts, id, side, this.legend);
    made.on("tileerror", (event) => tell(event.error?.message ? event.error : new Error("a tile could not be read")));
    made.on("loading load", (event) => byId(`chip-${side}`).classList.toggle("busy", event.type === "loading"));
    this.sides[side] = made.addTo(this.map);
    this.fade();
    byId(`chip-${side}`).textContent = this.facts.layers.find((own) => own.id === id).name;
    byId("ramp").hidden = !["left", "right"].some((own) => byId(own).value === "confidence");
    this.swipe.clip();
  }

  compare(on) {
    byId("compare").checked = on;
    document.body.classList.toggle("single", !on);
    byId("right-label").textContent = on ? "Right" : "Layer";
    this.swipe.show(on);
  }

  fade() {
    for (const side of ["left", "right"]) {
      const own = this.facts.layers.find(({ id }) => id === byId(side).value);
      if (own?.kind !== "picture") this.sides[side]?.setOpacity(this.opacity);
    }
  }

  setOpacity(percent) {
    const kept = Math.min(100, Math.max(0, percent));
    this.opacity = kept / 100;
    byId("opacity").value = kept;
    byId("opacity-value").textContent = `${kept} %`;
    this.fade();
  }

  swap() {
    const [left, right] = [byId("left").value, byId("right").value];
    this.choose("left", right);
    this.choose("right", left);
  }

  repaint() {
    for (const made of Object.values(this.sides)) made?.repaint?.();
  }

  /** The whole map; a zoom that is under way ends first, or Leaflet would go on with it. */
  fit() {
    const fit = () => this.map.fitBounds(this.whole, { padding: [12, 12], animate: false });
    if (this.zooming) this.map.once("zoomend", fit);
    else fit();
  }

  hands() {
    const { map, pixel } = this;
    byId("compare").addEventListener("change", () => this.compare(byId("compare").checked));
    byId("swap").addEventListener("click", () => this.swap());
    byId("opacity").addEventListener("input", () => this.setOpacity(Number(byId("opacity").value)));
    byId("help-open").addEventListener("click", () => byId("help").showModal());
    byId("drawer").addEventListener("click", () => this.drawer());
    map.on("mousemove", (event) => pixel.look(event.latlng));
    byId("swipe").addEventListener("mousemove", (event) => event.buttons || pixel.look(map.mouseEventToLatLng(event)));
    map.on("click", (event) => pixel.hold(event.latlng));
    map.on("zoomanim", () => (this.zooming = true));
    map.on("zoomend", () => (this.zooming = false));
    map.on("zoomend", () => pixel.mark());
    map.on("moveend", () => byKeyboard() && pixel.look(map.getCenter()));
    map.getContainer().addEventListener("focus", () => byKeyboard() && pixel.look(map.getCenter()));
    document.addEventListener("keydown", (event) => this.key(event));
  }

  drawer() {
    const open = document.body.classList.toggle("open");
    byId("drawer").setAttribute("aria-expanded", open);
  }

  key(event) {
    const inField = event.target.closest("select, input:not([type=checkbox]), dialog[open]");
    if (event.ctrlKey || event.metaKey || event.altKey || inField) return;
    const layers = this.facts.layers;
    const chosen = layers[Number(event.key) - 1];
    const actions = {
      "?": () => byId("help").showModal(),
      0: () => this.fit(),
      c: () => this.compare(!byId("compare").checked),
      x: () => this.swap(),
      ",": () => this.swipe.set(this.swipe.share - 0.05),
      ".": () => this.swipe.set(this.swipe.share + 0.05),
      "[": () => this.setOpacity(100 * this.opacity - 10),
      "]": () => this.setOpacity(100 * this.opacity + 10),
      Escape: () => this.pixel.release(),
    };
    if (byKeyboard()) actions.Enter = () => this.pixel.hold(this.map.getCenter());
    const action = actions[event.key] ?? (/^[1-9]$/.test(event.key) && chosen ? () => this.choose("right", chosen.id) : null);
    if (!action) return;
    event.preventDefault();
    action();
  }
}

/** Whether the map has the focus and it came there by keyboard. */
const byKeyboard = () => document.activeElement === byId("map") && byId("map").matches(":focus-visible");

try {
  window.landmix = new View(await ask("api/view"));
  document.body.classList.add("ready");
} catch (error) {
  tell(error);
  throw error;
}

// Small helpers. Texts come from files of strangers: they only ever become text nodes.

export const byId = (id) => document.getElementById(id);

/** An element with properties (`data-...` and `aria-...` as attributes) and children, texts or elements. */
export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-")) element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

/** The same for SVG, with attributes. */
export function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** A coloured square. */
export function swatch(color) {
  const element = make("span", { className: "swatch", "aria-hidden": "true" });
  element.style.backgroundColor = color;
  return element;
}

/** A number with `digits` significant digits, grouped. */
export function figure(value, digits = 3) {
  return new Intl.NumberFormat("en", { maximumSignificantDigits: digits, useGrouping: "min2" }).format(value);
}

/** A whole number, grouped. */
export const whole = (value) => new Intl.NumberFormat("en").format(value);

/** JSON of our own server; throws an error with the server's sentence. */
export async function ask(path, signal) {
  let answer;
  try {
    answer = await fetch(path, { signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("landmix view does not answer any more: was it ended?");
  }
  const data = await answer.json();
  if (!answer.ok) throw new Error(data.error);
  return data;
}

/** Tell the user what went wrong, for a while; nothing clears it. */
export function tell(error) {
  if (error?.name === "AbortError") return;
  const place = byId("status");
  place.textContent = error ? error.message : "";
  place.hidden = !error;
}

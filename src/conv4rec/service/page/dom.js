// Elements and numbers. Whatever comes from the service becomes text, never markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes (functions: listeners of events) and children (texts become text nodes). */
export function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
export function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, String(value));
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}

export const byId = (id) => document.getElementById(id);

/** Tell those who do not see the page what has changed. */
export function tell(text) {
  byId("told").textContent = text;
}

/** A fault, shown above everything; null takes it away. */
export function trouble(text) {
  byId("trouble").hidden = text === null;
  byId("trouble").textContent = text === null ? "" : text;
}

export const nameOf = (row) => (row.title === null || row.title === undefined ? `item ${row.item_id}` : row.title);

/** A probability: percent with two digits that count. */
export function percent(p) {
  const hundred = 100 * p;
  if (hundred >= 10) return `${hundred.toFixed(0)} %`;
  if (hundred >= 1) return `${hundred.toFixed(1)} %`;
  return hundred >= 0.01 ? `${hundred.toPrecision(2)} %` : "< 0.01 %";
}

export const number = (value, digits = 2) => value.toFixed(digits);

export const signed = (value, digits = 2) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}`;

/** Call `action` once typing pauses. */
export function afterTyping(action) {
  let timer = 0;
  return () => {
    window.clearTimeout(timer);
    timer = window.setTimeout(action, 150);
  };
}

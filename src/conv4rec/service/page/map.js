// Items by how probable it is that they are taken, and liked. Treasures: the head of `discover`.

import { byId, el, nameOf, percent, svg } from "./dom.js";
import { ORDERS } from "./lists.js";

const TREASURES = 10;
let shown = null;

export function showMap(lists, open) {
  const points = pointsOf(lists);
  byId("map").hidden = points.length < 2;
  shown = byId("map").hidden ? null : { points, treasures: treasuresOf(lists), open };
  if (shown !== null) draw();
}

let drawn = 0;
new ResizeObserver(([{ contentRect }]) => shown !== null && contentRect.width !== drawn && draw()).observe(byId("map-picture"));

function pointsOf(lists) {
  const points = new Map();
  for (const [order] of ORDERS) {
    for (const row of Array.isArray(lists[order]) ? lists[order] : []) points.set(row.item_id, row);
  }
  return [...points.values()].filter((row) => row.p_like !== null && row.p_like !== undefined && row.p_consume > 0);
}

const treasuresOf = (lists) => (Array.isArray(lists.discover) ? lists.discover.slice(0, TREASURES) : []);

function draw() {
  const { points, treasures, open } = shown;
  const box = byId("map-picture");
  const width = Math.max(260, box.clientWidth - 32);
  drawn = box.clientWidth - 32;
  const height = Math.round(Math.min(460, Math.max(300, width * 0.5)));
  const scale = scales(points, width, height);
  const special = new Set(treasures.map((row) => row.item_id));
  const others = points.filter((row) => !special.has(row.item_id)).map((row) => dot(row, scale, open));
  const stars = treasures.toReversed().map((row) => treasure(row, scale, open));
  const picture = svg(
    "svg",
    { width, height, viewBox: `0 0 ${width} ${height}`, role: "group", "aria-label": "Map of items. Treasures are listed below it" },
    axes(scale, width, height), others, stars,
  );
  const key = el("p", { class: "legend" }, el("span", { class: "swatch common" }), "item ", el("span", { class: "swatch rare" }), "treasure: they would like it and would not come across it");
  const list = el("ol", { class: "treasures", "aria-label": "Treasures" }, treasures.map((row) => named(row, open)));
  box.replaceChildren(picture, key, treasures.length ? list : "");
  byId("map-note").textContent = `${points.length} items: the best of each of the four orders. To the right, likelier to be taken next (each step tenfold); to the top, likelier to be liked.`;
}

function scales(points, width, height) {
  const logs = points.map((row) => Math.log10(row.p_consume));
  const [x0, x1] = [Math.floor(Math.min(...logs) * 2) / 2, Math.ceil(Math.max(...logs) * 2) / 2];
  const likes = points.map((row) => row.p_like);
  const [y0, y1] = [Math.floor(Math.min(...likes) * 10) / 10, Math.min(1, Math.ceil(Math.max(...likes) * 10) / 10)];
  const [left, right, top, low] = [46, width - 14, 16, height - 40];
  const x = (p) => left + ((right - left) * (Math.log10(p) - x0)) / Math.max(x1 - x0, 0.5);
  const y = (p) => low - ((low - top) * (p - y0)) / Math.max(y1 - y0, 0.1);
  return { x, y, x0, x1, y0, y1, left, right, top, low };
}

function axes({ x, y, x0, x1, y0, y1, left, right, top, low }, width, height) {
  const parts = [];
  for (let power = Math.ceil(x0); power <= x1; power += 1) {
    const at = x(10 ** power);
    parts.push(svg("line", { x1: at, x2: at, y1: top, y2: low, class: "grid" }));
    parts.push(svg("text", { x: at, y: low + 16, "text-anchor": "middle" }, `${Number((100 * 10 ** power).toPrecision(1))} %`));
  }
  const step = y1 - y0 > 0.45 ? 0.2 : 0.1;
  for (let p = Math.ceil(y0 / step - 1e-9) * step; p <= y1 + 1e-9; p += step) {
    parts.push(svg("line", { x1: left, x2: right, y1: y(p), y2: y(p), class: "grid" }));
    parts.push(svg("text", { x: left - 6, y: y(p) + 4, "text-anchor": "end" }, `${Math.round(100 * p)} %`));
  }
  parts.push(svg("text", { x: (left + right) / 2, y: height - 6, "text-anchor": "middle", class: "strong" }, "taken next (p_consume)"));
  parts.push(svg("text", { x: left + 4, y: top - 4, class: "strong" }, "liked (p_like)"));
  return parts;
}

const told = (row) => `${nameOf(row)}: taken ${percent(row.p_consume)}, liked ${percent(row.p_like)}`;

function dot(row, { x, y }, open) {
  return svg("circle", { cx: x(row.p_consume), cy: y(row.p_like), r: 4, class: "point", click: () => open(row) }, svg("title", {}, told(row)));
}

/** A treasure, with its place in `discover`; the list below says its name, and is what the keyboard reaches. */
function treasure(row, { x, y }, open) {
  const [cx, cy] = [x(row.p_consume), y(row.p_like)];
  const circle = svg("circle", { cx, cy, r: 9, class: "treasure", "data-item": row.item_id, click: () => open(row, "like") }, svg("title", {}, told(row)));
  return [circle, svg("text", { x: cx, y: cy + 4, "text-anchor": "middle", class: "place", "aria-hidden": "true" }, String(row.rank))];
}

function named(row, open) {
  const button = el("button", { type: "button", class: "title", "aria-label": told(row), click: () => open(row, "like") }, nameOf(row));
  return el("li", {}, el("span", { class: "badge", "aria-hidden": "true" }, String(row.rank)), button);
}

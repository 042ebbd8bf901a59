// Small pictures.

import { el, number, percent, svg } from "./dom.js";

/** The rating values of a law with their probabilities, ascending; empty where nothing is rated. */
export function lawOf(row) {
  return Object.entries(row)
    .filter(([name, p]) => name.startsWith("p_rating_") && p !== null)
    .map(([name, p]) => [Number(name.slice("p_rating_".length)), p])
    .sort((a, b) => a[0] - b[0]);
}

/** A bar for every rating value, as high as it is probable. */
export function lawBars(row, { width = 56, height = 24, labels = false } = {}) {
  const law = lawOf(row);
  if (!law.length) return null;
  const step = width / law.length;
  const floor = labels ? height - 14 : height;
  const top = labels ? floor - 16 : floor;
  const said = `If taken: ${law.map(([value, p]) => `${value}: ${percent(p)}`).join(", ")}`;
  const most = Math.max(...law.map(([, p]) => p));
  const bars = law.map(([value, p], place) => {
    const high = Math.max(1, (p / most) * top);
    const x = place * step;
    const parts = [svg("rect", { x: x + 1, y: floor - high, width: step - 2, height: high, class: "law" })];
    if (labels) {
      parts.push(svg("text", { x: x + step / 2, y: height - 2, "text-anchor": "middle" }, String(value)));
      parts.push(svg("text", { x: x + step / 2, y: floor - high - 3, "text-anchor": "middle", class: "strong" }, percent(p)));
    }
    return parts;
  });
  const line = svg("line", { x1: 0, x2: width, y1: floor - 0.5, y2: floor - 0.5, class: "axis" });
  const box = { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": said, class: "bars" };
  return svg("svg", box, svg("title", {}, said), bars, line);
}

/** A length from 0 to 1. */
export function meter(share, label, kind = "take") {
  const bar = el("span", { class: `fill ${kind}` });
  bar.style.width = `${(100 * Math.min(1, Math.max(0, share))).toFixed(1)}%`;
  return el("span", { class: "meter", role: "img", "aria-label": label }, bar);
}

/** A length to the left or to the right of the middle; `share` from -1 to 1. */
export function swing(share, label) {
  const bar = el("span", { class: `fill ${share < 0 ? "less" : "more"}` });
  const size = 50 * Math.min(1, Math.abs(share));
  bar.style.width = `${size.toFixed(1)}%`;
  bar.style.left = `${(share < 0 ? 50 - size : 50).toFixed(1)}%`;
  return el("span", { class: "meter swing", role: "img", "aria-label": label }, bar);
}

/** Where somebody stands among all: a dot on the line from the first to the last percentile. */
export function standing(percentile, [low, high], label) {
  const dot = el("span", { class: "dot" });
  dot.style.left = `${percentile.toFixed(1)}%`;
  const line = el("span", { class: "standing", role: "img", "aria-label": label }, el("span", { class: "middle" }), dot);
  return el("div", {}, line, el("div", { class: "ends" }, el("span", {}, low), el("span", {}, high)));
}

/** Predicted against observed frequency; a perfect model lies on the diagonal. Rare things are drawn by powers of ten. */
export function reliability(bins, title) {
  const size = 210;
  const [left, low, edge] = [46, size - 30, 10];
  const { place, marks } = scaleOf(bins);
  const x = (p) => left + (size - edge - left) * place(p);
  const y = (p) => low - (low - edge) * place(p);
  const heaviest = Math.max(...bins.map((bin) => bin.weight));
  const dots = bins.map((bin) => {
    const said = `predicted ${percent(bin.predicted)}, observed ${percent(bin.observed)}, ${percent(bin.weight)} of all`;
    const r = 2 + 5 * Math.sqrt(bin.weight / heaviest);
    return svg("circle", { cx: x(bin.predicted), cy: y(bin.observed), r, class: "bin" }, svg("title", {}, said));
  });
  const texts = marks.flatMap(([p, mark]) => [
    svg("text", { x: left - 4, y: y(p) + 4, "text-anchor": "end" }, mark),
    svg("text", { x: x(p), y: low + 14, "text-anchor": x(p) > size - 30 ? "end" : "middle" }, mark),
  ]);
  texts.push(svg("text", { x: (size + left) / 2, y: size - 4, "text-anchor": "middle" }, "predicted"));
  texts.push(svg("text", { x: 10, y: (low + edge) / 2, "text-anchor": "middle", transform: `rotate(-90 10 ${(low + edge) / 2})` }, "observed"));
  const far = bins.reduce((sum, bin) => sum + bin.weight * Math.abs(bin.predicted - bin.observed), 0);
  const said = `${title}: ${bins.length} bins, on average ${percent(far)} from the diagonal`;
  const frame = [
    svg("line", { x1: left, x2: size - edge, y1: low, y2: low, class: "axis" }),
    svg("line", { x1: left, x2: left, y1: low, y2: edge, class: "axis" }),
    svg("line", { x1: left, x2: size - edge, y1: low, y2: edge, class: "diagonal" }),
  ];
  const picture = svg("svg", { viewBox: `0 0 ${size} ${size}`, width: size, height: size, role: "img", "aria-label": said }, frame, dots, texts);
  return el("figure", {}, picture, el("figcaption", {}, title));
}

/** Where a probability lies from 0 to 1, and what is written at an axis; by powers of ten where all but few are rare. */
function scaleOf(bins) {
  const predicted = bins.map((bin) => bin.predicted);
  const most = Math.max(...predicted, ...bins.map((bin) => bin.observed));
  const least = Math.min(...predicted);
  if (!(least > 0 && least * 1000 < most)) {
    const ceiling = most > 0.5 ? 1 : most * 1.05;
    return { place: (p) => p / ceiling, marks: [[0, "0"], [ceiling, ceiling === 1 ? "1" : number(ceiling, 2)]] };
  }
  const [first, last] = [Math.floor(Math.log10(least)), Math.ceil(Math.log10(most))];
  const step = Math.ceil((last - first) / 4);
  const marks = Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, n) => first + n * step);
  const place = (p) => Math.max(0, (Math.log10(p) - first) / (last - first)); // what never happened lies on the floor
  return { place, marks: marks.map((power) => [10 ** power, power === 0 ? "1" : `1e${power}`]) };
}

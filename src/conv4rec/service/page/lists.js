// The four lists, and how places have moved since the last change.

import { byId, el, nameOf, number, percent } from "./dom.js";
import { post } from "./api.js";
import { lawBars, meter } from "./charts.js";
import { ratings } from "./kinds.js";

/** Orders of lists: name, title, meaning, and what the reasons for an item are about at first. */
export const ORDERS = [
  ["consume", "Would take next", "what comes next, liked or not", "consume"],
  ["enjoy", "Would take and like", "both together", "like"],
  ["discover", "Would love, would not find", "treasures off their way", "like"],
  ["rating", "Would rate highest", "if they took it", "rating"],
];
const SHOWN = 10;
const MOST = 200;

/** Lists of every order, up to 200 items each: {order: rows}, or in the place of rows why there are none. */
export async function askLists(who, models, signal) {
  const k = Math.min(MOST, models.items);
  const ask = async ([rank_by]) => {
    const lacking = lackingFor(rank_by, models);
    return [rank_by, lacking ?? (await post("recommend", { ...who, k, rank_by }, signal)).recommendations];
  };
  return Object.fromEntries(await Promise.all(ORDERS.map(ask)));
}

function lackingFor(order, models) {
  if (order !== "consume" && ratings().length === 0) return "The model knows of no ratings.";
  if (order === "discover" && !models.has_histories) return "The model was saved without users, among whom treasures are found.";
  return null;
}

/** Show lists; `before` are those before the last change, or null. */
export function showLists(lists, before, open) {
  const rows = ORDERS.flatMap(([order]) => shownOf(lists[order]));
  const most = Math.max(...rows.map((row) => row.p_consume));
  const rated = rows.some((row) => row.expected_rating !== undefined && row.expected_rating !== null);
  byId("lists-note").textContent = rated
    ? "Columns: how probable each rating is, once they take it. Bar: how probable it is that they take it next. Choose a title to see why."
    : "Bar: how probable it is that they take it next. Choose a title to see why.";
  byId("list-columns").replaceChildren(
    ...ORDERS.map((order) => column(order, lists[order[0]], before?.[order[0]], most, open)),
  );
  byId("lists").hidden = false;
}

const shownOf = (rows) => (Array.isArray(rows) ? rows.slice(0, SHOWN) : []);

function column([order, title, meaning, by], rows, before, most, open) {
  const head = el("h3", { id: `list-${order}` }, title, el("small", {}, `${order}: ${meaning}`));
  if (!Array.isArray(rows)) return el("div", { class: "card" }, head, el("p", { class: "soft" }, rows));
  const places = Array.isArray(before) ? new Map(before.map((row) => [row.item_id, row.rank])) : null;
  const items = shownOf(rows).map((row) => place(row, places, most, () => open(row, by)));
  return el("div", { class: "card" }, head, el("ol", { class: "list", "aria-labelledby": `list-${order}`, "data-order": order }, items));
}

function place(row, places, most, open) {
  const name = nameOf(row);
  const button = el("button", { type: "button", class: "title", "data-item": row.item_id, click: open }, name);
  const take = `taken next: ${percent(row.p_consume)}`;
  const rated = row.expected_rating !== undefined && row.expected_rating !== null;
  const figures = [el("span", { class: "figure", title: take }, percent(row.p_consume))];
  if (rated) {
    figures.push(el("span", { class: "figure", title: "expected rating" }, `★ ${number(row.expected_rating, 1)}`));
    figures.push(el("span", { class: "figure", title: "liked" }, `♥ ${percent(row.p_like)}`));
  }
  return el(
    "li",
    {},
    el("span", { class: "rank", "aria-hidden": "true" }, String(row.rank)),
    el("div", { class: "what" }, el("div", { class: "first" }, button, moved(row, places)), meter(row.p_consume / most, take), el("div", { class: "figures" }, figures)),
    lawBars(row),
  );
}

function moved(row, places) {
  if (places === null) return null;
  const was = places.get(row.item_id);
  if (was === row.rank) return null;
  if (was === undefined) return el("span", { class: "moved up" }, "new");
  const by = Math.abs(was - row.rank);
  const up = row.rank < was;
  return el("span", { class: `moved ${up ? "up" : "down"}`, role: "img", "aria-label": `${up ? "up" : "down"} ${by}` }, `${up ? "▲" : "▼"}${by}`);
}

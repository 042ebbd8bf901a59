// Why an item: its law, what of the history moved it, what it is like, and what if they took it.

import { byId, el, nameOf, number, percent, signed, tell } from "./dom.js";
import { get, post } from "./api.js";
import { lawBars, meter, swing } from "./charts.js";
import { addButtons, labelOf } from "./kinds.js";

const BY = [
  ["consume", "Taking it", "effect_consume", (value) => `× ${number(Math.exp(value))}`],
  ["rating", "Its rating", "effect_rating", (value) => signed(value)],
  ["like", "Liking it", "effect_like", (value) => `${signed(100 * value, 1)} points`],
];
let asked = 0;

/** Open the reasons for `row`: `by` what at first; a person is `who` as the service is asked, `has(item_id)`, `add(row, kind)`. */
export async function openWhy(row, person, by = "consume") {
  const dialog = byId("why");
  const body = el("div", { class: "reasons", "aria-live": "polite" }, el("p", { class: "soft" }, "Asking why…"));
  const close = el("button", { type: "button", class: "close", "aria-label": "Close", click: () => dialog.close() }, "×");
  dialog.replaceChildren(close, el("h2", { id: "why-title", tabindex: "-1" }, nameOf(row)), whatIf(row, person, dialog), body);
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  byId("why-title").focus();
  const mine = (asked += 1);
  try {
    const found = await askAll(row, person.who, by);
    if (mine !== asked) return;
    body.replaceChildren(lawPart(found.law), reasonsPart(row, person.who, found.rows, by), similarPart(found.similar, person));
    tell(`Reasons for ${nameOf(row)} are shown`);
  } catch (error) {
    if (mine === asked) body.replaceChildren(el("p", { role: "alert" }, error.message));
  }
}

byId("why").addEventListener("click", (event) => event.target === byId("why") && byId("why").close());

async function askAll(row, who, by) {
  const path = `items/${encodeURIComponent(row.item_id)}/similar?k=5`;
  const law = { ...who, k: 1, candidates: [row.item_id], exclude_seen: false };
  const [told, why, like] = await Promise.all([post("recommend", law), askReasons(row, who, by), get(path)]);
  return { law: told.recommendations[0], rows: why, similar: like.similar };
}

const askReasons = async (row, who, by) => (await post("explain", { ...who, items: [row.item_id], k: 8, by })).explanations;

function whatIf(row, person, dialog) {
  if (person.has(row.item_id)) return el("p", { class: "soft" }, "It is in the history.");
  const chosen = (kind) => {
    dialog.close();
    person.add(row, kind);
  };
  return el("p", { class: "what-if" }, "What if they took it as ", addButtons(nameOf(row), chosen));
}

function lawPart(law) {
  const rated = law.expected_rating !== undefined && law.expected_rating !== null;
  const figures = [["Taken next", percent(law.p_consume)]];
  if (rated) figures.push(["Expected rating", number(law.expected_rating)], ["Liked, if taken", percent(law.p_like)]);
  const list = el("dl", { class: "law-figures" }, figures.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
  return el("section", {}, list, rated ? [el("h3", {}, "How they would rate it"), lawBars(law, { width: 300, height: 110, labels: true })] : []);
}

function reasonsPart(row, who, rows, by) {
  const choices = BY.filter(([, , column]) => rows[0]?.[column] !== undefined);
  const table = el("div", {});
  const buttons = choices.map((choice) =>
    el("button", { type: "button", "aria-pressed": String(choice[0] === by), click: (event) => show(choice, event.currentTarget) }, choice[1]),
  );
  async function show(choice, button) {
    for (const each of buttons) each.setAttribute("aria-pressed", String(each === button));
    try {
      const found = choice[0] === by ? rows : await askReasons(row, who, choice[0]);
      if (button.getAttribute("aria-pressed") === "true") fillReasons(table, found, choice);
    } catch (error) {
      table.replaceChildren(el("p", { role: "alert" }, error.message));
    }
  }
  fillReasons(table, rows, BY.find((choice) => choice[0] === by));
  return el("section", {}, el("h3", {}, "Because of"), buttons.length > 1 ? el("div", { class: "tabs", role: "group", "aria-label": "What the reasons are for" }, buttons) : null, table);
}

function fillReasons(table, rows, [, , column, text]) {
  const most = Math.max(...rows.filter((row) => row.left_out === "item").map((row) => Math.abs(row[column])), 1e-9);
  const items = rows.map((row) => {
    const whole = row.left_out === "all";
    const name = whole ? "The whole history, against none" : (row.history_title ?? `item ${row.history_item_id}`);
    const kind = whole ? "" : row.interactions === "" ? labelOf(row) : row.interactions;
    return el("div", { class: `pair reason${whole ? " whole" : ""}` }, el("span", {}, name, kind ? el("small", {}, ` ${kind}`) : null), whole ? el("span") : swing(row[column] / most, text(row[column])), el("span", { class: "figure" }, text(row[column])));
  });
  table.replaceChildren(...items, el("p", { class: "soft" }, "What the model says, against what it says without that item."));
}

function similarPart(similar, person) {
  const rows = similar.map((row) =>
    el("div", { class: "pair" }, el("button", { type: "button", class: "title", click: () => openWhy(row, person) }, nameOf(row)), meter(row.similarity, `similarity ${number(row.similarity)}`, "other"), el("span", { class: "figure" }, number(row.similarity))),
  );
  return el("section", {}, el("h3", {}, "Similar items"), rows);
}

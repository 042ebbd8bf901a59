// The models: which answers, how they compare, switching between them, and what came of lists that were shown.

import { byId, el, percent, tell } from "./dom.js";
import { get, post } from "./api.js";
import { meter, reliability } from "./charts.js";
import { figureTable, showRecords } from "./comparison.js";

const EVERY = 10_000;
let known = null;

/** Show the models and keep them up to date while they can be seen; `changed(models)` when another one answers. */
export async function beginModels(models, { changed, fail }) {
  const files = el("div", { class: "card wide", id: "model-files" });
  const live = el("div", { class: "card wide", id: "ictr" });
  const records = el("div", { class: "card wide" });
  byId("model-cards").replaceChildren(files, live, records);
  const draw = (told) => showFiles(files, told, (path, name) => change(path, name, follow).catch(fail));
  const follow = async () => {
    const told = await get("models");
    if (JSON.stringify(told) === JSON.stringify(known)) return;
    const another = told.active !== known.active;
    known = told;
    draw(told);
    if (another) await changed(told);
  };
  known = models;
  draw(models);
  const look = () => document.visibilityState === "visible" && Promise.all([showRates(live), follow()]).catch(fail);
  window.setInterval(look, EVERY);
  document.addEventListener("visibilitychange", look);
  await Promise.all([showRates(live), showRecords(records)]);
}

function showFiles(card, models, switchTo) {
  const title = el("h3", { tabindex: "-1" }, "Models that can answer");
  const note = "Figures on the validation data of each model's training: to be compared where the data is the same.";
  const rows = models.models.map((file) => ({ ...file, metrics: file.validation, intervals: {}, error: file.fault }));
  const headOf = (row) => [...nameOf(row), buttonFor(row, models, switchTo)];
  const past = models.switches.slice(0, 5).map((each) => el("li", {}, `${day(each.timestamp)}: ${each.model}`));
  const back = models.may_switch && models.back_to !== null
    ? el("button", { type: "button", id: "back", click: () => switchTo("rollback", models.back_to) }, `Go back to ${models.back_to}`) : null;
  const parts = [
    title, el("p", { class: "soft" }, note), figureTable("Models", rows, headOf), back,
    models.may_switch ? null : el("p", { class: "soft" }, "To switch, a key of the role admin is needed."),
    ...curvesOf(models.models),
    ...(past.length ? [el("h4", {}, "Last switches"), el("ul", { class: "plain" }, past)] : []),
  ];
  card.replaceChildren(...parts.filter((part) => part !== null));
}

function nameOf(file) {
  const size = `${(file.bytes / 1e6).toFixed(1)} MB, of ${day(file.modified)}`;
  const flag = file.active ? el("span", { class: "flag usual" }, "answers") : null;
  return [el("strong", {}, file.name), " ", flag, el("small", {}, file.data === null ? size : `${file.data}; ${size}`)];
}

function buttonFor(file, models, switchTo) {
  if (file.active || !models.may_switch || file.fault !== null) return null;
  return el("button", { type: "button", "data-model": file.name, "aria-label": `Let ${file.name} answer`, click: () => switchTo(`${encodeURIComponent(file.name)}/activate`, file.name) }, "Let it answer");
}

/** Reliability of the model that answers, and behind a click that of the others. */
function curvesOf(files) {
  const active = files.filter((file) => file.active);
  const others = files.filter((file) => !file.active && file.fault === null);
  const panels = (some) => el("div", { class: "panels" }, some.flatMap(diagrams));
  const folded = el("details", {}, el("summary", {}, "Reliability of the others"), panels(others));
  return [el("h4", {}, "Reliability: is what it calls likely as frequent as it says?"), panels(active), others.length ? folded : null].filter((part) => part !== null);
}

function diagrams(file) {
  const curves = [[file.reliability_like, "liked"], [file.reliability_consume, "taken next"]].filter(([bins]) => bins.length);
  if (curves.length) return curves.map(([bins, what]) => reliability(bins, `${file.name}: ${what}`));
  return [el("p", { class: "soft" }, `${file.name} was trained by a version that kept no reliability. Train it again, or see \`conv4rec evaluate --run\` and \`serve --records\`.`)];
}

/** Ask whether it is meant, for it concerns everybody, then switch. */
async function change(path, name, follow) {
  if (!(await confirmed(name))) return;
  const card = byId("model-files");
  for (const button of card.querySelectorAll("button")) button.disabled = true;
  card.setAttribute("aria-busy", "true");
  tell(`${name} is being read`);
  try {
    await post(`models/${path}`, {});
    tell(`${name} answers now`);
  } finally {
    for (const button of card.querySelectorAll("button")) button.disabled = false;
    card.removeAttribute("aria-busy");
  }
  await follow();
  card.querySelector("h3").focus();
}

function confirmed(name) {
  const dialog = byId("switch");
  byId("switch-title").textContent = `Let ${name} answer?`;
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((done) => dialog.addEventListener("close", () => done(dialog.returnValue === "yes"), { once: true }));
}

const day = (seconds) => new Date(1000 * seconds).toISOString().slice(0, 16).replace("T", " ");

async function showRates(card) {
  const head = [el("h3", {}, "iCTR, live"), el("p", { class: "soft" }, "Share of the lists recorded as shown of which the user took an item in time. What this page shows is not recorded.")];
  try {
    const { rows } = await get("ictr");
    const table = rows.length ? ratesTable(rows) : el("p", {}, "No list has been recorded as shown yet (`record: true`).");
    card.replaceChildren(...head, table, el("p", { class: "soft" }, `As of ${new Date().toLocaleTimeString("en-GB")}.`));
  } catch (error) {
    card.replaceChildren(...head, el("p", { role: "alert" }, error.message));
  }
}

function ratesTable(rows) {
  const most = Math.max(...rows.map((row) => row.high ?? row.ictr), 0.01);
  const line = (row) => {
    const range = row.low === null ? "" : ` (${percent(row.low)} to ${percent(row.high)})`;
    const told = `${percent(row.ictr)}${range}`;
    return el("tr", {}, el("th", { scope: "row" }, row.model, el("small", {}, `${row.rank_by}, within ${spell(row.within)}`)), el("td", {}, meter(row.ictr / most, told)), el("td", {}, told, el("small", {}, `${row.taken} of ${row.shown}`)));
  };
  return el("div", { class: "scroll-x", tabindex: "0", role: "region", "aria-label": "iCTR" }, el("table", {}, el("tbody", {}, rows.map(line))));
}

function spell(seconds) {
  if (seconds >= 86_400) return `${Number((seconds / 86_400).toFixed(1))} d`;
  return seconds >= 60 ? `${Number((seconds / 60).toFixed(1))} min` : `${seconds} s`;
}

// The models: which answers, its figures, a comparison with others, and what came of lists that were shown.

import { byId, el, number, percent } from "./dom.js";
import { Refused, get } from "./api.js";
import { meter, reliability } from "./charts.js";

const EVERY = 10_000;
const FIGURES = [
  ["ndcg@", "what they take: nDCG", 4],
  ["recall@", "what they take: recall", 4],
  ["rmse", "how they rate: RMSE", 4],
  ["auc_like", "whether they like it: AUC", 4],
  ["nll", "both: nats per interaction", 3],
  ["ece_like", "calibration error of liking", 4],
  ["ece_consume", "calibration error of taking", 4],
  ["coverage@", "share of the catalogue in lists", 3],
];

/** Show what is known of the models, and keep iCTR up to date while it can be seen. */
export async function beginModels(models) {
  const live = el("div", { class: "card", id: "ictr" });
  const comparison = el("div", { class: "card wide" });
  byId("model-cards").replaceChildren(activeCard(models), live, comparison);
  const show = () => showRates(live);
  window.setInterval(() => document.visibilityState === "visible" && show(), EVERY);
  await Promise.all([show(), showRecords(comparison)]);
}

/** The name of a figure; of those for several lengths of lists that of 20, else the first. */
function keyFor(metrics, beginning) {
  if (!beginning.endsWith("@")) return beginning in metrics ? beginning : undefined;
  const usual = `${beginning}20`;
  return usual in metrics ? usual : Object.keys(metrics).find((name) => name.startsWith(beginning));
}

function activeCard(models) {
  const rows = FIGURES.flatMap(([beginning, meaning, digits]) => {
    const name = keyFor(models.validation, beginning);
    return name === undefined ? [] : [el("tr", {}, el("th", { scope: "row" }, name, el("small", {}, meaning)), el("td", {}, number(models.validation[name], digits)))];
  });
  const files = models.models.map((file) =>
    el("li", {}, el("strong", {}, file.name), file.active ? el("span", { class: "flag usual" }, "answers") : null, el("span", { class: "soft" }, `${(file.bytes / 1e6).toFixed(1)} MB, of ${day(file.modified)}`)),
  );
  const past = models.switches.slice(0, 5).map((each) => el("li", {}, `${day(each.timestamp)}: ${each.model}`));
  return el(
    "div", { class: "card" },
    el("h3", {}, "Models that can answer"),
    el("ul", { class: "plain" }, files),
    past.length ? [el("h4", {}, "Last switches"), el("ul", { class: "plain" }, past)] : null,
    el("h3", {}, `At the end of training on ${models.data}`),
    el("p", { class: "soft" }, `${models.items.toLocaleString("en")} items, ${models.users.toLocaleString("en")} users; figures on held-out validation data.`),
    rows.length ? el("table", {}, el("tbody", {}, rows)) : el("p", { class: "soft" }, "The model was trained without validation data."),
  );
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

async function showRecords(card) {
  const head = el("h3", {}, "Comparison and reliability");
  try {
    const { folder, records } = await get("records");
    if (folder === null) {
      card.replaceChildren(head, el("p", { class: "soft" }, "Give the folder of a run with --records, such as that of `conv4rec compare`, to see its models side by side here."));
      return;
    }
    card.replaceChildren(head, ...[...grouped(records)].flatMap(([name, rows]) => comparison(name, rows)));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    card.replaceChildren(head, el("p", { role: "alert" }, error.message));
  }
}

const groupOf = (record) => `${record.data}, ${record.recipe}, seed ${record.seed}${record.window > 1 ? `, window ${record.window}` : ""}`;

function grouped(records) {
  const groups = new Map();
  for (const record of records) groups.set(groupOf(record), [...(groups.get(groupOf(record)) ?? []), record]);
  return groups;
}

function comparison(name, rows) {
  const columns = FIGURES.map(([beginning, , digits]) => [rows.map((row) => keyFor(row.metrics, beginning)).find((key) => key !== undefined), digits]).filter(([key]) => key !== undefined);
  const head = el("tr", {}, el("th", { scope: "col" }, "model"), columns.map(([key]) => el("th", { scope: "col" }, key)));
  const body = rows.map((row) => el("tr", {}, el("th", { scope: "row" }, row.model), row.error === null ? columns.map((column) => figure(row, column)) : el("td", { colspan: columns.length }, row.error)));
  const drawn = rows.flatMap((row) => [[row.reliability_like, "liked"], [row.reliability_consume, "taken next"]].filter(([bins]) => bins.length).map(([bins, what]) => reliability(bins, `${row.model}: ${what}`)));
  return [
    el("h4", {}, name),
    el("div", { class: "scroll-x", tabindex: "0", role: "region", "aria-label": `Figures, ${name}` }, el("table", { class: "grid" }, el("thead", {}, head), el("tbody", {}, body))),
    drawn.length ? el("div", { class: "panels" }, drawn) : el("p", { class: "soft" }, "These records hold no reliability curves."),
  ];
}

function figure(row, [key, digits]) {
  if (row.metrics[key] === undefined) return el("td", {}, "–");
  const range = row.intervals[key];
  return el("td", {}, number(row.metrics[key], digits), range === undefined ? null : el("small", {}, `${number(range[0], digits)} to ${number(range[1], digits)}`));
}

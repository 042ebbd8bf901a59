// Figures of models side by side: of files, and of the records of a run.

import { el, number } from "./dom.js";
import { Refused, get } from "./api.js";
import { reliability } from "./charts.js";

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

/** The name of a figure; of those for several lengths of lists that of 20, else the first. */
function keyFor(metrics, beginning) {
  if (!beginning.endsWith("@")) return beginning in metrics ? beginning : undefined;
  const usual = `${beginning}20`;
  return usual in metrics ? usual : Object.keys(metrics).find((name) => name.startsWith(beginning));
}

/** A row for each of `rows` (`metrics` or null, `intervals`, `error`), which `headOf(row)` begins. */
export function figureTable(title, rows, headOf) {
  const told = rows.filter((row) => row.metrics !== null);
  const columns = FIGURES.map(([beginning, meaning, digits]) => [told.map((row) => keyFor(row.metrics, beginning)).find((key) => key !== undefined), digits, meaning]).filter(([key]) => key !== undefined);
  const head = el("tr", {}, el("th", { scope: "col" }, "model"), columns.map(([key, , meaning]) => el("th", { scope: "col", title: meaning }, key, el("small", {}, meaning))));
  const line = (row) => (row.error === null ? columns.map((column) => figure(row, column)) : el("td", { colspan: columns.length || 1, class: "fault" }, row.error));
  const body = rows.map((row) => el("tr", {}, el("th", { scope: "row" }, headOf(row)), line(row)));
  return el("div", { class: "scroll-x", tabindex: "0", role: "region", "aria-label": `Figures, ${title}` }, el("table", { class: "grid" }, el("thead", {}, head), el("tbody", {}, body)));
}

function figure(row, [key, digits]) {
  if (row.metrics[key] === undefined) return el("td", {}, "–");
  const range = row.intervals[key];
  return el("td", {}, number(row.metrics[key], digits), range === undefined ? null : el("small", {}, `${number(range[0], digits)} to ${number(range[1], digits)}`));
}

/** The comparison in the run folder that the service was given, if it was. */
export async function showRecords(card) {
  const head = el("h3", {}, "Comparison with others");
  try {
    const { folder, records } = await get("records");
    if (folder === null) {
      card.replaceChildren(head, el("p", { class: "soft" }, "Give the folder of a run with --records, such as that of `conv4rec compare`, to see its models on its test data side by side here."));
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
  const drawn = rows.flatMap((row) => [[row.reliability_like, "liked"], [row.reliability_consume, "taken next"]].filter(([bins]) => bins.length).map(([bins, what]) => reliability(bins, `${row.model}: ${what}`)));
  return [
    el("h4", {}, name),
    figureTable(name, rows, (row) => row.model),
    drawn.length ? el("div", { class: "panels" }, drawn) : el("p", { class: "soft" }, "These records hold no reliability curves."),
  ];
}

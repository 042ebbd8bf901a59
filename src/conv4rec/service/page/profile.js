// Who somebody is to the model, as pictures.

import { byId, el, nameOf, number, percent, signed } from "./dom.js";
import { post } from "./api.js";
import { meter, standing, swing } from "./charts.js";
import { labelOf } from "./kinds.js";

const SEGMENTS = 8;
const ENDS = 5;

/** The profile, or why there is none. */
export async function askProfile(who, models, signal) {
  if (!models.has_histories) return "The model was saved without users, among whom a profile stands out.";
  return (await post("profile", who, signal)).profiles[0];
}

export function showProfile(profile, open) {
  byId("profile").hidden = false;
  const cards = typeof profile === "string" ? [el("p", { class: "card soft" }, profile)] : cardsOf(profile, open);
  byId("profile-cards").replaceChildren(...cards);
}

const cardsOf = (p, open) => [styleCard(p.style), surenessCard(p), tasteCard(p.segments), itemsCard(p.history, open)];

const card = (title, ...children) => el("div", { class: "card" }, el("h3", {}, title), children);

function styleCard(style) {
  if (style === null) return card("How they rate", el("p", { class: "soft" }, "They have rated nothing."));
  const parts = [el("p", {}, `${style.n_ratings} ratings, ${number(style.mean)} on average.`)];
  parts.push(strip("Generosity", style.generosity_percentile, ["stricter than all", "more generous than all"], `${signed(style.generosity)} against the usual rating of the same items`));
  if (style.spread !== null) {
    parts.push(strip("Spread", style.spread_percentile, ["always the same", "all or nothing"], `standard deviation ${number(style.spread)}`));
  }
  return card("How they rate, among all users", parts);
}

function strip(title, percentile, ends, told) {
  const label = `${title}: above ${number(percentile, 0)} % of users`;
  return el("div", { class: "strip" }, el("div", {}, el("strong", {}, title), ` ${told}; above ${number(percentile, 0)} % of users`), standing(percentile, ends, label));
}

const VERDICTS = {
  usual: ["usual", "The history is like those the model has learned from."],
  thin: ["thin", "The history is short: the lists lean on what everybody takes."],
  odd: ["odd", "The history is unlike those the model has learned from: trust the lists less."],
};

function surenessCard({ familiarity, uncertainty, blank }) {
  const [word, told] = VERDICTS[familiarity.verdict] ?? [familiarity.verdict, ""];
  const most = Math.max(uncertainty.effective_items, blank.effective_items);
  const rows = [["This person", uncertainty, "take"], ["Somebody unknown", blank, "other"]].map(([name, law, kind]) => {
    const count = Math.round(law.effective_items).toLocaleString("en");
    const rating = law.rating_entropy === null ? null : el("small", {}, `its rating: ${number(law.rating_entropy)} nats`);
    return el("div", { class: "pair open" }, el("span", {}, name), meter(law.effective_items / most, `${count} items`, kind), el("span", { class: "figure" }, `${count} items`, rating));
  });
  return card(
    "How sure the model is",
    el("p", {}, el("span", { class: `flag ${word}` }, word), " ", told),
    el("p", { class: "soft" }, "The next choice is as open as between so many equally likely items:"),
    rows,
    el("details", {}, el("summary", {}, "The rule"), el("p", { class: "soft" }, familiarity.rule)),
  );
}

function tasteCard(segments) {
  const shown = segments.slice(0, SEGMENTS);
  const most = Math.max(...shown.flatMap((row) => [row.share, row.population_share]), 0.01);
  const rows = shown.map((row) => {
    const told = `${row.segment}: ${percent(row.share)} of theirs, ${percent(row.population_share)} of everybody's`;
    const like = row.p_like === undefined || row.p_like === null ? null : el("span", { class: "figure" }, `♥ ${percent(row.p_like)}`);
    return el(
      "div", { class: "pair", title: row.examples.join(", ") },
      el("span", {}, row.segment),
      el("span", { class: "double" }, meter(row.share / most, told), meter(row.population_share / most, "", "other")),
      el("span", { class: "figure" }, percent(row.share)), like,
    );
  });
  const key = el("p", { class: "legend" }, el("span", { class: "swatch take" }), "share of their history ", el("span", { class: "swatch other" }), "of everybody's. ♥: how likely they like one of it");
  return card("Taste", key, rows);
}

function itemsCard(history, open) {
  const ends = Math.min(ENDS, Math.ceil(history.length / 2));
  const most = Math.max(...history.map((row) => Math.abs(row.lift)), 0.01);
  const row = (each) =>
    el(
      "div", { class: "pair" },
      el("button", { type: "button", class: "title", click: () => open(each) }, nameOf(each)),
      swing(each.lift / most, `${signed(each.lift)} nats`),
      el("span", { class: "figure" }, each.interactions === "" ? labelOf(each) : each.interactions),
    );
  return card(
    "Typical and unusual for them",
    el("p", { class: "soft" }, "How much likelier the rest of the history makes an item than its popularity does; right is likelier."),
    el("h4", {}, "Most typical"), history.slice(0, ends).map(row),
    history.length > ends ? [el("h4", {}, "Least typical"), history.slice(-Math.min(ends, history.length - ends)).reverse().map(row)] : [],
  );
}

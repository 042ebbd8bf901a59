// Interaction types: what may stand in a history, and how one is chosen.

import { el } from "./dom.js";

let kinds = [];

export function learnKinds(told) {
  kinds = told;
}

export const ratings = () => [...new Set(kinds.map((kind) => kind.rating).filter((r) => r !== null))].sort((a, b) => a - b);

export function labelOf({ type, rating }) {
  const parts = [type, rating].filter((part) => part !== null && part !== undefined);
  return parts.length ? parts.join(":") : "taken";
}

const same = (a, b) => (a.type ?? null) === (b.type ?? null) && (a.rating ?? null) === (b.rating ?? null);

/** A button for every interaction type; for items that are not in the history. */
export function addButtons(title, chosen) {
  return el(
    "span",
    { class: "kinds", role: "group", "aria-label": `Add ${title} as` },
    kinds.map((kind) => el("button", { type: "button", "aria-label": labelOf(kind), click: () => chosen(kind) }, labelOf(kind))),
  );
}

let groups = 0;

/** One of all interaction types, changed with the arrow keys as well; for items of the history. */
export function kindRadios(title, now, chosen) {
  const name = `kind-${(groups += 1)}`;
  const radio = (kind) =>
    el("input", { type: "radio", name, class: "unseen", checked: same(kind, now), change: () => chosen(kind), "aria-label": labelOf(kind) });
  return el(
    "span",
    { class: "kinds", role: "radiogroup", "aria-label": `How they took ${title}` },
    kinds.map((kind) => el("label", {}, radio(kind), el("span", {}, labelOf(kind)))),
  );
}

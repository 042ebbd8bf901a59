// Finding people and titles, and the history that everything else hangs on.

import { afterTyping, byId, el, nameOf, tell } from "./dom.js";
import { get } from "./api.js";
import { addButtons, kindRadios, labelOf } from "./kinds.js";

/** Let the search boxes ask; `choose(user_id)` and `add(row, kind)` are called with what is chosen. What it gives asks again. */
export function beginSearch({ choose, add, fail, hasHistories }) {
  const searches = [
    ["user-search", () => findUsers(choose, hasHistories())],
    ["title-search", () => findTitles(add)],
  ];
  const runs = searches.map(([id, find]) => {
    let latest = 0;
    const run = async () => {
      const mine = (latest += 1);
      try {
        const show = await find();
        if (mine === latest) show();
      } catch (error) {
        fail(error);
      }
    };
    byId(id).addEventListener("input", afterTyping(run));
    run();
    return run;
  });
  return () => runs.forEach((run) => run());
}

async function findUsers(choose, hasHistories) {
  if (!hasHistories) return () => byId("users").replaceChildren(el("li", { class: "soft" }, "This model was saved without users."));
  const text = byId("user-search").value;
  const { users } = await get(`users?k=12&prefix=${encodeURIComponent(text)}`);
  const chip = (row) =>
    el("li", {}, el("button", { type: "button", "data-user": row.user_id, click: () => choose(row.user_id) }, String(row.user_id), el("small", {}, ` ${row.n_interactions} items`)));
  return () => {
    byId("users").replaceChildren(...(users.length ? users.map(chip) : [el("li", { class: "soft" }, "No user's id begins so.")]));
    if (text !== "") tell(`${users.length} users found`);
  };
}

async function findTitles(add) {
  const text = byId("title-search").value.trim();
  if (text === "") return () => byId("titles").replaceChildren(el("li", { class: "soft" }, "Nothing is stored: what you rate here stays in this tab."));
  const { items } = await get(`items?k=6&query=${encodeURIComponent(text)}`);
  const found = (row) => el("li", { "data-item": row.item_id }, el("span", { class: "name" }, nameOf(row)), addButtons(nameOf(row), (kind) => add(row, kind)));
  return () => {
    byId("titles").replaceChildren(...(items.length ? items.map(found) : [el("li", { class: "soft" }, "No title has these words.")]));
    tell(`${items.length} titles found`);
  };
}

/** Show the history of a person; `change(row, kind)` and `remove(row)` are called with what is done to it. */
export function showHistory({ user, history, changes }, { change, remove }) {
  byId("history").hidden = history.length === 0 && user === null;
  byId("history-title").textContent = user === null ? "Somebody new" : `User ${user}`;
  showChanges({ user, history, changes });
  byId("history-rows").replaceChildren(...history.map((row) => historyRow(row, change, remove)));
}

/** Tell how many changes there are; the rows stay as they are, so that the focus does. */
export function showChanges({ user, history, changes }) {
  const count = `${history.length} ${history.length === 1 ? "item" : "items"}`;
  const changed = changes === 0 ? "Change a rating and see the lists move; nothing is stored." : `${changes} ${changes === 1 ? "change" : "changes"} in this tab, stored nowhere.`;
  byId("history-note").textContent = `${count}. ${changed}`;
  byId("reset").hidden = user === null || changes === 0;
}

function historyRow(row, change, remove) {
  const name = nameOf(row);
  return el(
    "li",
    { "data-item": row.item_id },
    el("span", { class: "name" }, name),
    kindRadios(name, row, (kind) => change(row, kind)),
    el("button", { type: "button", class: "remove", "aria-label": `Leave out ${name} (${labelOf(row)})`, click: () => remove(row) }, "×"),
  );
}

// The page: a person, and everything that follows from their history. Nothing is stored but the key of this tab.

import { byId, nameOf, tell, trouble } from "./dom.js";
import { get } from "./api.js";
import { labelOf, learnKinds } from "./kinds.js";
import { askLists, showLists } from "./lists.js";
import { showMap } from "./map.js";
import { beginModels } from "./models.js";
import { beginSearch, showChanges, showHistory } from "./people.js";
import { askProfile, showProfile } from "./profile.js";
import { openWhy } from "./why.js";

const NOBODY = { user: null, history: [], original: [], changes: 0 };
let person = { ...NOBODY };
let models = null;
let lists = null;
let running = new AbortController();
let keys = 0;

const nextKey = () => (keys += 1);

const fail = (error) => {
  if (error.name !== "AbortError") trouble(error.message);
};

/** Whom the service is asked about: the user as it knows them, or the history as it is here. */
function who() {
  if (person.user !== null && person.changes === 0) return { users: [person.user] };
  return { histories: [person.history.map(({ item_id, rating, type }) => ({ item_id, rating, type }))] };
}

const has = (item) => person.history.some((row) => row.item_id === item);
const open = (row, by = "consume") => openWhy(row, { who: who(), has, add }, by);

async function choose(user, { before = null } = {}) {
  try {
    const told = await get(`users/${encodeURIComponent(user)}/history`);
    const history = told.history.map((row) => ({ ...row, key: nextKey() })).toSorted((a, b) => (b.rating ?? 0) - (a.rating ?? 0));
    person = { user, history, original: history, changes: 0 };
    window.history.replaceState(null, "", `?user=${encodeURIComponent(user)}`);
    lists = before;
    render();
    await ask();
  } catch (error) {
    fail(error);
  }
}

const traceOf = (row) => JSON.stringify([row.item_id, labelOf(row)]);

/** Take a history, and count how many of its rows differ from what the service knows. */
function become(history) {
  const [before, now] = [new Set(person.original.map(traceOf)), new Set(history.map(traceOf))];
  const gone = [...before].filter((each) => !now.has(each)).length;
  const come = [...now].filter((each) => !before.has(each)).length;
  person = { ...person, history, changes: Math.max(gone, come) };
}

function add(row, { rating, type }) {
  const others = person.history.filter((each) => each.item_id !== row.item_id || each.type !== type);
  become([{ key: nextKey(), item_id: row.item_id, title: row.title, rating, type }, ...others]);
  tell(`${nameOf(row)} added as ${labelOf({ rating, type })}`);
  render();
  ask();
}

function change(row, { rating, type }) {
  become(person.history.map((each) => (each.key === row.key ? { ...each, rating, type } : each)));
  tell(`${nameOf(row)} is now ${labelOf({ rating, type })}`);
  showChanges(person);
  ask();
}

function remove(row) {
  const place = person.history.findIndex((each) => each.key === row.key);
  become(person.history.filter((each) => each.key !== row.key));
  tell(`${nameOf(row)} left out`);
  render();
  const left = byId("history-rows").querySelectorAll(".remove");
  (left[Math.min(place, left.length - 1)] ?? byId("title-search")).focus();
  ask();
}

function render() {
  showHistory(person, { change, remove });
}

/** Ask for everything anew; an older question that is still on its way is given up. */
async function ask() {
  running.abort();
  running = new AbortController();
  const { signal } = running;
  if (person.history.length === 0) {
    for (const id of ["lists", "map", "profile"]) byId(id).hidden = true;
    lists = null;
    return;
  }
  byId("main").setAttribute("aria-busy", "true");
  try {
    trouble(null);
    const [about, before] = [who(), lists];
    const found = await askLists(about, models, signal);
    if (signal.aborted) return;
    lists = found;
    showLists(found, before, open);
    showMap(found, open);
    const profile = await askProfile(about, models, signal);
    if (!signal.aborted) showProfile(profile, open);
  } catch (error) {
    fail(error);
  } finally {
    if (!signal.aborted) byId("main").removeAttribute("aria-busy");
  }
}

byId("reset").addEventListener("click", () => {
  become(person.original);
  render();
  ask();
  byId("clear").focus();
});

byId("clear").addEventListener("click", () => {
  person = { ...NOBODY };
  window.history.replaceState(null, "", window.location.pathname);
  render();
  ask();
  byId("user-search").focus();
});

function learn(told) {
  models = told;
  learnKinds(models.interaction_types);
  byId("model").textContent = `${models.active}, trained on ${models.data}`;
}

/** Another model answers: ask it what the one before was asked, so that the lists show what moves. */
async function switched(told, searchAgain) {
  learn(told);
  searchAgain();
  if (person.user !== null && person.changes === 0) return choose(person.user, { before: lists });
  render();
  return ask();
}

async function begin() {
  learn(await get("models"));
  const searchAgain = beginSearch({ choose, add, fail, hasHistories: () => models.has_histories });
  const user = new URLSearchParams(window.location.search).get("user");
  const isNumber = user !== null && /^-?\d+$/.test(user) && Number.isSafeInteger(Number(user));
  if (user !== null) await chooseNamed(user, isNumber);
  await beginModels(models, { changed: (told) => switched(told, searchAgain), fail });
}

/** A user of the address: ids that are integers are told from texts by what the service has. */
async function chooseNamed(text, isNumber) {
  const { users } = await get(`users?k=1&prefix=${encodeURIComponent(text)}`);
  const known = users.find((row) => String(row.user_id) === text);
  await choose(known === undefined ? (isNumber ? Number(text) : text) : known.user_id);
}

begin().catch(fail);

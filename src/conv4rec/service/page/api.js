// Asking the service. The key, where one is needed, is kept for this tab only.

import { byId } from "./dom.js";

const KEY = "conv4rec-key";

/** A refusal: its status, and its reason as the message. */
export class Refused extends Error {
  constructor(status, reason) {
    super(reason);
    this.status = status;
  }
}

export const get = (path, signal) => ask(path, { signal });

export const post = (path, body, signal) =>
  ask(path, { signal, method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } });

async function ask(path, options) {
  const key = window.sessionStorage.getItem(KEY);
  const headers = { ...options.headers, ...(key === null ? {} : { Authorization: `Bearer ${key}` }) };
  const answer = await fetch(`/v1/${path}`, { ...options, headers, credentials: "omit" });
  const text = await answer.text();
  if (answer.ok) return JSON.parse(text, exactId);
  const reason = reasonOf(text, answer.status);
  if (answer.status !== 401) throw new Refused(answer.status, reason);
  if (key === window.sessionStorage.getItem(KEY)) await askForKey(key === null ? null : reason);
  return ask(path, options);
}

function reasonOf(text, status) {
  try {
    return JSON.parse(text).error.reason;
  } catch {
    return `the service answered ${status}`;
  }
}

/** JavaScript rounds integers beyond 2^53; another item than the one meant must never be shown. */
function exactId(name, value) {
  if (name.endsWith("_id") && typeof value === "number" && !Number.isSafeInteger(value)) {
    throw new Error("ids of this model are larger than a browser can count; ask the service by other means");
  }
  return value;
}

let asking = null;

function askForKey(reason) {
  const [dialog, form, field, told] = ["key-dialog", "key-form", "key", "key-trouble"].map(byId);
  told.hidden = reason === null;
  told.textContent = reason === null ? "" : reason;
  asking ??= new Promise((done) => {
    const given = () => {
      window.sessionStorage.setItem(KEY, field.value.trim());
      field.value = "";
      form.removeEventListener("submit", given);
      asking = null;
      done();
    };
    form.addEventListener("submit", given);
    dialog.addEventListener("cancel", (event) => event.preventDefault(), { once: true });
    dialog.showModal();
  });
  return asking;
}

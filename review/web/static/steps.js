// Each thing that is done goes to the server as one step, in order.
// A step that cannot be sent stays here until it can be; nothing is kept in the browser's storage.
"use strict";

import { $, element, say } from "./dom.js";

let base, role, token, took; // set by begin
let version;
let busy = false;
const waiting = []; // steps not yet answered

// take: called with each answer that holds the note anew, and whether it is the last one waited for.
export function begin(data, form, take) {
  base = `/note/${data.note}`;
  role = data.role;
  version = data.version;
  token = form;
  took = take;
}

export function send(op, given = {}, words = op) {
  waiting.push({ step: crypto.randomUUID?.() || String(Math.random()).slice(2) + Date.now(), op, given, words });
  pump();
}

async function pump() {
  if (busy || !waiting.length) return;
  busy = true;
  const next = waiting[0];
  try {
    const body = { ...next.given, step: next.step, op: next.op, version, role };
    const answer = await ask(`${base}/steps`, body);
    waiting.shift();
    take(answer, !waiting.length);
    if (answer.said) say(answer.said);
    trouble(null);
    if (answer.go && !waiting.length) {
      window.removeEventListener("beforeunload", warn);
      window.location.assign(answer.go);
      return;
    }
  } catch (problem) {
    failed(problem, next);
    busy = false;
    return;
  }
  busy = false;
  pump();
}

export async function ask(path, body) {
  let answer;
  try {
    answer = await fetch(path, {
      method: body ? "POST" : "GET",
      headers: { accept: "application/json", ...(body ? { "content-type": "application/json", "x-form": token } : {}) },
      body: body ? JSON.stringify(body) : undefined,
      redirect: "error",
    });
  } catch {
    throw { status: 0, said: "the server cannot be reached" };
  }
  const value = await answer.json().catch(() => ({}));
  if (!answer.ok) throw { status: answer.status, said: value.error || `the server answered ${answer.status}` };
  return value;
}

function failed(problem, step) {
  if (problem.status === 422 || problem.status === 400) {
    waiting.shift();
    say(`Not done: ${problem.said}`);
    trouble(null);
    if (waiting.length) pump();
    else ask(`${base}/state?role=${role}`).then((now) => take(now), () => {}); // what was drawn too soon
  } else if (problem.status === 409) {
    const left = waiting.splice(0);
    conflict(left);
  } else if (problem.status === 401 || problem.status === 403) {
    trouble(
      `Your session has ended. ${unsaved()} Log in in another window, then press “Try again”.`,
      ["Log in (new window)", () => window.open("/login", "_blank", "noopener")],
      ["Try again", retry],
    );
  } else {
    trouble(`Not saved: ${problem.said}. ${unsaved()}`, ["Try again", retry]);
    if (problem.status === 0) setTimeout(() => !busy && waiting[0] === step && retry(), 3000);
  }
}

function unsaved() {
  return waiting.length === 1 ? "One step is kept here." : `${waiting.length} steps are kept here.`;
}

async function retry() {
  try {
    const now = await ask(`${base}/state?role=${role}`);
    token = now.form;
    trouble(null);
    pump();
  } catch (problem) {
    failed(problem, waiting[0]);
  }
}

// Another window changed the note: show how it is now, and what was not done.
async function conflict(left) {
  try {
    const now = await ask(`${base}/state?role=${role}`);
    token = now.form;
    take(now);
    const what = left.map((each) => each.words).join("; ");
    trouble(
      `This note was changed in another window and is shown as it is now. Not done here: ${what}.`,
      ["Do it now", () => {
        trouble(null);
        waiting.push(...left);
        pump();
      }],
      ["Leave it", () => trouble(null)],
    );
  } catch (problem) {
    waiting.push(...left);
    failed(problem, left[0]);
  }
}

function trouble(words, ...buttons) {
  const box = $("trouble");
  box.hidden = words === null;
  box.replaceChildren();
  if (words === null) return;
  box.append(element("span", { textContent: `${words} ` }));
  for (const [name, act] of buttons) box.append(element("button", { type: "button", textContent: name, onclick: act }), " ");
}

function take(answer, last = false) {
  if (!answer.items) return;
  version = answer.version;
  took(answer, last);
}

// Path of a page of the note that is shown.
export function path(rest) {
  return `${base}/${rest}`;
}

function warn(event) {
  if (waiting.length) event.preventDefault();
}
window.addEventListener("beforeunload", warn);

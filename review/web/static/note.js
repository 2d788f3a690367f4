// The page of a note: decisions and marks by keys, each sent to the server as one step.
// A step that cannot be sent stays here until it can be; nothing is kept in the browser's storage.
"use strict";

import { KEYS, meaning } from "./keys.js";
import { Text } from "./marks.js";

const $ = (id) => document.getElementById(id);
const data = JSON.parse($("data").textContent);
const text = new Text($("text"), data.firsts.at(-1), data.part);
const long = data.parts.length > 2;
const labels = data.labels;
const labelOf = new Map(labels.map((label, at) => [label.name, at]));
const hueOf = (name) => labels[labelOf.get(name)]?.hue ?? 0;
const base = `/note/${data.note}`;

let items = data.items;
let version = data.version;
let state = data.state;
let token = $("form").dataset.token;
let current = null; // number of the item that keys act on
let cursor = text.count ? text.start : -1;
let anchor = null; // where marking began
let busy = false;
let surely = false; // what Enter asked back once is meant
let part = data.part.number;
let loading = null;
const opened = new Set([part]); // parts of the note that were on the screen
const waiting = []; // steps not yet answered
const seen = new Set();

function say(words) {
  $("say").textContent = words;
}

function element(tag, props = {}, ...children) {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...children.filter((child) => child !== null && child !== ""));
  return node;
}

function item(id = current) {
  return items.find((each) => each.id === id) || null;
}

// Steps

function send(op, given = {}, words = op) {
  waiting.push({ step: crypto.randomUUID?.() || String(Math.random()).slice(2) + Date.now(), op, given, words });
  pump();
}

async function pump() {
  if (busy || !waiting.length) return;
  busy = true;
  const next = waiting[0];
  try {
    const body = { ...next.given, step: next.step, op: next.op, version, role: data.role };
    const answer = await ask(`${base}/steps`, body);
    waiting.shift();
    if (answer.made && !waiting.length) current = answer.made;
    take(answer);
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

async function ask(path, body) {
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
    else ask(`${base}/state?role=${data.role}`).then(take, () => {}); // what was drawn too soon
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
    const now = await ask(`${base}/state?role=${data.role}`);
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
    const now = await ask(`${base}/state?role=${data.role}`);
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

function take(answer) {
  if (!answer.items) return;
  items = answer.only ? merged(answer.items) : answer.items;
  surely = false;
  version = answer.version;
  state = answer.state;
  if (current !== null && !item()) current = null;
  render();
}

// The items with some of them anew, in the server's order.
function merged(some) {
  const anew = new Map(some.map((each) => [each.id, each]));
  const all = items.filter((each) => !anew.has(each.id));
  const rank = data.mode === "marks" ? (each) => (each.at.length ? each.at.flat() : [2 ** 30]) : (each) => [labelOf.get(each.name) ?? 0];
  return [...all, ...some].sort((one, other) => {
    const [a, b] = [rank(one), rank(other)];
    for (let i = 0; i < Math.min(a.length, b.length); i += 1) if (a[i] !== b[i]) return a[i] - b[i];
    return a.length - b.length || one.id - other.id;
  });
}

// The list

// Neither decided, if proposed, nor answered, if nothing was proposed.
const undecided = (each) => each.state === "open" || each.state === "blank";

const SIGNS = { open: "to decide", blank: "not answered", kept: "kept", changed: "changed", added: "added", deleted: "deleted" };

function render() {
  const list = $("items");
  const focused = list.contains(document.activeElement);
  const near = items.filter(here);
  list.replaceChildren(...near.map(row));
  document.querySelector('[data-do="rest"]').hidden = state !== "open" || !blanks().length;
  document.querySelector('[data-do="reopen"]').hidden = state === "open";
  document.querySelector('#tools [data-do="done"]').hidden = state !== "open";
  document.querySelector('[data-do="probs"]').hidden = items.every((each) => each.prob === null);
  $("counts").textContent = near.length < items.length
    ? `${told(near)} in this part; ${told(items)} in all`
    : items.length ? told(items) : "Nothing marked";
  text.draw(items, hueOf);
  if (current === null && items.length) current = (items.find(undecided) || items[0]).id;
  shown();
  if (focused) list.querySelector("li.current")?.focus({ preventScroll: true });
  for (const each of list.children) watcher.observe(each);
}

function told(some) {
  return `${some.length} items, ${some.filter(undecided).length} to decide`;
}

// Whether an item belongs beside what is shown of a long note.
function here(each) {
  return !long || data.mode !== "marks" || !each.at.length || each.at.some(([line]) => text.shows(line));
}

function blanks() {
  return items.filter((each) => each.state === "blank");
}

function row(each) {
  const label = labels[labelOf.get(each.name)];
  const node = element("li", { tabIndex: 0, className: `hue-${hueOf(each.name)}` });
  node.dataset.id = each.id;
  node.dataset.state = each.state;
  if (seen.has(each.id)) node.dataset.seen = "yes";
  const word = label?.options.find((option) => option.name === each.said)?.word || each.said || "";
  const marks = data.mode === "marks";
  const name = element("span", { className: "name", textContent: marks && word ? `${each.name}: ${word}` : each.name });
  const acts = element("span", { className: "acts" },
    element("span", { className: "state", textContent: SIGNS[each.state] }),
    ...(each.state === "blank" ? [] : [
      act("✓", `Keep ${each.name}`, () => decide(each.id, "keep")),
      act("✕", `Delete ${each.name}`, () => decide(each.id, "delete")),
    ]));
  node.append(name, acts);
  if (label && !marks && label.options.length) node.append(options(each, label));
  if (each.value !== null && each.value !== undefined) node.append(element("span", { className: "quote", textContent: shownValue(each.value), dir: "auto" }));
  if (each.text) node.append(element("span", { className: "quote", textContent: `“${each.text}”`, dir: "auto" }));
  const facts = element("span", { className: "facts" });
  if (each.prob !== null) facts.append(element("span", { className: "prob", textContent: `probability ${each.prob.toFixed(2)}` }));
  if (each.doubt) facts.append(element("span", { textContent: `second reader: ${each.doubt}` }));
  if (each.by.length) facts.append(element("span", { textContent: `said by ${each.by.join(", ")}` }));
  if (each.words.length > 1) facts.append(element("span", { textContent: `${each.words.length} parts` }));
  if (facts.childElementCount) (node.querySelector(".options") || node).append(facts);
  node.addEventListener("focus", () => select(each.id, false));
  node.addEventListener("click", () => select(each.id, true));
  return node;
}

function shownValue({ raw, value, unit }) {
  const plain = value === null || value === undefined ? "not readable" : `${value}${unit ? ` ${unit}` : ""}`;
  return String(raw) === plain ? plain : `${raw} → ${plain}`;
}

function act(sign, name, run) {
  const button = element("button", { type: "button", textContent: sign, title: name, tabIndex: -1 });
  button.setAttribute("aria-label", name);
  button.addEventListener("click", (event) => {
    event.stopPropagation();
    run();
  });
  return button;
}

function options(each, label) {
  const group = element("span", { className: "options" });
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", `What is said of ${each.name}`);
  label.options.forEach((option, at) => {
    const button = element("button", { type: "button", textContent: `${at + 1} ${option.word}`, tabIndex: -1 });
    button.setAttribute("aria-pressed", String(option.name === each.said && each.state !== "blank"));
    button.addEventListener("click", (event) => {
      event.stopPropagation();
      select(each.id, false);
      answer(each, option);
    });
    group.append(button);
  });
  return group;
}

function answer(each, option) {
  if (each.said === option.name) {
    if (undecided(each)) decide(each.id, "keep");
    return;
  }
  send("change", { item: each.id, said: option.name }, `${each.name}: ${option.word}`);
  if (each.state !== "blank") return;
  each.state = "added";
  walk(1, true);
}

const watcher = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    seen.add(Number(target.dataset.id));
    target.dataset.seen = "yes";
  }
}, { threshold: 0.6 });

function select(id, focus, scroll = true) {
  current = id;
  shown();
  const it = item();
  const far = scroll && (it?.at[0] || it?.evidence[0]);
  if (far && !text.shows(far[0])) {
    open(partOf(far[0])).then((done) => done && current === id && select(id, focus), () => {});
    return;
  }
  const node = $("items").querySelector("li.current");
  if (focus) node?.focus({ preventScroll: true });
  if (scroll) node?.scrollIntoView({ block: "nearest" });
  const place = it?.at[0] || it?.evidence[0];
  if (scroll && place) text.show(place[0]);
}

function shown() {
  for (const node of $("items").children) {
    const is = Number(node.dataset.id) === current;
    node.classList.toggle("current", is);
    if (is) node.setAttribute("aria-current", "true");
    else node.removeAttribute("aria-current");
  }
  const it = item();
  text.place("current", it?.state === "deleted" ? [] : it?.at, 5);
  text.place("evidence", it?.evidence, 0);
}

function walk(by, onlyOpen = false) {
  const at = items.findIndex((each) => each.id === current);
  for (let step = 1; step <= items.length; step += 1) {
    const next = items[(at + by * step + items.length * step) % items.length];
    if (!onlyOpen || undecided(next)) {
      const focus = document.activeElement !== $("text");
      select(next.id, focus);
      return true;
    }
  }
  return false;
}

function decide(id, op) {
  const it = item(id);
  if (!it) return;
  const silent = labels[labelOf.get(it.name)]?.options.at(-1);
  if (op === "delete" && data.mode === "choices") send("change", { item: id, said: silent.name }, `${it.name}: ${silent.word}`);
  else send(op, { item: id }, `${op} ${it.name}`);
  it.state = op === "keep" ? "kept" : "deleted";
  seen.add(id);
  select(id, document.activeElement !== $("text"), false);
  walk(1, true);
}

// Marking

function marked() {
  if (cursor < 0) return null;
  return anchor === null ? [cursor, cursor] : [Math.min(anchor, cursor), Math.max(anchor, cursor)];
}

function drawCursor() {
  const range = marked();
  text.layer("marked", anchor === null || !range ? [] : text.words(...range), 8);
  text.layer("cursor", cursor < 0 || document.activeElement !== $("text") ? [] : text.words(cursor, cursor), 9);
}

function move({ to, extend, all }) {
  if (cursor < 0) return;
  if (extend && anchor === null) anchor = cursor;
  if (!extend) anchor = null;
  if (!text.has(cursor)) {
    reach();
    return;
  }
  const line = text.line(cursor);
  const rtl = getComputedStyle(text.element(line)).direction === "rtl";
  const step = { ArrowLeft: rtl ? 1 : -1, ArrowRight: rtl ? -1 : 1 }[to];
  if (step) cursor = Math.min(text.count - 1, Math.max(0, cursor + step));
  else if (to === "ArrowUp" || to === "ArrowDown") cursor = text.beside(cursor, to === "ArrowDown");
  else if (to === "Home") cursor = all ? 0 : text.first(line);
  else cursor = all ? text.count - 1 : text.first(line + 1) - 1;
  if (text.has(cursor)) moved();
  else reach();
}

// Open the part that the cursor is in.
function reach() {
  const to = data.firsts.findIndex((first, at) => first <= cursor && cursor < data.firsts[at + 1]);
  open(to).then((done) => done && moved(`part ${part + 1} of ${data.parts.length - 1}: `), () => {});
}

// Parts of a long note

function partOf(line) {
  return data.parts.findIndex((first, at) => first <= line && line < data.parts[at + 1]);
}

async function open(wanted) {
  if (loading) return false;
  if (wanted === part || wanted < 0 || wanted > data.parts.length - 2) return true;
  loading = wanted;
  try {
    text.replace(await ask(`${base}/part?part=${wanted + 1}`));
  } catch (problem) {
    say(`This part could not be opened: ${problem.said}`);
    throw problem;
  } finally {
    loading = null;
  }
  $("text").scrollTop = wanted < part ? $("text").scrollHeight : 0;
  part = wanted;
  opened.add(part);
  tellPart();
  render();
  drawCursor();
  say(`part ${part + 1} of ${data.parts.length - 1}`);
  return true;
}

function tellPart() {
  for (const input of document.querySelectorAll("#parts input")) input.value = part + 1;
  for (const link of document.querySelectorAll("#parts a")) link.hidden = link.dataset.go === "before" ? part < 1 : part > data.parts.length - 3;
  if (long) $("sections")?.remove(); // those of the part before
}

function turn(by) {
  if (!long) return;
  const to = Math.min(data.parts.length - 2, Math.max(0, part + by));
  open(to).then((done) => {
    if (!done) return;
    cursor = Math.min(data.firsts[to], text.count - 1);
    anchor = null;
    drawCursor();
  }, () => {});
}

function moved(before = "") {
  drawCursor();
  text.show(text.line(cursor));
  const range = marked();
  if (anchor === null) {
    const under = items.filter((each) => each.state !== "deleted" && each.words.some(([a, b]) => a <= cursor && cursor <= b));
    const inner = under.sort((a, b) => size(a) - size(b))[0];
    if (inner) select(inner.id, false, false);
    say(before + text.text(cursor, cursor) + (under.length ? ` – ${under.map((each) => each.name).join(", ")}` : ""));
  } else say(`marked: ${text.text(...range).slice(0, 200)}`);
}

function size(each) {
  return each.words.reduce((sum, [a, b]) => sum + b - a, 0);
}

function mark(label) {
  const range = marked();
  if (!range || !label) return;
  send("add", { name: label.name, words: [range] }, `mark ${label.name}`);
  anchor = null;
  drawCursor();
}

// What keys and buttons do

const ACTS = {
  keep: () => current !== null && decide(current, "keep"),
  delete: () => current !== null && decide(current, "delete"),
  next: () => walk(1),
  before: () => walk(-1),
  nextopen: () => walk(1, true) || say("all are decided"),
  certainty: () => {
    const it = item();
    const each = it && labels[labelOf.get(it.name)].options;
    if (!each?.length) return say("this label has no certainties");
    const at = each.findIndex((option) => option.name === it.said);
    return answer(it, each[(at + 1) % each.length]);
  },
  same: () => current !== null && send("same", { item: current }, "the same words everywhere"),
  part: () => {
    const range = marked();
    if (current === null || !range) return;
    send("part", { item: current, words: [range] }, "a further part");
    anchor = null;
    drawCursor();
  },
  border: (how) => current !== null && send("border", { item: current, ...how }, "move a border"),
  text: () => $("text").focus(),
  list: () => $("items").querySelector("li.current")?.focus(),
  escape: () => {
    anchor = null;
    drawCursor();
  },
  undo: () => send("undo", {}, "undo"),
  redo: () => send("redo", {}, "redo"),
  comment: () => $("comment")?.focus(),
  partafter: () => turn(1),
  partbefore: () => turn(-1),
  reopen: () => send("reopen", {}, "open the note again"),
  rest: () => {
    const left = blanks();
    if (!left.length) return say("every label is answered");
    send("rest", {}, "nothing else");
    for (const each of left) each.state = "added";
  },
  done: () => {
    const left = blanks();
    if (left.length) {
      select(left[0].id, true);
      return say(`${left.length} labels without an answer: answer each, or press n if the note says nothing else`);
    }
    if (data.blind && data.mode === "marks" && !surely && items.every((each) => each.state === "deleted")) {
      surely = true;
      return say("Nothing is marked. Press Enter once more if the note holds nothing.");
    }
    const closed = data.parts.length - 1 - opened.size;
    if (closed && !surely) {
      surely = true;
      return say(`${closed} of the note's ${data.parts.length - 1} parts were not opened. Press Enter once more if that is meant.`);
    }
    const unseen = items.filter((each) => each.state === "open" && !seen.has(each.id));
    if (!unseen.length) return send("done", { keep: [...seen] }, "finish the note");
    select(unseen[0].id, true);
    return say(`${unseen.length} of the proposals you have not seen yet; here is the first`);
  },
  skip: () => $("why").showModal(),
  probs: () => {
    const hidden = document.body.classList.toggle("noprobs");
    document.querySelector('[data-do="probs"]').setAttribute("aria-pressed", String(!hidden));
  },
  help: () => $("help").showModal(),
  choose: () => {
    if (data.mode === "choices") return;
    $("filter").value = "";
    narrow();
    $("chooser").showModal();
    $("filter").focus();
  },
  value: () => {
    if (data.mode !== "values" || current === null) return;
    const range = marked();
    if (document.activeElement === $("text") && range) {
      send("change", { item: current, words: [range] }, `the words of ${item().name}`);
      anchor = null;
      drawCursor();
      return;
    }
    $("valuehead").textContent = item().name;
    $("value").value = item().value?.raw ?? "";
    $("valuebox").showModal();
    $("value").select();
  },
  digit: (at) => {
    const it = item();
    const inText = document.activeElement === $("text");
    if (data.mode !== "marks") {
      const option = it && labels[labelOf.get(it.name)].options[at];
      if (option) answer(it, option);
      return;
    }
    give(labels[at], inText);
  },
};

function give(label, inText) {
  if (!label) return;
  if (inText) mark(label);
  else if (data.mode === "values") {
    const there = items.find((each) => each.name === label.name);
    if (there) select(there.id, true);
  } else if (current !== null) send("change", { item: current, name: label.name }, `make it ${label.name}`);
}

function narrow() {
  const part = $("filter").value.toLowerCase();
  const found = labels.filter((label) => label.name.toLowerCase().includes(part));
  $("choices").replaceChildren(...found.map((label) => element("button", {
    type: "button",
    textContent: label.name,
    className: `label hue-${label.hue}`,
    onclick: () => pick(label),
  })));
}

let cameFromText = true;

function pick(label) {
  $("chooser").close();
  (cameFromText ? $("text") : $("items").querySelector("li.current"))?.focus();
  give(label, cameFromText);
}

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.defaultPrevented || document.querySelector("dialog[open]")) return;
  const on = event.target;
  if (on.matches("input, select, textarea")) return;
  if (!$("work").contains(on) && on !== document.body) return;
  if (on.matches("button, a, summary") && ["Enter", " "].includes(event.key)) return;
  const found = meaning(event);
  if (!found) return;
  const [name, detail] = found;
  if (name === "cursor") {
    if (on === $("text")) move(detail);
    else if (on.closest("#items") && ["ArrowUp", "ArrowDown"].includes(detail.to)) walk(detail.to === "ArrowDown" ? 1 : -1);
    else return;
  } else {
    if (name === "choose") cameFromText = on === $("text");
    ACTS[name]?.(detail);
  }
  event.preventDefault();
});

$("text").addEventListener("focus", () => {
  if (cursor >= 0) drawCursor();
});
$("text").addEventListener("blur", drawCursor);

// Mouse and touch: the browser's own selection, snapped to words.
document.addEventListener("selectionchange", () => {
  const selection = document.getSelection();
  if (!selection.rangeCount || !$("text").contains(selection.anchorNode)) return;
  const a = text.at(selection.anchorNode, selection.anchorOffset);
  const b = text.at(selection.focusNode, selection.focusOffset);
  if (a < 0 || b < 0) return;
  cursor = b;
  anchor = selection.isCollapsed ? null : a;
  if (!selection.isCollapsed && a < b) {
    // A selection that ends at the start of a word does not hold it.
    const line = text.element(text.line(b));
    if (line.contains(selection.focusNode) && selection.focusOffset <= text.from(b)) cursor = Math.max(a, b - 1);
  }
  drawCursor();
});
$("text").addEventListener("click", () => text.has(cursor) && moved());

for (const button of $("tools").querySelectorAll("[data-label]")) {
  button.addEventListener("mousedown", (event) => event.preventDefault());
  button.addEventListener("click", () => {
    const range = document.getSelection();
    give(labels[Number(button.dataset.label)], anchor !== null || document.activeElement === $("text") || !range);
  });
}
for (const button of document.querySelectorAll("[data-do]")) {
  button.addEventListener("click", () => ACTS[button.dataset.do]?.());
}
for (const button of document.querySelectorAll("[data-side]")) {
  button.addEventListener("click", () => send("side", { by: button.dataset.side }, `take all of ${button.dataset.side}`));
}
for (const why of data.reasons) {
  $("reasons").append(element("button", {
    type: "button",
    textContent: why,
    onclick: () => {
      $("why").close();
      send("skip", { why }, "skip the note");
    },
  }));
}
for (const [key, , what] of KEYS) {
  $("keylist").append(element("dt", {}, element("kbd", { textContent: key })), element("dd", { textContent: what }));
}
$("filter").addEventListener("input", narrow);
$("filter").addEventListener("keydown", (event) => {
  if (event.key === "Enter") {
    event.preventDefault();
    $("choices").firstElementChild?.click();
  }
});

for (const link of document.querySelectorAll("#parts a")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    turn(link.dataset.go === "before" ? -1 : 1);
  });
}
$("partform")?.addEventListener("submit", (event) => {
  event.preventDefault();
  turn(Number($("partnumber").value) - 1 - part);
});

function warn(event) {
  if (waiting.length) event.preventDefault();
}
window.addEventListener("beforeunload", warn);
$("valueform").addEventListener("submit", () => {
  send("change", { item: current, value: { raw: $("value").value } }, `the value of ${item().name}`);
});

render();
if (items.some(here)) select((items.filter(here).find(undecided) || items.find(here)).id, true, false);
else $("text").focus();

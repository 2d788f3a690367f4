// The page of a note: decisions and marks by keys.
"use strict";

import { $, amount, element, say } from "./dom.js";
import { KEYS, meaning } from "./keys.js";
import { row, told, undecided } from "./list.js";
import { Text } from "./marks.js";
import { ask, begin, path, send } from "./steps.js";

const data = JSON.parse($("data").textContent);
const text = new Text($("text"), data.firsts.at(-1), data.part);
const long = data.parts.length > 2;
const labels = data.labels;
const labelOf = new Map(labels.map((label, at) => [label.name, at]));
const hueOf = (name) => labels[labelOf.get(name)]?.hue ?? 0;

let items = data.items;
let state = data.state;
let current = null; // number of the item that keys act on
let cursor = text.count ? text.start : -1;
let anchor = null; // where marking began
let surely = false; // what Enter asked back once is meant
let part = data.part.number;
let loading = null;
const opened = new Set([part]); // parts of the note that were on the screen
const seen = new Set();

function item(id = current) {
  return items.find((each) => each.id === id) || null;
}

// What the server answered.
function take(answer, last) {
  if (last && answer.made) current = answer.made;
  items = answer.only ? merged(answer.items) : answer.items;
  surely = false;
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

function render() {
  const list = $("items");
  const focused = list.contains(document.activeElement);
  const near = items.filter(here);
  list.replaceChildren(...near.map((each) => {
    const node = row(each, labels[labelOf.get(each.name)], data.mode === "marks", { decide, answer, select });
    if (seen.has(each.id)) node.dataset.seen = "yes";
    return node;
  }));
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

// Whether an item belongs beside what is shown of a long note.
function here(each) {
  return !long || data.mode !== "marks" || !each.at.length || each.at.some(([line]) => text.shows(line));
}

function blanks() {
  return items.filter((each) => each.state === "blank");
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
    text.replace(await ask(path(`part?part=${wanted + 1}`)));
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
    say(before + text.text(cursor, cursor).slice(0, 200) + (under.length ? ` – ${under.map((each) => each.name).join(", ")}` : ""));
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
      return say(`${amount(left.length, "label")} without an answer: answer each, or press n if the note says nothing else`);
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
  help: () => {
    $("help").showModal();
    $("helphead").focus(); // else the button at its end
  },
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

$("valueform").addEventListener("submit", () => {
  send("change", { item: current, value: { raw: $("value").value } }, `the value of ${item().name}`);
});

begin(data, $("form").dataset.token, take);
render();
if (items.some(here)) select((items.filter(here).find(undecided) || items.find(here)).id, true, false);
else $("text").focus();

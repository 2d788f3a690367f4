// The list of what is proposed and said: its rows.
"use strict";

import { amount, element } from "./dom.js";

// Neither decided, if proposed, nor answered, if nothing was proposed.
export const undecided = (each) => each.state === "open" || each.state === "blank";

const SIGNS = { open: "to decide", blank: "not answered", kept: "kept", changed: "changed", added: "added", deleted: "deleted" };

export function told(some) {
  return `${amount(some.length, "item")}, ${some.filter(undecided).length} to decide`;
}

// One item; does: what its buttons do, by name (decide, answer, select).
export function row(each, label, marks, does) {
  const node = element("li", { tabIndex: 0, className: `hue-${label?.hue ?? 0}` });
  node.dataset.id = each.id;
  node.dataset.state = each.state;
  const word = label?.options.find((option) => option.name === each.said)?.word || each.said || "";
  const name = element("span", { className: "name", textContent: marks && word ? `${each.name}: ${word}` : each.name });
  const acts = element("span", { className: "acts" },
    element("span", { className: "state", textContent: SIGNS[each.state] }),
    ...(each.state === "blank" ? [] : [
      act("✓", `Keep ${each.name}`, () => does.decide(each.id, "keep")),
      act("✕", `Delete ${each.name}`, () => does.decide(each.id, "delete")),
    ]));
  node.append(name, acts);
  if (label && !marks && label.options.length) node.append(options(each, label, does));
  if (each.value !== null && each.value !== undefined) node.append(element("span", { className: "quote", textContent: shownValue(each.value, label?.unit), dir: "auto" }));
  if (each.text) node.append(element("span", { className: "quote", textContent: `“${each.text}”`, dir: "auto" }));
  const facts = element("span", { className: "facts" });
  if (each.prob !== null) facts.append(element("span", { className: "prob", textContent: `probability ${each.prob.toFixed(2)}` }));
  if (each.doubt) facts.append(element("span", { textContent: `second reader: ${each.doubt}` }));
  if (each.by.length) facts.append(element("span", { textContent: `said by ${each.by.join(", ")}` }));
  if (each.words.length > 1) facts.append(element("span", { textContent: `${each.words.length} parts` }));
  if (facts.childElementCount) (node.querySelector(".options") || node).append(facts);
  node.addEventListener("focus", () => does.select(each.id, false));
  node.addEventListener("click", () => does.select(each.id, true));
  return node;
}

// The words and what they mean, in the label's unit, whatever unit the note writes.
function shownValue({ raw, value, comparator }, unit) {
  const short = typeof value === "number" ? Number(value.toPrecision(6)) : value;
  const plain = value === null || value === undefined ? "not readable" : `${comparator || ""}${short}${unit ? ` ${unit}` : ""}`;
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

function options(each, label, does) {
  const group = element("span", { className: "options" });
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", `What is said of ${each.name}`);
  label.options.forEach((option, at) => {
    const button = element("button", { type: "button", textContent: `${at + 1} ${option.word}`, tabIndex: -1 });
    button.setAttribute("aria-pressed", String(option.name === each.said && each.state !== "blank"));
    button.addEventListener("click", (event) => {
      event.stopPropagation();
      does.select(each.id, false);
      does.answer(each, option);
    });
    group.append(button);
  });
  return group;
}

// Which key does what. One table: the page shows it, and the note's script goes by it.
"use strict";

export const KEYS = [
  ["a", "keep", "keep the proposal and go to the next"],
  ["x", "delete", "delete it (or, for labels, say nothing of it)"],
  ["1–9", "", "in the text: mark the words with this label; in the list: give the proposal this label or answer"],
  ["l", "choose", "choose a label by name"],
  [".", "next", "next proposal"],
  [",", "before", "proposal before"],
  ["o", "nextopen", "next proposal that is not decided"],
  ["c", "certainty", "next certainty"],
  ["n", "rest", "nothing else: of all labels without an answer the note says nothing"],
  ["v", "value", "change the value"],
  ["s", "same", "propose the same words everywhere in the note"],
  ["d", "part", "add the marked words to the proposal as a further part"],
  ["[ ]", "", "move the end of the mark by a word; with Alt by a sign"],
  ["{ }", "", "move its start by a word; with Alt by a sign"],
  ["t", "text", "to the text"],
  ["i", "list", "to the list"],
  ["← → ↑ ↓", "", "in the text: the cursor by words and lines; with Shift they mark words"],
  ["Esc", "escape", "unmark"],
  ["<", "partbefore", "of a long note: the part before"],
  [">", "partafter", "of a long note: the next part"],
  ["u", "undo", "undo, also on notes before (Ctrl+Z)"],
  ["r", "redo", "redo (Ctrl+Y)"],
  ["Enter", "done", "keep all proposals left that you saw, and go to the next note"],
  ["m", "comment", "say something to colleagues about the note"],
  ["k", "skip", "skip the note, with a reason"],
  ["p", "probs", "show or hide probabilities"],
  ["?", "help", "these keys"],
];

const SINGLE = new Map(KEYS.filter(([key, act]) => act && key.length === 1).map(([key, act]) => [key, act]));

// What a key event asks for, or null: [name, detail].
export function meaning(event) {
  const { key, ctrlKey, metaKey, altKey, shiftKey } = event;
  const strong = ctrlKey || metaKey;
  if (strong && !altKey && key.toLowerCase() === "z") return [shiftKey ? "redo" : "undo"];
  if (strong && !altKey && key.toLowerCase() === "y") return ["redo"];
  if (strong) return key === "Home" || key === "End" ? ["cursor", { to: key, extend: shiftKey, all: true }] : null;
  if (key === "Enter") return ["done"];
  if (key === "Escape") return ["escape"];
  if (["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"].includes(key)) {
    return ["cursor", { to: key, extend: shiftKey }];
  }
  const code = { BracketLeft: "[", BracketRight: "]" }[event.code];
  const edge = { "[": ["end", -1], "]": ["end", 1], "{": ["start", -1], "}": ["start", 1] }[key]
    || (altKey && code ? [shiftKey ? "start" : "end", code === "[" ? -1 : 1] : null);
  if (edge) return ["border", { edge: edge[0], by: edge[1], unit: altKey ? "sign" : "word" }];
  if (altKey) return null;
  if (key >= "1" && key <= "9") return ["digit", Number(key) - 1];
  const act = SINGLE.get(key);
  return act ? [act] : null;
}

// Small tools of the page.
"use strict";

export const $ = (id) => document.getElementById(id);

// A number and its noun.
export function amount(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

export function say(words) {
  $("say").textContent = words;
}

export function element(tag, props = {}, ...children) {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...children.filter((child) => child !== null && child !== ""));
  return node;
}

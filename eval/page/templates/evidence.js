"use strict";
(() => {
{% include "theme.js" %}

  const byId = (id) => document.getElementById(id);
  const data = JSON.parse(byId("data").textContent);
  const perPage = 20;
  const words = data.words ?? { p: "positive", u: "uncertain", n: "negative", b: "blank", "-": "no answer" };
  const says = (label) => label[6] ?? words[label[1]];
  const classes = { p: "p", u: "u", n: "n", b: "none", "-": "none" };
  const rank = "punb-";
  const nothing = new Set(data.nothing ?? []);
  // Positive of what says that nothing was found is no sign of disease.
  const look = (place, letter) => (letter === "p" && nothing.has(place) ? "h" : classes[letter]);

  // Pieces of the text, each with the labels whose evidence covers it. Offsets count code points.
  function pieces(row) {
    const characters = Array.from(row.t);
    const cuts = new Set([0, characters.length]);
    for (const label of row.l) for (const [start, end] of label[3]) cuts.add(start).add(end);
    const places = [...cuts].sort((a, b) => a - b);
    return places.slice(1).map((end, index) => {
      const start = places[index];
      const labels = row.l.flatMap(([, , , spans], number) =>
        spans.some(([a, b]) => a <= start && end <= b) ? [number] : []);
      return { text: characters.slice(start, end).join(""), labels };
    });
  }

  function card(row) {
    const article = make("article");
    article.append(make("h2", "", row.id));
    const text = make("div", "text");
    const marks = [];
    for (const piece of pieces(row)) {
      if (!piece.labels.length) { text.append(piece.text); continue; }
      const first = [...piece.labels].sort((a, b) =>
        rank.indexOf(row.l[a][1]) - rank.indexOf(row.l[b][1])
        || nothing.has(row.l[a][0]) - nothing.has(row.l[b][0]))[0];
      const mark = make("mark", look(row.l[first][0], row.l[first][1]), piece.text);
      mark.dataset.at = marks.length + 1;
      mark.tabIndex = 0;
      mark.setAttribute("role", "button");
      mark.title = piece.labels
        .map((number) => data.observations[row.l[number][0]] + ": " + says(row.l[number]))
        .join("\n");
      marks.push([mark, piece.labels]);
      text.append(mark);
    }
    const chips = make("ul", "chips");
    const buttons = row.l.map((label, number) => {
      const [place, letter, sure, spans, other, ruled] = label;
      const item = make("li");
      const button = make("button", "chip " + look(place, letter) + (spans.length ? "" : " unplaced"));
      button.type = "button";
      button.append(make("span", "", data.observations[place]), make("span", "says", says(label)));
      if (sure !== null) button.append(make("span", "sure", sure.toFixed(2)));
      if (ruled) {
        button.append(make("span", "other", "by rule"));
        button.title = "The likeliest label broke a rule of the label set; the probability is this label's own.";
      }
      if (other) button.append(make("span", "other", "other reader: " + words[other]));
      const at = marks.flatMap(([mark, own]) => (own.includes(number) ? [mark.dataset.at] : []));
      if (at.length) {
        const where = make("span", "at", at.join(" "));
        where.title = "carried by the part" + (at.length > 1 ? "s " : " ") + at.join(", ");
        button.append(where);
      }
      item.append(button);
      chips.append(item);
      return button;
    });
    const blank = data.observations.length - new Set(row.l.map(([place]) => place)).size;
    const what = data.words ? "fields" : "observations";
    if (blank) chips.append(make("li", "blank", blank + (row.l.length ? ` more are ${words.b}` : ` ${what}, all ${words.b}`)));
    article.append(text, chips);
    connect(article, buttons, marks);
    return article;
  }

  function connect(article, buttons, marks) {
    let kept = null;
    const show = (labels) => {
      article.classList.toggle("chosen", labels !== null);
      const on = new Set(labels ?? []);
      buttons.forEach((button, number) => button.classList.toggle("on", on.has(number)));
      marks.forEach(([mark, own]) => mark.classList.toggle("on", own.some((number) => on.has(number))));
    };
    const press = () => {
      const on = new Set(kept ?? []);
      buttons.forEach((button, number) => button.setAttribute("aria-pressed", String(on.has(number))));
      marks.forEach(([mark, own]) => mark.setAttribute("aria-pressed", String(own.some((number) => on.has(number)))));
    };
    article.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { kept = null; press(); show(null); }
    });
    const wire = (node, labels) => {
      node.addEventListener("pointerenter", (event) => { if (event.pointerType === "mouse") show(labels); });
      node.addEventListener("focus", () => show(labels));
      for (const event of ["pointerleave", "blur"]) node.addEventListener(event, () => show(kept));
      const keep = () => {
        kept = kept !== null && String(kept) === String(labels) ? null : labels;
        press();
        show(kept);
      };
      node.addEventListener("click", keep);
      if (node.tagName === "MARK") node.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") { event.preventDefault(); keep(); }
      });
    };
    press();
    buttons.forEach((button, number) => wire(button, [number]));
    marks.forEach(([mark, labels]) => wire(mark, labels));
  }

  // Rows come in blocks of one size. The first is in the page's data, the others follow behind the
  // script and are read when their rows are asked for, so that a page of any size shows its first
  // reports before the rest of the file has arrived.
  const blocks = [data.rows];
  const total = data.total ?? data.rows.length;
  const arrived = new Promise((done) => {
    const gather = () => {
      for (const node of document.querySelectorAll("script.rows")) blocks.push(node);
      done();
    };
    if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", gather);
    else gather();
  });

  function block(number) {
    const found = blocks[number];
    if (Array.isArray(found)) return found;
    const rows = JSON.parse(found.textContent);
    found.remove();
    return (blocks[number] = rows);
  }

  const size = data.rows.length;
  const row = (number) => block(Math.floor(number / size))[number % size];

  let shown = null; // numbers of the rows that fit; null for all
  let page = 0;
  let asked = 0;
  let looking = false; // for rows that fit; pages of the ones before are not turned meanwhile

  // All rows that fit, each with the number by which it is put in order; the page stays alive.
  async function matching(fits, key, latest) {
    const found = [];
    let rested = performance.now();
    for (let number = 0; number < blocks.length; number += 1) {
      block(number).forEach((each, place) => {
        if (fits(each)) found.push([key(each), number * size + place]);
      });
      if (performance.now() - rested > 50) {
        byId("count").textContent = "looking … " + Math.round((100 * (number + 1)) / blocks.length) + " %";
        await new Promise((go) => setTimeout(go));
        if (latest !== asked) return null;
        rested = performance.now();
      }
    }
    return found;
  }

  async function choose() {
    const latest = ++asked;
    const observation = byId("observation").value;
    const certainty = byId("certainty").value;
    const carried = byId("carried").value;
    const search = byId("search").value.trim().toLowerCase();
    const readers = byId("readers").value;
    const order = byId("order").value;
    const fits = ([place, letter, , spans, other]) =>
      (observation === "" || place === Number(observation)) &&
      (certainty === "" || letter === certainty) &&
      (carried === "" || (spans.length > 0) === (carried === "yes")) &&
      (readers === "" || Boolean(other) === (readers === "differ"));
    const open = observation + certainty + carried + readers === "";
    const keys = {
      unsure: (each) => Math.min(2, ...each.l.filter(fits).map((label) => label[2] ?? 2)),
      differ: (each) => -each.l.filter((label) => label[4] && fits(label)).length,
    };
    if (open && !search && !(order in keys)) {
      shown = null;
    } else {
      looking = byId("before").disabled = byId("after").disabled = true;
      if (document.readyState === "loading") byId("count").textContent = "looking …";
      await arrived;
      const found = await matching(
        (each) => (open || each.l.some(fits)) &&
          (!search || each.id.toLowerCase().includes(search) || each.t.toLowerCase().includes(search)),
        keys[order] ?? (() => 0),
        latest,
      );
      if (found === null) return;
      if (order in keys) found.sort((a, b) => a[0] - b[0]);
      shown = found.map((pair) => pair[1]);
    }
    looking = false;
    page = 0;
    draw();
  }

  function draw() {
    const box = byId("reports");
    const count = shown === null ? total : shown.length;
    const pages = Math.max(Math.ceil(count / perPage), 1);
    const numbers = [];
    for (let at = page * perPage; at < Math.min((page + 1) * perPage, count); at += 1) numbers.push(shown === null ? at : shown[at]);
    box.replaceChildren(...numbers.map((number) => card(row(number))));
    if (!numbers.length) box.append(make("p", "empty", "No report fits."));
    byId("count").textContent = count.toLocaleString("en") + " of " + total.toLocaleString("en") + " reports";
    byId("pages").hidden = pages < 2;
    byId("page").textContent = "Page " + (page + 1) + " of " + pages;
    byId("before").disabled = page === 0;
    byId("after").disabled = page === pages - 1;
  }

  async function turn(by) {
    if (looking) return;
    const latest = ++asked;
    if ((page + by + 1) * perPage > size) await arrived;
    if (latest !== asked) return;
    page += by;
    draw();
    byId("reports").focus({ preventScroll: true });
    byId("tools").scrollIntoView();
  }

  themeSwitch();
  data.observations.forEach((name, place) => {
    const option = make("option", "", name);
    option.value = String(place);
    byId("observation").append(option);
  });
  if (data.second) byId("two").hidden = byId("bydiffer").hidden = false;
  for (const id of ["observation", "certainty", "carried", "readers", "order"]) byId(id).addEventListener("change", choose);
  let waiting = 0;
  byId("search").addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(choose, 150); });
  byId("tools").addEventListener("submit", (event) => event.preventDefault());
  byId("before").addEventListener("click", () => turn(-1));
  byId("after").addEventListener("click", () => turn(1));
  choose();
})();

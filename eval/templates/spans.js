"use strict";
(() => {
{% include "theme.js" %}

{% include "tables.js" %}

  function errorBrowser() {
    const box = document.getElementById("error-browser");
    if (!box) return;
    const data = JSON.parse(document.getElementById("error-data").textContent);
    const size = 12;
    let page = 0;
    const field = (name) => box.querySelector(`[name="${name}"]`);
    const list = box.querySelector(".errors");
    const chosen = (name) => (field(name).value === "" ? null : Number(field(name).value));

    // A wrong mention is [0 gold or 1 answer, kind, type, spans]; spans count code points.
    function matches() {
      const [who, type, kind] = ["labeler", "type", "kind"].map(chosen);
      const part = field("id").value.trim().toLowerCase();
      const fits = (wrong) => (type === null || wrong[2] === type) && (kind === null || wrong[1] === kind);
      return data.rows.filter((row) => {
        if (part && !row.id.toLowerCase().includes(part)) return false;
        return row.l.some((mentions, i) => (who === null || who === i) && mentions.some(fits));
      });
    }

    function marked(points, row) {
      const flags = new Uint8Array(points.length);
      for (const mentions of row.l) {
        for (const [side, , , spans] of mentions) {
          for (const [start, end] of spans) {
            for (let k = start; k < end; k += 1) flags[k] |= side ? 2 : 1;
          }
        }
      }
      const text = make("div", "report");
      let start = 0;
      for (let k = 1; k <= points.length; k += 1) {
        if (k < points.length && flags[k] === flags[start]) continue;
        const piece = points.slice(start, k).join("");
        const names = [flags[start] & 1 ? "gold" : "", flags[start] & 2 ? "said" : ""];
        text.append(flags[start] ? make("mark", names.join(" ").trim(), piece) : piece);
        start = k;
      }
      return text;
    }

    function line(wrong, points) {
      const [side, kind, type, spans] = wrong;
      const where = spans.map(([a, b]) => `${a}–${b}`).join(", ");
      const words = [side ? "answer" : "gold", data.types[type], where, data.kinds[kind]];
      const entry = make("span", "", words.filter(Boolean).join(" · "));
      if (points && spans.length) {
        entry.append(" ", make("q", "", spans.map(([a, b]) => points.slice(a, b).join("")).join(" … ")));
      }
      return entry;
    }

    function item(row) {
      const entry = make("li");
      entry.append(make("span", "id", row.id));
      const points = row.t === undefined ? null : Array.from(row.t);
      const said = make("dl");
      data.labelers.forEach((name, i) => {
        said.append(make("dt", "", name));
        const cell = make("dd");
        row.l[i].forEach((wrong) => cell.append(line(wrong, points), " "));
        if (!row.l[i].length) cell.append(make("span", "right", "all right"));
        said.append(cell);
      });
      entry.append(said);
      if (points) {
        const more = make("details");
        more.append(make("summary", "", "Report, wrong mentions marked"), marked(points, row));
        entry.append(more);
      }
      return entry;
    }

    function draw() {
      const found = matches();
      const pages = Math.max(1, Math.ceil(found.length / size));
      page = Math.min(page, pages - 1);
      list.replaceChildren(...found.slice(page * size, (page + 1) * size).map(item));
      const last = Math.min(found.length, (page + 1) * size);
      box.querySelector(".count").textContent =
        found.length ? `${page * size + 1}–${last} of ${found.length} reports` : "no such report";
      box.querySelector(".back").disabled = page === 0;
      box.querySelector(".next").disabled = page >= pages - 1;
    }

    for (const name of ["labeler", "type", "kind", "id"]) {
      field(name).addEventListener("input", () => { page = 0; draw(); });
    }
    box.querySelector(".back").addEventListener("click", () => { page -= 1; draw(); });
    box.querySelector(".next").addEventListener("click", () => { page += 1; draw(); });
    box.hidden = false;
    draw();
  }

  document.addEventListener("DOMContentLoaded", () => {
    themeSwitch();
    document.querySelectorAll("table.sortable").forEach(sortable);
    copyButtons();
    errorBrowser();
    printWhole();
  });
})();

"use strict";
(() => {
{% include "theme.js" %}

{% include "tables.js" %}


  function errorBrowser() {
    const box = document.getElementById("error-browser");
    if (!box) return;
    const data = JSON.parse(document.getElementById("error-data").textContent);
    const words = { p: "positive", n: "negative", u: "uncertain", b: "blank", "-": "no answer" };
    const kinds = {
      any: () => true,
      missed: (gold, said) => gold === "p" && said !== "p",
      alarm: (gold, said) => gold !== "p" && said === "p",
      flip: (gold, said) => (gold === "p" && said === "n") || (gold === "n" && said === "p"),
      doubt: (gold, said) => (gold === "u") !== (said === "u"),
      silent: (gold, said) => said === "-",
    };
    const size = 12;
    let page = 0;
    const field = (name) => box.querySelector(`[name="${name}"]`);
    const list = box.querySelector(".errors");
    const wrong = (row, labeler, place, test) =>
      row.l[labeler][place] !== row.g[place] && test(row.g[place], row.l[labeler][place]);

    function matches() {
      const who = field("labeler").value;
      const test = kinds[field("kind").value];
      const at = field("observation").value === "" ? null : Number(field("observation").value);
      const part = field("id").value.trim().toLowerCase();
      const places = at === null ? data.observations.map((_, i) => i) : [at];
      const fails = (row, i) => places.some((place) => wrong(row, i, place, test));
      return data.rows.filter((row) => {
        if (part && !row.id.toLowerCase().includes(part)) return false;
        const all = data.labelers.map((_, i) => fails(row, i));
        if (who === "any") return all.some(Boolean);
        if (who === "every") return all.every(Boolean);
        const [mode, index] = who.split(":");
        return all[index] && (mode === "some" || all.every((bad, i) => !bad || i === Number(index)));
      });
    }

    function item(row) {
      const entry = make("li");
      entry.append(make("span", "id", row.id));
      const said = make("dl");
      data.labelers.forEach((name, i) => {
        said.append(make("dt", "", name));
        const cell = make("dd");
        if (/^-+$/.test(row.l[i])) {
          cell.append(make("span", "", "no answer"));
          said.append(cell);
          return;
        }
        data.observations.forEach((observation, place) => {
          const [gold, answer] = [row.g[place], row.l[i][place]];
          if (gold !== answer) {
            cell.append(make("span", "", `${observation}: ${words[gold]} → ${words[answer]}`), " ");
          }
        });
        if (!cell.childNodes.length) cell.append(make("span", "right", "all right"));
        said.append(cell);
      });
      entry.append(said);
      if (row.t !== undefined) {
        const more = make("details");
        more.append(make("summary", "", "Report"), make("div", "report", row.t));
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

    for (const name of ["labeler", "observation", "kind", "id"]) {
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

  // The list of wrong reports. `prepare(data, field)` gives what differs between pages: `chosen()`,
  // a test of rows by the filters; `said(row)`, which writes a labeler's mistakes into its cell;
  // `summary`; `report(row)`.
  function errorBrowser(filters, prepare) {
    const box = document.getElementById("error-browser");
    if (!box) return;
    const data = JSON.parse(document.getElementById("error-data").textContent);
    const size = 12;
    let page = 0;
    const field = (name) => box.querySelector(`[name="${name}"]`);
    const list = box.querySelector(".errors");
    const { chosen, said, summary, report } = prepare(data, field);

    function matches() {
      const part = field("id").value.trim().toLowerCase();
      const test = chosen();
      return data.rows.filter((row) => (!part || row.id.toLowerCase().includes(part)) && test(row));
    }

    function item(row) {
      const entry = make("li");
      entry.append(make("span", "id", row.id));
      const answers = make("dl");
      const write = said(row);
      data.labelers.forEach((name, i) => {
        const cell = make("dd");
        write(cell, i);
        if (!cell.childNodes.length) cell.append(make("span", "right", "all right"));
        answers.append(make("dt", "", name), cell);
      });
      entry.append(answers);
      if (row.t !== undefined) {
        const more = make("details");
        more.append(make("summary", "", summary), report(row));
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

    for (const name of [...filters, "id"]) {
      field(name).addEventListener("input", () => { page = 0; draw(); });
    }
    box.querySelector(".back").addEventListener("click", () => { page -= 1; draw(); });
    box.querySelector(".next").addEventListener("click", () => { page += 1; draw(); });
    box.hidden = false;
    draw();
  }

  function comparisonPage(filters, prepare) {
    document.addEventListener("DOMContentLoaded", () => {
      themeSwitch();
      document.querySelectorAll("table.sortable").forEach(sortable);
      copyButtons();
      errorBrowser(filters, prepare);
      printWhole();
    });
  }

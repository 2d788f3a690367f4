  function sortable(table) {
    const body = table.tBodies[0];
    const heads = [...table.querySelectorAll("thead tr:last-child th")];
    const original = [...body.rows];
    heads.forEach((head, place) => {
      const button = make("button", "", "");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const number = head.dataset.kind !== "text";
        const first = number ? "descending" : "ascending";
        const second = number ? "ascending" : "descending";
        const before = head.getAttribute("aria-sort");
        const now = before === first ? second : before === second ? null : first;
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        if (now === null) { body.append(...original); return; }
        head.setAttribute("aria-sort", now);
        const sign = now === "ascending" ? 1 : -1;
        const key = (row) => row.cells[place].dataset.key;
        const order = (a, b) => {
          const [x, y] = [key(a), key(b)];
          if (x === "" || y === "") return (x === "") - (y === "");
          return sign * (number ? Number(x) - Number(y) : x.localeCompare(y));
        };
        body.append(...[...original].sort(order));
      });
    });
  }

  function copyButtons() {
    for (const button of document.querySelectorAll("button.copy")) {
      const text = () => document.getElementById(button.dataset.from).innerText.trim();
      button.hidden = !navigator.clipboard;
      button.addEventListener("click", async () => {
        const before = button.textContent;
        try { await navigator.clipboard.writeText(text()); button.textContent = "Copied"; }
        catch { button.textContent = "Please select and copy by hand"; }
        setTimeout(() => { button.textContent = before; }, 1800);
      });
    }
  }

  function printWhole() {
    addEventListener("beforeprint", () => {
      document.querySelectorAll("main details:not(.errors details)").forEach((box) => { box.open = true; });
    });
  }

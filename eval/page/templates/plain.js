  // The list of a kind that has no script of its own: what is wrong, as the rows say it.
  comparisonPage(["labeler"], (data, field) => ({
    chosen() {
      const who = field("labeler").value;
      return (row) => row.l.some((lines, i) => lines.length && (who === "" || Number(who) === i));
    },

    said: (row) => (cell, i) => row.l[i].forEach((line) => cell.append(make("span", "", line), " ")),

    summary: "Report",
    report: (row) => make("div", "report", row.t),
  }));

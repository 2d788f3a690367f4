  const words = { p: "positive", n: "negative", u: "uncertain", b: "blank", "-": "no answer" };
  const kinds = {
    any: () => true,
    missed: (gold, said) => gold === "p" && said !== "p",
    alarm: (gold, said) => gold !== "p" && said === "p",
    flip: (gold, said) => (gold === "p" && said === "n") || (gold === "n" && said === "p"),
    doubt: (gold, said) => (gold === "u") !== (said === "u"),
    silent: (gold, said) => said === "-",
  };
  const wrong = (row, labeler, place, test) =>
    row.l[labeler][place] !== row.g[place] && test(row.g[place], row.l[labeler][place]);

  comparisonPage(["labeler", "observation", "kind"], (data, field) => ({
    chosen() {
      const who = field("labeler").value;
      const test = kinds[field("kind").value];
      const at = field("observation").value === "" ? null : Number(field("observation").value);
      const places = at === null ? data.observations.map((_, i) => i) : [at];
      const fails = (row, i) => places.some((place) => wrong(row, i, place, test));
      return (row) => {
        const all = data.labelers.map((_, i) => fails(row, i));
        if (who === "any") return all.some(Boolean);
        if (who === "every") return all.every(Boolean);
        const [mode, index] = who.split(":");
        return all[index] && (mode === "some" || all.every((bad, i) => !bad || i === Number(index)));
      };
    },

    said: (row) => (cell, i) => {
      if (/^-+$/.test(row.l[i])) {
        cell.append(make("span", "", "no answer"));
        return;
      }
      data.observations.forEach((observation, place) => {
        const [gold, answer] = [row.g[place], row.l[i][place]];
        if (gold !== answer) {
          cell.append(make("span", "", `${observation}: ${words[gold]} → ${words[answer]}`), " ");
        }
      });
    },

    summary: "Report",
    report: (row) => make("div", "report", row.t),
  }));

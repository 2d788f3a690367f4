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

  function line(data, wrong, points) {
    const [side, kind, type, spans] = wrong;
    const where = spans.map(([a, b]) => `${a}–${b}`).join(", ");
    const words = [side ? "answer" : "gold", data.types[type], where, data.kinds[kind]];
    const entry = make("span", "", words.filter(Boolean).join(" · "));
    if (points && spans.length) {
      entry.append(" ", make("q", "", spans.map(([a, b]) => points.slice(a, b).join("")).join(" … ")));
    }
    return entry;
  }

  // A wrong mention is [0 gold or 1 answer, kind, type, spans]; spans count code points.
  comparisonPage(["labeler", "type", "kind"], (data, field) => ({
    chosen() {
      const number = (name) => (field(name).value === "" ? null : Number(field(name).value));
      const [who, type, kind] = ["labeler", "type", "kind"].map(number);
      const fits = (wrong) => (type === null || wrong[2] === type) && (kind === null || wrong[1] === kind);
      return (row) => row.l.some((mentions, i) => (who === null || who === i) && mentions.some(fits));
    },

    said(row) {
      const points = row.t === undefined ? null : Array.from(row.t);
      return (cell, i) => row.l[i].forEach((wrong) => cell.append(line(data, wrong, points), " "));
    },

    summary: "Report, wrong mentions marked",
    report: (row) => marked(Array.from(row.t), row),
  }));

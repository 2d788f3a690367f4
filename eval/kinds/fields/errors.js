  function marked(points, row) {
    const flags = new Uint8Array(points.length);
    for (const wrong of row.l.flat()) {
      [[wrong[3], 1], [wrong[5], 2]].forEach(([spans, flag]) => {
        for (const [start, end] of spans) {
          for (let k = start; k < Math.min(end, points.length); k += 1) flags[k] |= flag;
        }
      });
    }
    return pieces(points, flags, 0, points.length, make("div", "report"));
  }

  function pieces(points, flags, from, to, into) {
    let start = from;
    for (let k = from + 1; k <= to; k += 1) {
      if (k < to && flags[k] === flags[start]) continue;
      const piece = points.slice(start, k).join("");
      const names = [flags[start] & 1 ? "gold" : "", flags[start] & 2 ? "said" : ""];
      into.append(flags[start] ? make("mark", names.join(" ").trim(), piece) : piece);
      start = k;
    }
    return into;
  }

  function where(spans) {
    return spans.length ? ` at ${spans.map(([a, b]) => `${a}–${b}`).join(", ")}` : "";
  }

  function line(data, wrong, points) {
    const [field, kind, gold, goldSpans, said, saidSpans, sentence] = wrong;
    const entry = make("div", "wrong");
    entry.append(make("b", "", data.fields[field]), " · ", make("i", "", data.kinds[kind]), " · ");
    entry.append(`${gold || "nothing"}${where(goldSpans)} → ${said || "nothing"}${where(saidSpans)}`);
    if (points && sentence.length) {
      const flags = new Uint8Array(points.length);
      [[goldSpans, 1], [saidSpans, 2]].forEach(([spans, flag]) => {
        for (const [a, b] of spans) for (let k = a; k < Math.min(b, points.length); k += 1) flags[k] |= flag;
      });
      entry.append(pieces(points, flags, sentence[0], sentence[1], make("q", "")));
    }
    return entry;
  }

  // A wrong field is [field, kind, gold, its spans, answer, its spans, sentence]; spans count code points.
  comparisonPage(["labeler", "field", "kind"], (data, field) => ({
    chosen() {
      const number = (name) => (field(name).value === "" ? null : Number(field(name).value));
      const [who, name, kind] = ["labeler", "field", "kind"].map(number);
      const fits = (wrong) => (name === null || wrong[0] === name) && (kind === null || wrong[1] === kind);
      return (row) => row.l.some((wrongs, i) => (who === null || who === i) && wrongs.some(fits));
    },

    said(row) {
      const points = row.t === undefined ? null : Array.from(row.t);
      return (cell, i) => row.l[i].forEach((wrong) => cell.append(line(data, wrong, points)));
    },

    summary: "Document, gold's and answer's places marked",
    report: (row) => marked(Array.from(row.t), row),
  }));

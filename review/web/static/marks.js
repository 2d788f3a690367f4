// The text of a note: where its words stand, and how marks are drawn on it.
// Places come from the server in units of the browser; they are never sent back.
"use strict";

const drawn = typeof Highlight === "function" && CSS.highlights;

export class Text {
  // count: words of the whole note. What is held is one part of it; numbers of lines and words go
  // through all parts.
  constructor(root, count, part) {
    this.root = root;
    this.count = count;
    this.layers = new Map();
    this.items = [];
    this.hold([...root.querySelectorAll(".line")], part);
  }

  hold(lines, part) {
    this.lines = lines;
    this.top = part.line;
    this.start = part.word;
    this.number = new Map(lines.map((line, at) => [line, at + this.top]));
    const held = part.measures.reduce((sum, each) => sum + each.length / 2, 0);
    this.end = this.start + held;
    this.line_ = new Int32Array(held);
    this.from_ = new Int32Array(held);
    this.to_ = new Int32Array(held);
    this.first_ = new Int32Array(part.measures.length + 1);
    let word = 0;
    part.measures.forEach((each, line) => {
      this.first_[line] = this.start + word;
      let at = 0;
      for (let i = 0; i < each.length; i += 2) {
        this.line_[word] = this.top + line;
        this.from_[word] = at + each[i];
        at += each[i] + each[i + 1];
        this.to_[word] = at;
        word += 1;
      }
    });
    this.first_[part.measures.length] = this.start + word;
  }

  // Another part, as the server sent it.
  replace(part) {
    for (const layer of this.layers.values()) layer.clear();
    const heads = new Set(part.sections.map(([, line]) => line));
    const lines = part.lines.map((text, at) => {
      const line = document.createElement("p");
      line.className = heads.has(part.line + at) ? "line head" : "line";
      line.dir = "auto";
      line.id = `l${part.line + at}`;
      line.textContent = text;
      return line;
    });
    this.root.replaceChildren(...lines);
    this.hold(lines, part);
  }

  has(word) {
    return word >= this.start && word < this.end;
  }

  shows(line) {
    return line >= this.top && line < this.top + this.lines.length;
  }

  element(line) {
    return this.lines[line - this.top];
  }

  line(word) {
    return this.line_[word - this.start];
  }

  from(word) {
    return this.from_[word - this.start];
  }

  to(word) {
    return this.to_[word - this.start];
  }

  // The number of a line's first word, or of the next there is.
  first(line) {
    return this.first_[line - this.top];
  }

  // The node and offset of a place in a line.
  node(line, at) {
    const only = this.element(line).firstChild;
    if (only && only.nodeType === 3 && !only.nextSibling) return [only, Math.min(at, only.length)];
    const walker = document.createTreeWalker(this.element(line), NodeFilter.SHOW_TEXT);
    let left = at;
    let last = null;
    while (walker.nextNode()) {
      last = walker.currentNode;
      if (left <= last.length) return [last, left];
      left -= last.length;
    }
    return last ? [last, last.length] : [this.element(line), 0];
  }

  range(line, from, to) {
    const range = new Range();
    range.setStart(...this.node(line, from));
    range.setEnd(...this.node(line, to));
    return range;
  }

  // Ranges over the words from one number to another that are held, one per line.
  words(first, last) {
    const found = [];
    const begin = Math.max(first, this.start);
    const behind = Math.min(last, this.end - 1);
    if (begin > behind) return found;
    for (let line = this.line(begin); line <= this.line(behind); line += 1) {
      const a = Math.max(begin, this.first(line));
      const b = Math.min(behind, this.first(line + 1) - 1);
      if (a <= b) found.push(this.range(line, this.from(a), this.to(b)));
    }
    return found;
  }

  text(first, last) {
    return this.words(first, last).map(String).join(" ");
  }

  layer(name, ranges, priority = 0) {
    if (!drawn) return;
    let layer = this.layers.get(name);
    if (!layer) {
      layer = new Highlight();
      layer.priority = priority;
      this.layers.set(name, layer);
      CSS.highlights.set(name, layer);
    }
    layer.clear();
    for (const range of ranges) layer.add(range);
  }

  // Draw what is marked: kept and undecided items in the colour of their label.
  draw(items, hueOf) {
    this.items = items;
    const live = items.filter((item) => item.state !== "deleted");
    if (!drawn) {
      this.rebuild(live, hueOf);
      return;
    }
    const hues = Array.from({ length: 12 }, () => []);
    const undecided = [];
    for (const item of live) {
      for (const place of item.at.filter(([line]) => this.shows(line))) {
        const range = this.range(...place);
        hues[hueOf(item.name)].push(range);
        if (item.state === "open") undecided.push(range);
      }
    }
    hues.forEach((ranges, hue) => this.layer(`hue-${hue}`, ranges, 1));
    this.layer("undecided", undecided, 2);
  }

  // For browsers without highlights: the lines anew, in pieces.
  rebuild(live, hueOf) {
    const per = new Map();
    for (const item of live) {
      for (const [line, from, to] of item.at) {
        per.set(line, [...(per.get(line) || []), [from, to, hueOf(item.name)]]);
      }
    }
    for (const [at, line] of this.lines.entries()) {
      const marks = per.get(at + this.top) || [];
      if (!marks.length && !line.firstElementChild) continue;
      const text = line.textContent;
      const cuts = [...new Set([0, text.length, ...marks.flatMap(([a, b]) => [a, b])])].sort((a, b) => a - b);
      line.replaceChildren();
      for (let i = 0; i + 1 < cuts.length; i += 1) {
        const piece = text.slice(cuts[i], cuts[i + 1]);
        const mark = marks.find(([a, b]) => a <= cuts[i] && cuts[i + 1] <= b);
        if (mark) {
          const node = document.createElement("mark");
          node.className = `hue-${mark[2]}`;
          node.textContent = piece;
          line.append(node);
        } else {
          line.append(piece);
        }
      }
    }
  }

  place(name, places, priority) {
    const held = (places || []).filter(([line]) => this.shows(line));
    this.layer(name, held.map((place) => this.range(...place)), priority);
  }

  // The word at a place of the document, or the nearest one of its line; -1 where there is none.
  at(node, offset) {
    const line = (node.nodeType === 1 ? node : node.parentElement)?.closest(".line");
    const number = this.number.get(line);
    if (number === undefined) return -1;
    let units = offset;
    if (node.nodeType === 1) units = offset > 0 ? line.textContent.length : 0;
    else {
      const walker = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
      while (walker.nextNode() && walker.currentNode !== node) units += walker.currentNode.length;
    }
    let found = -1;
    for (let word = this.first(number); word < this.first(number + 1); word += 1) {
      if (found < 0 || this.from(word) <= units) found = word;
      else break;
    }
    return found;
  }

  // The word above or below: the one of the next line with words whose start is nearest; at an
  // edge of the part the first word beyond.
  beside(word, down) {
    const step = down ? 1 : -1;
    let line = this.line(word) + step;
    while (this.shows(line) && this.first(line) === this.first(line + 1)) line += step;
    if (!this.shows(line)) {
      const beyond = down ? this.end : this.start - 1;
      return beyond < 0 || beyond >= this.count ? word : beyond;
    }
    let found = this.first(line);
    for (let each = found; each < this.first(line + 1) && this.from(each) <= this.from(word); each += 1) found = each;
    return found;
  }

  show(line) {
    this.element(line)?.scrollIntoView({ block: "nearest" });
  }
}

// Tables: behind each chart, the heat map, and any of them as CSV.
const tables = (() => {
  const { element, foreign } = format;

  // head: texts; rows: lists of text or numbers, the first of which names the row.
  function table(head, rows, attributes = {}) {
    const made = element("table", attributes);
    const top = element("tr");
    head.forEach((text, j) =>
      top.append(element("th", { scope: "col", ...(j ? {} : { class: "name" }) }, foreign(text))),
    );
    made.append(element("thead", {}, top));
    const body = element("tbody");
    for (const row of rows) {
      const line = element("tr");
      row.forEach((cell, j) =>
        line.append(element(j ? "td" : "th", j ? {} : { scope: "row", class: "name" }, foreign(cell))),
      );
      body.append(line);
    }
    made.append(body);
    return made;
  }

  // RFC 4180; a cell that a spreadsheet would run as a formula gets an apostrophe.
  function csv(made) {
    const cell = (text) => {
      const safe = /^[=@\t\r]|^[+-](?![\d.]+%?$)/.test(text) ? `'${text}` : text;
      return /[",\n\r]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
    };
    const text = (node) =>
      [...node.childNodes]
        .map((child) => child.textContent.trim())
        .filter(Boolean)
        .join(" ");
    const lines = [...made.rows].map((row) =>
      [...row.cells].filter((c) => !c.classList.contains("bar")).map((c) => cell(text(c))),
    );
    return `${lines.map((line) => line.join(",")).join("\r\n")}\r\n`;
  }

  function save(name, type, text) {
    const link = element("a", { href: URL.createObjectURL(new Blob([text], { type })), download: name });
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  // A <details> whose table is made when it is first opened, and again after a change.
  function behind(name, make) {
    const place = element("div", {
      class: "scroll",
      tabindex: "0",
      role: "region",
      "aria-label": `Table: ${name}`,
    });
    const button = element("button", { type: "button" }, "Save this table (CSV)");
    const box = element(
      "details",
      { class: "data" },
      element("summary", {}, "The figures as a table"),
      place,
      button,
    );
    let fresh = false;
    const fill = () => {
      if (box.open && !box.hidden && !fresh) {
        place.replaceChildren(make());
        fresh = true;
      }
    };
    box.addEventListener("toggle", fill);
    button.addEventListener("click", () =>
      save(`${name}.csv`, "text/csv", csv(place.querySelector("table"))),
    );
    return {
      box,
      changed: () => {
        fresh = false;
        fill();
      },
      fill,
    };
  }

  const STEPS = [
    [7, "h0", "within a week"],
    [30, "h1", "a month"],
    [90, "h2", "three months"],
    [180, "h3", "half a year"],
    [Infinity, "h4", "later"],
  ];
  const KEY = [...STEPS.map(([, kind, text]) => [kind, text]), ["h5", "not so far"], ["h6", "removed since"]];

  // Families × libraries by days from the first public weights to support, as known on a day.
  function coverage(data, shown, today) {
    const families = new Map();
    for (const [i, family, vendor, released, supported, removed, until] of data.support) {
      if (released > today) continue;
      if (!families.has(family)) families.set(family, { family, vendor, released, by: new Map() });
      const on = supported !== null && supported <= today ? supported : null;
      const off = on !== null && removed !== null && removed <= today ? removed : null;
      families.get(family).by.set(i, { on, off, until: until < today ? until : today });
    }
    const libraries = shown.filter((i) => data.support.some((row) => row[0] === i));
    const rows = [...families.values()].sort((a, b) =>
      a.released < b.released ? 1 : a.released > b.released ? -1 : a.family < b.family ? -1 : 1,
    );
    const cell = (row, i) => {
      const known = row.by.get(i),
        born = data.candidates[i].born;
      if (!known) return { text: "?", kind: "hx", spoken: "not known" };
      if (known.off)
        return {
          text: "removed",
          kind: "h6",
          missing: true,
          spoken: `supported from ${known.on}, removed on ${known.off}`,
        };
      if (born === null || row.released < born)
        return {
          text: known.on ? "yes" : "no",
          kind: "hx",
          spoken: `${known.on ? "supported" : "not supported"}; older than the library`,
        };
      if (known.on === null)
        return {
          text: `not in ${format.daysBetween(row.released, known.until)} d`,
          kind: "h5",
          missing: true,
        };
      const days = Math.max(0, format.daysBetween(row.released, known.on));
      const [, kind] = STEPS.find(([most]) => days <= most);
      return { text: `${days} d`, kind, days };
    };
    return { libraries, rows, cell };
  }

  function heat(data, { libraries, rows, cell }) {
    const made = element("table", { class: "heat", id: "coverage-table" });
    made.append(
      element(
        "thead",
        {},
        element(
          "tr",
          {},
          element("th", { scope: "col", class: "name" }, "Family, vendor, weights out"),
          ...libraries.map((i) => element("th", { scope: "col" }, foreign(data.candidates[i].name))),
        ),
      ),
    );
    const body = element("tbody");
    for (const row of rows) {
      const line = element(
        "tr",
        {},
        element(
          "th",
          { scope: "row" },
          foreign(row.family),
          element("small", {}, foreign(row.vendor), `, ${row.released}`),
        ),
      );
      for (const i of libraries) {
        const { text, kind, spoken } = cell(row, i);
        const box = element("td", { class: kind }, text);
        if (spoken) box.setAttribute("title", spoken);
        line.append(box);
      }
      body.append(line);
    }
    made.append(body);
    return made;
  }

  return { table, csv, save, behind, coverage, heat, KEY };
})();

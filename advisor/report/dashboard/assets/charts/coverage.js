// Model families × libraries: days from the first public weights of a family to its support, as of a day.
//
// data.support: [[candidate, family, vendor, released, supported, removed, until]], days as ISO dates or null.
const coverage = (() => {
  const { element, foreign } = format;
  const STEPS = [
    [7, "h0", "within a week"],
    [30, "h1", "a month"],
    [90, "h2", "three months"],
    [180, "h3", "half a year"],
    [Infinity, "h4", "later"],
  ];
  const KEY = [
    ...STEPS.map(([, kind, text]) => [kind, text]),
    ["h5", "not supported yet"],
    ["h6", "support removed"],
  ];

  function cellOf(born, row, support) {
    if (!support) return { text: "?", kind: "hx", tooltip: "not enough data" };
    if (support.off)
      return {
        text: "removed",
        kind: "h6",
        missing: true,
        tooltip: `supported from ${support.on}, removed on ${support.off}`,
      };
    if (born === null || row.released < born)
      return {
        text: support.on ? "yes" : "no",
        kind: "hx",
        tooltip: `${support.on ? "supported" : "not supported"}; the family is older than the library`,
      };
    if (support.on === null)
      return {
        text: `not in ${format.daysBetween(row.released, support.until)} d`,
        kind: "h5",
        missing: true,
      };
    const days = Math.max(0, format.daysBetween(row.released, support.on));
    const [, kind] = STEPS.find(([limit]) => days <= limit);
    return { text: `${days} d`, kind, days };
  }

  // Return the libraries with data and a row for each family, the newest family first.
  function matrix(data, libraries, today) {
    const families = new Map();
    for (const [i, family, vendor, released, supported, removed, until] of data.support) {
      if (released > today) continue;
      if (!families.has(family)) families.set(family, { family, vendor, released, support: new Map() });
      const on = supported !== null && supported <= today ? supported : null;
      const off = on !== null && removed !== null && removed <= today ? removed : null;
      families.get(family).support.set(i, { on, off, until: until < today ? until : today });
    }
    const rows = [...families.values()].sort((a, b) =>
      a.released < b.released ? 1 : a.released > b.released ? -1 : a.family < b.family ? -1 : 1,
    );
    return {
      libraries: libraries.filter((i) => data.support.some((row) => row[0] === i)),
      rows: rows.map((row) => ({
        ...row,
        cell: (i) => cellOf(data.candidates[i].born, row, row.support.get(i)),
      })),
    };
  }

  function buildTable(data, { libraries, rows }) {
    const head = element(
      "tr",
      {},
      element("th", { scope: "col", class: "name" }, "Model family, vendor, release of the weights"),
      ...libraries.map((i) => element("th", { scope: "col" }, foreign(data.candidates[i].name))),
    );
    const body = element("tbody");
    for (const row of rows) {
      const name = element("small", {}, foreign(row.vendor), `, ${row.released}`);
      const line = element("tr", {}, element("th", { scope: "row" }, foreign(row.family), name));
      for (const i of libraries) {
        const { text, kind, tooltip } = row.cell(i);
        line.append(element("td", { class: kind, ...(tooltip ? { title: tooltip } : {}) }, text));
      }
      body.append(line);
    }
    return element("table", { class: "heat", id: "coverage-table" }, element("thead", {}, head), body);
  }

  function heatMap(data, cells) {
    const table = buildTable(data, cells);
    const key = element("p", { class: "sub legend" }, "Days: ");
    for (const [kind, text] of KEY)
      key.append(element("b", {}, element("span", { class: `k-${kind}` }), text), " ");
    const region = { class: "scroll", tabindex: "0", role: "region", "aria-label": "Model coverage" };
    return element(
      "div",
      { class: "heatmap" },
      key,
      element("div", region, table),
      tables.saveButton("coverage", () => table),
    );
  }

  function daysToSupport(data, answer, state) {
    const cells = matrix(
      data,
      answer.rows.map((r) => r.i),
      data.days[state.day],
    );
    if (!cells.rows.length || !cells.libraries.length)
      return { none: "No data on model support for these candidates by this day." };
    const counts = cells.libraries
      .map((i) => {
        const columns = cells.rows.map((row) => row.cell(i));
        const served = columns.filter((c) => c.days !== undefined).length;
        return { i, served, total: served + columns.filter((c) => c.missing).length };
      })
      .filter((c) => c.total > 0)
      .sort((a, b) => b.served / b.total - a.served / a.total);
    const [best] = counts,
      worst = counts[counts.length - 1];
    const say = (c) => `${data.candidates[c.i].name} supports ${c.served} of ${c.total}`;
    return {
      title: best
        ? `Model families newer than the library: ${say(best)}${worst !== best ? `, ${say(worst)}` : ""}`
        : "Every model family is older than these libraries",
      note: "Days from the first public weights of a model family to its first support in the library. “?”: not enough data. “yes” or “no” without days: the family is older than the library.",
      metrics: ["days_to_support"],
      unit: "days",
      heat: () => heatMap(data, cells),
    };
  }

  return { daysToSupport };
})();

// Model families × methods: which library has a ready-made recipe.
//
// data.recipes: [[candidate, family, method, task, first day, recipes, repository if it is another one, path, commit]];
// a library whose tree was read has a row, also without a recipe (family null).
const recipes = (() => {
  const { element, foreign } = format;
  const WORDS = { full: "full", lora: "LoRA", qlora: "QLoRA", dora: "DoRA", qdora: "QDoRA", oft: "OFT" };
  const MOST_TASKS = 8;
  const STEPS = [
    [1, "h2", "1"],
    [3, "h1", "2 or 3"],
    [Infinity, "h0", "4 or more"],
  ];
  let selected = null; // candidate; null: all

  const nameOf = (column) => WORDS[column] ?? (column.length < 5 ? column.toUpperCase() : column.replace(/_/g, " "));
  const countBy = (rows, at) => {
    const counts = new Map();
    for (const row of rows) if (row[at] !== null) counts.set(row[at], (counts.get(row[at]) ?? 0) + row[5]);
    return [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a) || (a < b ? -1 : 1));
  };

  // Return families, the one that most libraries serve first, and columns: methods and then tasks.
  function matrix(data, indices, today) {
    const rows = data.recipes.filter((r) => r[1] !== null && r[4] <= today && indices.has(r[0]));
    const of = new Map(); // family → column → candidate → {recipes, row of the last one}
    for (const row of rows)
      for (const column of [row[2] && `m:${row[2]}`, row[3] && `t:${row[3]}`].filter(Boolean)) {
        if (!of.has(row[1])) of.set(row[1], new Map());
        const columns = of.get(row[1]);
        if (!columns.has(column)) columns.set(column, new Map());
        const cell = columns.get(column),
          before = cell.get(row[0]);
        cell.set(row[0], { recipes: (before?.recipes ?? 0) + row[5], row });
      }
    const librariesOf = (family) => new Set(rows.filter((r) => r[1] === family).map((r) => r[0])).size;
    const families = [...of.keys()].sort((a, b) => librariesOf(b) - librariesOf(a) || (a < b ? -1 : 1));
    const columns = [
      ...countBy(rows, 2).map((m) => `m:${m}`),
      ...countBy(rows, 3)
        .slice(0, MOST_TASKS)
        .map((t) => `t:${t}`),
    ];
    return { rows, families, columns, cell: (family, column) => of.get(family).get(column) ?? new Map() };
  }

  const addressOf = (data, row) => links.file(row[6] || data.candidates[row[0]].repository, row[8], row[7]);

  function cellOf(data, family, column, cell) {
    const own = selected === null ? null : cell.get(selected);
    const n = selected === null ? cell.size : (own?.recipes ?? 0);
    if (!n) return element("td", { class: "hx" }, "–");
    const [, kind] = STEPS.find(([limit]) => n <= limit);
    const names = [...cell.keys()].map((i) => data.candidates[i].name).join(", ");
    if (selected === null) return element("td", { class: kind, title: names }, `${n}`);
    const link = links.anchor(`${n}`, addressOf(data, own.row));
    if (link.tagName === "A")
      link.setAttribute("aria-label", `${n} for ${family} with ${nameOf(column.slice(2))}: open the one changed last`);
    return element("td", { class: kind }, link);
  }

  function buildTable(data, { families, columns, cell }) {
    const head = element(
      "tr",
      {},
      element("th", { scope: "col", class: "name" }, "Model family"),
      ...columns.map((c) => element("th", { scope: "col" }, foreign(nameOf(c.slice(2))))),
    );
    const groups = [
      ["m:", "Weights that are trained"],
      ["t:", "Task"],
    ].map(([start, text]) => [columns.filter((c) => c.startsWith(start)).length, text]);
    const top = element(
      "tr",
      {},
      element("td"),
      ...groups.filter(([n]) => n).map(([n, text]) => element("th", { colspan: n, scope: "colgroup" }, text)),
    );
    const body = element("tbody");
    for (const family of families)
      body.append(
        element(
          "tr",
          {},
          element("th", { scope: "row" }, foreign(family)),
          ...columns.map((c) => cellOf(data, family, c, cell(family, c))),
        ),
      );
    return element("table", { class: "heat", id: "recipes-table" }, element("thead", {}, top, head), body);
  }

  // Each library's recipes in words: what the cells leave to a hover.
  function listAll(data, { rows }) {
    const lines = rows.map((row) => [
      data.candidates[row[0]].name,
      row[1],
      row[2] ? nameOf(row[2]) : "?",
      row[3] ? nameOf(row[3]) : "?",
      row[5],
      row[4],
      links.anchor(row[7], addressOf(data, row)),
    ]);
    return tables.table(
      ["Candidate", "Model family", "Weights", "Task", "Recipes", "First one added", "The one changed last"],
      lines,
    );
  }

  function draw(data, cells) {
    const key = element("p", { class: "sub legend" }, selected === null ? "Libraries: " : "Recipes: ");
    for (const [, kind, text] of STEPS)
      key.append(element("b", {}, element("span", { class: `k-${kind}` }), text), " ");
    const region = { class: "scroll", tabindex: "0", role: "region", "aria-label": "Ready-made recipes" };
    const list = tables.behind("recipes", () => listAll(data, cells));
    return element("div", { class: "heatmap" }, key, element("div", region, buildTable(data, cells)), list.box);
  }

  function heatMap(data, answer, state) {
    const indices = new Set(answer.rows.map((r) => r.i)),
      today = data.days[state.day];
    if (selected !== null && !indices.has(selected)) selected = null;
    const cells = matrix(data, indices, today);
    if (!cells.rows.length) return { none: "No data on ready-made recipes of these candidates by this day." };
    const families = (i) => new Set(cells.rows.filter((r) => r[0] === i).map((r) => r[1])).size;
    const counts = [...indices]
      .map((i) => [data.candidates[i].name, families(i)])
      .filter(([, n]) => n)
      .sort((a, b) => b[1] - a[1]);
    const unread = [...indices].filter((i) => !data.recipes.some((r) => r[0] === i));
    return {
      title: `Model families with a ready-made recipe${counts.length > 3 ? ", the three highest counts" : ""}: ${counts
        .slice(0, 3)
        .map(([name, n]) => `${name} ${n}`)
        .join(", ")}`,
      note: `Configurations, scripts, notebooks and pages that are in the repository on ${format.longDay(data.days[data.days.length - 1])}, from the day on which they were added. ${selected === null ? "The cells count libraries; a hover or the table names them." : "The cells count recipes; a cell opens the one changed last."}${unread.length ? ` Not read: ${format.join(unread.map((i) => data.candidates[i].name))}.` : ""}`,
      metrics: ["recipe_coverage"],
      unit: selected === null ? "libraries" : "recipes",
      heat: () => draw(data, cells),
    };
  }

  // The list of libraries; a choice draws the chart again.
  function controls(data, redraw) {
    const select = element("select", { id: "recipes-library", "aria-label": "Library whose recipes are shown" });
    select.append(element("option", { value: "" }, "all libraries"));
    data.candidates.forEach((c, i) => {
      if (!data.recipes.some((r) => r[0] === i && r[1] !== null)) return;
      select.append(element("option", { value: i }, foreign(format.short(c.name, 40)).textContent));
    });
    select.addEventListener("change", () => {
      selected = select.value === "" ? null : Number(select.value);
      redraw();
    });
    return element("p", { class: "pair" }, element("label", {}, "Recipes of ", select));
  }

  return { heatMap, controls };
})();

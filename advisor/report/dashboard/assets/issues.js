// Open and closed issues where a source knew them, and the closed share of them.
const issues = (() => {
  const { plain, number } = format;
  const { layout, endLabels, colour, symbol, isNarrow, AT_ONCE } = charts;
  const { span } = timeCharts;
  const issuesBy = (data, found, state) =>
    found.rows
      .map((r) => ({
        i: r.i,
        name: data.candidates[r.i].name,
        points: data.issues.filter((row) => row[0] === r.i && row[1] <= data.days[state.day]),
      }))
      .filter((r) => r.points.length);

  function counts(data, found, state) {
    const rows = issuesBy(data, found, state);
    if (!rows.length)
      return { none: "No dated totals of issues are known for these candidates by this day.", metrics: [] };
    const drawn = rows.slice(0, AT_ONCE);
    const trace = (r, column, dash) => {
      const known = r.points.filter((p) => p[column] !== null);
      return {
        type: "scatter",
        mode: "lines+markers",
        name: `${plain(r.name)} ${column === 2 ? "open" : "closed"}`,
        x: known.map((p) => p[1]),
        y: known.map((p) => p[column]),
        line: { color: colour(r.i), width: 2, dash },
        marker: { color: colour(r.i), size: 5, symbol: column === 2 ? "circle" : "circle-open" },
        hovertemplate: "%{fullData.name}: %{y:,} on %{x|%d %b %Y}<extra></extra>",
      };
    };
    const latest = rows
      .map((r) => ({ ...r, open: [...r.points].reverse().find((p) => p[2] !== null) }))
      .filter((r) => r.open)
      .sort((a, b) => b.open[2] - a.open[2]);
    const all = drawn.flatMap((r) => r.points.flatMap((p) => [p[2], p[3]])).filter((v) => v !== null);
    const top = Math.max(...all, 1) * 1.08;
    const ends = drawn
      .flatMap((r) =>
        [2, 3].map((column) => ({
          i: r.i,
          name: r.name,
          y: [...r.points].reverse().find((p) => p[column] !== null)?.[column],
        })),
      )
      .filter((e) => e.y !== undefined);
    return {
      title: latest.length
        ? `${latest[0].name} has the most open issues: ${number(latest[0].open[2])} on ${format.longDay(latest[0].open[1])}`
        : "How many issues are open is not known",
      note: "Open (solid, filled) and closed issues (dashed, hollow) where a source knew them on a day; a single dot is all there is. Totals derived from the number counter include discussions.",
      traces: drawn.flatMap((r) => [trace(r, 2, "solid"), trace(r, 3, "dash")]),
      unit: "issues",
      sources: [
        ...new Set(
          rows.flatMap((r) => r.points.flatMap((p) => p[6].split("; ").map((s) => s.split("@")[0]))),
        ),
      ],
      layout: layout({
        margin: { l: 52, r: isNarrow() ? 82 : 112, t: 8, b: 34 },
        xaxis: { type: "date", range: span(data) },
        yaxis: { range: [0, top], separatethousands: true },
        annotations: endLabels(ends, top, 250),
      }),
      table: () =>
        tables.table(
          ["Candidate", "Day", "Open", "Closed", "Closed, at least", "Closed, at most", "Source"],
          rows.flatMap((r) =>
            r.points.map((p) => [r.name, p[1], ...p.slice(2, 6).map((v) => (v === null ? "?" : v)), p[6]]),
          ),
        ),
    };
  }

  function closedShare(data, found, state) {
    const rows = issuesBy(data, found, state)
      .map((r) => ({
        ...r,
        points: r.points.filter((p) => p[2] !== null && p[3] !== null && p[2] + p[3] > 0),
      }))
      .filter((r) => r.points.length);
    if (!rows.length)
      return {
        none: "Open and closed issues are known together for none of these candidates by this day.",
        metrics: [],
      };
    const share = (p) => p[3] / (p[2] + p[3]),
      drawn = rows.slice(0, AT_ONCE);
    const sorted = rows
        .map((r) => ({ ...r, now: share(r.points[r.points.length - 1]) }))
        .sort((a, b) => b.now - a.now),
      worst = sorted[sorted.length - 1];
    const traces = drawn.map((r) => ({
      type: "scatter",
      mode: "lines+markers",
      name: plain(r.name),
      x: r.points.map((p) => p[1]),
      y: r.points.map(share),
      line: { color: colour(r.i), width: 2 },
      marker: { color: colour(r.i), size: 5, symbol: symbol(r.i) },
      hovertemplate: "%{fullData.name}: %{y:.0%} on %{x|%d %b %Y}<extra></extra>",
    }));
    return {
      title: `${sorted[0].name} has closed the largest share of its issues, ${number(sorted[0].now, "share")}${worst !== sorted[0] ? `; ${worst.name} the smallest, ${number(worst.now, "share")}` : ""}`,
      note: "Closed issues over all issues on the days for which both are known. By itself this share foretells little (AUC .57 to .66), so it weighs little.",
      traces,
      unit: "per cent of all issues",
      metrics: ["issues_closed_share"],
      layout: layout({
        margin: { l: 48, r: isNarrow() ? 82 : 112, t: 8, b: 34 },
        xaxis: { type: "date", range: span(data) },
        yaxis: { range: [0, 1.02], tickformat: ".0%" },
        annotations: endLabels(
          drawn.map((r) => ({ i: r.i, name: r.name, y: share(r.points[r.points.length - 1]) })),
          1.02,
          250,
        ),
      }),
      table: () =>
        tables.table(
          ["Candidate", "Day", "Closed share", "Source"],
          rows.flatMap((r) => r.points.map((p) => [r.name, p[1], number(share(p), "share"), p[6]])),
        ),
    };
  }

  return { counts, closedShare };
})();

// Open and closed issues on the days for which a source has totals, and the share of closed issues.
const issues = (() => {
  const { plain, number } = format;
  const { layout, endLabels, timeAxis, colour, symbol, dash, MAX_LINES } = plot;

  // data.issues: [[candidate, day, open, closed, low, high, source]]; low and high of the closed ones.
  const issuesBy = (data, answer, state) =>
    answer.rows
      .map((r) => ({
        i: r.i,
        name: data.candidates[r.i].name,
        points: data.issues.filter((row) => row[0] === r.i && row[1] <= data.days[state.day]),
      }))
      .filter((r) => r.points.length);

  function titleOf(latest, most, size) {
    if (!latest.length) return "No data on open issues";
    const [{ name, open }] = latest,
      value = `${number(open[2])} on ${format.longDay(open[1])}`;
    if (latest.length === 1) return `Open issues of ${name}: ${value}`;
    return `${format.among(latest.length, size)}${format.join(most)} ${most.length > 1 ? "have" : "has"} the most open issues: ${value}`;
  }

  function counts(data, answer, state) {
    const rows = issuesBy(data, answer, state);
    if (!rows.length) return { none: "No data on issues of these candidates by this day.", metrics: [] };
    const lines = rows.slice(0, MAX_LINES);
    const trace = (r, column, style) => {
      const points = r.points.filter((p) => p[column] !== null);
      return {
        type: "scatter",
        mode: "lines+markers",
        name: `${plain(r.name)} ${column === 2 ? "open" : "closed"}`,
        x: points.map((p) => p[1]),
        y: points.map((p) => p[column]),
        line: { color: colour(r.i), width: 2, dash: style },
        marker: { color: colour(r.i), size: 6, symbol: symbol(r.i) + (column === 2 ? "" : "-open") },
        hovertemplate: "%{fullData.name}: %{y:,} on %{x|%d %b %Y}<extra></extra>",
      };
    };
    const latest = rows
      .map((r) => ({ ...r, open: [...r.points].reverse().find((p) => p[2] !== null) }))
      .filter((r) => r.open)
      .sort((a, b) => b.open[2] - a.open[2]);
    const all = lines.flatMap((r) => r.points.flatMap((p) => [p[2], p[3]])).filter((v) => v !== null);
    const top = Math.max(...all, 1) * 1.08;
    // One label for each candidate, at its closed issues, which are further apart; else at its open ones.
    const lastOf = (r, column) => [...r.points].reverse().find((p) => p[column] !== null)?.[column];
    const ends = lines
      .map((r) => ({ i: r.i, name: r.name, y: lastOf(r, 3) ?? lastOf(r, 2) }))
      .filter((e) => e.y !== undefined);
    const most = latest.filter((r) => r.open[2] === latest[0].open[2]).map((r) => r.name);
    return {
      title: titleOf(latest, most, answer.rows.length),
      note: "Open issues (solid lines, filled dots) and closed issues (dashed lines, hollow dots) on the days for which a source has totals; a name is at the closed issues. Totals that come from the issue number counter include discussions.",
      traces: lines.flatMap((r) => [trace(r, 2, "solid"), trace(r, 3, "dash")]),
      key: lines.map((r) => r.i),
      drawn: rows.length > lines.length ? lines.length : 0,
      unit: "issues",
      sources: [
        ...new Set(
          rows.flatMap((r) => r.points.flatMap((p) => p[6].split("; ").map((s) => s.split("@")[0]))),
        ),
      ],
      layout: layout({
        xaxis: timeAxis(data),
        yaxis: { range: [0, top], separatethousands: true },
        ...endLabels(ends, top, 250),
      }),
      table: () =>
        tables.table(
          ["Candidate", "Day", "Open", "Closed", "Closed, low", "Closed, high", "Source"],
          rows.flatMap((r) =>
            r.points.map((p) => [r.name, p[1], ...p.slice(2, 6).map((v) => (v === null ? "?" : v)), p[6]]),
          ),
        ),
    };
  }

  function closedShare(data, answer, state) {
    const rows = issuesBy(data, answer, state)
      .map((r) => ({
        ...r,
        points: r.points.filter((p) => p[2] !== null && p[3] !== null && p[2] + p[3] > 0),
      }))
      .filter((r) => r.points.length);
    if (!rows.length)
      return {
        none: "None of these candidates has data on both open and closed issues by this day.",
        metrics: [],
      };
    const share = (p) => p[3] / (p[2] + p[3]),
      lines = rows.slice(0, MAX_LINES);
    const sorted = rows
      .map((r) => ({ ...r, now: share(r.points[r.points.length - 1]) }))
      .sort((a, b) => b.now - a.now);
    // The share and its range, if the source gives bounds of the closed issues.
    const rangeOf = ({ points }) => {
      const p = points[points.length - 1],
        part = (closed) => closed / (p[2] + closed);
      return [share(p), part(p[4] ?? p[3]), part(p[5] ?? p[3])];
    };
    const isSure = plot.isApart(
      rangeOf(sorted[0]),
      sorted.slice(1).map((r) => rangeOf(r)),
    );
    const traces = lines.map((r, place) => ({
      type: "scatter",
      mode: "lines+markers",
      name: plain(r.name),
      x: r.points.map((p) => p[1]),
      y: r.points.map(share),
      line: { color: colour(r.i), width: 2, dash: dash(place) },
      marker: { color: colour(r.i), size: 6, symbol: symbol(r.i) },
      hovertemplate: "%{fullData.name}: %{y:.0%} on %{x|%d %b %Y}<extra></extra>",
    }));
    return {
      title: isSure
        ? `${sorted.length > 1 ? format.among(sorted.length, answer.rows.length) : ""}${sorted[0].name} has closed ${sorted.length > 1 ? "the largest share of its issues, " : "this share of its issues: "}${number(sorted[0].now, "share")}`
        : `No candidate has surely closed the largest share of its issues (${sorted
            .slice(0, 2)
            .map((r) => `${r.name}, ${number(r.now, "share")}`)
            .join("; ")})`,
      note: "Closed issues as a share of all issues, on the days with data on both. This share alone predicts little (AUC 0.57 to 0.66), so its weight is small.",
      traces,
      drawn: rows.length > lines.length ? lines.length : 0,
      unit: "per cent of all issues",
      metrics: ["issues_closed_share"],
      layout: layout({
        xaxis: timeAxis(data),
        yaxis: { range: [0, 1.02], tickformat: ".0%" },
        ...endLabels(
          lines.map((r) => ({ i: r.i, name: r.name, y: share(r.points[r.points.length - 1]) })),
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

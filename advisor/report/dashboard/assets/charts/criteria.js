// The utility of each candidate in each criterion, on one day.
const criteria = (() => {
  const { plain, join } = format;
  const { css, colour, symbol, fit, widthOf, MARGIN } = plot;

  const withRange = (r, k) => {
    const [low, high] = [1, 2].map((part) => format.whole(100 * r.cells[4 * k + part]));
    return `${format.points(r, k)} (${low}–${high})`;
  };

  function titleOf({ ranking }, parts) {
    if (ranking.length < 2) return "The criteria; no two candidates have a rank";
    return parts.length
      ? `Best: ${parts.slice(0, 3).join("; ")}`
      : "In no criterion is a candidate surely the best";
  }

  function utilities(data, answer) {
    const rows = answer.rows.slice(0, plot.MAX_LINES),
      K = data.criteria.length,
      n = rows.length;
    const offset = (j) => (n > 1 ? 0.34 - (0.68 * j) / (n - 1) : 0);
    const traces = rows.map((r, j) => {
      const indices = data.criteria.map((_, k) => k);
      const column = (part) => indices.map((k) => 100 * r.cells[4 * k + part]);
      const points = column(0),
        low = column(1),
        high = column(2);
      return {
        type: "scatter",
        mode: "markers",
        name: plain(data.candidates[r.i].name),
        x: points,
        y: indices.map((k) => K - 1 - k + offset(j)),
        error_x: {
          type: "data",
          symmetric: false,
          array: high.map((h, p) => h - points[p]),
          arrayminus: low.map((l, p) => points[p] - l),
          color: colour(r.i),
          thickness: 1.5,
          width: 0,
        },
        marker: { color: colour(r.i), symbol: symbol(r.i), size: 9 },
        opacity: r.excluded ? 0.45 : 1,
        text: indices.map((k) => withRange(r, k)),
        hovertemplate: "%{fullData.name}: %{text}<extra></extra>",
      };
    });
    // The candidate whose range is above those of all others.
    const best = (k) =>
      answer.ranking.length < 2
        ? undefined
        : answer.ranking.find((r) =>
            answer.ranking.every((o) => o === r || r.cells[4 * k + 1] > o.cells[4 * k + 2]),
          );
    const titlesByLeader = new Map();
    data.criteria.forEach((c, k) => {
      const leader = best(k);
      if (leader)
        titlesByLeader.set(leader.i, [...(titlesByLeader.get(leader.i) ?? []), c.title.toLowerCase()]);
    });
    const parts = [...titlesByLeader]
      .sort((a, b) => b[1].length - a[1].length)
      .map(([i, titles]) => `${data.candidates[i].name} in ${join(titles)}`);
    const titles = data.criteria.map((c) => c.title);
    const width = Math.ceil(Math.max(MARGIN.names, ...titles.map(widthOf)));
    const left = Math.min(width + 12, plot.isNarrow() ? 130 : 200);
    return {
      title: titleOf(answer, parts),
      note: "Expected utility of the metrics of each criterion, 0 to 100 on fixed scales. The line is the range of possible values, given what is not known; “~”: nothing was measured. Excluded candidates are faint.",
      key: rows.map((r) => r.i),
      drawn: answer.rows.length > n ? n : 0,
      traces,
      unit: "utility, 0 to 100",
      metrics: data.criteria.flatMap((c) => c.metrics),
      layout: plot.layout({
        margin: { l: left },
        xaxis: { range: [-2, 102], dtick: 25 },
        yaxis: {
          range: [-0.5, K - 0.5],
          tickvals: data.criteria.map((_, k) => K - 1 - k),
          ticktext: titles.map((title) => plain(fit(title, left - 12))),
          zeroline: false,
          showgrid: false,
        },
        shapes: data.criteria.slice(1).map((_, k) => ({
          type: "line",
          xref: "paper",
          x0: 0,
          x1: 1,
          y0: k + 0.5,
          y1: k + 0.5,
          line: { color: css("--line"), width: 1 },
        })),
      }),
      table: () =>
        tables.table(
          ["Candidate", ...titles],
          answer.rows.map((r) => [
            data.candidates[r.i].name,
            ...data.criteria.map((_, k) => withRange(r, k)),
          ]),
        ),
    };
  }

  return { utilities };
})();

// What all charts share, and those of one day: each function returns the finding in words, its unit and
// sources, what is drawn, and the table behind.
const charts = (() => {
  const { plain, join } = format;
  const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "cross", "triangle-down", "star", "hexagon"];
  const SIGNS = {
    circle: "●",
    square: "■",
    diamond: "◆",
    "triangle-up": "▲",
    cross: "✚",
    "triangle-down": "▼",
    star: "★",
    hexagon: "⬢",
  };
  const known = new Map(); // colours of the scheme of the moment; asking for one may cost a layout
  const repaint = () => known.clear();
  function css(name) {
    if (!known.has(name))
      known.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
    return known.get(name);
  }
  const colour = (i) => css(`--k${i % 8}`);
  const symbol = (i) => SYMBOLS[(i + Math.floor(i / 8)) % SYMBOLS.length];
  const isNarrow = () => window.innerWidth < 600;
  const AT_ONCE = 8; // more lines than this nobody can tell apart

  function layout(more = {}) {
    const axis = {
      gridcolor: css("--line"),
      linecolor: css("--line"),
      zerolinecolor: css("--line"),
      tickcolor: css("--line"),
      fixedrange: true,
      automargin: true,
    };
    const { xaxis = {}, yaxis = {}, ...rest } = more;
    return {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      showlegend: false,
      hovermode: "closest",
      dragmode: false,
      font: { family: getComputedStyle(document.body).fontFamily, size: 12.5, color: css("--text") },
      hoverlabel: { bgcolor: css("--card"), bordercolor: css("--line"), font: { color: css("--text") } },
      margin: { l: 44, r: 16, t: 8, b: 34 },
      xaxis: { ...axis, ...xaxis },
      yaxis: { ...axis, ...yaxis },
      ...rest,
    };
  }

  // Names at the right end of lines, moved apart so that none covers another.
  function endLabels(ends, top, height) {
    const gap = (15 / height) * top;
    const sorted = [...ends].sort((a, b) => a.y - b.y);
    sorted.forEach((end, j) => {
      end.at = j ? Math.max(end.y, sorted[j - 1].at + gap) : end.y;
    });
    for (let j = sorted.length - 1, most = top; j >= 0; j -= 1, most -= gap)
      sorted[j].at = Math.min(sorted[j].at, most);
    return sorted.map(({ i, name, at }) => ({
      x: 1.01,
      xref: "paper",
      xanchor: "left",
      y: at,
      yref: "y",
      yanchor: "middle",
      text: plain(format.short(name, isNarrow() ? 10 : 14)),
      showarrow: false,
      font: { color: colour(i), size: 12 },
    }));
  }

  function criteria(data, found) {
    const rows = [...found.rows.slice(0, AT_ONCE)],
      K = data.criteria.length,
      n = rows.length;
    const height = (j) => (n > 1 ? 0.34 - (0.68 * j) / (n - 1) : 0);
    const traces = rows.map((r, j) => {
      const known = data.criteria.map((_, k) => k).filter((k) => r.cells[4 * k] !== null);
      const at = (part) => known.map((k) => 100 * r.cells[4 * k + part]);
      const points = at(0),
        low = at(1),
        high = at(2);
      return {
        type: "scatter",
        mode: "markers",
        name: plain(data.candidates[r.i].name),
        x: points,
        y: known.map((k) => K - 1 - k + height(j)),
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
        text: points.map((p, q) => `${format.whole(p)} (${format.whole(low[q])}–${format.whole(high[q])})`),
        hovertemplate: "%{fullData.name}: %{text}<extra></extra>",
      };
    });
    const best = (k) =>
      found.running.filter((r) => r.cells[4 * k] !== null).sort((a, b) => b.cells[4 * k] - a.cells[4 * k])[0];
    const leads = new Map();
    data.criteria.forEach((c, k) => {
      const leader = best(k);
      if (leader) leads.set(leader.i, [...(leads.get(leader.i) ?? []), c.title.toLowerCase()]);
    });
    const parts = [...leads]
      .sort((a, b) => b[1].length - a[1].length)
      .map(([i, names]) => `${data.candidates[i].name} in ${join(names)}`);
    return {
      title: parts.length ? `Best: ${parts.slice(0, 3).join("; ")}` : "Nothing is known of any criterion",
      note: "Mean utility of each criterion's metrics, 0 to 100 on fixed scales; the line is what the evidence allows. Excluded candidates are faint.",
      key: rows.map((r) => r.i),
      traces,
      unit: "utility, 0 to 100",
      metrics: data.criteria.flatMap((c) => c.metrics),
      layout: layout({
        margin: { l: 120, r: 12, t: 8, b: 34 },
        xaxis: { range: [-2, 102], dtick: 25 },
        yaxis: {
          range: [-0.5, K - 0.5],
          tickvals: data.criteria.map((_, k) => K - 1 - k),
          ticktext: data.criteria.map((c) => plain(format.short(c.title, 22))),
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
          ["Candidate", ...data.criteria.map((c) => c.title)],
          found.rows.map((r) => [
            data.candidates[r.i].name,
            ...data.criteria.map((_, k) =>
              r.cells[4 * k] === null
                ? "?"
                : `${format.whole(100 * r.cells[4 * k])} (${format.whole(100 * r.cells[4 * k + 1])}–${format.whole(100 * r.cells[4 * k + 2])})`,
            ),
          ]),
        ),
    };
  }

  const last = (values, day) => {
    const v = values[day];
    return v === undefined ? null : Array.isArray(v) ? v[0] : v;
  };

  function coverage(data, found, state) {
    const today = data.days[state.day];
    const seen = tables.coverage(
      data,
      found.rows.map((r) => r.i),
      today,
    );
    if (!seen.rows.length || !seen.libraries.length)
      return { none: "No dated facts on model support for these candidates by this day." };
    const counts = seen.libraries
      .map((i) => {
        const cells = seen.rows
          .map((row) => seen.cell(row, i))
          .filter((c) => c.days !== undefined || c.missing);
        const days = cells
          .filter((c) => c.days !== undefined)
          .map((c) => c.days)
          .sort((a, b) => a - b);
        return {
          i,
          of: cells.length,
          served: days.length,
          middle: days.length ? days[Math.floor((days.length - 1) / 2)] : null,
        };
      })
      .filter((c) => c.of > 0);
    const best = counts.sort((a, b) => b.served / b.of - a.served / a.of)[0];
    const worst = counts[counts.length - 1];
    const say = (c) => `${data.candidates[c.i].name} serves ${c.served} of ${c.of}`;
    return {
      title: best
        ? `Of the model families known and newer than themselves, ${say(best)}${worst !== best ? `, ${say(worst)}` : ""}`
        : "Every family is older than these libraries",
      note: "Days from the first public weights of a family to its first support in the library. “?” not known; “yes” and “no” without days: the family is older than the library.",
      metrics: ["days_to_support"],
      unit: "days",
      heat: () => tables.heat(data, seen),
    };
  }

  return {
    criteria,
    coverage,
    layout,
    endLabels,
    colour,
    symbol,
    SIGNS,
    css,
    repaint,
    isNarrow,
    last,
    AT_ONCE,
  };
})();

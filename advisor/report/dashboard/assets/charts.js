// Charts of one day: each function returns the finding in words, what is drawn, and the table behind.
const charts = (() => {
  const { plain, percent, number, join } = format;
  const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "cross", "triangle-down", "star", "hexagon"];
  const SIGNS = { circle: "●", square: "■", diamond: "◆", "triangle-up": "▲", cross: "✚", "triangle-down": "▼", star: "★", hexagon: "⬢" };
  const known = new Map(); // colours of the scheme of the moment; asking for one may cost a layout
  const repaint = () => known.clear();
  function css(name) {
    if (!known.has(name)) known.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
    return known.get(name);
  }
  const colour = (i) => css(`--k${i % 8}`);
  const symbol = (i) => SYMBOLS[(i + Math.floor(i / 8)) % SYMBOLS.length];
  const isNarrow = () => window.innerWidth < 600;
  const AT_ONCE = 8; // more lines than this nobody can tell apart

  function layout(more = {}) {
    const axis = { gridcolor: css("--line"), linecolor: css("--line"), zerolinecolor: css("--line"), tickcolor: css("--line"),
      fixedrange: true, automargin: true };
    const { xaxis = {}, yaxis = {}, ...rest } = more;
    return {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: "closest", dragmode: false,
      font: { family: getComputedStyle(document.body).fontFamily, size: 12.5, color: css("--text") },
      hoverlabel: { bgcolor: css("--card"), bordercolor: css("--line"), font: { color: css("--text") } },
      margin: { l: 44, r: 16, t: 8, b: 34 }, xaxis: { ...axis, ...xaxis }, yaxis: { ...axis, ...yaxis }, ...rest,
    };
  }

  // Names at the right end of lines, moved apart so that none covers another.
  function endLabels(ends, top, height) {
    const gap = (15 / height) * top;
    const sorted = [...ends].sort((a, b) => a.y - b.y);
    sorted.forEach((end, j) => { end.at = j ? Math.max(end.y, sorted[j - 1].at + gap) : end.y; });
    for (let j = sorted.length - 1, most = top; j >= 0; j -= 1, most -= gap) sorted[j].at = Math.min(sorted[j].at, most);
    return sorted.map(({ i, name, at }) => ({ x: 1.01, xref: "paper", xanchor: "left", y: at, yref: "y", yanchor: "middle",
      text: plain(format.short(name, isNarrow() ? 10 : 14)), showarrow: false, font: { color: colour(i), size: 12 } }));
  }

  function criteria(data, found) {
    const rows = [...found.rows.slice(0, AT_ONCE)], K = data.criteria.length, n = rows.length;
    const height = (j) => (n > 1 ? 0.34 - (0.68 * j) / (n - 1) : 0);
    const traces = rows.map((r, j) => {
      const known = data.criteria.map((_, k) => k).filter((k) => r.cells[4 * k] !== null);
      const at = (part) => known.map((k) => 100 * r.cells[4 * k + part]);
      const points = at(0), low = at(1), high = at(2);
      return { type: "scatter", mode: "markers", name: plain(data.candidates[r.i].name), x: points, y: known.map((k) => K - 1 - k + height(j)),
        error_x: { type: "data", symmetric: false, array: high.map((h, p) => h - points[p]), arrayminus: low.map((l, p) => points[p] - l),
          color: colour(r.i), thickness: 1.5, width: 0 },
        marker: { color: colour(r.i), symbol: symbol(r.i), size: 9 }, opacity: r.excluded ? 0.45 : 1,
        text: points.map((p, q) => `${format.whole(p)} (${format.whole(low[q])}–${format.whole(high[q])})`),
        hovertemplate: "%{fullData.name}: %{text}<extra></extra>" };
    });
    const best = (k) => found.running.filter((r) => r.cells[4 * k] !== null).sort((a, b) => b.cells[4 * k] - a.cells[4 * k])[0];
    const leads = new Map();
    data.criteria.forEach((c, k) => {
      const leader = best(k);
      if (leader) leads.set(leader.i, [...(leads.get(leader.i) ?? []), c.title.toLowerCase()]);
    });
    const parts = [...leads].sort((a, b) => b[1].length - a[1].length).map(([i, names]) => `${data.candidates[i].name} in ${join(names)}`);
    return {
      title: parts.length ? `Best: ${parts.slice(0, 3).join("; ")}` : "Nothing is known of any criterion",
      note: "Mean utility of each criterion's metrics, 0 to 100 on fixed scales; the line is what the evidence allows. Excluded candidates are faint.",
      key: rows.map((r) => r.i), traces, unit: "utility, 0 to 100", metrics: data.criteria.flatMap((c) => c.metrics),
      layout: layout({ margin: { l: 120, r: 12, t: 8, b: 34 }, xaxis: { range: [-2, 102], dtick: 25 },
        yaxis: { range: [-0.5, K - 0.5], tickvals: data.criteria.map((_, k) => K - 1 - k), ticktext: data.criteria.map((c) => plain(format.short(c.title, 22))), zeroline: false, showgrid: false },
        shapes: data.criteria.slice(1).map((_, k) => ({ type: "line", xref: "paper", x0: 0, x1: 1, y0: k + 0.5, y1: k + 0.5, line: { color: css("--line"), width: 1 } })) }),
      table: () => tables.table(["Candidate", ...data.criteria.map((c) => c.title)],
        found.rows.map((r) => [data.candidates[r.i].name, ...data.criteria.map((_, k) => (r.cells[4 * k] === null ? "?"
          : `${format.whole(100 * r.cells[4 * k])} (${format.whole(100 * r.cells[4 * k + 1])}–${format.whole(100 * r.cells[4 * k + 2])})`))])),
    };
  }

  const last = (values, day) => {
    const v = values[day];
    return v === undefined ? null : Array.isArray(v) ? v[0] : v;
  };

  const PERCENTILES = [5, 10, 25, 50, 75, 90, 95];

  // Place among the reference population: interpolated between its percentiles, "under 5" and "over 95" outside.
  function percentile(population, value) {
    const { values } = population;
    if (value < values[0]) return { at: 0, text: "under 5%" };
    if (value >= values[values.length - 1]) return { at: 100, text: "over 95%" };
    const j = values.findIndex((v) => value < v), span = values[j] - values[j - 1];
    const at = PERCENTILES[j - 1] + ((value - values[j - 1]) / span) * (PERCENTILES[j] - PERCENTILES[j - 1]);
    return { at, text: `${format.whole(at)}%` };
  }

  // Stars are attention; people who begin to commit are substance. Both on logarithmic axes, with the
  // middle half and the middle nine tenths of the reference population behind them.
  function attention(data, found, state) {
    const behind = data.population, hasPopulation = behind !== null && behind.stars && behind.new_contributors;
    const points = found.rows.map((r) => ({ i: r.i, name: data.candidates[r.i].name, stars: last(data.series.stars[r.i], state.day),
      people: last(data.series.new_contributors[r.i], state.day) })).filter((p) => p.stars > 0 && p.people > 0);
    if (points.length < 2) return { none: "Stars and newcomers together are known of fewer than two of the candidates on this day." };
    for (const p of points) {
      p.attention = hasPopulation ? percentile(behind.stars, p.stars) : null;
      p.substance = hasPopulation ? percentile(behind.new_contributors, p.people) : null;
    }
    const ratio = (p) => p.stars / p.people, sorted = [...points].sort((a, b) => ratio(b) - ratio(a));
    const most = sorted[0], least = sorted[sorted.length - 1];
    const band = (key, metric) => [...points.map((p) => p[key]), ...(hasPopulation ? [Math.max(behind[metric].values[0], 1), behind[metric].values[6]] : [])].map(Math.log10);
    const logs = (key, metric) => { const all = band(key, metric); return [Math.min(...all) - 0.2, Math.max(...all) + 0.35]; };
    const box = (from, to, opacity) => ({ type: "rect", layer: "below", x0: Math.max(behind.new_contributors.values[from], 1), x1: behind.new_contributors.values[to],
      y0: behind.stars.values[from], y1: behind.stars.values[to], fillcolor: css("--muted"), opacity, line: { width: 0 } });
    const said = hasPopulation ? `Grey: the middle half and the middle nine tenths of ${number(behind.stars.n)} libraries on ${format.longDay(behind.stars.as_of)}.`
      : "A reference population was not measured.";
    return {
      title: `${most.name} has ${number(ratio(most))} stars for each newcomer of the year, ${least.name} ${number(ratio(least))}`,
      note: `Stars (attention) against people with a first commit in twelve months (substance); logarithmic axes. ${said} Stars can be bought or fashionable: a gap is a reason to look, not a verdict.`,
      metrics: ["stars", "new_contributors"], unit: "stars against people with a first commit in twelve months",
      traces: [{ type: "scatter", mode: "markers+text", x: points.map((p) => p.people), y: points.map((p) => p.stars), text: points.map((p) => plain(format.short(p.name))),
        textposition: "top center", textfont: { color: points.map((p) => colour(p.i)) }, cliponaxis: false,
        marker: { color: points.map((p) => colour(p.i)), symbol: points.map((p) => symbol(p.i)), size: 11 },
        hovertemplate: "%{text}: %{y:,} stars, %{x} newcomers<extra></extra>" }],
      layout: layout({ xaxis: { type: "log", range: logs("people", "new_contributors"), title: { text: "newcomers in twelve months", font: { size: 12.5 } }, dtick: 1 },
        yaxis: { type: "log", range: logs("stars", "stars"), title: { text: "stars", font: { size: 12.5 } }, dtick: 1 }, margin: { l: 60, r: 16, t: 16, b: 48 },
        shapes: hasPopulation ? [box(0, 6, 0.12), box(2, 4, 0.2)] : [] }),
      table: () => tables.table(["Candidate", "Stars", "more than", "Newcomers", "more than", "Stars a newcomer"],
        points.map((p) => [p.name, number(p.stars), p.attention?.text ?? "?", number(p.people), p.substance?.text ?? "?", number(ratio(p))])),
    };
  }

  const ends = (v) => (Array.isArray(v) ? v : [v, v, v]);

  // Both sides as places in the reference population: the share of its libraries at or below.
  function hypeGap(data, found, state) {
    if (!data.series.hype_gap) return { none: "Not measured by this version." };
    const at = (metric, i) => data.series[metric][i][state.day] ?? null;
    const points = found.rows.map((r) => ({ i: r.i, name: data.candidates[r.i].name, a: at("attention", r.i), s: at("substance", r.i), gap: at("hype_gap", r.i) }))
      .filter((p) => p.a !== null && p.s !== null && p.gap !== null);
    if (!points.length) return { none: "Too few figures of attention or of substance are known of these candidates by this day." };
    const widest = [...points].sort((a, b) => ends(b.gap)[0] - ends(a.gap)[0])[0], [gap, low] = ends(widest.gap);
    const floor = Math.max(0, Math.min(...points.flatMap((p) => [ends(p.a)[1], ends(p.s)[1]])) - 0.08);
    const bars = (key, color) => ({ type: "data", symmetric: false, array: points.map((p) => ends(p[key])[2] - ends(p[key])[0]), arrayminus: points.map((p) => ends(p[key])[0] - ends(p[key])[1]), color, thickness: 1, width: 0 });
    const axis = (text) => ({ range: [floor, 1.04], tickformat: ".0%", title: { text, font: { size: 12.5 } } });
    return {
      title: low > 0 ? `${widest.name} is looked at more than it is used and worked on, by ${number(gap)} places of a hundred` : "For none of them does attention surely exceed use and work",
      note: "Place among the libraries of a reference population: attention (stars, stars gained) against substance (downloads, contributors, issues closed, change requests). Above the line: more looked at than used and worked on. Bars: lowest to highest single figure.",
      metrics: ["attention", "substance"], unit: "per cent of the reference population at or below",
      traces: [{ type: "scatter", mode: "lines", x: [0, 1], y: [0, 1], line: { color: css("--muted"), dash: "dot", width: 1 }, hoverinfo: "skip" },
        { type: "scatter", mode: "markers+text", x: points.map((p) => ends(p.s)[0]), y: points.map((p) => ends(p.a)[0]), error_x: bars("s", css("--muted")), error_y: bars("a", css("--muted")),
          text: points.map((p) => plain(format.short(p.name))), textposition: points.map((_, j) => (j % 2 ? "top center" : "bottom center")), textfont: { color: points.map((p) => colour(p.i)) }, cliponaxis: false,
          marker: { color: points.map((p) => colour(p.i)), symbol: points.map((p) => symbol(p.i)), size: 11 }, hovertemplate: "%{text}: attention %{y:.0%}, substance %{x:.0%}<extra></extra>" }],
      layout: layout({ margin: { l: 60, r: 16, t: 16, b: 48 }, xaxis: axis("substance"), yaxis: axis("attention") }),
      table: () => tables.table(["Candidate", "Attention", "Substance", "Gap, places of 100", "at least", "at most"],
        points.map((p) => [p.name, percent(ends(p.a)[0]), percent(ends(p.s)[0]), ...ends(p.gap).map((g) => number(g))])),
    };
  }

  function coverage(data, found, state) {
    const today = data.days[state.day];
    const seen = tables.coverage(data, found.rows.map((r) => r.i), today);
    if (!seen.rows.length || !seen.libraries.length) return { none: "No dated facts on model support for these candidates by this day." };
    const counts = seen.libraries.map((i) => {
      const cells = seen.rows.map((row) => seen.cell(row, i)).filter((c) => c.days !== undefined || c.missing);
      const days = cells.filter((c) => c.days !== undefined).map((c) => c.days).sort((a, b) => a - b);
      return { i, of: cells.length, served: days.length, middle: days.length ? days[Math.floor((days.length - 1) / 2)] : null };
    }).filter((c) => c.of > 0);
    const best = counts.sort((a, b) => b.served / b.of - a.served / a.of)[0];
    const worst = counts[counts.length - 1];
    const say = (c) => `${data.candidates[c.i].name} serves ${c.served} of ${c.of}`;
    return {
      title: best ? `Of the model families known and newer than themselves, ${say(best)}${worst !== best ? `, ${say(worst)}` : ""}` : "Every family is older than these libraries",
      note: "Days from the first public weights of a family to its first support in the library. “?” not known; “yes” and “no” without days: the family is older than the library.",
      metrics: ["days_to_support"], unit: "days",
      heat: () => tables.heat(data, seen),
    };
  }

  return { criteria, attention, hypeGap, coverage, layout, endLabels, colour, symbol, SIGNS, css, repaint, isNarrow, last, AT_ONCE, percent };
})();

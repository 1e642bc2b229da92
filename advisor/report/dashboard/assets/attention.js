// Attention against substance: what people look at, beside what they use and work on.
const attention = (() => {
  const { plain, percent, number } = format;
  const { layout, colour, symbol, css, last } = charts;
  const PERCENTILES = [5, 10, 25, 50, 75, 90, 95];

  // Place among the reference population: interpolated between its percentiles, "under 5" and "over 95" outside.
  function percentile(population, value) {
    const { values } = population;
    if (value < values[0]) return { at: 0, text: "under 5%" };
    if (value >= values[values.length - 1]) return { at: 100, text: "over 95%" };
    const j = values.findIndex((v) => value < v),
      span = values[j] - values[j - 1];
    const at = PERCENTILES[j - 1] + ((value - values[j - 1]) / span) * (PERCENTILES[j] - PERCENTILES[j - 1]);
    return { at, text: `${format.whole(at)}%` };
  }

  // Stars are attention; people who begin to commit are substance. Both on logarithmic axes, with the
  // middle half and the middle nine tenths of the reference population behind them.
  function stars(data, found, state) {
    const behind = data.population,
      hasPopulation = behind !== null && behind.stars && behind.new_contributors;
    const points = found.rows
      .map((r) => ({
        i: r.i,
        name: data.candidates[r.i].name,
        stars: last(data.series.stars[r.i], state.day),
        people: last(data.series.new_contributors[r.i], state.day),
      }))
      .filter((p) => p.stars > 0 && p.people > 0);
    if (points.length < 2)
      return {
        none: "Stars and newcomers together are known of fewer than two of the candidates on this day.",
      };
    for (const p of points) {
      p.attention = hasPopulation ? percentile(behind.stars, p.stars) : null;
      p.substance = hasPopulation ? percentile(behind.new_contributors, p.people) : null;
    }
    const ratio = (p) => p.stars / p.people,
      sorted = [...points].sort((a, b) => ratio(b) - ratio(a));
    const most = sorted[0],
      least = sorted[sorted.length - 1];
    const band = (key, metric) =>
      [
        ...points.map((p) => p[key]),
        ...(hasPopulation ? [Math.max(behind[metric].values[0], 1), behind[metric].values[6]] : []),
      ].map(Math.log10);
    const logs = (key, metric) => {
      const all = band(key, metric);
      return [Math.min(...all) - 0.2, Math.max(...all) + 0.35];
    };
    const box = (from, to, opacity) => ({
      type: "rect",
      layer: "below",
      x0: Math.max(behind.new_contributors.values[from], 1),
      x1: behind.new_contributors.values[to],
      y0: behind.stars.values[from],
      y1: behind.stars.values[to],
      fillcolor: css("--muted"),
      opacity,
      line: { width: 0 },
    });
    const said = hasPopulation
      ? `Grey: the middle half and the middle nine tenths of ${number(behind.stars.n)} libraries on ${format.longDay(behind.stars.as_of)}.`
      : "A reference population was not measured.";
    return {
      title: `${most.name} has ${number(ratio(most))} stars for each newcomer of the year, ${least.name} ${number(ratio(least))}`,
      note: `Stars (attention) against people with a first commit in twelve months (substance); logarithmic axes. ${said} Stars can be bought or fashionable: a gap is a reason to look, not a verdict.`,
      metrics: ["stars", "new_contributors"],
      unit: "stars against people with a first commit in twelve months",
      traces: [
        {
          type: "scatter",
          mode: "markers+text",
          x: points.map((p) => p.people),
          y: points.map((p) => p.stars),
          text: points.map((p) => plain(format.short(p.name))),
          textposition: "top center",
          textfont: { color: points.map((p) => colour(p.i)) },
          cliponaxis: false,
          marker: { color: points.map((p) => colour(p.i)), symbol: points.map((p) => symbol(p.i)), size: 11 },
          hovertemplate: "%{text}: %{y:,} stars, %{x} newcomers<extra></extra>",
        },
      ],
      layout: layout({
        xaxis: {
          type: "log",
          range: logs("people", "new_contributors"),
          title: { text: "newcomers in twelve months", font: { size: 12.5 } },
          dtick: 1,
        },
        yaxis: {
          type: "log",
          range: logs("stars", "stars"),
          title: { text: "stars", font: { size: 12.5 } },
          dtick: 1,
        },
        margin: { l: 60, r: 16, t: 16, b: 48 },
        shapes: hasPopulation ? [box(0, 6, 0.12), box(2, 4, 0.2)] : [],
      }),
      table: () =>
        tables.table(
          ["Candidate", "Stars", "more than", "Newcomers", "more than", "Stars a newcomer"],
          points.map((p) => [
            p.name,
            number(p.stars),
            p.attention?.text ?? "?",
            number(p.people),
            p.substance?.text ?? "?",
            number(ratio(p)),
          ]),
        ),
    };
  }

  const ends = (v) => (Array.isArray(v) ? v : [v, v, v]);

  // Both sides as places in the reference population: the share of its libraries at or below.
  function hypeGap(data, found, state) {
    if (!data.series.hype_gap) return { none: "Not measured by this version." };
    const at = (metric, i) => data.series[metric][i][state.day] ?? null;
    const points = found.rows
      .map((r) => ({
        i: r.i,
        name: data.candidates[r.i].name,
        a: at("attention", r.i),
        s: at("substance", r.i),
        gap: at("hype_gap", r.i),
      }))
      .filter((p) => p.a !== null && p.s !== null && p.gap !== null);
    if (!points.length)
      return {
        none: "Too few figures of attention or of substance are known of these candidates by this day.",
      };
    const widest = [...points].sort((a, b) => ends(b.gap)[0] - ends(a.gap)[0])[0],
      [gap, low] = ends(widest.gap);
    const floor = Math.max(0, Math.min(...points.flatMap((p) => [ends(p.a)[1], ends(p.s)[1]])) - 0.08);
    const bars = (key, color) => ({
      type: "data",
      symmetric: false,
      array: points.map((p) => ends(p[key])[2] - ends(p[key])[0]),
      arrayminus: points.map((p) => ends(p[key])[0] - ends(p[key])[1]),
      color,
      thickness: 1,
      width: 0,
    });
    const axis = (text) => ({
      range: [floor, 1.04],
      tickformat: ".0%",
      title: { text, font: { size: 12.5 } },
    });
    return {
      title:
        low > 0
          ? `${widest.name} is looked at more than it is used and worked on, by ${number(gap)} places of a hundred`
          : "For none of them does attention surely exceed use and work",
      note: "Place among the libraries of a reference population: attention (stars, stars gained) against substance (downloads, contributors, issues closed, change requests). Above the line: more looked at than used and worked on. Bars: lowest to highest single figure.",
      metrics: ["attention", "substance"],
      unit: "per cent of the reference population at or below",
      traces: [
        {
          type: "scatter",
          mode: "lines",
          x: [0, 1],
          y: [0, 1],
          line: { color: css("--muted"), dash: "dot", width: 1 },
          hoverinfo: "skip",
        },
        {
          type: "scatter",
          mode: "markers+text",
          x: points.map((p) => ends(p.s)[0]),
          y: points.map((p) => ends(p.a)[0]),
          error_x: bars("s", css("--muted")),
          error_y: bars("a", css("--muted")),
          text: points.map((p) => plain(format.short(p.name))),
          textposition: points.map((_, j) => (j % 2 ? "top center" : "bottom center")),
          textfont: { color: points.map((p) => colour(p.i)) },
          cliponaxis: false,
          marker: { color: points.map((p) => colour(p.i)), symbol: points.map((p) => symbol(p.i)), size: 11 },
          hovertemplate: "%{text}: attention %{y:.0%}, substance %{x:.0%}<extra></extra>",
        },
      ],
      layout: layout({
        margin: { l: 60, r: 16, t: 16, b: 48 },
        xaxis: axis("substance"),
        yaxis: axis("attention"),
      }),
      table: () =>
        tables.table(
          ["Candidate", "Attention", "Substance", "Gap, places of 100", "at least", "at most"],
          points.map((p) => [
            p.name,
            percent(ends(p.a)[0]),
            percent(ends(p.s)[0]),
            ...ends(p.gap).map((g) => number(g)),
          ]),
        ),
    };
  }

  return { stars, hypeGap };
})();

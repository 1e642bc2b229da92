// Attention against substance: how much people look at a library, and how much they use it and work on it.
const attention = (() => {
  const { plain, percent, number } = format;
  const { layout, colour, symbol, css, valueOf, MARGIN } = plot;
  const PERCENTILES = [5, 10, 25, 50, 75, 90, 95];

  // Percentile in the reference population, interpolated; outside its range "under 5%" or "over 95%".
  function percentile(places, value) {
    const { values } = places;
    if (value < values[0]) return { at: 0, text: "under 5%" };
    if (value >= values[values.length - 1]) return { at: 100, text: "over 95%" };
    const j = values.findIndex((v) => value < v),
      span = values[j] - values[j - 1];
    const at = PERCENTILES[j - 1] + ((value - values[j - 1]) / span) * (PERCENTILES[j] - PERCENTILES[j - 1]);
    return { at, text: `${format.whole(at)}%` };
  }

  // Stars (attention) against new contributors (substance), over the middle half and the middle nine tenths of the
  // reference population.
  function stars(data, answer, state) {
    const { percentiles } = data,
      hasPercentiles = percentiles !== null && percentiles.stars && percentiles.new_contributors;
    const points = answer.rows
      .map((r) => ({
        i: r.i,
        name: data.candidates[r.i].name,
        stars: valueOf(data.series.stars[r.i][state.day]),
        people: valueOf(data.series.new_contributors[r.i][state.day]),
      }))
      .filter((p) => p.stars > 0 && p.people > 0);
    if (points.length < 2)
      return {
        none: "Fewer than two candidates have data on both stars and new contributors on this day.",
      };
    for (const p of points) {
      p.attention = hasPercentiles ? percentile(percentiles.stars, p.stars) : null;
      p.substance = hasPercentiles ? percentile(percentiles.new_contributors, p.people) : null;
    }
    const ratio = (p) => p.stars / p.people,
      sorted = [...points].sort((a, b) => ratio(b) - ratio(a));
    const most = sorted[0],
      least = sorted[sorted.length - 1];
    const band = (key, metric) =>
      [
        ...points.map((p) => p[key]),
        ...(hasPercentiles ? [Math.max(percentiles[metric].values[0], 1), percentiles[metric].values[6]] : []),
      ].map(Math.log10);
    const logs = (key, metric) => {
      const all = band(key, metric);
      return [Math.min(...all) - 0.2, Math.max(...all) + 0.35];
    };
    const box = (from, to, opacity) => ({
      type: "rect",
      layer: "below",
      x0: Math.max(percentiles.new_contributors.values[from], 1),
      x1: percentiles.new_contributors.values[to],
      y0: percentiles.stars.values[from],
      y1: percentiles.stars.values[to],
      fillcolor: css("--muted"),
      opacity,
      line: { width: 0 },
    });
    const ranges = { x: logs("people", "new_contributors"), y: logs("stars", "stars") };
    const shareOf = ([low, high], value) => (Math.log10(value) - low) / (high - low);
    const percentilesNote = hasPercentiles
      ? `Grey: the middle half and the middle nine tenths of ${number(percentiles.stars.n)} libraries of the reference population on ${format.longDay(percentiles.stars.as_of)}.`
      : "There is no reference population.";
    return {
      title: `${most.name} has ${number(ratio(most))} stars for each new contributor of the last year, ${least.name} ${number(ratio(least))}`,
      note: `Stars (attention) and people with a first commit in twelve months (substance); logarithmic axes. ${percentilesNote} Stars can be bought, or follow a fashion: a gap is a reason to look closer, not a verdict.`,
      metrics: ["stars", "new_contributors"],
      unit: "stars; people with a first commit in twelve months",
      traces: [
        {
          type: "scatter",
          mode: "markers+text",
          x: points.map((p) => p.people),
          y: points.map((p) => p.stars),
          text: points.map((p) => plain(format.short(p.name))),
          textposition: plot.labelPositions(
            points.map((p) => ({
              x: shareOf(ranges.x, p.people),
              y: shareOf(ranges.y, p.stars),
              text: format.short(p.name),
            })),
          ),
          textfont: { color: points.map((p) => colour(p.i)) },
          cliponaxis: false,
          marker: { color: points.map((p) => colour(p.i)), symbol: points.map((p) => symbol(p.i)), size: 11 },
          hovertemplate: "%{text}: %{y:,} stars, %{x} new contributors<extra></extra>",
        },
      ],
      layout: layout({
        xaxis: {
          type: "log",
          range: ranges.x,
          title: "new contributors in twelve months",
          dtick: 1,
        },
        yaxis: {
          type: "log",
          range: ranges.y,
          title: "stars",
          dtick: 1,
        },
        margin: { l: MARGIN.title, t: 20 },
        shapes: hasPercentiles ? [box(0, 6, 0.12), box(2, 4, 0.2)] : [],
      }),
      table: () =>
        tables.table(
          [
            "Candidate",
            "Stars",
            "Percentile",
            "New contributors",
            "Percentile",
            "Stars for each new contributor",
          ],
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

  // The title names one candidate only where its range is above those of all others.
  function titleOfGap(points, size) {
    const sure = points.filter((p) => ends(p.gap)[1] > 0).sort((a, b) => ends(b.gap)[0] - ends(a.gap)[0]);
    if (!sure.length) return "Attention does not clearly exceed substance for any candidate";
    if (points.length === 1) return `Attention exceeds substance for ${points[0].name}`;
    const [widest] = sure,
      others = points.filter((p) => p !== widest);
    return plot.isApart(
      widest.gap,
      others.map((p) => p.gap),
    )
      ? `${format.among(points.length, size)}${widest.name} has the widest gap of attention over substance: ${number(ends(widest.gap)[0])} percentile points`
      : `Attention exceeds substance for ${format.join(sure.map((p) => p.name))}`;
  }

  // Both as percentiles of the reference population.
  function hypeGap(data, answer, state) {
    if (!data.series.hype_gap) return { none: "This version of advisor does not have this metric." };
    const at = (metric, i) => data.series[metric][i][state.day] ?? null;
    const points = answer.rows
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
        none: "Not enough data on attention or substance of these candidates on this day.",
      };
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
    const TOP = 1.04,
      shareOf = (value) => (value - floor) / (TOP - floor);
    const axis = (title) => ({
      range: [floor, TOP],
      tickformat: ".0%",
      title,
    });
    return {
      title: titleOfGap(points, answer.rows.length),
      note: "Percentiles in the reference population: attention (stars and their growth) and substance (downloads, contributors, closed issues, change requests). Above the dotted line, attention is higher than substance. The bars go from the lowest to the highest percentile of a single metric.",
      metrics: ["attention", "substance"],
      unit: "percentile of the reference population",
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
          textposition: plot.labelPositions(
            points.map((p) => ({
              x: shareOf(ends(p.s)[0]),
              y: shareOf(ends(p.a)[0]),
              text: format.short(p.name),
            })),
          ),
          textfont: { color: points.map((p) => colour(p.i)) },
          cliponaxis: false,
          marker: { color: points.map((p) => colour(p.i)), symbol: points.map((p) => symbol(p.i)), size: 11 },
          hovertemplate: "%{text}: attention %{y:.0%}, substance %{x:.0%}<extra></extra>",
        },
      ],
      layout: layout({
        margin: { l: MARGIN.title, t: 20 },
        xaxis: axis("substance"),
        yaxis: axis("attention"),
      }),
      table: () =>
        tables.table(
          ["Candidate", "Attention", "Substance", "Gap in percentile points", "Low", "High"],
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

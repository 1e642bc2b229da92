// Charts over the months. Lines end at the as-of date: nothing later was known then.
const timeCharts = (() => {
  const { plain, number } = format;
  const { layout, endLabels, colour, symbol, isNarrow, last, AT_ONCE } = charts;
  const GATE = 0.5; // below this share of last year's commits, concentration says little

  // metric: how those who lead are said (names, value, whether they are many → words), what is halved when that is said, and what is drawn
  const LINES = {
    contributors: {
      say: (n, v, many) =>
        `${n} ${many ? "have" : "has"} the most contributors: ${v} people in twelve months`,
      fall: "people",
      note: "People with a commit on the default branch in the twelve months before each date.",
    },
    new_contributors: {
      say: (n, v, many) =>
        `${n} ${many ? "draw" : "draws"} the most newcomers: ${v} first commits in twelve months`,
      fall: "newcomers",
      note: "People whose first commit fell into the twelve months before each date.",
    },
    code_changes_commits: {
      say: (n, v, many) => `${n} ${many ? "are" : "is"} the busiest: ${v} commits in twelve months`,
      fall: "commits",
      note: "Commits by people on the default branch in the twelve months before each date.",
    },
    contributor_absence_factor: {
      say: (n, v, many) =>
        `${n} ${many ? "lean" : "leans"} on the most people, and those are ${v}: so many made half of the commits`,
      gated: true,
      note: "Smallest number of people who together made half of the commits in twelve months.",
    },
    top_contributor_share: {
      say: (n, v, many) => `${n} ${many ? "rest" : "rests"} on one person the most: ${v} of the commits`,
      gated: true,
      note: "Share of the commits in twelve months by the person with the most.",
    },
    organizational_diversity: {
      say: (n, v, many) => `${n} ${many ? "have" : "has"} committers from the most organisations: ${v} known`,
      gated: true,
      note: "Different organisations known among those who committed in twelve months; most addresses tell none.",
    },
    organizational_influence: {
      say: (n, v, many) =>
        `${n} ${many ? "depend" : "depends"} on its backer the most: ${v} of the commits whose organisation is known`,
      gated: true,
      note: "Share of the commits in twelve months by the backer's people, over those whose organisation is known; in brackets, what all the others allow. Most addresses tell none.",
    },
    downloads: {
      say: (n, v, many) => `${n} ${many ? "are" : "is"} downloaded the most: ${v} in thirty days`,
      fall: "downloads",
      note: "Downloads from the package index in thirty days, mirrors and build servers included; logarithmic axis.",
      log: true,
    },
  };

  // With its bounds, where they differ from it.
  function bounded(v, unit) {
    const [low, high] = Array.isArray(v) ? [number(v[1], unit), number(v[2], unit)] : [];
    return low === high
      ? number(Array.isArray(v) ? v[0] : v, unit)
      : `${number(v[0], unit)} (${low}–${high})`;
  }

  function finding(rows, spec, unit, day) {
    const now = rows.filter((r) => r.now !== null && !r.faint).sort((a, b) => b.now - a.now);
    if (!now.length) return "Not measured for any of these candidates by this day";
    const lead = now.filter((r) => r.now === now[0].now).map((r) => r.name);
    const names = lead.length > 4 ? `${lead.length} of them` : format.join(lead);
    const parts = [
      spec.say(names, bounded(lead.length > 1 ? now[0].now : now[0].values[day], unit), lead.length > 1),
    ];
    if (spec.fall && day >= 12) {
      const fallen = now
        .map((r) => ({ ...r, before: last(r.values, day - 12) }))
        .filter((r) => r.before >= 10 && r.now <= r.before / 2)
        .sort((a, b) => a.now / a.before - b.now / b.before)[0];
      if (fallen)
        parts.push(
          `${fallen.name} fell from ${number(fallen.before, unit)} to ${number(fallen.now, unit)} in a year`,
        );
    }
    return parts.join("; ");
  }

  function line(data, found, state, metric) {
    if (!data.series[metric]) return { none: "Not measured by this version." };
    const spec = LINES[metric],
      { unit } = data.metrics[metric],
      { day } = state;
    const rows = found.rows.map((r) => ({
      i: r.i,
      name: data.candidates[r.i].name,
      values: data.series[metric][r.i],
      now: last(data.series[metric][r.i], day),
    }));
    const gated = (i, d) => spec.gated && (last(data.series.trend[i], d) ?? 1) < GATE;
    for (const r of rows) r.faint = gated(r.i, day);
    const drawn = rows.slice(0, AT_ONCE).filter((r) => r.values.slice(0, day + 1).some((v) => v !== null));
    if (!drawn.length)
      return {
        none: `${data.metrics[metric].title} is not measured for any of these candidates by this day.`,
        metrics: [metric],
      };
    const days = data.days.slice(0, day + 1),
      faint = (r, d) => gated(r.i, d);
    const value = (v) => (v === null || v === undefined ? null : Array.isArray(v) ? v[0] : v);
    const traces = drawn.flatMap((r) => {
      const all = days.map((_, d) => value(r.values[d]));
      const base = {
        type: "scatter",
        mode: "lines",
        name: plain(r.name),
        x: days,
        connectgaps: false,
        hovertemplate: "%{fullData.name}: %{text}, %{x|%b %Y}<extra></extra>",
        text: all.map((v) => number(v, unit)),
      };
      if (all.filter((v) => v !== null).length < 2) base.mode = "markers";
      const marks = {
        marker: { color: colour(r.i), symbol: symbol(r.i), size: 6 },
        line: { color: colour(r.i), width: 2 },
      };
      if (!spec.gated) return [{ ...base, ...marks, y: all }];
      return [
        { ...base, ...marks, y: all.map((v, d) => (faint(r, d) ? null : v)) },
        {
          ...base,
          ...marks,
          opacity: 0.45,
          line: { color: colour(r.i), width: 1.5, dash: "dot" },
          y: all.map((v, d) => (faint(r, d) || faint(r, d + 1) || faint(r, d - 1) ? v : null)),
        },
      ];
    });
    const shown = drawn.flatMap((r) => days.map((_, d) => value(r.values[d]))).filter((v) => v !== null);
    const scale = (v) => (spec.log ? Math.log10(Math.max(v, 1)) : v);
    const low = spec.log ? scale(Math.min(...shown)) - 0.2 : 0,
      top = scale(Math.max(...shown)) * (spec.log ? 1.03 : 1.08) || 1;
    const ends = drawn.map((r) => ({
      i: r.i,
      name: r.name,
      y: scale([...days.map((_, d) => value(r.values[d]))].filter((v) => v !== null).pop()) - low,
    }));
    const labels = endLabels(ends, top - low, 250).map((a) => ({ ...a, y: a.y + low }));
    return {
      title: finding(rows, spec, unit, day),
      note:
        spec.note +
        (spec.gated
          ? " Dotted and faint: under half of the commits of the year before, when concentration says little; no line: too few commits."
          : ""),
      metrics: [metric],
      traces,
      unit: inWords(data.metrics[metric]),
      layout: layout({
        margin: { l: 48, r: isNarrow() ? 82 : 112, t: 8, b: 34 },
        xaxis: { type: "date", range: span(data) },
        yaxis: {
          range: [low, top],
          ...(spec.log ? { type: "log", dtick: 1 } : {}),
          ...(unit === "share" ? { tickformat: ".0%" } : { separatethousands: true }),
        },
        annotations: labels,
      }),
      table: () => monthTable(data, rows, day, (v) => bounded(v, unit)),
    };
  }

  const inWords = ({ unit, window_days: days }) =>
    `${unit === "share" ? "per cent" : unit}${days && !unit.includes("days") ? `, over ${days} days` : ""}`;

  // A little more than the days, so that the last dot is whole.
  function span(data) {
    const [from, to] = [data.days[0], data.days[data.days.length - 1]].map(Date.parse);
    return [data.days[0], new Date(to + 0.012 * (to - from) + 86400000).toISOString().slice(0, 10)];
  }

  function monthTable(data, rows, day, say) {
    const days = data.days.slice(0, day + 1).reverse();
    return tables.table(
      ["As of", ...rows.map((r) => r.name)],
      days.map((iso, back) => [iso, ...rows.map((r) => say(r.values[day - back] ?? null))]),
    );
  }

  // Some facts (a model family that came before the library) are older than its first commit.
  const isBorn = (data, i, d) => data.candidates[i].born !== null && data.candidates[i].born <= data.days[d];

  // The score itself over the months, under the weights of the moment.
  function scores(data, found, state) {
    const rows = found.rows.map((r) => ({
      i: r.i,
      name: data.candidates[r.i].name,
      excluded: r.excluded,
      values: data.scores[r.i].map((cells, d) =>
        cells && isBorn(data, r.i, d) ? engine.total(cells, found.weights).score : null,
      ),
    }));
    const days = data.days.slice(0, state.day + 1),
      drawn = rows.slice(0, AT_ONCE);
    const traces = drawn.map((r) => ({
      type: "scatter",
      mode: "lines",
      name: plain(r.name),
      x: days,
      y: r.values.slice(0, state.day + 1),
      opacity: r.excluded ? 0.45 : 1,
      line: { color: colour(r.i), width: 2 },
      hovertemplate: "%{fullData.name}: %{y:.0f}, %{x|%b %Y}<extra></extra>",
    }));
    const led = days.map(
      (_, d) =>
        rows
          .filter((r) => r.values[d] !== null && !data.findings[r.i][d].some(([, v]) => v === "exclude"))
          .sort((a, b) => b.values[d] - a.values[d])[0]?.i,
    );
    const leader = led[state.day];
    let since = state.day;
    while (since > 0 && led[since - 1] === leader) since -= 1;
    const ends = drawn
      .filter((r) => r.values[state.day] !== null)
      .map((r) => ({ i: r.i, name: r.name, y: r.values[state.day] }));
    return {
      title:
        leader === undefined
          ? "No candidate can be ranked on this day"
          : `${data.candidates[leader].name} has led by score since ${format.longDay(data.days[since])}`,
      note: "Score from 0 to 100 under the weights chosen here, month by month, each from what was known then. Excluded candidates are faint.",
      traces,
      unit: "points of 100",
      metrics: data.criteria.flatMap((c) => c.metrics),
      weighed: true,
      layout: layout({
        margin: { l: 40, r: isNarrow() ? 82 : 112, t: 8, b: 34 },
        xaxis: { type: "date", range: span(data) },
        yaxis: { range: [0, 101], dtick: 25 },
        annotations: endLabels(ends, 100, 300),
      }),
      table: () => monthTable(data, rows, state.day, (v) => format.score(v)),
    };
  }

  function releases(data, found, state) {
    const today = data.days[state.day],
      from = data.days[0];
    const rows = found.rows.map((r) => ({
      i: r.i,
      name: data.candidates[r.i].name,
      all: data.releases.filter((x) => x[0] === r.i && x[1] <= today),
    }));
    const drawn = rows.slice(0, 2 * AT_ONCE),
      some = drawn.filter((r) => r.all.length);
    if (!some.length)
      return { none: "No release of these candidates is known by this day.", metrics: ["release_frequency"] };
    const year = (r) => r.all.filter((x) => !x[3] && format.daysBetween(x[1], today) < 365).length;
    const busiest = [...some].sort((a, b) => year(b) - year(a))[0];
    const stale = some
      .map((r) => ({ ...r, last: r.all[r.all.length - 1][1] }))
      .sort((a, b) => (a.last < b.last ? -1 : 1))[0];
    const traces = drawn.map((r, j) => {
      const seen = r.all.filter((x) => x[1] >= from);
      return {
        type: "scatter",
        mode: "markers",
        name: plain(r.name),
        x: seen.map((x) => x[1]),
        y: seen.map(() => -j),
        text: seen.map((x) => plain(format.short(x[2], 40))),
        marker: { color: colour(r.i), size: 9, symbol: seen.map((x) => (x[3] ? "circle-open" : "circle")) },
        opacity: 0.8,
        hovertemplate: "%{text}, %{x|%d %b %Y}<extra>%{fullData.name}</extra>",
      };
    });
    return {
      title: `${busiest.name} released ${year(busiest)} times in twelve months; ${stale.name}'s last release is of ${format.longDay(stale.last)}`,
      note: "Each dot is a release; hollow ones are pre-releases.",
      traces,
      unit: "releases",
      metrics: ["release_frequency"],
      layout: layout({
        margin: { l: 100, r: 16, t: 8, b: 34 },
        xaxis: { type: "date", range: span(data) },
        yaxis: {
          range: [-drawn.length + 0.4, 0.6],
          tickvals: drawn.map((_, j) => -j),
          ticktext: drawn.map((r) => plain(format.short(r.name))),
          zeroline: false,
        },
      }),
      table: () =>
        tables.table(
          ["Candidate", "Day", "Tag", "Kind"],
          rows.flatMap((r) =>
            [...r.all].reverse().map((x) => [r.name, x[1], x[2], x[3] ? "pre-release" : "release"]),
          ),
        ),
    };
  }

  return { line, scores, releases, span };
})();

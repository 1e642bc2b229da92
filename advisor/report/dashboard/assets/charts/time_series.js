// A metric as lines over the months. Lines end at the as-of date, because later facts are invisible on that day.
const timeSeries = (() => {
  const { plain, number } = format;
  const { layout, endLabels, timeAxis, colour, symbol, dash, valueOf, rangeOf, isApart, MAX_LINES } = plot;
  const MIN_TREND = 0.5; // with a smaller share of the commits of the year before, concentration means little

  // For each metric: `say` gives the title from the names of the leaders, their value, and whether they are several;
  // `namesFalls`: the title also names the largest fall within a year; `hasGate`: lines are faint below MIN_TREND.
  const METRICS = {
    contributors: {
      say: (names, value, several) =>
        `${names} ${several ? "have" : "has"} the most contributors: ${value} people in twelve months`,
      namesFalls: true,
      note: "People with a commit on the default branch in the twelve months before each date.",
    },
    new_contributors: {
      say: (names, value, several) =>
        `${names} ${several ? "have" : "has"} the most new contributors: ${value} in twelve months`,
      namesFalls: true,
      note: "People with their first commit in the twelve months before each date.",
    },
    code_changes_commits: {
      say: (names, value, several) =>
        `${names} ${several ? "have" : "has"} the most commits: ${value} in twelve months`,
      namesFalls: true,
      note: "Commits by people on the default branch in the twelve months before each date.",
    },
    contributor_absence_factor: {
      say: (names, value, several) =>
        `${names} ${several ? "depend" : "depends"} on the most people: ${value} made half of the commits`,
      hasGate: true,
      note: "Smallest number of people who together made half of the commits in twelve months.",
    },
    top_contributor_share: {
      say: (names, value, several) =>
        `${names} ${several ? "depend" : "depends"} on one person the most: ${value} of the commits`,
      hasGate: true,
      note: "Share of the commits in twelve months by the person with the most commits.",
    },
    organizational_diversity: {
      say: (names, value, several) =>
        `${names} ${several ? "have" : "has"} contributors from the most known organisations: ${value}`,
      hasGate: true,
      note: "Different affiliations of the contributors in twelve months. Most commit addresses show no affiliation.",
    },
    organizational_influence: {
      say: (names, value, several) =>
        `${names} ${several ? "depend on their backers" : "depends on its backer"} the most: ${value} of the commits with a known affiliation`,
      hasGate: true,
      note: "Share of the commits in twelve months by people of the backer, among commits with a known affiliation; in brackets, the possible range over all commits. Most commit addresses show no affiliation.",
    },
    downloads: {
      say: (names, value, several) =>
        `${names} ${several ? "have" : "has"} the most downloads: ${value} in 30 days`,
      namesFalls: true,
      note: "Downloads from the package index in 30 days, with those of mirrors and build servers; logarithmic axis.",
      isLog: true,
    },
  };

  // The value, with its range if it has one.
  function withRange(point, unit) {
    if (!Array.isArray(point)) return number(point, unit);
    const [value, low, high] = point.map((v) => number(v, unit));
    return low === high ? value : `${value} (${low}–${high})`;
  }

  // A title names leaders only if their ranges are above those of all others. `group` says which candidates these are.
  function sayLeaders(sorted, spec, { unit, title }, day, group) {
    const [leaders, others] = [true, false].map((isFirst) =>
      sorted.filter((r) => (r.now === sorted[0].now) === isFirst).map((r) => ({ ...r, at: r.values[day] })),
    );
    const isKnown = leaders.length === 1 || leaders.every((r) => rangeOf(r.at)[1] === rangeOf(r.at)[2]);
    const rivals = others.map((r) => r.at);
    if (!isKnown || !leaders.every((r) => isApart(r.at, rivals))) {
      const first = sorted.slice(0, 2).map((r) => `${r.name}, ${withRange(r.values[day], unit)}`);
      return `${title}: no candidate is surely highest (${first.join("; ")})`;
    }
    const names = leaders.length > 4 ? `${leaders.length} of them` : format.join(leaders.map((r) => r.name));
    return group + spec.say(names, withRange(leaders[0].at, unit), leaders.length > 1);
  }

  function titleOf(rows, spec, about, day) {
    const { unit } = about;
    const known = rows.filter((r) => r.now !== null).sort((a, b) => b.now - a.now);
    const sorted = known.filter((r) => !r.isFaint);
    if (!sorted.length) return "No data for these candidates by this day";
    if (known.length === 1)
      return `${about.title}: ${known[0].name}, ${withRange(known[0].values[day], unit)}; there is nothing to compare it with`;
    // A candidate whose commits halved may have the highest value; the title is about the others then.
    const isPart = known.some((r) => r.isFaint && rangeOf(r.values[day])[2] >= sorted[0].now);
    const group = isPart
      ? format.among(sorted.length, rows.length, "whose commits did not halve in a year")
      : format.among(known.length, rows.length);
    const parts = [sayLeaders(sorted, spec, about, day, group)];
    if (spec.namesFalls && day >= 12) {
      const [fall] = sorted
        .map((r) => ({ ...r, before: valueOf(r.values[day - 12]) }))
        .filter((r) => r.before >= 10 && r.now <= r.before / 2)
        .sort((a, b) => a.now / a.before - b.now / b.before);
      if (fall)
        parts.push(
          `${fall.name} fell from ${number(fall.before, unit)} to ${number(fall.now, unit)} in a year`,
        );
    }
    return parts.join("; ");
  }

  function traces(rows, days, spec, unit, isFaint) {
    return rows.flatMap((r, place) => {
      const values = days.map((_, d) => valueOf(r.values[d]));
      const base = {
        type: "scatter",
        mode: values.filter((v) => v !== null).length < 2 ? "markers" : "lines",
        name: plain(r.name),
        x: days,
        connectgaps: false,
        hovertemplate: "%{fullData.name}: %{text}, %{x|%b %Y}<extra></extra>",
        text: values.map((v) => number(v, unit)),
        marker: { color: colour(r.i), symbol: symbol(r.i), size: 6 },
        line: { color: colour(r.i), width: 2, dash: dash(place) },
      };
      if (!spec.hasGate) return [{ ...base, y: values }];
      return [
        { ...base, y: values.map((v, d) => (isFaint(r.i, d) ? null : v)) },
        {
          ...base,
          opacity: 0.45,
          line: { color: colour(r.i), width: 1.5, dash: "dot" },
          y: values.map((v, d) => ([d - 1, d, d + 1].some((at) => isFaint(r.i, at)) ? v : null)),
        },
      ];
    });
  }

  function line(data, answer, state, metric) {
    if (!data.series[metric]) return { none: "This version of advisor does not have this metric." };
    const spec = METRICS[metric],
      { unit, title } = data.metrics[metric],
      { day } = state;
    const isFaint = (i, d) => spec.hasGate && (valueOf(data.series.trend[i][d]) ?? 1) < MIN_TREND;
    const rows = answer.rows.map((r) => ({
      i: r.i,
      name: data.candidates[r.i].name,
      values: data.series[metric][r.i],
      now: valueOf(data.series[metric][r.i][day]),
      isFaint: isFaint(r.i, day),
    }));
    const known = rows.filter((r) => r.values.slice(0, day + 1).some((v) => v !== null)),
      lines = known.slice(0, MAX_LINES);
    if (!lines.length)
      return { none: `${title}: no data for these candidates by this day.`, metrics: [metric] };
    const days = data.days.slice(0, day + 1);
    const valuesOf = (r) => days.map((_, d) => valueOf(r.values[d])).filter((v) => v !== null);
    const values = lines.flatMap(valuesOf);
    const scale = (v) => (spec.isLog ? Math.log10(Math.max(v, 1)) : v);
    const low = spec.isLog ? scale(Math.min(...values)) - 0.2 : 0,
      top = scale(Math.max(...values)) * (spec.isLog ? 1.03 : 1.08) || 1;
    const ends = lines.map((r) => ({ i: r.i, name: r.name, y: scale(valuesOf(r).pop()) }));
    const gateNote =
      " Dotted and faint: fewer than half of the commits of the year before, so that the metric means little. No line: too few commits.";
    return {
      title: titleOf(rows, spec, data.metrics[metric], day),
      note: spec.note + (spec.hasGate ? gateNote : ""),
      metrics: [metric],
      traces: traces(lines, days, spec, unit, isFaint),
      drawn: known.length > lines.length ? lines.length : 0,
      unit: describeUnit(data.metrics[metric]),
      layout: layout({
        ...endLabels(ends, top, 250, low),
        xaxis: timeAxis(data),
        yaxis: {
          range: [low, top],
          ...(spec.isLog ? { type: "log", dtick: 1 } : {}),
          ...(unit === "share" ? { tickformat: ".0%" } : { separatethousands: true }),
        },
      }),
      table: () => monthTable(data, rows, day, (v) => withRange(v, unit)),
    };
  }

  const describeUnit = ({ unit, window_days: days }) =>
    `${unit === "share" ? "per cent" : unit}${days && !unit.includes("days") ? `, over ${days} days` : ""}`;

  function monthTable(data, rows, day, show) {
    const days = data.days.slice(0, day + 1).reverse();
    return tables.table(
      ["As of", ...rows.map((r) => r.name)],
      days.map((iso, back) => [iso, ...rows.map((r) => show(r.values[day - back] ?? null))]),
    );
  }

  // Some facts are older than the first commit, for example a model family that came before the library.
  const isBorn = (data, i, d) => data.candidates[i].born !== null && data.candidates[i].born <= data.days[d];

  // The title names a leader only if the answer does, and says which ranges overlap with that of the leader.
  function titleOfScores(data, { ranking, certainty }, leader, since, isNew, isToday) {
    if (leader === undefined) return "No candidate can be ranked on this day";
    const names = ranking.slice(0, 2).map((r) => data.candidates[r.i].name);
    if (certainty === "clear" || certainty === "leaning") {
      const first = ranking.find((r) => r.i === leader),
        near = ranking.filter((r) => r !== first && r.high >= first.low).map((r) => data.candidates[r.i].name);
      const rivals = near.length > 3 ? `${near.length} others` : format.join(near);
      const words = near.length > 1 ? ["ranges", "overlap"] : ["range", "overlaps"];
      const overlap = near.length ? `; the ${words[0]} of ${rivals} ${words[1]}` : "";
      const leaderName = data.candidates[leader].name,
        change = isNew ? ", when its facts changed" : "";
      return isToday
        ? `${leaderName} has the highest score for the first month${change}${overlap}`
        : `${leaderName} has had the highest score since ${format.longDay(since)}${change}${overlap}`;
    }
    return names.length < 2
      ? `Only ${data.candidates[leader].name} can be ranked on this day`
      : `${format.join(names)} are too close to name a leader`;
  }

  // Scores before and after a large change of the evidence rest on different facts: the line breaks there.
  const BREAK = 0.25; // of the weight
  const breaks = (r, d) =>
    d > 0 &&
    r.totals[d - 1] !== null &&
    r.totals[d] !== null &&
    Math.abs(r.totals[d].coverage - r.totals[d - 1].coverage) >= BREAK;

  // The points of a line, with a point without a value at each break; a point without neighbours gets a dot.
  function pointsOf(r, days) {
    const points = days.flatMap((day, d) => [
      ...(breaks(r, d) ? [[day, null]] : []),
      [day, r.totals[d]?.score ?? null],
    ]);
    const isAlone = (j) => [j - 1, j + 1].every((at) => (points[at]?.[1] ?? null) === null);
    return {
      x: points.map(([day]) => day),
      y: points.map(([, score]) => score),
      sizes: points.map((_, j) => (isAlone(j) ? 6 : 0)),
    };
  }

  const isExcluded = (data, i, d) => data.findings[i][d].some(([, verdict]) => verdict === "exclude");
  function leaderOn(data, rows, d) {
    const ranked = rows.filter((r) => (r.totals[d]?.score ?? null) !== null && !isExcluded(data, r.i, d));
    return ranked.sort((a, b) => b.totals[d].score - a.totals[d].score)[0];
  }

  // The score over the months, with the current weights.
  function scores(data, answer, state) {
    const rows = answer.rows.map((r) => ({
      i: r.i,
      name: data.candidates[r.i].name,
      excluded: r.excluded,
      totals: data.scores[r.i].map((cells, d) =>
        cells && isBorn(data, r.i, d) ? engine.total(data, cells, answer.weights) : null,
      ),
    }));
    const scoreOf = (r, d) => r.totals[d]?.score ?? null;
    const days = data.days.slice(0, state.day + 1),
      known = rows.filter((r) => days.some((_, d) => scoreOf(r, d) !== null)),
      lines = known.slice(0, MAX_LINES);
    const leader = leaderOn(data, rows, state.day);
    let since = state.day;
    while (since > 0 && leaderOn(data, rows, since - 1) === leader && !(leader && breaks(leader, since)))
      since -= 1;
    const isNew = Boolean(leader) && since > 0 && breaks(leader, since);
    const ends = lines
      .filter((r) => scoreOf(r, state.day) !== null)
      .map((r) => ({ i: r.i, name: r.name, y: scoreOf(r, state.day) }));
    return {
      title: titleOfScores(data, answer, leader?.i, data.days[since], isNew, since > 0 && since === state.day),
      note: "Score from 0 to 100 with the current weights. Each month uses only the facts of its own time. A line ends where less than half of the weight is known, and breaks where a quarter of the weight begins or ceases to be known. Excluded candidates are faint.",
      traces: lines.map((r, place) => {
        const { x, y, sizes } = pointsOf(r, days);
        return {
          type: "scatter",
          mode: "lines+markers",
          name: plain(r.name),
          x,
          y,
          connectgaps: false,
          opacity: r.excluded ? 0.45 : 1,
          marker: { color: colour(r.i), symbol: symbol(r.i), size: sizes },
          line: { color: colour(r.i), width: 2, dash: dash(place) },
          hovertemplate: "%{fullData.name}: %{y:.0f}, %{x|%b %Y}<extra></extra>",
        };
      }),
      drawn: known.length > lines.length ? lines.length : 0,
      unit: "points of 100",
      metrics: data.criteria.flatMap((c) => c.metrics),
      hasWeights: true,
      layout: layout({
        ...endLabels(ends, 100, 300),
        xaxis: timeAxis(data),
        yaxis: { range: [0, 101], dtick: 25 },
      }),
      table: () =>
        monthTable(
          data,
          rows.map((r) => ({ ...r, values: r.totals.map((total) => total?.score ?? null) })),
          state.day,
          (v) => format.score(v),
        ),
    };
  }

  return { line, scores };
})();

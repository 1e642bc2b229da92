// What happened: model launches, releases, and the days from which a rule warns of a library or excludes it.
const timeline = (() => {
  const { plain } = format;
  const { layout, colour, css, timeAxis, nameRows, MAX_LINES } = plot;
  const LAUNCHES = "Model launches";

  // The months at whose end a rule fires that did not fire at the end of the month before.
  function listFindings(data, i, day) {
    const events = [];
    for (let d = 1; d <= day; d += 1) {
      const [before, now] = [d - 1, d].map((at) => (data.scores[i][at] ? data.findings[i][at] : null));
      if (!before || !now) continue;
      const rules = new Set(before.map(([rule]) => rule));
      for (const [rule, verdict, text] of now)
        if (verdict !== "prefer" && !rules.has(rule)) events.push({ day: data.days[d], verdict, text });
    }
    return events;
  }

  const launches = (data, today) => [
    ...new Map(data.support.filter((s) => s[3] <= today).map((s) => [s[1], { day: s[3], text: s[1] }])).values(),
  ];

  const KINDS = {
    release: { symbol: "circle", size: 6, name: "release" },
    launch: { symbol: "diamond", size: 8, name: "model launch" },
    warn: { symbol: "triangle-up", size: 11, name: "a warning begins" },
    exclude: { symbol: "x", size: 11, name: "an exclusion begins" },
  };

  function trace(kind, events, colourOf) {
    return {
      type: "scatter",
      mode: "markers",
      name: KINDS[kind].name,
      x: events.map((e) => e.day),
      y: events.map((e) => -e.row),
      text: events.map((e) => plain(format.short(e.text, 60))),
      customdata: events.map((e) => e.day),
      marker: { symbol: KINDS[kind].symbol, size: KINDS[kind].size, color: events.map(colourOf) },
      hovertemplate: "%{text}, %{x|%d %b %Y}<extra>%{fullData.name}</extra>",
    };
  }

  // The candidate with the highest score on a day, with the weights of the answer. A whole answer for another day would
  // draw all weightings again.
  function leaderOn(data, answer, d) {
    const scores = answer.rows
      .filter((r) => data.scores[r.i][d] && !data.findings[r.i][d].some(([, v]) => v === "exclude"))
      .map((r) => ({ i: r.i, score: engine.total(data, data.scores[r.i][d], answer.weights).score }))
      .filter((r) => r.score !== null);
    return scores.sort((x, y) => y.score - x.score)[0]?.i;
  }

  // Who had the highest score twelve months before, if it was another one; empty if not.
  const YEAR = 12; // months
  function describeChange(data, answer, state) {
    const day = state.day - YEAR;
    if (day < 0) return "";
    const [before, now] = [day, state.day].map((d) => leaderOn(data, answer, d));
    if (before === undefined || now === undefined || before === now) return "";
    const [was, is] = [before, now].map((i) => data.candidates[i].name);
    return `On ${format.longDay(data.days[day])} ${was} had the highest score, now ${is} has. `;
  }

  // A library without a history in the facts has no releases here; an empty row would say that it made none.
  const hasEvents = (data, i, day) =>
    data.releases.some((x) => x[0] === i && x[1] <= data.days[day]) || listFindings(data, i, day).length > 0;

  function events(data, answer, state) {
    const today = data.days[state.day],
      from = data.days[0],
      known = answer.rows.filter((r) => hasEvents(data, r.i, state.day)),
      rows = known.slice(0, MAX_LINES);
    const models = launches(data, today),
      first = models.length ? 1 : 0;
    const all = [
      ...models.map((e) => ({ ...e, kind: "launch", row: 0, i: null })),
      ...known.flatMap((r, j) => [
        ...data.releases
          .filter((x) => x[0] === r.i && x[1] <= today && !x[3])
          .map((x) => ({ day: x[1], text: x[2], kind: "release", row: j + first, i: r.i })),
        ...listFindings(data, r.i, state.day).map((e) => ({ ...e, kind: e.verdict, row: j + first, i: r.i })),
      ]),
    ].filter((e) => e.day >= from);
    if (!all.length) return { none: "No events of these candidates by this day.", metrics: [] };
    const drawn = all.filter((e) => e.row < first + rows.length),
      recent = all.filter((e) => format.daysBetween(e.day, today) < 365),
      count = (kind) => recent.filter((e) => e.kind === kind).length;
    const makers = new Set(recent.filter((e) => e.kind === "release").map((e) => e.i));
    const ends = recent.filter((e) => e.kind === "exclude"),
      last = ends.sort((a, b) => (a.day < b.day ? 1 : -1))[0];
    const counts = [
      models.length ? `${count("launch")} model families appeared` : "",
      `${makers.size} ${makers.size === 1 ? "library" : "libraries"} made ${count("release")} releases`,
    ];
    return {
      title: `${describeChange(data, answer, state)}In twelve months ${counts.filter(Boolean).join(" and ")}${last ? `; a rule has excluded ${data.candidates[last.i].name} since ${format.longDay(last.day)}` : ""}`,
      note: "Circles: final releases. Diamonds: first public weights of a model family. Triangles: a rule begins to warn. Crosses: a rule begins to exclude; both at the end of a month. A click moves the as-of date there.",
      traces: Object.keys(KINDS)
        .map((kind) =>
          trace(
            kind,
            drawn.filter((e) => e.kind === kind),
            (e) => (e.i === null ? css("--muted") : colour(e.i)),
          ),
        )
        .filter((t) => t.x.length),
      hasWeights: true,
      unit: "events",
      sources: ["git histories", "the rules of the domain"],
      drawn: known.length > rows.length ? rows.length : 0,
      open: ({ customdata: day }) => showDay(day),
      layout: layout({
        ...nameRows([...(first ? [LAUNCHES] : []), ...rows.map((r) => data.candidates[r.i].name)]),
        xaxis: timeAxis(data),
      }),
      table: () =>
        tables.table(
          ["Day", "What", "Library", "Text"],
          [...all]
            .sort((a, b) => (a.day < b.day ? 1 : -1))
            .map((e) => [e.day, KINDS[e.kind].name, e.i === null ? "" : data.candidates[e.i].name, e.text]),
        ),
    };
  }

  return { events };
})();

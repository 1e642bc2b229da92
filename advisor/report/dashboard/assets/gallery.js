// The figures of the page: made once, drawn when they come into view, drawn again after a change.
const gallery = (() => {
  const { element, foreign } = format;
  const line = (metric) => (data, found, state) => timeCharts.line(data, found, state, metric);
  const SECTIONS = [
    [
      "Scores, taken apart",
      [
        ["criteria", charts.criteria, "wide"],
        ["scores", timeCharts.scores, "wide"],
      ],
    ],
    [
      "Who does the work",
      [
        ["contributors", line("contributors"), "wide"],
        ["new_contributors", line("new_contributors")],
        ["code_changes_commits", line("code_changes_commits")],
      ],
    ],
    [
      "Who would be missed",
      [
        ["contributor_absence_factor", line("contributor_absence_factor"), "wide"],
        ["top_contributor_share", line("top_contributor_share")],
        ["organizational_influence", line("organizational_influence")],
        ["organizational_diversity", line("organizational_diversity"), "wide"],
      ],
    ],
    [
      "What becomes of issues",
      [
        ["issues", issues.counts],
        ["closed-share", issues.closedShare],
      ],
    ],
    ["Releases", [["releases", timeCharts.releases, "wide"]]],
    ["Which models, and how soon", [["coverage", charts.coverage, "wide"]]],
    [
      "Attention and use",
      [
        ["attention", attention.stars],
        ["hype_gap", attention.hypeGap],
        ["downloads", line("downloads"), "wide"],
      ],
    ],
    [
      "What is to come",
      [
        ["outlook", outlook.chances],
        ["calibration", calibration.plot],
      ],
    ],
    [
      "What was measured on machines",
      [
        ["speed", benchmarks.speed],
        ["memory", benchmarks.memory],
      ],
    ],
  ];
  const NAMES = {
    outlook: "Outlook",
    calibration: "How well the outlook keeps its word",
    coverage: "Model coverage",
    issues: "Issues",
    "closed-share": "Closed share of issues",
    attention: "Attention against substance",
    hype_gap: "Attention against substance, as places in the reference population",
    organizational_influence: "What the backer's people make",
    releases: "Releases",
  };
  const figures = [];
  let data, plotly;

  // One figure at a time, so that the page answers while they are made.
  async function build(given) {
    data = given;
    const seen = new IntersectionObserver(
      (entries) => {
        for (const entry of entries)
          figures.find((f) => f.box === entry.target).visible = entry.isIntersecting;
        schedule();
      },
      { rootMargin: "300px" },
    );
    for (const [title, list] of SECTIONS) {
      $("charts").append(element("h2", {}, title));
      for (const [id, make, kind] of list) {
        await breath();
        const figure = frame(id, make, kind);
        words(figure);
        figures.push(figure);
        $("charts").append(figure.box);
        seen.observe(figure.box);
      }
    }
    $("charts").append(everything());
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => changed({ all: true }));
    addEventListener("beforeprint", toPaper);
    addEventListener("afterprint", fromPaper);
    // So that print finds it there.
    if (window.requestIdleCallback) requestIdleCallback(load, { timeout: 500 });
    else setTimeout(load, 500);
  }

  function frame(id, make, kind) {
    const title = element("h3"),
      note = element("p"),
      key = element("p", { class: "named-key" }),
      facts = element("p", { class: "source" });
    const place = element("div", { class: "chart", role: "img" });
    const box = element(
      "figure",
      { id: `figure-${id}`, ...(kind ? { class: kind } : {}) },
      element("figcaption", {}, title, note, key),
      place,
      facts,
    );
    const figure = { id, make, box, title, note, key, facts, place, dirty: true, visible: false, made: null };
    figure.table = tables.behind(id, () => figure.made.table());
    box.append(figure.table.box);
    return figure;
  }

  // Everything but the lines: finding, note, unit, day, source, and the table or what is said in place of a chart.
  function words(figure) {
    figure.made = figure.make(data, found, state);
    figure.follows = signature(figure);
    const { title, note, none, heat, unit, day } = figure.made;
    figure.title.replaceChildren(
      foreign(title ?? NAMES[figure.id] ?? data.metrics[figure.id]?.title ?? figure.id),
    );
    const drawn =
      figure.made.traces && found.rows.length > charts.AT_ONCE
        ? ` Drawn are the first ${charts.AT_ONCE} of the ranking.`
        : "";
    figure.note.replaceChildren((note ?? "") + drawn);
    figure.key.replaceChildren(
      ...(figure.made.key ?? []).map((i) =>
        element(
          "span",
          { class: `named k${i % 8}` },
          `${charts.SIGNS[charts.symbol(i)]} `,
          foreign(format.short(data.candidates[i].name, 24)),
        ),
      ),
    );
    figure.place.hidden = Boolean(none) || Boolean(heat);
    figure.table.box.hidden = Boolean(none) || Boolean(heat);
    figure.place.setAttribute("aria-label", `Chart: ${title ?? ""}`);
    figure.box.querySelector(".none")?.remove();
    figure.box.querySelector(".heatmap")?.remove();
    if (none) figure.facts.before(element("p", { class: "none" }, foreign(none)));
    if (heat) figure.facts.before(heatmap(heat()));
    const fact = (part, text) => (text ? [element("span", { "data-fact": part }, foreign(text)), " "] : []);
    figure.facts.replaceChildren(
      ...fact("unit", unit && `Unit: ${unit}.`),
      ...fact("as-of", `As of ${format.longDay(day ?? data.days[state.day])}.`),
      ...fact("source", sourceOf(figure.made)),
    );
    figure.table.changed();
  }

  // Those on which the most metrics rest come first.
  function sourceOf({ sources, metrics = [] }) {
    const counts = new Map();
    for (const source of sources ?? metrics.flatMap((m) => data.sources[m] ?? []))
      counts.set(source, (counts.get(source) ?? 0) + 1);
    const sorted = [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a));
    return sorted.length
      ? `Source: ${sorted.slice(0, 4).join("; ")}${sorted.length > 4 ? "; and others" : ""}.`
      : "";
  }

  function heatmap(made) {
    const key = element("p", { class: "sub legend" }, "Days: ");
    for (const [kind, text] of tables.KEY)
      key.append(element("b", {}, element("span", { class: `k-${kind}` }), text), " ");
    const button = element("button", { type: "button" }, "Save this table (CSV)");
    button.addEventListener("click", () => tables.save("coverage.csv", "text/csv", tables.csv(made)));
    return element(
      "div",
      { class: "heatmap" },
      key,
      element(
        "div",
        { class: "scroll", tabindex: "0", role: "region", "aria-label": "Model coverage" },
        made,
      ),
      button,
    );
  }

  async function load() {
    plotly ??= unpack("plotly").then((text) => {
      const script = document.createElement("script");
      script.textContent = text;
      document.head.append(script);
      return window.Plotly;
    });
    return plotly;
  }

  const QUIET = { displayModeBar: false, responsive: true, doubleClick: false };
  async function draw(figure) {
    figure.dirty = false;
    if (figure.made.traces)
      await (await load()).react(figure.place, figure.made.traces, figure.made.layout, QUIET);
  }

  // What a figure shows hangs on the day, on who stands where and, that of the scores, on the weights.
  const signature = ({ made }) =>
    JSON.stringify([state.day, found.rows.map((r) => [r.i, r.excluded]), made.weighed ? found.weights : []]);

  let waiting = false,
    rest;
  // When the hand rests: one figure at a time, between frames, so that a slider never waits for more than one.
  function schedule() {
    if (waiting) return;
    waiting = true;
    setTimeout(
      () =>
        requestAnimationFrame(async () => {
          waiting = false;
          const next = figures.find((f) => f.dirty && f.visible);
          if (!next) return;
          words(next);
          await draw(next);
          schedule();
        }),
      30,
    );
  }

  function changed({ all = false } = {}) {
    for (const figure of figures) figure.dirty ||= all || figure.follows !== signature(figure);
    if (all) charts.repaint();
    clearTimeout(rest);
    rest = setTimeout(schedule, 120);
  }

  // Paper is light and narrow, and shows every figure: those that cannot be drawn yet, as their tables.
  const PAPER = { width: 670, height: 290 }; // px, as in paper.css; A4 and Letter have more between their margins
  function toPaper() {
    document.documentElement.dataset.paper = "yes";
    charts.repaint();
    for (const figure of figures) {
      words(figure);
      if (!figure.made.traces) continue;
      if (window.Plotly)
        window.Plotly.react(figure.place, figure.made.traces, { ...figure.made.layout, ...PAPER }, QUIET);
      else {
        figure.place.hidden = true;
        figure.table.box.open = figure.inPlace = true;
        figure.table.fill();
      }
    }
  }

  function fromPaper() {
    delete document.documentElement.dataset.paper;
    for (const figure of figures.filter((f) => f.inPlace)) {
      figure.place.hidden = figure.table.box.open = figure.inPlace = false;
    }
    changed({ all: true });
  }

  // Every measurement of the page's own date with its evidence.
  function everything() {
    const behind = tables.behind("figures", () => {
      const head = [
        "Candidate",
        "Metric",
        "Value",
        "From",
        "To",
        "n",
        "Evidence",
        "Sources",
        "First day",
        "Last day",
        "Remark",
      ];
      const show = (v) => (v === null ? "" : typeof v === "number" ? String(+v.toPrecision(6)) : v);
      return tables.table(
        head,
        Object.entries(data.measurements).flatMap(([repository, list]) =>
          list.map((m) => [
            repository,
            data.metrics[m.metric]?.title ?? m.metric,
            m.status === "measured" ? show(m.value) : m.status === "unavailable" ? "?" : "n/a",
            show(m.low),
            show(m.high),
            show(m.n),
            format.percent(m.evidence_share),
            m.sources.join("; "),
            show(m.first_day),
            show(m.last_day),
            m.reason,
          ]),
        ),
      );
    });
    behind.box.querySelector("summary").textContent =
      `Every figure with its source, as of ${format.longDay(data.days[data.days.length - 1])}`;
    return element(
      "figure",
      { class: "wide", id: "figure-everything" },
      element(
        "figcaption",
        {},
        element("h3", {}, "Every figure"),
        element("p", {}, "What each score rests on: value, bounds, count, evidence, sources and days."),
      ),
      behind.box,
    );
  }

  return { build, changed, figures, load };
})();

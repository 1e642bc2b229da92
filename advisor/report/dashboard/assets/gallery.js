// The charts of the page: built once, drawn when they come into view, drawn again after a change.
//
// A chart is a function (data, answer, state) → {
//   title         what the chart shows, in a sentence
//   note, unit    what the axes and marks mean
//   metrics       names of the metrics, which give the sources; or `sources`, a list of texts
//   traces, layout, table   for plotly, and the same numbers as a table
//   none          in place of these: why there is no chart
// }; optional: drawn (how many candidates the chart shows, where there is no room for more with data), day (ISO date), key (candidates to name above the chart), heat (a table in place of traces),
// hasWeights (whether the chart depends on the weights), open (what a click on a point does).
const gallery = (() => {
  const { element, foreign } = format;
  const line = (metric) => (data, answer, state) => timeSeries.line(data, answer, state, metric);
  // Section, and for each of its charts: id, name without data, function, and whether it takes both columns.
  const SECTIONS = [
    [
      "Scores",
      [
        ["criteria", "Criteria", criteria.utilities, "wide"],
        ["scores", "Scores", timeSeries.scores, "wide"],
        ["timeline", "Timeline", timeline.events, "wide"],
      ],
    ],
    ["Head to head", [["compare", "Head to head", headToHead.slope, "wide"]]],
    [
      "Contributors and commits",
      [
        ["contributors", "Contributors", line("contributors"), "wide"],
        ["people", "People", people.tops, "wide"],
        ["new_contributors", "New contributors", line("new_contributors")],
        ["code_changes_commits", "Commits", line("code_changes_commits")],
      ],
    ],
    [
      "Dependence on people and organisations",
      [
        [
          "contributor_absence_factor",
          "People behind half of the commits",
          line("contributor_absence_factor"),
          "wide",
        ],
        ["top_contributor_share", "Share of the top contributor", line("top_contributor_share")],
        ["organizational_influence", "Share of the backer", line("organizational_influence")],
        ["organizational_diversity", "Organisations", line("organizational_diversity"), "wide"],
      ],
    ],
    [
      "Issues",
      [
        ["issues", "Issues", issues.counts],
        ["closed-share", "Share of closed issues", issues.closedShare],
      ],
    ],
    [
      "Releases",
      [
        ["releases", "Releases", releases.dots, "wide"],
        ["breaks", "Breaking releases", breaks.bubbles, "wide"],
      ],
    ],
    ["Model coverage", [["coverage", "Model coverage", coverage.daysToSupport, "wide"]]],
    ["Ready-made recipes", [["recipes", "Ready-made recipes", recipes.heatMap, "wide"]]],
    [
      "Attention and use",
      [
        ["attention", "Stars and new contributors", attention.stars],
        ["hype_gap", "Attention and substance", attention.hypeGap],
        ["downloads", "Downloads", line("downloads"), "wide"],
      ],
    ],
    [
      "Outlook",
      [
        ["outlook", "Outlook", outlook.chances],
        ["calibration", "Calibration of the outlook", calibration.intervals],
      ],
    ],
    [
      "Speed and memory",
      [
        ["speed", "Speed", benchmarks.speed],
        ["memory", "Peak memory", benchmarks.memory],
      ],
    ],
  ];
  const figures = [];
  let data;

  // One figure a step, so that the page answers in between.
  function* build(pageData) {
    data = pageData;
    const observer = new IntersectionObserver(
      (entries) => {
        for (const entry of entries)
          figures.find((f) => f.box === entry.target).visible = entry.isIntersecting;
        schedule();
      },
      { rootMargin: "300px" },
    );
    for (const [title, rows] of SECTIONS) {
      const heading = element("h2", {}, title);
      $("charts").append(heading);
      for (const row of rows) {
        yield;
        const figure = frame(...row);
        figure.heading = heading;
        figures.push(figure);
        $("charts").append(figure.box);
        writeTexts(figure);
        observer.observe(figure.box);
      }
      hideEmpty(heading);
    }
    $("figure-compare").querySelector("figcaption").prepend(headToHead.controls(data, showPair));
    headToHead.writeControls(answer, state);
    // A list of libraries above a chart of one library.
    for (const [id, chart] of [
      ["people", people],
      ["recipes", recipes],
    ]) {
      const figure = figures.find((f) => f.id === id);
      const redraw = () => {
        figure.dirty = true;
        schedule();
      };
      figure.box.querySelector("figcaption").prepend(chart.controls(data, redraw));
    }
    people.writeControls(answer);
    $("charts").append(measurementTable.figure(data));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => refresh({ all: true }));
    // Load plotly before the reader scrolls to a chart.
    if (window.requestIdleCallback) requestIdleCallback(load, { timeout: 500 });
    else setTimeout(load, 500);
  }

  function frame(id, name, compute, kind) {
    const title = element("h3"),
      note = element("p"),
      key = element("p", { class: "chart-key" }),
      facts = element("p", { class: "source" });
    const place = element("div", { class: "chart", role: "img" });
    const box = element(
      "figure",
      { id: `figure-${id}`, ...(kind ? { class: kind } : {}) },
      element("figcaption", {}, title, note, key),
      place,
      facts,
    );
    const figure = { id, name, compute, box, title, note, key, facts, place };
    Object.assign(figure, { dirty: true, visible: false, chart: null });
    figure.table = tables.behind(id, () => figure.chart.table());
    figure.pictures = pictures.buttons(figure, load);
    figure.table.box.append(figure.pictures);
    box.append(figure.table.box);
    return figure;
  }

  // Compute the chart and write everything but plotly's drawing.
  function writeTexts(figure) {
    figure.chart = figure.compute(data, answer, state);
    figure.signature = signature(figure);
    const { title, note, none, heat, unit, day, drawn, key = [] } = figure.chart;
    figure.title.replaceChildren(foreign(title ?? figure.name));
    const limit = drawn
      ? ` The chart shows the first ${drawn} candidates of the ranking that have data; the table has all.`
      : "";
    figure.note.replaceChildren((note ?? "") + limit);
    figure.key.replaceChildren(
      ...key.map((i) =>
        element(
          "span",
          { class: `entry k${i % 8}` },
          `${plot.SIGNS[plot.symbol(i)]} `,
          foreign(format.short(data.candidates[i].name, 24)),
        ),
      ),
    );
    figure.place.hidden = figure.table.box.hidden = figure.pictures.hidden = Boolean(none ?? heat);
    figure.place.setAttribute("aria-label", `Chart: ${title ?? figure.name}`);
    figure.box.querySelector(".none")?.remove();
    figure.box.querySelector(".heatmap")?.remove();
    if (none) figure.facts.before(element("p", { class: "none" }, foreign(none)));
    if (heat) figure.facts.before(heat());
    const fact = (part, text) => (text ? [element("span", { "data-fact": part }, foreign(text)), " "] : []);
    figure.facts.replaceChildren(
      ...fact("unit", unit && `Unit: ${unit}.`),
      ...fact("as-of", `As of ${format.longDay(day ?? data.days[state.day])}.`),
      ...fact("source", describeSources(figure.chart)),
      ...describeMetrics(figure.chart),
    );
    figure.table.refresh();
  }

  // A section in which no chart has data is not there.
  function hideEmpty(heading) {
    const section = figures.filter((f) => f.heading === heading),
      isEmpty = section.every((f) => f.chart.none);
    for (const node of [heading, ...section.map((f) => f.box)]) node.hidden = isEmpty;
  }

  // The sources of the most metrics first.
  function describeSources({ sources, metrics = [] }) {
    const counts = new Map();
    for (const source of sources ?? metrics.flatMap((m) => data.sources[m] ?? []))
      counts.set(source, (counts.get(source) ?? 0) + 1);
    const sorted = [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a));
    return sorted.length
      ? `Source: ${sorted.slice(0, 4).join("; ")}${sorted.length > 4 ? "; and others" : ""}.`
      : "";
  }

  // The metrics of a chart, with their definitions; those of whole criteria are in the header of the ranking.
  const MOST_TERMS = 4;
  function describeMetrics({ metrics = [] }) {
    const known = metrics.filter((name) => data.metrics[name]);
    if (!known.length || known.length > MOST_TERMS) return [];
    const terms = known.flatMap((name, j) => [...(j ? [", "] : []), tips.metric(data, name)]);
    return [element("span", { "data-fact": "definition" }, "Definition: ", ...terms, ".")];
  }

  function load() {
    if (!window.Plotly) loader.run("plotly");
    return window.Plotly;
  }

  const CONFIG = { displayModeBar: false, responsive: true, doubleClick: false };
  async function draw(figure) {
    figure.dirty = false;
    if (!figure.chart.traces) return;
    await load().react(figure.place, figure.chart.traces, figure.chart.layout, CONFIG);
    if (!figure.listens) figure.place.on("plotly_click", ({ points: [point] }) => figure.chart.open?.(point));
    figure.listens = true;
  }

  // What a chart depends on: the day, the order of the candidates and, for scores, the weights.
  const signature = ({ chart }) =>
    JSON.stringify([
      state.day,
      answer.rows.map((r) => [r.i, r.excluded]),
      chart.hasWeights ? answer.weights : [],
      state.compare,
    ]);

  let isWaiting = false,
    timer;
  // Draw one figure at a time, between frames, so that a slider never waits for more than one.
  function schedule() {
    if (isWaiting) return;
    isWaiting = true;
    setTimeout(
      () =>
        requestAnimationFrame(async () => {
          isWaiting = false;
          const next = figures.find((f) => f.dirty && (f.visible || f.box.hidden));
          if (!next) return;
          writeTexts(next);
          hideEmpty(next.heading);
          await draw(next);
          schedule();
        }),
      30,
    );
  }

  // Draw again what a change affects, once the user pauses.
  function refresh({ all = false } = {}) {
    for (const figure of figures) figure.dirty ||= all || figure.signature !== signature(figure);
    if ($("pair")) {
      headToHead.writeControls(answer, state);
      people.writeControls(answer);
    }
    if (all) plot.repaint();
    clearTimeout(timer);
    timer = setTimeout(schedule, 120);
  }

  // Paper is light and narrow, and shows every chart.
  const PAPER = { width: 670, height: 290 }; // px, as in paper.css; A4 and Letter have more between their margins
  let folds = []; // what is folded on the screen: nobody can open it on paper
  function toPaper() {
    document.documentElement.dataset.paper = "yes";
    folds.push(...document.querySelectorAll("#answer details:not([open]), #asides details:not([open])"));
    for (const fold of folds) fold.open = true;
    plot.repaint();
    for (const figure of figures) {
      writeTexts(figure);
      const { traces, layout } = figure.chart;
      if (traces) load().react(figure.place, traces, { ...layout, ...PAPER }, CONFIG);
    }
  }

  function fromPaper() {
    delete document.documentElement.dataset.paper;
    for (const fold of folds) fold.open = false;
    folds = [];
    refresh({ all: true });
  }

  return { build, refresh, toPaper, fromPaper, figures, load };
})();

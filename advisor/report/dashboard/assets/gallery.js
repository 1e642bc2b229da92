// The figures of the page: made once, drawn when they come into view, drawn again after a change.
const gallery = (() => {
  const { element, foreign } = format;
  const line = (metric) => (data, found, state) => timeCharts.line(data, found, state, metric);
  const SECTIONS = [
    ["Scores, taken apart", [["criteria", charts.criteria, "wide"], ["scores", timeCharts.scores, "wide"]]],
    ["Who does the work", [["contributors", line("contributors"), "wide"], ["new_contributors", line("new_contributors")], ["code_changes_commits", line("code_changes_commits")]]],
    ["Who would be missed", [["contributor_absence_factor", line("contributor_absence_factor"), "wide"], ["top_contributor_share", line("top_contributor_share")],
      ["organizational_influence", line("organizational_influence")], ["organizational_diversity", line("organizational_diversity"), "wide"]]],
    ["What becomes of issues", [["issues", timeCharts.issues], ["closed-share", timeCharts.closedShare]]],
    ["Releases", [["releases", timeCharts.releases, "wide"]]],
    ["Which models, and how soon", [["coverage", charts.coverage, "wide"]]],
    ["Attention and use", [["attention", charts.attention], ["hype_gap", charts.hypeGap], ["downloads", line("downloads"), "wide"]]],
    ["What is to come, and what was measured", [["outlook", outlook.chances], ["calibration", calibration.plot], ["benchmarks", outlook.benchmarks, "wide"]]],
  ];
  const figures = [];
  let data, plotly;

  async function build(given) {
    data = given;
    const seen = new IntersectionObserver((entries) => {
      for (const entry of entries) {
        const figure = figures.find((f) => f.box === entry.target);
        figure.visible = entry.isIntersecting;
      }
      schedule();
    }, { rootMargin: "300px" });
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
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);
    addEventListener("beforeprint", () => figures.filter((f) => f.dirty).forEach(draw));
  }

  function frame(id, make, kind) {
    const title = element("h3"), note = element("p"), key = element("p", { class: "named-key" }), source = element("p", { class: "source" });
    const place = element("div", { class: "chart", role: "img" });
    const box = element("figure", { id: `figure-${id}`, ...(kind ? { class: kind } : {}) }, element("figcaption", {}, title, note, key), place, source);
    const figure = { id, make, box, title, note, key, source, place, dirty: true, visible: false, made: null };
    figure.table = tables.behind(id, () => figure.made.table());
    box.append(figure.table.box);
    return figure;
  }

  // Words at once, so that the page is whole for a reader and nothing moves; lines when plotly is there.
  function words(figure) {
    figure.made = figure.make(data, found, state);
    const { title, note, none, heat } = figure.made;
    figure.title.replaceChildren(foreign(title ?? NAMES[figure.id] ?? data.metrics[figure.id]?.title ?? figure.id));
    const drawn = figure.made.traces && found.rows.length > charts.AT_ONCE ? ` Drawn are the first ${charts.AT_ONCE} of the ranking.` : "";
    figure.note.replaceChildren((note ?? "") + drawn);
    figure.key.replaceChildren(...(figure.made.key ?? []).map((i) => element("span", { class: `named k${i % 8}` }, `${charts.SIGNS[charts.symbol(i)]} `, foreign(format.short(data.candidates[i].name, 24)))));
    figure.place.hidden = Boolean(none) || Boolean(heat);
    figure.table.box.hidden = Boolean(none) || Boolean(heat);
    figure.place.setAttribute("aria-label", `Chart: ${title ?? ""}`);
    figure.box.querySelector(".none")?.remove();
    figure.box.querySelector(".heatmap")?.remove();
    if (none) figure.source.before(element("p", { class: "none" }, foreign(none)));
    if (heat) figure.source.before(heatmap(heat()));
    const sources = figure.made.sources ?? [...new Set((figure.made.metrics ?? []).flatMap((m) => data.sources[m] ?? []))];
    figure.source.textContent = `As of ${format.longDay(data.days[state.day])}.${sources.length ? ` Source: ${sources.slice(0, 4).join("; ")}${sources.length > 4 ? "; and others" : ""}.` : ""}`;
    figure.table.changed();
  }

  const NAMES = { outlook: "Outlook", calibration: "How well the outlook keeps its word", benchmarks: "Benchmarks", coverage: "Model coverage", issues: "Issues",
    "closed-share": "Closed share of issues", attention: "Attention against substance", hype_gap: "Attention against substance, as places in the reference population", organizational_influence: "What the backer's people make", releases: "Releases" };

  function heatmap(made) {
    const key = element("p", { class: "sub legend" }, "Days: ");
    for (const [, kind, words] of tables.STEPS) key.append(element("span", { class: `k-${kind}` }), words);
    key.append(element("span", { class: "k-h5" }), "not so far");
    const button = element("button", { type: "button" }, "Save this table (CSV)");
    button.addEventListener("click", () => tables.save("coverage.csv", "text/csv", tables.csv(made)));
    return element("div", { class: "heatmap" }, key, element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Model coverage" }, made), button);
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

  async function draw(figure) {
    figure.dirty = false;
    if (!figure.made.traces) return;
    const drawer = await load();
    await drawer.react(figure.place, figure.made.traces, figure.made.layout, { displayModeBar: false, responsive: true, doubleClick: false });
  }

  let waiting = false, rest;
  // When the hand rests: one figure at a time, between frames, so that a slider never waits for a chart.
  function schedule() {
    if (waiting) return;
    waiting = true;
    setTimeout(() => requestAnimationFrame(async () => {
      waiting = false;
      const next = figures.find((f) => f.dirty && f.visible);
      if (!next) return;
      words(next);
      await draw(next);
      schedule();
    }), 30);
  }

  function changed() {
    for (const figure of figures) figure.dirty = true;
    clearTimeout(rest);
    rest = setTimeout(schedule, 120);
  }

  // Every measurement of the page's own date with its evidence.
  function everything() {
    const behind = tables.behind("figures", () => {
      const head = ["Candidate", "Metric", "Value", "From", "To", "n", "Evidence", "Sources", "First day", "Last day", "Remark"];
      const show = (v) => (v === null ? "" : typeof v === "number" ? String(+v.toPrecision(6)) : v);
      return tables.table(head, Object.entries(data.measurements).flatMap(([repository, list]) => list.map((m) => [repository, data.metrics[m.metric]?.title ?? m.metric,
        m.status === "measured" ? show(m.value) : m.status === "unavailable" ? "?" : "n/a", show(m.low), show(m.high), show(m.n), format.percent(m.evidence_share),
        m.sources.join("; "), show(m.first_day), show(m.last_day), m.reason])));
    });
    behind.box.querySelector("summary").textContent = `Every figure with its source, as of ${format.longDay(data.days[data.days.length - 1])}`;
    return element("figure", { class: "wide", id: "figure-everything" }, element("figcaption", {}, element("h3", {}, "Every figure"), element("p", {}, "What each score rests on: value, bounds, count, evidence, sources and days.")), behind.box);
  }

  return { build, changed, figures, load };
})();

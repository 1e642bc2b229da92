// All measurements with their evidence, as a table at the end of the page.
const measurementTable = (() => {
  const { element } = format;

  // Every measurement of the page's own date with its evidence.
  function figure(data) {
    const header = [
      "Candidate",
      "Metric",
      "Value",
      "Low",
      "High",
      "n",
      "Evidence",
      "Sources",
      "First day",
      "Last day",
      "Remark",
    ];
    const show = (v) => (v === null ? "" : typeof v === "number" ? String(+v.toPrecision(6)) : v);
    const cells = (repository, [metric, status, value, low, high, n, share, sources, first, last, reason]) => [
      links.anchor(repository, links.repository(repository)),
      tips.metric(data, metric),
      status === "measured" ? show(value) : status === "unavailable" ? "?" : "n/a",
      show(low),
      show(high),
      show(n),
      format.percent(share),
      links.sources(sources.map((place) => data.source_names[place])),
      show(first),
      show(last),
      reason,
    ];
    const table = tables.behind("figures", () =>
      tables.table(
        header,
        Object.entries(data.measurements).flatMap(([repository, measurements]) =>
          measurements.map((m) => cells(repository, m)),
        ),
      ),
    );
    table.box.querySelector("summary").textContent =
      `All measurements with their sources, as of ${format.longDay(data.days[data.days.length - 1])}`;
    return element(
      "figure",
      { class: "wide", id: "figure-everything" },
      element(
        "figcaption",
        {},
        element("h3", {}, "All measurements"),
        element("p", {}, "What each score rests on: value, range, n, evidence share, sources and days."),
      ),
      table.box,
    );
  }

  return { figure };
})();

// Calibration of the outlook: for each bin of forecast chances, the share of libraries that were abandoned then.
//
// data.calibration: [{months, libraries, days, bins: [[from, to, low, high]]}], the shortest horizon first.
const calibration = (() => {
  const { chance } = format;

  function intervals(data) {
    const [first] = data.calibration;
    if (!first) return { none: "There is no outlook to calibrate." };
    const FLOOR = 0.001,
      clip = (p) => Math.max(p, FLOOR);
    const rows = first.bins.map(([from, to, low, high]) => ({
      from,
      to,
      low,
      high,
      forecast: Math.sqrt(clip(from) * clip(to)),
      outcome: (low + high) / 2,
    }));
    const matches = rows.filter((r) => r.low <= r.to && r.high >= r.from).length;
    const line = plot.css("--accent");
    return {
      title: `In ${matches} of ${rows.length} bins, the forecast chance of inactivity within ${first.months} months agrees with the outcome`,
      note: `${first.libraries.toLocaleString("en")} libraries of the reference population, with forecasts from ${format.longDay(first.days[0])} to ${format.longDay(first.days[1])} by models that were not trained on the library. On the diagonal, the forecast equals the outcome. The bars are 95% intervals; logarithmic axes.`,
      unit: "per cent",
      day: first.days[1],
      sources: ["data/reference/outlook.json"],
      traces: [
        {
          type: "scatter",
          mode: "lines",
          x: [FLOOR, 1],
          y: [FLOOR, 1],
          line: { color: plot.css("--muted"), dash: "dot", width: 1 },
          hoverinfo: "skip",
        },
        {
          type: "scatter",
          mode: "markers",
          x: rows.map((r) => r.forecast),
          y: rows.map((r) => clip(r.outcome)),
          marker: { color: line, size: 7 },
          error_y: {
            type: "data",
            symmetric: false,
            array: rows.map((r) => r.high - clip(r.outcome)),
            arrayminus: rows.map((r) => Math.max(0, clip(r.outcome) - clip(r.low))),
            color: line,
            thickness: 1.5,
            width: 0,
          },
          text: rows.map(
            (r) =>
              `forecast ${chance(r.from)} to ${chance(r.to)}, outcome ${chance(r.low)} to ${chance(r.high)}`,
          ),
          hovertemplate: "%{text}<extra></extra>",
        },
      ],
      layout: plot.layout({
        margin: { l: plot.MARGIN.title },
        xaxis: {
          type: "log",
          range: [Math.log10(FLOOR), 0],
          tickvals: [0.001, 0.01, 0.1, 1],
          ticktext: ["0.1%", "1%", "10%", "100%"],
          title: "forecast chance",
        },
        yaxis: {
          type: "log",
          range: [Math.log10(FLOOR), 0],
          tickvals: [0.001, 0.01, 0.1, 1],
          ticktext: ["0.1%", "1%", "10%", "100%"],
          title: "share that were abandoned",
        },
      }),
      table: () =>
        tables.table(
          ["Within", "Forecast from", "Forecast to", "Outcome, low", "Outcome, high"],
          data.calibration.flatMap((c) => c.bins.map((b) => [`${c.months} months`, ...b.map(chance)])),
        ),
    };
  }

  return { intervals };
})();

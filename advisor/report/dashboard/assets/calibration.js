// Whether chances that were told came true: what came of the libraries that stood in each bin of chances.
//
// data.calibration: [{months, libraries, days, bins: [[from, to, low, high]]}], the shortest horizon first.
const calibration = (() => {
  const percent = (p) => (p < 0.1 ? `${(100 * p).toFixed(1)}%` : `${Math.round(100 * p)}%`);

  function plot(data) {
    const [first] = data.calibration;
    if (!first) return { none: "Not measured: without an outlook there is nothing to calibrate." };
    const FLOOR = 0.001,
      inside = (p) => Math.max(p, FLOOR);
    const rows = first.bins.map(([from, to, low, high]) => ({
      from,
      to,
      low,
      high,
      told: Math.sqrt(inside(from) * inside(to)),
      came: (low + high) / 2,
    }));
    const kept = rows.filter((r) => r.low <= r.to && r.high >= r.from).length;
    const line = charts.css("--accent");
    return {
      title: `In ${kept} of ${rows.length} bins, chances told of falling silent in ${first.months} months agree with what came`,
      note: `${first.libraries.toLocaleString("en")} libraries of the reference population, chances told between ${format.longDay(first.days[0])} and ${format.longDay(first.days[1])} by trees that had not seen the library. On the diagonal a chance comes true as often as it says; the bars are 95% intervals; logarithmic axes.`,
      unit: "per cent",
      day: first.days[1],
      sources: ["data/reference/outlook.json"],
      traces: [
        {
          type: "scatter",
          mode: "lines",
          x: [FLOOR, 1],
          y: [FLOOR, 1],
          line: { color: charts.css("--muted"), dash: "dot", width: 1 },
          hoverinfo: "skip",
        },
        {
          type: "scatter",
          mode: "markers",
          x: rows.map((r) => r.told),
          y: rows.map((r) => inside(r.came)),
          marker: { color: line, size: 7 },
          error_y: {
            type: "data",
            symmetric: false,
            array: rows.map((r) => r.high - inside(r.came)),
            arrayminus: rows.map((r) => Math.max(0, inside(r.came) - inside(r.low))),
            color: line,
            thickness: 1.5,
            width: 0,
          },
          text: rows.map(
            (r) =>
              `told ${percent(r.from)} to ${percent(r.to)}, came ${percent(r.low)} to ${percent(r.high)}`,
          ),
          hovertemplate: "%{text}<extra></extra>",
        },
      ],
      layout: charts.layout({
        margin: { l: 62, r: 16, t: 8, b: 48 },
        xaxis: {
          type: "log",
          range: [Math.log10(FLOOR), 0],
          tickvals: [0.001, 0.01, 0.1, 1],
          ticktext: ["0.1%", "1%", "10%", "100%"],
          title: { text: "chance told", font: { size: 12.5 } },
        },
        yaxis: {
          type: "log",
          range: [Math.log10(FLOOR), 0],
          tickvals: [0.001, 0.01, 0.1, 1],
          ticktext: ["0.1%", "1%", "10%", "100%"],
          title: { text: "share that fell silent", font: { size: 12.5 } },
        },
      }),
      table: () =>
        tables.table(
          ["Within", "Told from", "Told to", "Came, at least", "Came, at most"],
          data.calibration.flatMap((c) => c.bins.map((b) => [`${c.months} months`, ...b.map(percent)])),
        ),
    };
  }

  return { plot };
})();

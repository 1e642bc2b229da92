// What was measured on machines: speed and memory, library beside library, on one machine in one setting.
//
// data.benchmarks: [[candidate, stack, version, figure, unit, value, low, high, setting, machine, day, source]],
// newest first. Figures of different machines or settings are never drawn on one axis.
const benchmarks = (() => {
  const { plain, number, longDay } = format;
  const HEAD = [
    "Candidate",
    "Stack",
    "Version",
    "Figure",
    "Unit",
    "Value",
    "At least",
    "At most",
    "Setting",
    "Machine",
    "Day",
    "Source",
  ];
  const read = ([i, stack, version, figure, unit, value, low, high, setting, machine, day, source]) => ({
    i,
    stack,
    version,
    figure,
    unit,
    value,
    low,
    high,
    setting,
    machine,
    day,
    source,
  });

  // What is drawn, the figure to be preferred first; `more`: whether more is better.
  const SPEED = {
    figures: ["relative_throughput", "tokens_per_second"],
    more: true,
    what: "Speed",
    best: "is the fastest",
    worst: "is the slowest",
  };
  const MEMORY = {
    figures: ["relative_peak_memory", "peak_device_memory", "peak_memory"],
    more: false,
    what: "Peak memory",
    best: "needs the least memory",
    worst: "needs the most",
  };

  const inWords = (value, unit) =>
    unit === "bytes" ? `${number(value / 2 ** 30)} GiB` : `${number(value)} ${unit}`;

  // Rows of the shown candidates by the day; at rest all, for benches may be younger than the facts.
  function known(data, found, state) {
    const shown = new Set(found.rows.map((r) => r.i)),
      isLast = state.day === data.days.length - 1;
    return data.benchmarks
      .map(read)
      .filter((b) => shown.has(b.i) && (isLast || b.day <= data.days[state.day]));
  }

  // The bench of most libraries; of equals the newest.
  function largest(rows) {
    const benches = new Map();
    for (const row of rows) {
      const key = JSON.stringify([row.machine, row.setting]);
      benches.set(key, [...(benches.get(key) ?? []), row]);
    }
    const newest = [...benches.values()].map((bench) => [
      ...new Map([...bench].reverse().map((b) => [b.stack, b])).values(),
    ]);
    return newest.sort((a, b) => b.length - a.length)[0];
  }

  function chart(data, found, state, { figures, more, what, best, worst }) {
    const all = known(data, found, state),
      figure = figures.find((name) => all.some((b) => b.figure === name));
    if (!figure)
      return {
        title: `${what}: not measured`,
        none: "Not measured: there are no such benchmark results in these facts. `advisor bench` makes them.",
      };
    const drawn = largest(all.filter((b) => b.figure === figure))
      .sort((a, b) => (more ? b.value - a.value : a.value - b.value))
      .slice(0, 2 * charts.AT_ONCE);
    const { unit, setting, machine, day } = drawn[0],
      scale = unit === "bytes" ? 2 ** 30 : 1,
      name = (b) => data.candidates[b.i].name;
    const first = drawn[0],
      last = drawn[drawn.length - 1];
    const told = drawn.map(
      (b) => `${inWords(b.value, unit)} (${inWords(b.low, unit)} to ${inWords(b.high, unit)})`,
    );
    return {
      title:
        drawn.length > 1
          ? `${what}: ${name(first)} ${best}, ${inWords(first.value, unit)}; ${name(last)} ${worst}, ${inWords(last.value, unit)}`
          : `${what}: only ${name(first)} was measured, ${inWords(first.value, unit)}`,
      note: `${machine}; ${setting}. The line runs from the smallest to the largest run. Other settings, machines and figures stand in the table.`,
      unit: unit === "bytes" ? "GiB" : unit,
      day,
      sources: [...new Set(drawn.map((b) => b.source))],
      traces: drawn.map((b, j) => ({
        type: "scatter",
        mode: "markers",
        name: plain(name(b)),
        x: [b.value / scale],
        y: [-j],
        error_x: {
          type: "data",
          symmetric: false,
          array: [(b.high - b.value) / scale],
          arrayminus: [(b.value - b.low) / scale],
          color: charts.colour(b.i),
          thickness: 1.5,
          width: 0,
        },
        marker: { color: charts.colour(b.i), symbol: charts.symbol(b.i), size: 10 },
        text: [plain(told[j])],
        hovertemplate: "%{fullData.name}: %{text}<extra></extra>",
      })),
      layout: charts.layout({
        margin: { l: 110, r: 16, t: 8, b: 34 },
        xaxis: { rangemode: "tozero" },
        yaxis: {
          tickvals: drawn.map((_, j) => -j),
          ticktext: drawn.map((b) => plain(format.short(name(b), 14))),
          range: [-drawn.length + 0.4, 0.6],
          zeroline: false,
          showgrid: false,
        },
      }),
      table: () =>
        tables.table(
          HEAD,
          all.map((b) => [
            name(b),
            b.stack,
            b.version,
            b.figure.replace(/_/g, " "),
            b.unit,
            ...[b.value, b.low, b.high].map((v) => +v.toPrecision(4)),
            b.setting,
            b.machine,
            longDay(b.day),
            b.source,
          ]),
        ),
    };
  }

  return {
    speed: (data, found, state) => chart(data, found, state, SPEED),
    memory: (data, found, state) => chart(data, found, state, MEMORY),
  };
})();

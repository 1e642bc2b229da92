// Results of `advisor bench`: speed and memory of the libraries on one machine with one setting.
//
// data.benchmarks: [[candidate, stack, version, figure, unit, value, low, high, setting, machine, day, source]],
// the newest first. A chart never mixes machines or settings.
const benchmarks = (() => {
  const { number, longDay } = format;
  const HEADER = [
    "Candidate",
    "Stack",
    "Version",
    "Figure",
    "Unit",
    "Value",
    "Low",
    "High",
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

  // The figures to draw, of which the first with data is rows; `isHigherBetter`: the order.
  const SPEED = {
    figures: ["relative_throughput", "tokens_per_second"],
    isHigherBetter: true,
    subject: "Speed",
    best: "is the fastest",
    worst: "is the slowest",
  };
  const MEMORY = {
    figures: ["relative_peak_memory", "peak_device_memory", "peak_memory"],
    isHigherBetter: false,
    subject: "Peak memory",
    best: "needs the least memory",
    worst: "needs the most",
  };

  const describe = (value, unit) =>
    unit === "bytes" ? `${number(value / 2 ** 30)} GiB` : `${number(value)} ${unit}`;

  // Results of the current candidates by the day; all on the last day, because a bench may be newer than the facts.
  function results(data, answer, state) {
    const indices = new Set(answer.rows.map((r) => r.i)),
      isLast = state.day === data.days.length - 1;
    return data.benchmarks
      .map(read)
      .filter((b) => indices.has(b.i) && (isLast || b.day <= data.days[state.day]));
  }

  // The results of the bench with the most libraries; of equal ones the newest.
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

  function chart(data, answer, state, { figures, isHigherBetter, subject, best, worst }) {
    const all = results(data, answer, state),
      figure = figures.find((name) => all.some((b) => b.figure === name));
    if (!figure)
      return {
        title: `${subject}: no data`,
        none: "This snapshot has no such results. `advisor bench` measures the libraries on your machine.",
      };
    const bench = largest(all.filter((b) => b.figure === figure)).sort((a, b) =>
        isHigherBetter ? b.value - a.value : a.value - b.value,
      ),
      rows = bench.slice(0, 2 * plot.MAX_LINES);
    const { unit, setting, machine, day } = rows[0],
      scale = unit === "bytes" ? 2 ** 30 : 1,
      name = (b) => data.candidates[b.i].name;
    const first = rows[0],
      last = rows[rows.length - 1];
    const isBetter = (a, b) => (isHigherBetter ? a.low > b.high : a.high < b.low);
    const isBest = rows.every((b) => b === first || isBetter(first, b)),
      isWorst = rows.every((b) => b === last || isBetter(b, last));
    return {
      title:
        rows.length > 1
          ? `${subject}: ${name(first)}${isBest ? ` ${best}` : ""}, ${describe(first.value, unit)}; ${name(last)}${isWorst ? ` ${worst}` : ""}, ${describe(last.value, unit)}`
          : `${subject}: ${name(first)}, ${describe(first.value, unit)}`,
      note: `${machine}; ${setting}. The line goes from the lowest to the highest run. The table has the other settings, machines and figures.`,
      drawn: bench.length > rows.length ? rows.length : 0,
      unit: unit === "bytes" ? "GiB" : unit,
      day,
      sources: [...new Set(rows.map((b) => b.source))],
      traces: rows.map((b, row) =>
        plot.rangeDot({
          i: b.i,
          name: name(b),
          row,
          value: b.value / scale,
          low: b.low / scale,
          high: b.high / scale,
          text: `${describe(b.value, unit)} (${describe(b.low, unit)} to ${describe(b.high, unit)})`,
        }),
      ),
      layout: plot.layout({
        ...plot.nameRows(rows.map(name)),
        xaxis: { rangemode: "tozero" },
      }),
      table: () =>
        tables.table(
          HEADER,
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
    speed: (data, answer, state) => chart(data, answer, state, SPEED),
    memory: (data, answer, state) => chart(data, answer, state, MEMORY),
  };
})();

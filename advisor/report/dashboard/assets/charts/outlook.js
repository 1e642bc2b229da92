// The outlook: the calibrated chance that a repository is abandoned within a number of months.
//
// data.outlooks: [candidate] → [{horizon_months, probability_inactive (null: it abstains), low, high, reason, known}],
// as of the last day only.
const outlook = (() => {
  const { chance } = format;
  const FLOOR = 0.0005; // the logarithmic axis has no 0
  const show = (o) =>
    o.probability_inactive === null
      ? "?"
      : `${chance(o.probability_inactive)} (${chance(o.low)}–${chance(o.high)})`;

  function monthsAfter(iso, months) {
    const day = new Date(iso);
    day.setUTCMonth(day.getUTCMonth() + months);
    return day.toISOString().slice(0, 10);
  }

  function chances(data, answer, state) {
    if (state.day !== data.days.length - 1)
      return { none: "The outlook exists only for the last day of the as-of slider." };
    const rows = answer.rows
      .map((r) => ({ i: r.i, name: data.candidates[r.i].name, horizons: data.outlooks[r.i] }))
      .filter((r) => r.horizons.length)
      .map((r) => ({ ...r, first: r.horizons[0] }));
    const known = rows.filter((r) => r.first.probability_inactive !== null),
      lines = known.slice(0, plot.MAX_LINES);
    if (!lines.length)
      return {
        none: "There is no outlook for these candidates: not enough data, or they differ too much from the libraries of the model.",
      };
    const [worst] = [...known].sort((a, b) => b.first.probability_inactive - a.first.probability_inactive);
    const months = worst.first.horizon_months,
      gaps = rows.filter((r) => r.first.probability_inactive === null);
    const isSure =
      known.length > 1 && known.every((r) => r.i === worst.i || worst.first.low > r.first.high);
    const notes = rows.filter((r) => r.first.known).map((r) => `${r.name}: ${r.first.known}`);
    const clip = (p) => 100 * Math.max(p, FLOOR);
    const traces = lines.map(({ i, name, first: o }, row) => {
      const value = clip(o.probability_inactive);
      const range = { low: Math.min(value, clip(o.low)), high: 100 * o.high };
      return plot.rangeDot({ i, name, row, value, ...range, text: show(o) });
    });
    return {
      title: isSure
        ? `${format.among(known.length, answer.rows.length, "with an outlook")}${worst.name} has the highest chance of abandonment in ${months} months: ${chance(worst.first.probability_inactive)}`
        : `Chance of abandonment in ${months} months: ${known.length > 1 ? "no candidate is surely highest" : `${worst.name}, ${chance(worst.first.probability_inactive)}`}`,
      note: [
        `Chance that the library has no commit in the year before ${format.longDay(monthsAfter(data.days[state.day], months))}, from a model of about 4,000 libraries; logarithmic axis. The line is the range of possible values, given what is not known.`,
        gaps.length ? `No outlook for ${gaps.map((r) => r.name).join(", ")}.` : "",
        notes.length ? `Known without the model: ${notes.join("; ")}.` : "",
      ]
        .filter(Boolean)
        .join(" "),
      key: lines.map((r) => r.i),
      traces,
      drawn: known.length > lines.length ? lines.length : 0,
      unit: "chance in per cent",
      sources: [`the model in data/reference/outlook.json, with the facts of snapshot ${data.snapshot}`],
      layout: plot.layout({
        ...plot.nameRows(lines.map((r) => r.name)),
        xaxis: {
          type: "log",
          range: [-1.4, 2],
          tickvals: [0.1, 1, 10, 100],
          ticktext: ["0.1%", "1%", "10%", "100%"],
        },
      }),
      table: () =>
        tables.table(
          ["Candidate", ...rows[0].horizons.map((o) => `Abandoned in ${o.horizon_months} months`), "Remark"],
          rows.map((r) => [r.name, ...r.horizons.map(show), r.first.reason || r.first.known]),
        ),
    };
  }

  return { chances };
})();

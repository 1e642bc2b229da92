// What is to come: the calibrated outlook, said plainly where there is none.
//
// data.outlooks: [candidate] → [{horizon_months, probability_inactive (null: it abstains), low, high, reason, known}],
// as of the last day alone.
const outlook = (() => {
  const { plain } = format;
  const chance = (p) => (p < 0.1 ? `${(100 * p).toFixed(1)} %` : `${Math.round(100 * p)} %`);
  const shown = (o) =>
    o.probability_inactive === null
      ? "?"
      : `${chance(o.probability_inactive)} (${chance(o.low)}–${chance(o.high)})`;

  function chances(data, found, state) {
    if (state.day !== data.days.length - 1)
      return { none: "The outlook is worked out for the last day alone." };
    const rows = found.rows
      .map((r) => ({ i: r.i, name: data.candidates[r.i].name, of: data.outlooks[r.i] }))
      .filter((r) => r.of.length);
    const known = rows.filter((r) => r.of[0].probability_inactive !== null).slice(0, charts.AT_ONCE);
    if (!known.length)
      return {
        none: "The outlook says nothing of these candidates: too little is known, or they lie outside what it has seen.",
      };
    const worst = [...known].sort((a, b) => b.of[0].probability_inactive - a.of[0].probability_inactive)[0];
    const months = worst.of[0].horizon_months,
      silent = rows.filter((r) => r.of[0].probability_inactive === null);
    const notes = rows.filter((r) => r.of[0].known).map((r) => `${r.name}: ${r.of[0].known}`);
    const traces = known.map((r, j) => {
      const o = r.of[0],
        at = Math.max(o.probability_inactive, 0.0005);
      return {
        type: "scatter",
        mode: "markers",
        name: plain(r.name),
        x: [100 * at],
        y: [-j],
        error_x: {
          type: "data",
          symmetric: false,
          array: [100 * (o.high - at)],
          arrayminus: [100 * Math.max(0, at - Math.max(o.low, 0.0005))],
          color: charts.colour(r.i),
          thickness: 1.5,
          width: 0,
        },
        marker: { color: charts.colour(r.i), symbol: charts.symbol(r.i), size: 9 },
        text: [shown(o)],
        hovertemplate: "%{fullData.name}: %{text}<extra></extra>",
      };
    });
    return {
      title: `Least sure to go on: ${worst.name}, ${chance(worst.of[0].probability_inactive)} to see no commit in ${months} months`,
      note: [
        "Chance of no commit on the default branch, learned from some 2,500 libraries; logarithmic; the line is what the evidence allows.",
        silent.length ? `It says nothing of ${silent.map((r) => r.name).join(", ")}.` : "",
        notes.length ? `What it cannot know: ${notes.join("; ")}.` : "",
      ]
        .filter(Boolean)
        .join(" "),
      key: known.map((r) => r.i),
      traces,
      unit: "chance in per cent",
      sources: [`the model of data/reference/outlook.json over the facts “${data.snapshot}”`],
      layout: charts.layout({
        margin: { l: 110, r: 12, t: 8, b: 34 },
        xaxis: {
          type: "log",
          range: [-1.4, 2],
          tickvals: [0.1, 1, 10, 100],
          ticktext: ["0.1 %", "1 %", "10 %", "100 %"],
        },
        yaxis: {
          tickvals: known.map((_, j) => -j),
          ticktext: known.map((r) => plain(format.short(r.name, 14))),
          zeroline: false,
          showgrid: false,
        },
      }),
      table: () =>
        tables.table(
          [
            "Candidate",
            ...rows[0].of.map((o) => `Inactive within ${o.horizon_months} months`),
            "Why not, or what else is known",
          ],
          rows.map((r) => [r.name, ...r.of.map(shown), r.of[0].reason || r.of[0].known]),
        ),
    };
  }

  return { chances };
})();

// Two candidates side by side: what you gain and what you pay with the first instead of the second.
const headToHead = (() => {
  const { element } = format;
  const { css, layout, endLabels } = plot;
  const SIDES = ["Choose", "instead of"];

  // The rows of the pair of the state, or of the choice and the runner-up; null: there are no two.
  function pairOf(answer, state) {
    const rows = state.compare?.map((i) => answer.rows.find((r) => r.i === i));
    if (rows?.every(Boolean)) return rows;
    const rival = answer.rows.find((r) => r.i !== answer.choice?.i);
    return answer.choice && rival ? [answer.rows.find((r) => r.i === answer.choice.i), rival] : null;
  }

  // The criteria with the points of both; `size`: the difference in points; `isSure`: it is notable and the ranges are
  // apart.
  function differences(data, [mine, theirs]) {
    return data.criteria.map((c, k) => {
      const [a, b] = [mine, theirs].map((r) => 100 * r.cells[4 * k]);
      const isNotable = Math.abs(a - b) >= 100 * NOTABLE_DIFFERENCE,
        isSure = isNotable && (isAhead(mine, theirs, k) || isAhead(theirs, mine, k));
      return { k, title: c.title, mine: a, theirs: b, size: a - b, isSure };
    });
  }

  const signed = (points) => `${points > 0 ? "+" : "−"}${format.whole(Math.abs(points))}`;
  function say(rows) {
    const name = (r) => `${r.title.toLowerCase()} (${signed(r.size)})`;
    const sure = rows.filter((r) => r.isSure);
    const part = (sign) => sure.filter((r) => sign * r.size > 0).sort((a, b) => sign * (b.size - a.size));
    const [gains, costs] = [part(1), part(-1)];
    if (!sure.length) return "no sure difference";
    const texts = [
      gains.length ? `you gain ${format.join(gains.map(name))}` : "no sure gain",
      costs.length ? `you pay ${format.join(costs.map(name))}` : "no sure loss",
    ];
    return texts.join("; ");
  }

  function colourOf({ isSure, size }) {
    if (!isSure) return css("--muted");
    return css(size > 0 ? "--good" : "--bad");
  }

  function slope(data, answer, state) {
    const pair = pairOf(answer, state);
    if (!pair) return { title: "Head to head", none: "There are no two candidates to compare on this day." };
    const [mine, theirs] = pair.map((r) => data.candidates[r.i].name),
      rows = differences(data, pair);
    const range = (r, k) =>
      `${format.points(r, k)} (${[1, 2].map((part) => format.whole(100 * r.cells[4 * k + part])).join("–")})`;
    const ends = rows.map((r) => ({ name: r.title, y: r.mine, color: colourOf(r) }));
    return {
      title: `${mine} instead of ${theirs}: ${say(rows)}`,
      note: "Points of each criterion, 0 to 100, on fixed scales. Solid: a sure difference, of 5 points or more and with ranges that are apart. Dotted: no sure difference.",
      traces: rows.map((r) => ({
        type: "scatter",
        mode: "lines+markers",
        name: format.plain(r.title),
        x: [0, 1],
        y: [r.theirs, r.mine],
        text: [pair[1], pair[0]].map((row) => range(row, r.k)),
        line: { color: colourOf(r), width: r.isSure ? 3 : 1.5, dash: r.isSure ? "solid" : "dot" },
        marker: { color: colourOf(r), size: 8 },
        hovertemplate: "%{fullData.name}: %{text}<extra></extra>",
      })),
      unit: "utility, 0 to 100",
      metrics: data.criteria.flatMap((c) => c.metrics),
      layout: layout({
        ...endLabels(ends, 100, 300),
        xaxis: {
          range: [-0.04, 1.02],
          tickvals: [0, 1],
          ticktext: [theirs, mine].map((name) => format.plain(format.short(name))),
          showgrid: false,
          zeroline: false,
        },
        yaxis: { range: [-2, 102], dtick: 25 },
      }),
      table: () =>
        tables.table(
          ["Criterion", mine, theirs, "Difference", "Sure"],
          [
            ...rows.map((r) => [
              r.title,
              range(pair[0], r.k),
              range(pair[1], r.k),
              signed(r.size),
              r.isSure ? "yes" : "no",
            ]),
            ["Score", ...pair.map((r) => format.score(r.score)), "", ""],
            ["First in", ...pair.map((r) => (r.rank === null ? "" : format.percent(r.wins))), "", ""],
          ],
        ),
    };
  }

  // The two lists from which the reader chooses; a change calls `choose` with two candidates.
  function controls(data, choose) {
    const selects = SIDES.map((label, side) => {
      const select = element("select", { "aria-label": `${label} (head to head)`, id: `pair-${side}` });
      data.candidates.forEach((c, i) => {
        if (!data.scores[i].length) return;
        const option = element("option", { value: i });
        option.textContent = format.short(c.name, 40);
        select.append(option);
      });
      select.addEventListener("change", () => choose(selects.map((s) => Number(s.value))));
      return select;
    });
    const form = element("p", { class: "pair", id: "pair" });
    selects.forEach((select, side) => form.append(element("label", {}, `${SIDES[side]} `, select), " "));
    return form;
  }

  function writeControls(answer, state) {
    const pair = pairOf(answer, state);
    pair?.forEach((r, side) => {
      $(`pair-${side}`).value = r.i;
    });
  }

  return { slope, controls, writeControls };
})();

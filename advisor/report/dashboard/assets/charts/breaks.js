// What each release broke in the public API, on a time axis with one row for each candidate.
//
// data.breaks: [[candidate, tag, day, names broken, of them announced, the first of these names]], the oldest first.
const breaks = (() => {
  const { plain } = format;
  const { layout, colour, css, timeAxis, nameRows, MAX_LINES } = plot;
  const SMALLEST = 7,
    LARGEST = 26; // px
  const KINDS = [
    ["none", "line-ns-open"],
    ["sudden", "circle"],
    ["announced", "diamond-open"],
  ];

  const kindOf = ([, , , broken, announced]) =>
    broken === 0 ? "none" : announced > 0 ? "announced" : "sudden";

  // The area follows the number of names.
  const sizeOf = (broken) => Math.min(LARGEST, Math.max(SMALLEST, 2 * Math.sqrt(broken)));

  function describe([, tag, , broken, announced, names]) {
    if (broken === 0) return `${tag}: no public name broke`;
    const list = names.split(" "),
      more = broken - list.length;
    const rest = more > 0 ? ` and ${more} more` : "";
    return `${tag}: ${broken} ${broken === 1 ? "name" : "names"} broke, ${announced} announced (${list.map((n) => format.short(n, 48)).join(", ")}${rest})`;
  }

  function trace(data, i, row, points, symbol) {
    return {
      type: "scatter",
      mode: "markers",
      name: plain(data.candidates[i].name),
      x: points.map((x) => x[2]),
      y: points.map(() => -row),
      text: points.map((x) => plain(describe(x))),
      customdata: points.map((x) => links.release(data.candidates[i].repository, x[1])),
      marker: {
        symbol,
        size: points.map((x) => sizeOf(x[3])),
        color: points.map((x) => (x[3] ? colour(i) : css("--muted"))),
        line: { width: 1.5, color: symbol === "circle" ? css("--ground") : colour(i) },
      },
      opacity: 0.85,
      hovertemplate: "%{text}<br>%{x|%d %b %Y}<extra></extra>",
    };
  }

  function describeYear(rows, today) {
    return rows.slice(0, 3).map(({ name, releases }) => {
      const recent = releases.filter((x) => format.daysBetween(x[2], today) < 365);
      return `${name} ${recent.filter((x) => x[3] > 0).length} of ${recent.length}`;
    });
  }

  function bubbles(data, answer, state) {
    const today = data.days[state.day],
      from = data.days[0];
    const rows = answer.rows
      .map((r) => ({
        i: r.i,
        name: data.candidates[r.i].name,
        releases: data.breaks.filter((x) => x[0] === r.i && x[2] <= today),
      }))
      .filter((r) => r.releases.length);
    if (!rows.length) return { none: "No data on the public API of these candidates by this day." };
    const lines = rows.slice(0, 2 * MAX_LINES);
    return {
      title: `Releases of twelve months that broke a public name: ${describeYear(rows, today).join(", ")}`,
      note: "Filled circles: releases that removed or changed public names incompatibly. Hollow diamonds: the release before had announced some of these names as deprecated. Strokes: nothing broke. A larger mark: more names; it stops growing at 169. A click opens the release on GitHub.",
      traces: lines.flatMap((r, j) =>
        KINDS.map(([kind, symbol]) => [symbol, r.releases.filter((x) => x[2] >= from && kindOf(x) === kind)])
          .filter(([, points]) => points.length)
          .map(([symbol, points]) => trace(data, r.i, j, points, symbol)),
      ),
      drawn: rows.length > lines.length ? lines.length : 0,
      unit: "public names in a release",
      metrics: ["breaking_changes", "announced_breaks"],
      open: ({ customdata: address }) => address && window.open(address, "_blank", "noopener,noreferrer"),
      layout: layout({ ...nameRows(lines.map((r) => r.name)), xaxis: timeAxis(data) }),
      table: () =>
        tables.table(
          ["Candidate", "Day", "Release", "Names broken", "Of them announced", "The first names"],
          rows.flatMap((r) =>
            [...r.releases]
              .reverse()
              .map((x) => [
                r.name,
                x[2],
                links.anchor(x[1], links.release(data.candidates[r.i].repository, x[1])),
                x[3],
                x[4],
                x[5],
              ]),
          ),
        ),
    };
  }

  return { bubbles };
})();

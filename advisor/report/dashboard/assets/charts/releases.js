// Releases as dots on a time axis, one row for each candidate.
const releases = (() => {
  const { plain } = format;
  const { layout, colour, timeAxis, nameRows, MAX_LINES } = plot;

  // data.releases: [[candidate, day, tag, whether it is a pre-release]], the oldest first.
  function dots(data, answer, state) {
    const today = data.days[state.day],
      from = data.days[0];
    const rows = answer.rows.map((r) => ({
      i: r.i,
      name: data.candidates[r.i].name,
      releases: data.releases.filter((x) => x[0] === r.i && x[1] <= today),
    }));
    const lines = rows.slice(0, 2 * MAX_LINES),
      candidates = lines.filter((r) => r.releases.length);
    if (!candidates.length)
      return { none: "No data on releases of these candidates by this day.", metrics: ["release_frequency"] };
    const countYear = (r) => r.releases.filter((x) => !x[3] && format.daysBetween(x[1], today) < 365).length;
    const [busiest] = [...candidates].sort((a, b) => countYear(b) - countYear(a));
    const [oldest] = candidates
      .map((r) => ({ name: r.name, last: r.releases[r.releases.length - 1][1] }))
      .sort((a, b) => (a.last < b.last ? -1 : 1));
    return {
      title: `${busiest.name} released ${countYear(busiest)} times in twelve months; the last release of ${oldest.name} was on ${format.longDay(oldest.last)}`,
      note: "Each dot is a release; hollow dots are pre-releases.",
      traces: lines.map((r, j) => {
        const points = r.releases.filter((x) => x[1] >= from);
        return {
          type: "scatter",
          mode: "markers",
          name: plain(r.name),
          x: points.map((x) => x[1]),
          y: points.map(() => -j),
          text: points.map((x) => plain(format.short(x[2], 40))),
          marker: {
            color: colour(r.i),
            size: 9,
            symbol: points.map((x) => (x[3] ? "circle-open" : "circle")),
          },
          opacity: 0.8,
          hovertemplate: "%{text}, %{x|%d %b %Y}<extra>%{fullData.name}</extra>",
        };
      }),
      unit: "releases",
      metrics: ["release_frequency"],
      layout: layout({ ...nameRows(lines.map((r) => r.name)), xaxis: timeAxis(data) }),
      table: () =>
        tables.table(
          ["Candidate", "Day", "Tag", "Kind"],
          rows.flatMap((r) =>
            [...r.releases].reverse().map((x) => [r.name, x[1], x[2], x[3] ? "pre-release" : "release"]),
          ),
        ),
    };
  }

  return { dots };
})();

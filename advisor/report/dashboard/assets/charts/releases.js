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
    const candidates = rows.filter((r) => r.releases.length),
      lines = candidates.slice(0, 2 * MAX_LINES);
    if (!candidates.length)
      return { none: "No data on releases of these candidates by this day.", metrics: ["release_frequency"] };
    const countYear = (r) => r.releases.filter((x) => !x[3] && format.daysBetween(x[1], today) < 365).length;
    const most = Math.max(...candidates.map(countYear));
    const busiest = format.join(candidates.filter((r) => countYear(r) === most).map((r) => r.name));
    const [oldest] = candidates
      .map((r) => ({ name: r.name, last: r.releases[r.releases.length - 1][1] }))
      .sort((a, b) => (a.last < b.last ? -1 : 1));
    return {
      title: `${busiest} released ${most} times in twelve months; the last release of ${oldest.name} was on ${format.longDay(oldest.last)}`,
      note: "Each dot is a release; hollow dots are pre-releases. A click opens it on GitHub.",
      traces: lines.map((r, j) => {
        const points = r.releases.filter((x) => x[1] >= from);
        return {
          type: "scatter",
          mode: "markers",
          name: plain(r.name),
          x: points.map((x) => x[1]),
          y: points.map(() => -j),
          text: points.map((x) => plain(format.short(x[2], 40))),
          customdata: points.map((x) => links.release(data.candidates[r.i].repository, x[2])),
          marker: {
            color: colour(r.i),
            size: 9,
            symbol: points.map((x) => (x[3] ? "circle-open" : "circle")),
          },
          opacity: 0.8,
          hovertemplate: "%{text}, %{x|%d %b %Y}<extra>%{fullData.name}</extra>",
        };
      }),
      drawn: candidates.length > lines.length ? lines.length : 0,
      unit: "releases",
      metrics: ["release_frequency"],
      open: ({ customdata: address }) => address && window.open(address, "_blank", "noopener,noreferrer"),
      layout: layout({ ...nameRows(lines.map((r) => r.name)), xaxis: timeAxis(data) }),
      table: () =>
        tables.table(
          ["Candidate", "Day", "Tag", "Kind"],
          rows.flatMap((r) =>
            [...r.releases]
              .reverse()
              .map((x) => [
                r.name,
                x[1],
                links.anchor(x[2], links.release(data.candidates[r.i].repository, x[2])),
                x[3] ? "pre-release" : "release",
              ]),
          ),
        ),
    };
  }

  return { dots };
})();

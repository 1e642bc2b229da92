// The people with the most commits of each library over time, as letters: one small chart for each person.
//
// data.people: [candidate] → null or {top: [[share, first day, last day, [month index, commits, …]]], newcomers,
// stayed_3, stayed_6}; month 0 is that of data.days[0].
const people = (() => {
  const { element, percent } = format;
  const { layout, nameRows, timeAxis, colour } = plot;
  const HEIGHT = 0.85; // of a row
  const letter = (j) => String.fromCharCode(65 + j);
  let selected = null; // candidate; null: the choice

  const libraryOf = (answer) => {
    const known = answer.rows.filter((r) => data.people[r.i]);
    return (known.find((r) => r.i === selected) ?? known.find((r) => r.i === answer.choice?.i) ?? known[0])?.i;
  };

  function monthAt(index) {
    const [year, month] = data.days[0].split("-").map(Number);
    return new Date(Date.UTC(year, month - 1 + index, 1)).toISOString().slice(0, 10);
  }

  function years(from, to) {
    const months = Math.round(format.daysBetween(from, to) / 30.44);
    if (months < 1) return "new";
    return months < 24 ? `${months} mo` : `${format.whole(months / 12)} y`;
  }

  function tops(data, answer, state) {
    if (state.day !== data.days.length - 1)
      return { none: "The people are known only for the last day of the as-of slider." };
    const i = libraryOf(answer);
    if (i === undefined) return { none: "No data on the people of these candidates in the last year." };
    const { top, newcomers, stayed_3: three, stayed_6: six } = data.people[i],
      name = data.candidates[i].name;
    const series = top.map(([, , , flat]) =>
      Array.from({ length: flat.length / 2 }, (_, j) => [monthAt(flat[2 * j]), flat[2 * j + 1]]),
    );
    const most = Math.max(...series.flat().map(([, commits]) => commits), 1);
    const stay = newcomers
      ? `of ${newcomers} newcomers, ${three} stayed 3 months and ${six} stayed 6 months`
      : "nobody was new 6 to 18 months ago";
    const rows = top.map(([share, first, last], j) => [
      letter(j),
      percent(share),
      years(first, last),
      first,
      last,
      series[j].reduce((sum, [, commits]) => sum + commits, 0),
    ]);
    return {
      title: `${name}: ${letter(0)} made ${percent(top[0][0])} of the commits of the last year; ${stay}`,
      note: "The ten people with the most commits of the last year: commits by month, share in the last year, and time from the first commit to the last (mo: months, y: years). All rows have one scale. Letters stand for people; names are not stored. Newcomers: first commit 6 to 18 months before the day.",
      traces: series.map((points, j) => ({
        type: "bar",
        name: letter(j),
        x: points.map(([month]) => month),
        y: points.map(([, commits]) => (HEIGHT * commits) / most),
        base: points.map(() => -j - HEIGHT / 2),
        width: points.map(() => 26 * 86400000),
        text: points.map(([, commits]) => `${commits}`),
        textposition: "none",
        marker: { color: colour(i) },
        hovertemplate: "%{fullData.name}: %{text} commits, %{x|%b %Y}<extra></extra>",
      })),
      unit: "commits in a month",
      metrics: ["top_contributor_share", "newcomer_retention"],
      layout: layout({
        ...nameRows(rows.map(([who, share, tenure]) => `${who} · ${share} · ${tenure}`)),
        xaxis: timeAxis(data),
        barmode: "overlay",
      }),
      table: () =>
        tables.table(["Person", "Share of the last year", "Tenure", "First commit", "Last commit", "Commits shown"], rows),
    };
  }

  // The list of libraries; a choice draws the chart again.
  function controls(data, redraw) {
    const select = element("select", { id: "people-library", "aria-label": "Library whose people are shown" });
    data.candidates.forEach((c, i) => {
      if (!data.people[i]) return;
      const option = element("option", { value: i });
      option.textContent = format.short(c.name, 40);
      select.append(option);
    });
    select.addEventListener("change", () => {
      selected = Number(select.value);
      redraw();
    });
    return element("p", { class: "pair" }, element("label", {}, "People of ", select));
  }

  function writeControls(answer) {
    const i = libraryOf(answer);
    if (i !== undefined) $("people-library").value = i;
  }

  return { tops, controls, writeControls };
})();

// The data of the page in the form that the charts and the engine use; payload.py says how the file has them.
const pageData = (() => {
  // Rows from columns.
  const rowsOf = (columns) => (columns[0] ?? []).map((_, j) => columns.map((column) => column[j]));

  // The months of a candidate from the numbers of months without data and from the columns of its other months, in
  // which "" is the number of the month before.
  function monthsOf([gaps, ...columns]) {
    for (const column of columns)
      column.forEach((x, place) => {
        if (x === "") column[place] = column[place - 1];
      });
    const months = rowsOf(columns);
    for (const place of gaps) months.splice(place, 0, null);
    return months;
  }

  function parse(text) {
    const data = JSON.parse(text);
    data.scores = data.scores.map(monthsOf);
    for (const part of ["issues", "releases", "support", "recipes", "breaks"]) data[part] = rowsOf(data[part]);
    for (const repository of Object.keys(data.measurements))
      data.measurements[repository] = rowsOf(data.measurements[repository]);
    return data;
  }

  return { parse };
})();

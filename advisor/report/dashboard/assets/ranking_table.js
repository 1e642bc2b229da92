// The rows of the ranking, with their bars; first_screen.js draws its bars with the same functions.

// The bars are thick lines: x1 and x2 are attributes without style, so that the browser need not restyle.
const HALF_MARK = 0.6;
function setLine(line, from, to) {
  line.setAttribute("x1", from.toFixed(2));
  line.setAttribute("x2", Math.max(from, to).toFixed(2));
}

// The range and the score of a candidate, in a row of a table.
function drawInterval(row, r) {
  const [, range, mark] = row.querySelectorAll("svg.interval line");
  setLine(range, r.low, r.high);
  setLine(mark, (r.score ?? 0) - HALF_MARK, (r.score ?? 0) + HALF_MARK);
}

// Ranks 1, 2, 3 and later as four lines end to end.
function writeChances(svg, chances) {
  let x = 0;
  svg.querySelectorAll("line:not(.rail)").forEach((part, place) => {
    setLine(part, 100 * x, 100 * (x + (chances[place] ?? 0)));
    x += chances[place] ?? 0;
  });
}

function writeRow(row, r, columns) {
  const cell = (name) => row.querySelector(`[data-cell="${name}"]`);
  row.classList.toggle("out", r.rank === null);
  setText(cell("rank"), r.excluded ? "out" : `${r.rank ?? "?"}`);
  setText(cell("score").querySelector("b"), format.score(r.score));
  setText(cell("score").querySelector("small"), `${format.whole(r.low)}–${format.whole(r.high)}`);
  drawInterval(row, r);
  setText(cell("wins"), r.rank === null ? "" : format.percent(r.wins));
  writeChances(row.querySelector("svg.chances"), r.chances);
  columns.forEach((column, k) => {
    setText(row.cells[column], format.points(r, k));
  });
  setText(cell("evidence"), format.percent(r.coverage));
}

// How many rows end above the lower edge of the window; the next ones need not follow a slider at once. To read this
// costs a layout if something is already written.
const FEW = 20; // rows are written at once
const MIN_HEIGHT = 30; // px of a row
function countRowsInView() {
  if (data.candidates.length <= FEW) return data.candidates.length;
  const { top, bottom } = $("ranking-table").tBodies[0].getBoundingClientRect(),
    edge = window.innerHeight;
  if (bottom < 0 || top > edge) return 0;
  return Math.ceil((edge - top) / MIN_HEIGHT);
}

// Write the first rows of the ranking; return a function that writes the rest.
function writeRanking(count) {
  const body = $("ranking-table").tBodies[0];
  const lines = new Map([...body.rows].map((row) => [Number(row.dataset.candidate), row]));
  const indices = new Set(answer.rows.map((r) => r.i));
  const columns = [...$("ranking-table").querySelectorAll("[data-criterion]")].map((head) => head.cellIndex);
  const show = (row, isShown) => {
    if (row.hidden === isShown) row.hidden = !isShown;
  };
  let next = body.firstElementChild;
  const write = (rows) => {
    for (const r of rows) {
      const row = lines.get(r.i);
      show(row, true);
      writeRow(row, r, columns);
      if (row === next) next = next.nextElementSibling;
      else body.insertBefore(row, next);
    }
  };
  const { rows } = answer;
  const writeOthers = () => {
    write(rows.slice(count));
    for (const [i, row] of lines) show(row, indices.has(i));
  };
  write(rows.slice(0, count));
  if (count < rows.length) return writeOthers;
  writeOthers();
  return () => {};
}

// The rows of the ranking, with their bars; first_screen.js draws its bars with the same functions.

// The bars are thick lines: x1 and x2 are attributes without style, so that the browser need not restyle.
const HALF_MARK = 0.6;
function setLine(line, from, to) {
  setAttribute(line, "x1", from.toFixed(2));
  setAttribute(line, "x2", Math.max(from, to).toFixed(2));
}

function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
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

// The row of a place gets the candidate with this rank. The rows themselves do not move: to attach them again costs more
// than to write their texts.
function writeCandidate(row, i) {
  const { name, repository, backer } = data.candidates[i],
    address = links.repository(repository),
    head = row.querySelector("th");
  row.dataset.candidate = i;
  setAttribute(head.querySelector(".key"), "class", `key k${i % 8}`);
  setAttribute(row.querySelector("svg.interval"), "class", `interval k${i % 8}`);
  const label = head.querySelector("a, bdi");
  if ((label.tagName === "A") !== (address !== null)) label.replaceWith(links.anchor(name, address));
  const [title, owner] = head.querySelectorAll("bdi");
  setText(title, name);
  setAttribute(title, "title", repository);
  setText(owner, backer ?? "?");
  if (address) setAttribute(head.querySelector("a"), "href", address);
}

function writeRow(row, r, columns) {
  const cell = (name) => row.querySelector(`[data-cell="${name}"]`);
  if (Number(row.dataset.candidate) !== r.i) writeCandidate(row, r.i);
  row.classList.toggle("out", r.rank === null);
  setText(cell("rank"), r.excluded ? "out" : `${r.rank ?? "?"}`);
  setText(cell("score").querySelector("b"), format.score(r.score));
  setText(cell("score").querySelector("small"), `${format.whole(r.low)}–${format.whole(r.high)}`);
  drawInterval(row, r);
  setText(cell("wins"), showWins(r));
  writeChances(row.querySelector("svg.chances"), r.chances);
  columns.forEach((column, k) => {
    setText(row.cells[column], format.points(r, k));
  });
  setText(cell("evidence"), format.percent(r.coverage));
}

// One candidate is first without a comparison.
const showWins = (r) => (r.rank === null || answer.ranking.length < 2 ? "" : format.percent(r.wins));

// How many rows begin above the lower edge of the window, or a little below it, as shorter texts move the table up; the
// next ones need not follow a slider at once. To read this costs a layout if something is already written.
const FEW = 20; // rows are written at once
const MARGIN = 120; // px
function countRowsInView() {
  if (data.candidates.length <= FEW) return data.candidates.length;
  const [body] = $("ranking-table").tBodies,
    { top, bottom } = body.getBoundingClientRect(),
    edge = window.innerHeight + MARGIN;
  if (bottom < 0 || top > edge) return 0;
  const rows = [...body.rows].filter((row) => !row.hidden),
    first = rows.findIndex((row) => row.getBoundingClientRect().top > edge);
  return first < 0 ? rows.length : first;
}

// Write the first rows of the ranking; return a function that writes the rest.
function writeRanking(count) {
  const lines = [...$("ranking-table").tBodies[0].rows],
    columns = [...$("ranking-table").querySelectorAll("[data-criterion]")].map((head) => head.cellIndex);
  const write = (from, to) => {
    for (let place = from; place < Math.min(to, lines.length); place += 1) {
      const r = answer.rows[place];
      if (lines[place].hidden !== !r) lines[place].hidden = !r;
      if (r) writeRow(lines[place], r, columns);
    }
  };
  write(0, count);
  return () => write(count, lines.length);
}

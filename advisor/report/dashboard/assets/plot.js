// What the charts share: colours, symbols, layout and labels.
const plot = (() => {
  const { plain } = format;
  const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "cross", "triangle-down", "star", "hexagon"];
  const SIGNS = {
    circle: "●",
    square: "■",
    diamond: "◆",
    "triangle-up": "▲",
    cross: "✚",
    "triangle-down": "▼",
    star: "★",
    hexagon: "⬢",
  };
  const colours = new Map(); // of the current colour scheme; reading one from the page may cost a layout
  const repaint = () => colours.clear();
  function css(name) {
    if (!colours.has(name))
      colours.set(name, getComputedStyle(document.documentElement).getPropertyValue(name).trim());
    return colours.get(name);
  }
  const colour = (i) => css(`--k${i % 8}`);
  const symbol = (i) => SYMBOLS[(i + Math.floor(i / 8)) % SYMBOLS.length];
  // Lines of one chart that coincide stay visible: the first is solid, those over it have gaps.
  const DASHES = [
    ...["solid", "8px,3px", "16px,3px", "12px,3px,3px,3px", "4px,3px", "18px,3px,3px,3px,3px,3px", "2px,2px"],
    "16px,3px,6px,3px",
  ];
  const dash = (place) => DASHES[place % DASHES.length];
  const isNarrow = () => window.innerWidth < 600;
  const MAX_LINES = 8; // more lines than this cannot be told apart

  // All margins are constants, in px, and labels are shortened to fit them. Plotly's own `automargin` draws a
  // chart several times until its margins stop changing, and gives up with a warning on the console.
  const FONT_SIZE = 12.5;
  const MARGIN = {
    left: 52, // numbers: "1,500", "100k", "100%"
    title: 64, // numbers and the title of the axis
    names: 118,
    top: 10,
    right: 18, // half of a label that stands under the end of an axis
    bottom: 46, // two lines: "May" over "2024"
  };
  const endMargin = () => (isNarrow() ? 92 : 124);
  const GAP = 12; // px between a label and the edge or the axis

  let ruler = null;
  function widthOf(text) {
    if (ruler === null) {
      ruler = document.createElement("canvas").getContext("2d");
      ruler.font = `${FONT_SIZE}px ${getComputedStyle(document.body).fontFamily}`;
    }
    return ruler.measureText(text).width;
  }

  // Shorten a text to a width in px.
  function fit(text, width) {
    const letters = [...text].slice(0, 80);
    if (letters.join("") === text && widthOf(text) <= width) return text;
    while (letters.length > 1 && widthOf(`${letters.join("")}…`) > width) letters.pop();
    return `${letters.join("")}…`;
  }

  const withTitle = ({ title, ...axis }) =>
    title ? { ...axis, title: { text: title, font: { size: FONT_SIZE } } } : axis;

  // The layout of a chart; `title` of an axis is a text.
  function layout({ xaxis = {}, yaxis = {}, margin = {}, ...rest } = {}) {
    const axis = {
      gridcolor: css("--line"),
      linecolor: css("--line"),
      zerolinecolor: css("--line"),
      tickcolor: css("--line"),
      fixedrange: true,
      automargin: false,
      tickangle: 0,
    };
    return {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      showlegend: false,
      hovermode: "closest",
      dragmode: false,
      font: { family: getComputedStyle(document.body).fontFamily, size: FONT_SIZE, color: css("--text") },
      hoverlabel: { bgcolor: css("--card"), bordercolor: css("--line"), font: { color: css("--text") } },
      margin: {
        l: MARGIN.left,
        r: MARGIN.right,
        t: MARGIN.top,
        b: MARGIN.bottom,
        autoexpand: false,
        ...margin,
      },
      xaxis: { ...axis, nticks: isNarrow() ? 5 : 10, ...withTitle(xaxis) },
      yaxis: { ...axis, ...withTitle(yaxis) },
      ...rest,
    };
  }

  // The parts of a layout with one row for each name, the first at the top, at y = 0, -1, -2, …
  function nameRows(names) {
    return {
      margin: { l: MARGIN.names },
      yaxis: {
        range: [-names.length + 0.4, 0.6],
        tickvals: names.map((_, j) => -j),
        ticktext: names.map((name) => plain(fit(name, MARGIN.names - GAP))),
        zeroline: false,
        showgrid: false,
      },
    };
  }

  // A dot with the range of its value, in a row of `nameRows`.
  function rangeDot({ i, name, row, value, low, high, text }) {
    return {
      type: "scatter",
      mode: "markers",
      name: plain(name),
      x: [value],
      y: [-row],
      error_x: {
        type: "data",
        symmetric: false,
        array: [high - value],
        arrayminus: [value - low],
        color: colour(i),
        thickness: 1.5,
        width: 0,
      },
      marker: { color: colour(i), symbol: symbol(i), size: 9 },
      text: [plain(text)],
      hovertemplate: "%{fullData.name}: %{text}<extra></extra>",
    };
  }

  // Places for labels, each as near to its line as the gap allows: labels that would touch share the mean of their
  // distances (isotonic regression by pooling neighbours).
  function spread(sorted, gap, bottom, top) {
    const groups = [];
    const mean = (group) => group.sum / group.size;
    sorted.forEach(({ y }, j) => {
      let group = { sum: y - j * gap, size: 1 };
      while (groups.length && mean(groups[groups.length - 1]) > mean(group)) {
        const last = groups.pop();
        group = { sum: last.sum + group.sum, size: last.size + group.size };
      }
      groups.push(group);
    });
    const highest = Math.max(bottom, top - (sorted.length - 1) * gap);
    const starts = groups.flatMap((group) =>
      Array(group.size).fill(Math.min(highest, Math.max(bottom, mean(group)))),
    );
    return sorted.map((end, j) => ({ ...end, at: starts[j] + j * gap }));
  }

  // The parts of a layout with a label at the right end of each line. Labels move apart so that none covers another.
  function endLabels(ends, top, height, bottom = 0) {
    const gap = (15 / height) * (top - bottom);
    const sorted = spread(
      [...ends].sort((a, b) => a.y - b.y),
      gap,
      bottom,
      top,
    );
    // The label is at the tail of a line without a head that leads to the end of the candidate's own line.
    const annotations = sorted.map(({ i, name, y, at, color = colour(i) }) => ({
      x: 1,
      xref: "paper",
      ax: 2 * GAP,
      xanchor: "left",
      y,
      yref: "y",
      ay: at,
      ayref: "y",
      yanchor: "middle",
      text: plain(fit(name, endMargin() - 2.2 * GAP)),
      showarrow: true,
      arrowhead: 0,
      arrowwidth: 1,
      arrowcolor: color,
      font: { color, size: 12 },
    }));
    return { margin: { r: endMargin() }, annotations };
  }

  // Positions for the names of points so that no name covers another name or point, if there is room. x and y are shares
  // of the plot; its size in px is the least that a column has, and a larger plot only has more room.
  const POSITIONS = { "top center": [0, 1], "bottom center": [0, -1], "middle right": [1, 0], "middle left": [-1, 0] };
  const SIGN_SIZE = 13,
    LINE_HEIGHT = 16, // px
    OUTSIDE = 1e4; // a name that is cut is worse than one that covers others
  function labelPositions(points) {
    const width = isNarrow() ? 250 : 370,
      height = 210;
    const boxOf = (x, y, w, h) => ({ x, y, w, h });
    const overlap = (a, b) =>
      Math.max(0, (a.w + b.w) / 2 - Math.abs(a.x - b.x)) * Math.max(0, (a.h + b.h) / 2 - Math.abs(a.y - b.y));
    const boxes = points.map(({ x, y }) => boxOf(x * width, y * height, SIGN_SIZE, SIGN_SIZE));
    return points.map(({ text }, j) => {
      const { x, y } = boxes[j],
        w = widthOf(text),
        others = boxes.filter((_, place) => place !== j);
      const options = Object.entries(POSITIONS).map(([position, [right, up]]) => {
        const box = boxOf(
          x + (right * (w + SIGN_SIZE)) / 2,
          y + (up * (LINE_HEIGHT + SIGN_SIZE)) / 2,
          w,
          LINE_HEIGHT,
        );
        const outside = Math.max(0, box.x + w / 2 - width) + Math.max(0, w / 2 - box.x);
        return { position, box, cost: outside * OUTSIDE + others.reduce((sum, o) => sum + overlap(box, o), 0) };
      });
      const best = options.reduce((a, b) => (b.cost < a.cost ? b : a));
      boxes.push(best.box);
      return best.position;
    });
  }

  // The horizontal axis of a chart over the months: at least three months, and a little longer than the data, so that
  // the last dot is whole.
  const DAY = 86400000;
  function timeAxis(data) {
    const [first, to] = [data.days[0], data.days[data.days.length - 1]].map(Date.parse);
    const from = Math.min(first, to - 90 * DAY);
    const range = [from, to + 0.012 * (to - from) + DAY].map((t) => new Date(t).toISOString().slice(0, 10));
    return { type: "date", range, nticks: isNarrow() ? 4 : 8 };
  }

  // Value, low and high of a month's point.
  const rangeOf = (point) => (Array.isArray(point) ? point : [point, point, point]);
  // Whether the range of the first point is above those of all others.
  const isApart = (first, others) => others.every((other) => rangeOf(first)[1] > rangeOf(other)[2]);

  // The value of a month's point, which is a number or [value, low, high]; null: not measured.
  function valueOf(point) {
    if (point === undefined || point === null) return null;
    return Array.isArray(point) ? point[0] : point;
  }

  return {
    MARGIN,
    MAX_LINES,
    SIGNS,
    colour,
    css,
    dash,
    endLabels,
    fit,
    isApart,
    isNarrow,
    labelPositions,
    layout,
    nameRows,
    rangeDot,
    rangeOf,
    repaint,
    symbol,
    timeAxis,
    valueOf,
    widthOf,
  };
})();

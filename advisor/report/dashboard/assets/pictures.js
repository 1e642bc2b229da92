// A chart as a file: SVG, or PNG in twice the size. The picture has the title and the source of the chart.
const pictures = (() => {
  const { element, plain } = format;
  const SIZE = { width: 1000, height: 560 }; // px
  const TOP = 64,
    BELOW = 34; // px for the title and for the source
  const TITLE_LETTERS = 105; // in a line of 1000 px
  const SCALE = 2;

  function lines(text) {
    const rows = [""];
    for (const word of text.split(" ")) {
      const row = rows[rows.length - 1];
      if (row && row.length + word.length >= TITLE_LETTERS) rows.push(word);
      else rows[rows.length - 1] = row ? `${row} ${word}` : word;
    }
    return rows.slice(0, 3).map(plain).join("<br>");
  }

  function layoutOf({ chart, title, facts }) {
    const { margin, annotations = [] } = chart.layout;
    const note = {
      xref: "paper",
      yref: "paper",
      x: 0,
      y: 0,
      xanchor: "left",
      yanchor: "top",
      yshift: -margin.b,
      showarrow: false,
      align: "left",
      text: plain(format.short(facts.textContent.trim(), 150)),
      font: { size: 11, color: plot.css("--muted") },
    };
    return {
      ...chart.layout,
      ...SIZE,
      paper_bgcolor: plot.css("--ground"),
      margin: { ...margin, t: margin.t + TOP, b: margin.b + BELOW },
      title: { text: lines(title.textContent), x: 0.01, xanchor: "left", y: 0.97, yanchor: "top", font: { size: 15 } },
      annotations: [...annotations, note],
    };
  }

  async function draw(figure, load) {
    const address = await load().toImage(
      { data: figure.chart.traces, layout: layoutOf(figure) },
      { format: "svg", ...SIZE },
    );
    return decodeURIComponent(address.slice(address.indexOf(",") + 1));
  }

  async function toPng(svg) {
    const image = new Image();
    image.src = `data:image/svg+xml,${encodeURIComponent(svg)}`;
    await image.decode();
    const canvas = element("canvas", { width: SCALE * SIZE.width, height: SCALE * SIZE.height });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  }

  // Two buttons for a figure; `load` gives plotly.
  function buttons(figure, load) {
    const box = element("p", { class: "pictures" });
    const add = (label, save) => {
      const button = element("button", { type: "button" }, `Save this chart (${label})`);
      button.addEventListener("click", async () => save(await draw(figure, load)));
      box.append(button, " ");
    };
    add("SVG", (svg) => tables.save(`${figure.id}.svg`, "image/svg+xml", svg));
    add("PNG", async (svg) => tables.save(`${figure.id}.png`, "image/png", await toPng(svg)));
    return box;
  }

  return { buttons };
})();

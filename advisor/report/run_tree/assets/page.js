"use strict";
(() => {
  const groups = JSON.parse(document.getElementById("data").textContent);
  // plotly reads a few HTML tags in its labels; a note or a name is text.
  const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const COLOURS = 8;
  const colour = (i) => css(`--k${i % COLOURS}`);
  const short = (id) => (id.length > 26 ? `${id.slice(0, 8)}…${id.slice(-16)}` : id);
  const CONFIG = { displayModeBar: false, responsive: true };

  function layout(changes) {
    const axis = { gridcolor: css("--line"), zeroline: false };
    return {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: css("--text"), size: 12.5 },
      margin: { l: 56, r: 16, t: 12, b: 44 },
      hovermode: "closest",
      showlegend: false,
      ...changes,
      xaxis: { ...axis, ...changes.xaxis },
      yaxis: { ...axis, ...changes.yaxis },
    };
  }

  function hover(run, measure) {
    const lines = [`<b>${plain(run.id)}</b>`, ...run.changes.map(plain)];
    if (run.value !== null) lines.push(`${plain(measure)} ${run.value.toFixed(4)}`);
    if (run.effect !== null) lines.push(`effect ${run.effect >= 0 ? "+" : ""}${run.effect.toFixed(4)}`);
    lines.push(plain(run.state));
    if (run.note) lines.push(plain(run.note));
    return lines.join("<br>");
  }

  const symbol = (run, best) => (run.id === best ? "star" : run.state === "finished" ? "circle" : "x");

  function drawTree(group, box) {
    const row = new Map(group.runs.map((run, i) => [run.id, i]));
    const edges = { x: [], y: [] };
    for (const run of group.runs) {
      if (!row.has(run.parent) || run.depth === 0) continue;
      const parent = group.runs[row.get(run.parent)];
      edges.x.push(parent.depth, parent.depth, run.depth, null);
      edges.y.push(row.get(run.parent), row.get(run.id), row.get(run.id), null);
    }
    const traces = [
      { ...edges, mode: "lines", line: { color: css("--muted"), width: 1.5 }, hoverinfo: "skip" },
      {
        x: group.runs.map((run) => run.depth),
        y: group.runs.map((_, i) => i),
        mode: "markers+text",
        text: group.runs.map((run) => plain(run.depth && run.changes.length ? run.changes.join(", ") : short(run.id))),
        textposition: "middle right",
        hovertext: group.runs.map((run) => hover(run, group.measure)),
        hoverinfo: "text",
        marker: {
          size: group.runs.map((run) => (run.id === group.best ? 18 : 12)),
          symbol: group.runs.map((run) => symbol(run, group.best)),
          color: group.runs.map((_, i) => colour(i)),
        },
      },
    ];
    const deepest = Math.max(...group.runs.map((run) => run.depth));
    const xaxis = { visible: false, range: [-0.2, deepest + 2], fixedrange: true };
    const yaxis = { visible: false, range: [group.runs.length - 0.5, -0.5], fixedrange: true };
    return Plotly.newPlot(box, traces, layout({ xaxis, yaxis, margin: { l: 8, r: 8, t: 8, b: 8 } }), CONFIG);
  }

  function drawResults(group, box) {
    const runs = group.runs.filter((run) => run.value !== null);
    const base = runs.map((run) => run.base).find((value) => value !== null);
    const bar = {
      type: "bar",
      x: runs.map((run) => run.id),
      y: runs.map((run) => run.value),
      hovertext: runs.map((run) => hover(run, group.measure)),
      hoverinfo: "text",
      marker: { color: runs.map((run) => colour(group.runs.indexOf(run))) },
    };
    if (runs.some((run) => run.interval && run.interval[0] !== null))
      bar.error_y = {
        type: "data",
        symmetric: false,
        array: runs.map((run) => (run.interval ? run.interval[1] - run.value : 0)),
        arrayminus: runs.map((run) => (run.interval ? run.value - run.interval[0] : 0)),
        color: css("--text"),
      };
    const shapes =
      base === undefined || base === null
        ? []
        : [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: base, y1: base, line: { dash: "dash", color: css("--muted") } }];
    const annotations = shapes.map(() => ({
      xref: "paper", x: 1, y: base, text: "base", showarrow: false, xanchor: "right", yanchor: "bottom",
    }));
    const names = { tickvals: runs.map((run) => run.id), ticktext: runs.map((run) => plain(run.id.slice(-8))) };
    const changes = { xaxis: { type: "category", ...names }, yaxis: { title: { text: plain(group.measure) } } };
    return Plotly.newPlot(box, [bar], layout({ ...changes, shapes, annotations }), CONFIG);
  }

  function drawCurves(group, box) {
    const traces = group.runs.flatMap((run, i) => {
      const line = (points, mode) => ({
        x: points.map((point) => point[0]),
        y: points.map((point) => point[1]),
        mode,
        name: plain(run.id),
        marker: { color: colour(i), size: 9 },
        line: { color: colour(i), width: 1.5 },
        hovertemplate: `${plain(run.id)}<br>step %{x}: %{y:.4f}<extra></extra>`,
      });
      return [line(run.curve, "lines"), line(run.held_out_curve, "markers")];
    });
    const changes = { xaxis: { title: { text: "step" } }, yaxis: { title: { text: "loss" } } };
    return Plotly.newPlot(box, traces, layout(changes), CONFIG);
  }

  const drawings = groups.flatMap((group, i) =>
    [["tree", drawTree], ["results", drawResults], ["curves", drawCurves]].map(([name, draw]) =>
      draw(group, document.getElementById(`${name}-${i}`)),
    ),
  );
  Promise.all(drawings).then(() => {
    document.documentElement.dataset.ready = "yes";
  });
})();

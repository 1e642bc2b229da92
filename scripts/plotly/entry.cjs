// The parts of plotly.js that the charts of the pages use: scatter, bar, annotations, shapes, error bars and hover.
const Registry = require("plotly.js/src/registry");
require("plotly.js/build/plotcss");
const api = require("plotly.js/src/plot_api");
exports.version = require("plotly.js/src/version").version;
for (const name of Object.keys(api)) {
  if (name[0] !== "_") exports[name] = api[name];
  Registry.register({ moduleType: "apiMethod", name, fn: api[name] });
}
Registry.register([
  require("plotly.js/src/traces/scatter"),
  require("plotly.js/src/traces/bar"),
  require("plotly.js/src/components/annotations"),
  require("plotly.js/src/components/shapes"),
  require("plotly.js/src/components/errorbars"),
  require("plotly.js/src/components/colorscale"),
  require("plotly.js/src/components/legend"),
  require("plotly.js/src/components/fx"),
  require("plotly.js/src/components/modebar"),
  require("plotly.js/src/locale-en"),
  require("plotly.js/src/locale-en-us"),
]);

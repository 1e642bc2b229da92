// Bundle entry.cjs without what no chart of the pages uses. Usage: node build.mjs OUT
import { build } from "esbuild";
import { readFile, writeFile } from "node:fs/promises";
import { minify } from "terser";

// Descriptions of attributes, which only plotly's reference needs.
const TEXT = String.raw`(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|` + "`[^`$]*`" + ")";
const DESCRIPTION = new RegExp(
  String.raw`\n\s*description:\s*(?:${TEXT}(?:\s*\+\s*${TEXT})*|\[\s*(?:${TEXT}[,\s]*)+\]\s*\.join\([^)]*\))(?=\s*[,}\n]),?`,
  "g",
);
// Maps, selections with a lasso, and the upload of a chart.
const UNUSED = /maplibre-gl|polybooljs|share_chart/;
// The colours that the pages write are RGB or HSL; contrasts need linear RGB.
const COLOURS = `
import { converter, formatHex, formatRgb, modeHsl, modeLrgb, modeRgb, useMode, wcagContrast, wcagLuminance } from "culori/fn";
[modeRgb, modeHsl, modeLrgb].forEach(useMode);
export { converter, formatHex, formatRgb, wcagContrast, wcagLuminance };`;

const parts = {
  name: "parts",
  setup(bundle) {
    bundle.onResolve({ filter: UNUSED }, ({ path }) => ({ path, namespace: "unused" }));
    bundle.onLoad({ filter: /.*/, namespace: "unused" }, () => ({ contents: "module.exports = () => {};" }));
    bundle.onResolve({ filter: /^culori$/ }, () => ({ path: "culori", namespace: "colours" }));
    bundle.onLoad({ filter: /.*/, namespace: "colours" }, () => ({
      contents: COLOURS,
      resolveDir: process.cwd(),
    }));
    bundle.onLoad({ filter: /plotly\.js\/src\/.*\.js$/ }, async ({ path }) => ({
      contents: (await readFile(path, "utf8")).replace(DESCRIPTION, "\n"),
    }));
  },
};
const { outputFiles } = await build({
  entryPoints: ["entry.cjs"],
  bundle: true,
  write: false,
  minify: true,
  format: "iife",
  globalName: "Plotly",
  target: "es2022",
  define: { global: "window", "process.env.NODE_DEBUG": "false" },
  legalComments: "none",
  plugins: [parts],
});
const { version } = JSON.parse(await readFile("node_modules/plotly.js/package.json", "utf8"));
const HEADER = `/* plotly.js v${version}, the parts in scripts/plotly/entry.cjs. Copyright 2012-2026, Plotly, Inc. MIT license. */\n`;
const { code } = await minify(outputFiles[0].text, { compress: { passes: 2 }, mangle: true });
await writeFile(process.argv[2], `${HEADER}${code}\n`);

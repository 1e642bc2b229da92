#!/bin/sh
# Build advisor/report/dashboard/assets/vendor/plotly.min.js, the parts of plotly.js that the pages use.
# Usage: scripts/plotly/build.sh; it needs node and npm. For a new version of plotly.js: change package.json, delete
# package-lock.json, run this, and write the new sha256 into docs/explanation/dependencies.md.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cp "$here"/* "$place"
cd "$place"
npm install --no-audit --no-fund --ignore-scripts
cp package-lock.json "$here"
node build.mjs "$here/../../advisor/report/dashboard/assets/vendor/plotly.min.js"
sha256sum "$here/../../advisor/report/dashboard/assets/vendor/plotly.min.js"

#!/usr/bin/env bash
# Rebuild data/snapshots/finetuning from histories and dated figures.
# Usage: scripts/build_snapshot.sh STUDIES [OWNER/NAME=CLONE …]
# A repository without a clone of its own is fetched from GitHub.
set -euo pipefail
studies=$1; shift
here=$(cd "$(dirname "$0")/.." && pwd)
out=$here/data/snapshots/finetuning
as_of=2026-07-24 # the last day that the histories of the five have in common with the dated figures
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python=${PYTHON:-python}
declare -A clone; for pair in "$@"; do clone[${pair%%=*}]=${pair#*=}; done
mapfile -t repositories < <("$python" -c '
from advisor.domain import load_domain
print("\n".join(c.repository for c in load_domain("finetuning-wide").candidates))')
for name in "${repositories[@]}"; do
  where=${clone[$name]:-$name}
  # A clone was read no earlier than its newest ref; what is fetched now is read today.
  read_on=$(date -u +%F)
  [ "$where" = "$name" ] || read_on=$(git -C "$where" for-each-ref --sort=-committerdate --count=1 --format='%(committerdate:short)')
  "$python" -m advisor collect "$where" --git-only --name "$name" --store "$work/store" --retrieved-on "$read_on"
done
"$python" "$here/scripts/figures_from_studies.py" "$studies" "$work/figures" "${repositories[@]}"
"$python" -m advisor import-counts "$work/figures/counts.csv" --store "$work/store" --retrieved-on "$as_of"
PYTHON=$python "$here/scripts/build_support.sh" "$work/store" "$as_of" "$@"
"$python" -c "
import sys
from datetime import date
from pathlib import Path
from advisor import facts
from advisor.advise import keep_measurements
store = Path(sys.argv[1])
facts.pin_as_of(store, date.fromisoformat(sys.argv[2]))
keep_measurements(facts.open_store(store))
" "$work/store" "$as_of"
rm -f "$work/store/.lock"; rm -rf "$out"; mkdir -p "$(dirname "$out")"; mv "$work/store" "$out"

#!/usr/bin/env bash
# Rebuild a bundled snapshot from Git histories and, for the fine-tuning libraries, from dated counts.
# Usage: scripts/build_snapshot.sh DOMAIN AS_OF STUDIES|- [OWNER/NAME=CLONE …]
#   scripts/build_snapshot.sh finetuning-wide 2026-07-24 STUDIES …
#   scripts/build_snapshot.sh web-frameworks 2026-04-15 - …
#   scripts/build_snapshot.sh dataframes 2026-04-01 - …
# AS_OF is the last day that nearly all histories reach. The script fetches a repository without CLONE from GitHub.
set -euo pipefail
domain=$1 as_of=$2 studies=$3; shift 3
here=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python=${PYTHON:-python}
declare -A clone; for pair in "$@"; do clone[${pair%%=*}]=${pair#*=}; done
mapfile -t repositories < <("$python" -c '
import sys
from advisor.domain.domain import load_domain
domain = load_domain(sys.argv[1])
print("\n".join([domain.snapshot, *(c.repository for c in domain.candidates)]))' "$domain")
out=$here/data/snapshots/${repositories[0]}
repositories=("${repositories[@]:1}")
for name in "${repositories[@]}"; do
  where=${clone[$name]:-$name}
  # The day of reading is the day of a clone's newest ref, or today for a history that is fetched now.
  read_on=$(date -u +%F)
  [ "$where" = "$name" ] || read_on=$(git -C "$where" for-each-ref --sort=-committerdate --count=1 --format='%(committerdate:short)')
  "$python" -m advisor collect "$where" --git-only --name "$name" --store "$work/store" --retrieved-on "$read_on"
  "$python" -m advisor collect-stability "$where" --domain "$domain" --name "$name" --store "$work/store" \
    --retrieved-on "$as_of"
done
if [ "$studies" != - ]; then
  "$python" "$here/scripts/figures_from_studies.py" "$studies" "$work/figures" "${repositories[@]}"
  "$python" -m advisor import-counts "$work/figures/counts.csv" --store "$work/store" --retrieved-on "$as_of"
  PYTHON=$python "$here/scripts/build_support.sh" "$work/store" "$as_of" "$@"
fi
"$python" -c "
import sys
from datetime import date
from pathlib import Path
from advisor.facts.manifest import pin_as_of
pin_as_of(Path(sys.argv[1]), date.fromisoformat(sys.argv[2]))
" "$work/store" "$as_of"
rm -f "$work/store/.lock"; rm -rf "$out"; mkdir -p "$(dirname "$out")"; mv "$work/store" "$out"
"$python" "$here/scripts/keep_answers.py" "$out"

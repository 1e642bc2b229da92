#!/usr/bin/env bash
# Rebuild the model coverage of a snapshot from histories and the package index.
# Usage: scripts/build_support.sh STORE READ_ON [OWNER/NAME=CLONE …]
# The script fetches a repository without CLONE from GitHub.
set -euo pipefail
store=$1 read_on=$2; shift 2
here=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python=${PYTHON:-python}
declare -A clone; for pair in "$@"; do clone[${pair%%=*}]=${pair#*=}; done
mapfile -t packages < <("$python" -c '
from advisor.domain.domain import load_domain
print("\n".join(f"{c.repository}={c.package or str()}" for c in load_domain("finetuning-wide").candidates))')
indexed=(); for pair in "${packages[@]}"; do [ -z "${pair#*=}" ] || indexed+=("$pair"); done
"$python" "$here/scripts/uploads.py" "$work/uploads.csv" "${indexed[@]}"
for pair in "${packages[@]}"; do
  name=${pair%%=*}
  "$python" -m advisor collect-support "${clone[$name]:-$name}" --name "$name" --store "$store" \
    --uploads "$work/uploads.csv" --retrieved-on "$read_on"
done

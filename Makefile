# Two commands are all a newcomer needs: `make rank` and `make test`.
.DEFAULT_GOAL := rank
.PHONY: rank test test-demo test-stacks check audit sbom coverage uncovered locks docs wheel clean
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
# uv reads the folders that pip is told of in PIP_FIND_LINKS only under a name of its own.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
# Once, here, instead of at every start of torch where the environment forbids writing bytecode.
export UV_COMPILE_BYTECODE ?= 1
INSTALL := VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv pip install --quiet --constraint constraints.txt

$(BIN)/uv:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet uv

$(VENV)/.installed: $(BIN)/uv pyproject.toml constraints.txt
	$(INSTALL) --editable .
	$(BIN)/python -m compileall -q advisor finetune
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(INSTALL) --editable '.[dev,scale,train]'
	touch $@

rank: $(VENV)/.installed
	@$(BIN)/advisor rank --store bundled

test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n auto --dist loadgroup

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests/typing
	$(BIN)/lint-imports
	$(BIN)/vulture
	$(BIN)/deptry advisor finetune
	$(BIN)/arid .
	$(BIN)/python scripts/prose.py README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md docs benchmarks/README.md advisor finetune

# Secrets in any file of ours (not in facts, vendored code and fuzzed bytes), known weaknesses of the exact versions,
# and workflows as GitHub reads them. The middle one asks the package index; the others reach nothing.
audit: $(VENV)/.installed-dev
	$(INSTALL) check-jsonschema detect-secrets pip-audit zizmor
	git ls-files -z -- . ':!data/snapshots' ':!*/vendor/*' ':!tests/fuzz/cases' ':!*.parquet' ':!*.png' | xargs -0 \
	$(BIN)/detect-secrets-hook --disable-plugin HexHighEntropyString --disable-plugin Base64HighEntropyString
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/zizmor --offline --no-progress .github/workflows
	$(BIN)/pip-audit --strict --disable-pip --no-deps --requirement constraints.txt

# What a user of the wheel gets, in exact versions: the bill of materials that a release carries.
sbom: $(BIN)/uv
	$(BIN)/uv venv --quiet --clear build/user
	VIRTUAL_ENV=build/user $(BIN)/uv pip install --quiet --constraint constraints.txt .
	$(BIN)/uv tool run --quiet --constraints constraints.txt --from cyclonedx-bom cyclonedx-py environment build/user \
	--pyproject pyproject.toml --output-reproducible --output-file build/advisor.cdx.json

# All stacks for real: builds their environments (1 to 4 GB each, into the user's cache). `make test` trains with
# trl and torchtune, whose environment (1.4 GiB) it builds once.
test-stacks: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 0 -m "every_stack or not every_stack" --durations=0 tests/stacks

test-demo: $(VENV)/.installed-dev
	$(BIN)/advisor train --demo

locks: $(VENV)/.installed-dev
	(echo "# The environment of trl, and of our half: advisor[train] in exact versions. Made by: make locks"; \
	$(BIN)/uv pip compile --quiet pyproject.toml --extra train --constraint constraints.txt --no-annotate \
	--no-header --no-emit-find-links --no-emit-index-url | sed 's/+cpu$$//') > finetune/stacks/trl.lock
	for stack in torchtune litgpt axolotl unsloth; do \
	(echo "# The environment of $$stack, for Python 3.11, in exact versions. Made by: make locks"; \
	$(BIN)/uv pip compile --quiet finetune/stacks/$$stack.in --python-version 3.11 --no-annotate --no-header \
	--no-emit-find-links --no-emit-index-url | sed 's/+cpu$$//') > finetune/stacks/$$stack.lock || exit 1; done

docs: $(VENV)/.installed-dev
	$(BIN)/python -W error scripts/reference.py docs/reference
	$(BIN)/python -m pytest -q -n 0 tests/docs/test_links.py

# Every line and branch of the deciding half; what is left out of it stands in [tool.coverage.report].
DECIDING := tests/unit tests/contract tests/collect/test_package_index.py --ignore tests/unit/finetune \
	--ignore tests/unit/measure/test_spark.py --ignore tests/contract/test_spec_leaves.py --ignore tests/contract/test_wheel.py
coverage: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n auto --dist loadgroup $(DECIDING) --cov --cov-branch --cov-fail-under=100

# The whole suite, and the other half's lines that it does not reach, as the table in docs/explanation/checks.md.
# A process that may write no more can write down no coverage either.
NOT_COUNTED := --deselect tests/train/test_robust.py::test_a_disk_that_takes_no_more
uncovered: $(VENV)/.installed-dev
	$(BIN)/coverage erase
	$(BIN)/python -m pytest -n auto --dist loadgroup --cov=advisor --cov=finetune --cov-config=scripts/whole.coveragerc \
	--cov-report= $(NOT_COUNTED)
	$(BIN)/python scripts/uncovered.py docs/explanation/checks.md

# Built twice: a wheel that differs from itself cannot be checked by anybody.
wheel: $(VENV)/.installed
	rm -rf dist build
	$(BIN)/uv build --quiet --out-dir dist
	$(BIN)/uv build --quiet --out-dir build
	cd dist && for file in *; do cmp "$$file" "../build/$$file"; done
	rm -rf build

clean:
	rm -rf $(VENV) dist build

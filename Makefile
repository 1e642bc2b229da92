# Two commands are all a newcomer needs: `make rank` and `make test`.
.DEFAULT_GOAL := rank
.PHONY: rank test test-demo test-stacks check audit sbom coverage uncovered locks docs wheel clean
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
# pip reads PIP_FIND_LINKS; uv has its own name for the same setting.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
# Compile once, at installation, in case the environment forbids writing bytecode later.
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

# Looks for secrets (except in facts, vendored code and fuzzed bytes), checks the workflows, and looks for known
# vulnerabilities of the exact versions. Only the last step needs the network.
audit: $(VENV)/.installed-dev
	$(INSTALL) check-jsonschema detect-secrets pip-audit zizmor
	git ls-files -z -- . ':!data/snapshots' ':!*/vendor/*' ':!tests/fuzz/cases' ':!*.parquet' ':!*.png' | xargs -0 \
	$(BIN)/detect-secrets-hook --disable-plugin HexHighEntropyString --disable-plugin Base64HighEntropyString
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/zizmor --offline --no-progress .github/workflows
	$(BIN)/pip-audit --strict --disable-pip --no-deps --requirement constraints.txt

# The SBOM of a release: the exact versions that a user of the wheel gets.
sbom: $(BIN)/uv
	$(BIN)/uv venv --quiet --clear build/user
	VIRTUAL_ENV=build/user $(BIN)/uv pip install --quiet --constraint constraints.txt .
	$(BIN)/uv tool run --quiet --constraints constraints.txt --from cyclonedx-bom cyclonedx-py environment build/user \
	--pyproject pyproject.toml --output-reproducible --output-file build/advisor.cdx.json

# Trains with every stack; builds their environments (1 to 4 GB each) in the user's cache. `make test` trains with trl
# and torchtune and builds torchtune's environment (1.4 GiB) once.
test-stacks: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 0 -m "every_stack or not every_stack" --durations=0 tests/stacks

test-demo: $(VENV)/.installed-dev
	$(BIN)/advisor train --demo

locks: $(VENV)/.installed-dev
	(echo "# Exact versions of advisor[train], the environment of trl and of our evaluator. Written by: make locks"; \
	$(BIN)/uv pip compile --quiet pyproject.toml --extra train --constraint constraints.txt --no-annotate \
	--no-header --no-emit-find-links --no-emit-index-url | sed 's/+cpu$$//') > finetune/stacks/trl.lock
	for stack in torchtune litgpt axolotl unsloth; do \
	(echo "# Exact versions of the environment of $$stack for Python 3.11. Written by: make locks"; \
	$(BIN)/uv pip compile --quiet finetune/stacks/$$stack.in --python-version 3.11 --no-annotate --no-header \
	--no-emit-find-links --no-emit-index-url | sed 's/+cpu$$//') > finetune/stacks/$$stack.lock || exit 1; done

docs: $(VENV)/.installed-dev
	$(BIN)/python -W error scripts/reference.py docs/reference
	$(BIN)/python -m pytest -q -n 0 tests/docs/test_links.py

# Fails below 100 % of the lines and branches of the deciding half; [tool.coverage.report] lists the exceptions.
DECIDING := tests/unit tests/contract tests/collect/test_package_index.py tests/security/test_dependency_files.py \
	--ignore tests/unit/finetune \
	--ignore tests/unit/measure/test_spark.py --ignore tests/contract/test_spec_leaves.py --ignore tests/contract/test_wheel.py
coverage: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n auto --dist loadgroup $(DECIDING) --cov --cov-branch --cov-fail-under=100

# Runs the whole suite and writes the table of unreached lines into docs/explanation/checks.md. The excluded test
# fills its disk, so its process cannot write coverage.
NOT_COUNTED := --deselect tests/train/test_robust.py::test_a_disk_that_takes_no_more
uncovered: $(VENV)/.installed-dev
	$(BIN)/coverage erase
	$(BIN)/python -m pytest -n auto --dist loadgroup --cov=advisor --cov=finetune --cov-config=scripts/whole.coveragerc \
	--cov-report= $(NOT_COUNTED)
	$(BIN)/python scripts/uncovered.py docs/explanation/checks.md

# Builds twice and compares: nobody can verify a wheel whose build is not reproducible.
wheel: $(VENV)/.installed
	rm -rf dist build
	$(BIN)/uv build --quiet --out-dir dist
	$(BIN)/uv build --quiet --out-dir build
	cd dist && for file in *; do cmp "$$file" "../build/$$file"; done
	rm -rf build

clean:
	rm -rf $(VENV) dist build

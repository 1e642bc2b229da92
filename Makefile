# Two commands are all a newcomer needs: `make rank` and `make test`.
.DEFAULT_GOAL := rank
.PHONY: rank test test-demo test-stacks check audit sbom checksums verify coverage uncovered locks docs notebooks wheel clean uv
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
# pip reads PIP_FIND_LINKS; uv has its own name for the same setting.
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
# Compile once, at installation, in case the environment forbids writing bytecode later.
export UV_COMPILE_BYTECODE ?= 1
# Another build of torch (from a folder of wheels, or chosen with UV_TORCH_BACKEND) has hashes that constraints.txt
# cannot list: TORCH installs it first, unchecked; then uv checks the others. An editable package has no hash.
HASHES := $(if $(UV_FIND_LINKS)$(UV_TORCH_BACKEND),--verify-hashes,--require-hashes)
PINNED := pip install --quiet --constraint constraints.txt --build-constraint constraints.txt
UV := VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/uv
INSTALL := $(UV) $(PINNED) $(HASHES)
TORCH := $(if $(UV_FIND_LINKS)$(UV_TORCH_BACKEND),$(UV) pip install --quiet --no-deps `grep -o '^torch==[^ ]*' constraints.txt`)
# Programs that targets install when they need them, and uv itself. constraints.txt pins them too.
AUDIT := check-jsonschema detect-secrets pip-audit zizmor
TOOLS := $(AUDIT) cyclonedx-bom hatchling mutmut pip uv

$(BIN)/uv: | constraints.txt
	$(PYTHON) -m venv $(VENV)
	sed -n '/^uv==/,/[^\\]$$/p' constraints.txt > $(VENV)/uv.txt
	$(BIN)/pip install --quiet --require-hashes --requirement $(VENV)/uv.txt

uv: $(BIN)/uv

$(VENV)/.installed: $(BIN)/uv pyproject.toml constraints.txt
	$(INSTALL) --requirement pyproject.toml
	$(UV) $(PINNED) --no-deps --editable .
	$(BIN)/python -m compileall -q advisor finetune
	touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(TORCH)
	$(INSTALL) --requirement pyproject.toml --extra dev --extra gguf --extra mcp --extra plot --extra scale --extra train
	touch $@

rank: $(VENV)/.installed
	@$(BIN)/advisor rank --store bundled

# One process runs all tests of a file, so that what they share is set up once; the files keep their order.
PARALLEL := -n auto --dist loadfile --no-loadscope-reorder
test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest $(PARALLEL) --durations=40

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy tests/typing
	$(BIN)/lint-imports
	$(BIN)/vulture
	$(BIN)/deptry advisor finetune
	$(BIN)/arid .
	$(BIN)/python scripts/prose.py README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md docs/README.md docs/tutorial.md docs/LOG.md \
	docs/explanation docs/how-to docs/reference/glossary.md benchmarks/README.md benchmarks/gpu/README.md advisor finetune

# Looks for secrets (except in facts, vendored code and fuzzed bytes), checks the workflows, and looks for known
# vulnerabilities of the exact versions. Only the last step needs the network.
audit: $(VENV)/.installed-dev
	$(UV) $(PINNED) --verify-hashes $(AUDIT)
	git ls-files -z -- . ':!data/snapshots' ':!*/vendor/*' ':!tests/fuzz/cases' ':!*.parquet' ':!*.png' | xargs -0 \
	$(BIN)/detect-secrets-hook --disable-plugin HexHighEntropyString --disable-plugin Base64HighEntropyString
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-actions action.yml
	$(BIN)/actionlint
	$(BIN)/zizmor --offline --no-progress .github/workflows action.yml
	$(BIN)/pip-audit --strict --disable-pip --no-deps --requirement constraints.txt

# The SBOM of a release: the exact versions that a user of the wheel gets.
sbom: $(BIN)/uv
	$(BIN)/uv venv --quiet --clear build/user
	VIRTUAL_ENV=build/user $(BIN)/uv $(PINNED) $(HASHES) --requirement pyproject.toml
	VIRTUAL_ENV=build/user $(BIN)/uv $(PINNED) --no-deps .
	$(UV) $(PINNED) --verify-hashes cyclonedx-bom
	$(BIN)/cyclonedx-py environment build/user \
	--pyproject pyproject.toml --output-reproducible --output-file build/advisor.cdx.json

# The hashes of the files of a release; `make verify` compares the files with them.
checksums:
	sha256sum dist/* build/advisor.cdx.json > build/SHA256SUMS

verify:
	sha256sum --check --strict build/SHA256SUMS

# Trains with every stack; builds their environments (1 to 4 GB each) in the user's cache. `make test` trains with trl
# and torchtune and builds torchtune's environment (1.4 GiB) once.
test-stacks: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 0 -m "every_stack or not every_stack" --durations=0 tests/stacks

test-demo: $(VENV)/.installed-dev
	$(BIN)/advisor train --demo

# Resolves against the index alone, so for the CUDA build of torch, and for every platform from Python 3.11 on. A version
# stays unless a requirement changed; `make locks UPGRADE=--upgrade` takes the newest.
COMPILE = env -u UV_FIND_LINKS -u PIP_FIND_LINKS -u UV_TORCH_BACKEND $(BIN)/uv pip compile --quiet --universal \
	--python-version 3.11 --fork-strategy fewest --no-annotate --no-header --no-emit-index-url $(UPGRADE)
STACKS := trl torchtune litgpt axolotl unsloth
LOCKS := $(STACKS:%=finetune/stacks/%.lock)
locks: $(VENV)/.installed
	printf '%s\n' $(TOOLS) | $(COMPILE) --generate-hashes --all-extras pyproject.toml - --output-file constraints.txt
	$(COMPILE) --no-deps --extra train --constraint constraints.txt pyproject.toml --output-file finetune/stacks/trl.in
	for stack in $(STACKS); do $(COMPILE) --generate-hashes finetune/stacks/$$stack.in --output-file \
	finetune/stacks/$$stack.lock $$(test $$stack != trl || echo --constraint constraints.txt) || exit 1; done
	for file in constraints.txt finetune/stacks/trl.in $(LOCKS); do \
	(echo "# Exact versions for Python 3.11 to 3.13. Written by: make locks"; cat $$file) > $$file.new && mv $$file.new $$file; done
	$(UV) $(PINNED) --verify-hashes pip
	env -u PIP_FIND_LINKS PIP_CONFIG_FILE=/dev/null $(BIN)/python scripts/lock_requires.py tests/contract/requires.json $(LOCKS)

docs: $(VENV)/.installed-dev
	$(BIN)/python -W error scripts/reference.py docs/reference
	$(BIN)/python -W error scripts/licences.py docs/explanation/dependencies.md
	$(BIN)/python -m pytest -q -n 0 tests/docs/test_links.py

# Writes the notebooks from their scripts, and runs them: the last one trains for minutes.
notebooks: $(VENV)/.installed-dev
	RUN= $(BIN)/python scripts/notebooks.py

# Fails below 100 % of the lines and branches of the deciding half; [tool.coverage.report] lists the exceptions.
DECIDING := tests/unit tests/contract tests/collect/test_package_index.py tests/security/dependency_files \
	--ignore tests/unit/finetune \
	--ignore tests/unit/measure/test_spark.py --ignore tests/contract/test_spec_leaves.py --ignore tests/contract/test_wheel.py
coverage: $(VENV)/.installed-dev
	$(BIN)/python -m pytest $(PARALLEL) $(DECIDING) --cov --cov-branch --cov-fail-under=100

# Runs the whole suite and writes the table of unreached lines into docs/explanation/checks.md. The excluded test
# fills its disk, so its process cannot write coverage.
NOT_COUNTED := --deselect tests/train/test_robust.py::test_a_disk_that_takes_no_more
uncovered: $(VENV)/.installed-dev
	$(BIN)/coverage erase
	$(BIN)/python -m pytest $(PARALLEL) --cov=advisor --cov=finetune --cov-config=scripts/whole.coveragerc \
	--cov-report= $(NOT_COUNTED)
	$(BIN)/python scripts/uncovered.py docs/explanation/checks.md

# Builds twice and compares: nobody can verify a wheel whose build is not reproducible.
BUILD := $(BIN)/uv build --quiet --build-constraint constraints.txt --require-hashes
wheel: $(VENV)/.installed
	rm -rf dist build
	$(BUILD) --out-dir dist
	$(BUILD) --out-dir build
	cd dist && for file in *; do cmp "$$file" "../build/$$file"; done
	rm -rf build

clean:
	rm -rf $(VENV) dist build

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
SERVE := .venv-serve
# Before Python 3.12, coverage adds about half to the time: `make test COVERAGE=` runs without it.
COVERAGE := --cov --cov-report=term:skip-covered
PIN := $(BIN)/uv pip compile --universal --generate-hashes --no-strip-extras --annotation-style line \
	--custom-compile-command "make requirements" --quiet $(UPGRADE) pyproject.toml

# Wheels alone, since building a package runs its code; two packages have none.
INSTALL := pip install --disable-pip-version-check --require-hashes --only-binary :all: \
	--no-binary face-recognition-models,antlr4-python3-runtime

# DVC runs the stages as `python -m ...`, so the environment's Python comes first.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help demo test test-remotes types lint repro train drift check serve readme report screenshot bench licenses audit requirements site clean

help:
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY)  ## run the whole pipeline on synthetic faces, in demo/
	@$(BIN)/python -m tools.mend_records
	$(BIN)/python -m tools.demo

test: $(READY)  ## run all tests, two files at a time, and print the coverage
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder $(COVERAGE)

test-remotes: $(READY)  ## run the tests of DVC remotes: folder, SSH, WebDAV, S3, HTTP
	VIRTUAL_ENV=.venv $(BIN)/uv run --no-project --active --with-requirements tests/remotes/requirements.txt \
		python -m pytest -m remotes tests/remotes

types: $(READY)  ## check the types of the package and the application
	$(BIN)/mypy

lint: $(READY)  ## check style, formatting and workflows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/zizmor --offline --quiet .github

repro: $(READY)  ## run the pipeline with params.yaml; only what has changed runs again
	@$(BIN)/python -m tools.mend_records
	$(BIN)/python -m stages.download --check
	$(BIN)/dvc repro

train: $(READY)  ## train several runs at once, one per core: make train RUNS="small wide"
	@$(BIN)/python -m tools.mend_records
	$(BIN)/python -m tools.train $(RUNS)

drift: $(READY)  ## fail if dvc.lock does not fit code, parameters and data
	@$(BIN)/dvc repro --pull --allow-missing --dry | tee /dev/stderr | grep --quiet "up to date" \
		|| { echo "drift: the last stage above is out of date: run it, or dvc commit it if its outputs stay the same"; exit 1; }

check: $(READY)  ## hash what dvc.lock pins, in the workspace and in DVC's cache
	$(BIN)/python -m tools.check_pins

serve: $(SERVE)/ready  ## serve the web application at http://127.0.0.1:8000; PORT=8001 takes another port
	$(SERVE)/bin/python -m app

readme: $(READY)  ## update the tables in README.md, MODEL_CARD.md and docs/
	$(BIN)/python -m tools.write_params_reference
	$(BIN)/python -m tools.update_readme

report: $(READY)  ## show what a branch changes in metrics, parameters and figures: make report BASE=main
	@$(BIN)/python -m tools.pull_request_report $(BASE)

screenshot: $(READY)  ## take the README's screenshot of the page
	$(BIN)/python -m tools.screenshot docs/images/page.png

bench: $(READY)  ## measure decoding, training and serving
	$(BIN)/python -m benchmarks.decoding
	$(BIN)/python -m benchmarks.training
	$(BIN)/python -m benchmarks.serving

licenses: $(READY)  ## list the license of every dependency
	@$(BIN)/pip-licenses --from=mixed --order=license --format=markdown

audit: $(READY)  ## look for known vulnerabilities in the pinned dependencies
	$(BIN)/pip-audit --disable-pip --require-hashes --requirement requirements.txt

requirements: $(READY)  ## pin what pyproject.toml needs; UPGRADE=--upgrade takes newer versions
	$(PIN) --python-version 3.10 --all-extras --output-file requirements.txt
	$(PIN) --python-version 3.11 --extra serve --constraint requirements.txt --output-file requirements-serve.txt
	$(BIN)/python -m tools.write_versions

site: $(READY)  ## build the documentation as a site, in build/site, and check its links
	rm -rf build/docs && mkdir -p build/docs
	git ls-files -z '*.md' LICENSE params.yaml docs/images reports app/static/fonts \
		| tar --null --files-from - -cf - | tar -xf - -C build/docs
	$(BIN)/zensical build --strict --clean

clean:  ## delete what demo, tests and checks leave behind
	rm -rf demo build .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache *.egg-info

$(READY): requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 10) <= sys.version_info < (3, 14) else "Python 3.10 to 3.13 is needed, this is " + sys.version.split()[0] + ": make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m $(INSTALL) --requirement requirements.txt
	touch $@

$(SERVE)/ready: requirements-serve.txt
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Python 3.11 or later is needed, this is " + sys.version.split()[0] + ": make PYTHON=python3.12 serve")'
	rm -rf $(SERVE)
	$(PYTHON) -m venv $(SERVE)
	$(SERVE)/bin/python -m $(INSTALL) --no-compile --requirement requirements-serve.txt
	$(SERVE)/bin/python -m pip uninstall --quiet --yes pip setuptools
	find $(SERVE) -name '*.dat' ! -name 'shape_predictor_68_*' -delete  # landmark models that nothing uses
	env -u PYTHONDONTWRITEBYTECODE $(SERVE)/bin/python -c 'import app.__main__'  # compiles only what serving imports
	touch $@

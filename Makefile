# One word per habit. `make run` and `make test` work on a fresh machine.
PYTHON ?= python3
BIN := .venv/bin
CORES ?= all
INSTALL := $(BIN)/pip install --quiet --constraint .venv/versions.txt
ifneq ($(shell test -w "$$HOME" && echo yes),yes)  # Snakemake needs a folder for its cache
export XDG_CACHE_HOME ?= $(CURDIR)/.venv/cache
endif
BENCHMARKS := $(filter-out full_year,$(basename $(notdir $(wildcard benchmarks/*.py))))

.PHONY: run test slow browser fuzz faults conformance notebooks audit lock release-model bench bench-year dry check verify lint format coverage docs dag report clean

.venv/installed: pyproject.toml requirements.lock
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --upgrade pip
	sed -n 's/^\([a-z0-9][^\]*==[^\]*[^ \]\) *\\*$$/\1/p' requirements.lock > .venv/versions.txt
	$(INSTALL) -e ".[test]"
	touch $@

run: .venv/installed  # CONFIG=mine.yaml for a configuration of your own over config.yaml
	$(BIN)/snakemake --cores $(CORES) $(if $(CONFIG),--configfile $(CONFIG))
	@echo
	@echo "product: $$(ls -d $(CURDIR)/results/product/*.nc | tr '\n' ' ')"
	@echo "report:  $(CURDIR)/results/report.html"

test: .venv/installed  # both parts run; it fails if one of them does
	failed=0; $(BIN)/pytest tests/unit -n 2 --dist loadfile || failed=1; \
		$(BIN)/pytest tests/integration || failed=1; exit $$failed

slow: .venv/installed
	$(BIN)/pytest -m slow

browser: .venv/installed
	$(INSTALL) -e ".[browser]"
	$(BIN)/pytest -m browser tests/unit/report/test_report_browser.py

fuzz: .venv/installed
	cd tests && ../$(BIN)/python -m fuzz

.venv/conformance: .venv/installed
	$(INSTALL) -e ".[conformance]"
	touch $@

conformance: .venv/conformance
	$(BIN)/snakemake --cores $(CORES) -s Snakefile --directory results/conformance --quiet all \
		--configfile config.yaml workflow/config/smoke.yaml tests/conformance/published.yaml \
		-- results/product/totals.csv ilamb zarr
	cd tests && ../$(BIN)/python -m conformance ../results/conformance/results/product

notebooks: .venv/installed
	$(INSTALL) -e ".[notebooks]"
	cd tests && ../$(BIN)/python -m notebooks ../$(or $(RUN),results/conformance) $(if $(WRITE),--write)

audit: .venv/installed
	$(BIN)/ruff check --select S --ignore S101 src workflow
	cd tests && ../$(BIN)/python -m audit

lock: .venv/installed
	$(BIN)/pip install --quiet uv==0.13.9
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
		--generate-hashes --no-annotate --no-header --quiet --output-file requirements.lock

release-model: .venv/installed  # NAME=models/{NAME}; CONFIG=the overlay that trained it
	$(BIN)/snakemake --cores $(CORES) models/$(or $(NAME),fluxnet2015) \
		--configfile workflow/config/$(or $(CONFIG),fluxnet2015_mcd43).yaml

faults: .venv/installed
	cd tests && ../$(BIN)/python -m faults --kills $(or $(KILLS),50)

bench: .venv/installed
	@for name in $(BENCHMARKS); do $(BIN)/python benchmarks/$$name.py || exit 1; done

bench-year: .venv/installed
	@$(BIN)/python benchmarks/full_year.py $(or $(FOLDER),results/full_year)

dry: .venv/installed
	$(BIN)/snakemake -n --quiet rules

check: .venv/installed
	$(BIN)/snakemake --cores 1 check

verify: .venv/installed
	$(BIN)/snakemake --cores 1 verify

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow/rules
	$(BIN)/mypy
	$(BIN)/codespell
	$(BIN)/snakemake --lint

format: .venv/installed
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow/rules

coverage: .venv/installed
	$(BIN)/pytest tests/unit -n 2 --dist loadfile --durations=0 --cov --cov-report=term:skip-covered

docs: .venv/installed
	$(INSTALL) -e ".[docs]"
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo "documentation: $(CURDIR)/build/docs/index.html"

dag: .venv/installed
	$(BIN)/snakemake --rulegraph > results/rulegraph.dot

report: .venv/installed
	$(BIN)/snakemake --report results/snakemake_report.zip

clean:
	rm -rf results/[!R]* results/.[!.]* .snakemake

# Every target that a person calls carries a `##` comment; `make help` is made from them.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# Node 24 comes with the dependencies, so that any Node that can run npm is enough to begin with.
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

INSTALLED := node_modules/.package-lock.json

.PHONY: help install start demo test lint types unit integration e2e bench bench-queries bench-reads bench-batches bench-promises bench-start chaos k6 kafka chromium schemathesis faketime generate clean

help: ## Show this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{ printf "  make %-14s %s\n", $$1, $$2 }'

# Not `npm ci`: it refuses a lock file that lacks the binaries of other platforms, which some registries do not serve.
$(INSTALLED): package.json package-lock.json
	npm install --no-save --no-audit --no-fund --loglevel=error
	@touch $@

install: $(INSTALLED) ## Install the dependencies

start: $(INSTALLED) ## Start everything on this machine, on http://127.0.0.1:8080
	@exec node --disable-warning=TimeoutNegativeWarning cli/main.ts start

demo: $(INSTALLED) ## The same, with a synthetic retailer that sends 1,000 events/s
	@exec node loadtest/demo.ts

test: lint types unit integration e2e ## Run every check: lint, types, unit, integration on a real broker, end to end

lint: $(INSTALLED) ## Check style and the direction of imports
	eslint .

types: $(INSTALLED) ## Check the types
	tsc --noEmit

unit: $(INSTALLED) ## Run the tests that need no process, socket or engine
	vitest run --project unit

integration: $(INSTALLED) kafka ## Run the tests on a real broker, LMDB and the ClickHouse engine
	vitest run --project int

e2e: $(INSTALLED) kafka chromium schemathesis faketime ## Run the whole system, on both logs and in a browser
	vitest run --project e2e

bench: $(INSTALLED) k6 ## Measure load, latency and the highest rate; writes loadtest/results/
	node loadtest/bench.ts; status=$$?; node scripts/generate.ts; exit $$status

chaos: $(INSTALLED) kafka faketime ## Kill, stop, cut and fill everything under load on both logs, then count; SEED repeats
	@node --disable-warning=TimeoutNegativeWarning loadtest/chaos.ts

bench-queries: $(INSTALLED) ## Measure POST /query over 10 million events against its SQL sent straight to ClickHouse
	node loadtest/bench-queries.ts; status=$$?; node scripts/generate.ts; exit $$status

bench-reads: $(INSTALLED) k6 ## Measure GET /visits and GET /user/{id} while 1,000 events/s come in
	node loadtest/bench-reads.ts; status=$$?; node scripts/generate.ts; exit $$status

bench-batches: $(INSTALLED) ## Measure the highest rate of events in batches, against single ones
	node loadtest/bench-batches.ts; status=$$?; node scripts/generate.ts; exit $$status

bench-promises: $(INSTALLED) ## Measure what each promise of delivery costs, in about 20 s; writes docs/delivery.md
	node loadtest/bench-promises.ts; status=$$?; node scripts/generate.ts; exit $$status

bench-start: $(INSTALLED) ## Measure how soon a clean clone is ready, the install included, and a second start
	node loadtest/bench-start.ts; status=$$?; node scripts/generate.ts; exit $$status

k6: ## Build k6 with Go
	@loadtest/install-k6.sh

kafka: ## Install a real Kafka broker for the tests, with Maven
	@scripts/install-kafka.sh || test "$$CI" != true

chromium: ## Install the browser of the tests, with apt-get
	@scripts/install-chromium.sh || test "$$CI" != true

faketime: ## Install what moves the clocks of the chaos run, with apt-get
	@scripts/install-faketime.sh || test "$$CI" != true

schemathesis: ## Install what fuzzes the API's description, with pip
	@scripts/install-schemathesis.sh || test "$$CI" != true

generate: $(INSTALLED) ## Write what is derived: types of the streams, settings in the README
	node scripts/generate.ts

clean: ## Remove what was installed and what the embedded parts stored
	rm -rf node_modules .tools data

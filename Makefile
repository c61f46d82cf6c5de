# make demo   the pair survives a power cut: builds everything it needs, then shows it
# make test   all tests that fit in CI        make check   the fast half: style, types, pure tests
# make lab    the two-node LAN to play with   make bench   figures beside keepalived and Kamailio
# make man    man pages of haagent, into build/man
# make wheels what a machine without the internet installs      make vagrant   three virtual machines, for real
# make interop, make campaign, make fuzz      the long ones
VENV ?= .venv
BIN = $(VENV)/bin
DEMO ?=

.PHONY: demo faults figures silence man fuzz test check lab bench bench-sip interop campaign vagrant wheels lock clean setup-run setup-test
.DEFAULT_GOAL := demo

demo: setup-run
	@$(BIN)/haagent lab demo $(DEMO)

lab: setup-run
	@$(BIN)/haagent lab up && $(BIN)/haagent lab status

check: setup-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest tests/architecture tests/unit tests/property tests/conformance

test: check
	$(BIN)/pytest tests/integration tests/interop tests/lab

interop: setup-test
	$(BIN)/pytest tests/interop -v

bench: setup-test bench-sip
	$(BIN)/python -m bench.failover $(BENCH)

bench-sip: setup-test
	$(BIN)/python -m bench.sip $(BENCH_SIP)

# the fault list, keepalived beside it; FAULTS="--fault power cable" or "--quick --hello 0.003"; build/faults/faults.md
faults: setup-test
	$(BIN)/python -m bench.faults $(FAULTS)

# figures beside keepalived, about 20 minutes on a calm machine; FIGURES="--rounds 5 --only switchover agent"
figures: setup-test
	$(BIN)/python -m bench.figures $(FIGURES)
	$(BIN)/python -m bench.figures.report build/figures/figures.json docs/performance.md

# ten minutes for each parser: FUZZ_SECONDS=600, or FUZZ="message uri"
fuzz: setup-test
	$(BIN)/python -m tests.fuzz $(FUZZ)

# a standby on which everything is due, watched by tcpdump for a minute: no packet of SIP leaves it
silence: setup-test
	SILENCE_SECONDS=60 $(BIN)/pytest -v tests/integration/sipcore/test_silence.py

man: setup-run
	$(BIN)/python -m haagent.manpages build/man

# 1,000 faults; one that was cut off goes on. A short one: CAMPAIGN="--rounds 20 --record build/short.jsonl"
campaign: setup-test
	mkdir -p build
	$(BIN)/haagent lab campaign --rounds 1000 --jobs 2 --record build/campaign.jsonl --report build/campaign $(CAMPAIGN)

# three virtual machines: VAGRANT="--driver kvm" where the machine can
vagrant: setup-test
	$(BIN)/python -m tests.vagrant $(VAGRANT)

wheels:
	@vagrant/make-wheels.sh

# The locks hold versions and hashes; pip alone can install them (docs/decisions/0004).
lock:
	uv lock
	uv export -q --frozen --no-dev --no-emit-project --no-header -o requirements.lock
	uv export -q --frozen --all-extras --no-emit-project --no-header -o requirements-dev.lock

setup-run:
	@VENV=$(VENV) .ci/setup run

setup-test:
	@VENV=$(VENV) .ci/setup test

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

# Node-0. `make run` shows it, `make test` checks it; both install what is missing first.
.DEFAULT_GOAL := help
.PHONY: help prepare run dev test crash seal attack mempool schemathesis crowd lists start bench lint sqlx clean

help: ## what can be asked for
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

prepare: ## install PostgreSQL when it is missing
	@scripts/prepare

run: prepare ## show everything at work (HEADERS=file to import your own, ARGS="--for 30s" to end by itself)
	@HEADERS="$(HEADERS)" scripts/run $(ARGS)

dev: prepare ## serve, and build and start again on every change
	@scripts/dev $(ARGS)

test: ## run every test against a private PostgreSQL (TESTS="cluster" for those with that name)
	@scripts/prepare with-tests
	@scripts/test $(TESTS)

crash: ## kill the server and its database under load, ROUNDS times (default 200), and compare
	@scripts/prepare with-tests
	@NODE0_CRASH_ROUNDS=$(or $(ROUNDS),200) scripts/test --profile campaign crash

seal: ## kill whoever seals the log, ROUNDS times (default 200), and verify all that was published
	@scripts/prepare with-tests
	@NODE0_SEAL_ROUNDS=$(or $(ROUNDS),200) scripts/test --profile campaign \
		a_sealer_that_is_killed_at_any_moment

archive: ## kill whoever archives, KILLS times (default 200), and compare what the log says
	@scripts/prepare with-tests
	@NODE0_ARCHIVE_KILLS=$(or $(KILLS),200) scripts/test --profile campaign whoever_archives_is_killed

attack: ## lie, delay, repeat, forge and crash on thousands of schedules (SCHEDULES, default 5000)
	@scripts/prepare with-tests
	@NODE0_SCHEDULES=$(or $(SCHEDULES),5000) scripts/test --profile campaign \
		two_blocks_never whatever_goes_wrong many_votes_at_once

mempool: ## fill the mempool (TXS, default 200000) of the real server, and measure it
	@scripts/prepare with-tests
	@NODE0_MEMPOOL_TXS=$(or $(TXS),200000) scripts/test --profile campaign full_mempool_stays

schemathesis: prepare ## judge the interface by its contract as each role (ROLES="viewer stranger" for some, EXAMPLES)
	@EXAMPLES=$(or $(EXAMPLES),10) scripts/schemathesis $(ROLES)

crowd: ## let SUBSCRIBERS (default 1000) follow 1,000 events a second for a minute, with a kill
	@scripts/prepare with-tests
	@cargo build --workspace --release --locked --bin node0
	@NODE0_TEST_PROGRAM=$$(realpath $${CARGO_TARGET_DIR:-target}/release/node0) \
		NODE0_SUBSCRIBERS=$(or $(SUBSCRIBERS),1000) \
		NODE0_EVENTS_S=1000 NODE0_SECONDS=60 scripts/test --profile campaign --test-threads 1 a_crowd_of

lists: ## ask every list over tables of ROWS rows (default 1000000), and measure a page
	@scripts/prepare with-tests
	@NODE0_LIST_ROWS=$(or $(ROWS),1000000) scripts/test --profile campaign every_list_reads

start: ## start on a chain of BLOCKS blocks (default 2000) from genesis and from a snapshot
	@scripts/prepare with-tests
	@NODE0_BLOCKS=$(or $(BLOCKS),2000) scripts/test --profile campaign a_start_costs

bench: prepare ## measure us, the raw database and a bare server in one run (ARGS="--only append --rounds 1")
	@scripts/bench $(ARGS)

lint: ## formatting, clippy and the other checks
	@scripts/lint

sqlx: prepare ## renew .sqlx, by which queries are checked without a database
	@scripts/sqlx

clean: ## remove what was built (the data in .node0 stays)
	cargo clean

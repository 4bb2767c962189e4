.PHONY: help test short fuzz guarantees soak schedules bench demo lint
help: ## print this help
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
test: ## everything, as CI runs it
	./scripts/test
short: ## the quick tests only
	go test -short ./...
fuzz: ## each fuzz target for FUZZTIME (default 5m)
	./scripts/fuzz $(or $(FUZZTIME),5m)
guarantees: ## break each guarantee of docs/lifecycle.md, and look whether its tests notice
	RADTIER_GUARANTEES=1 go test -run TestGuaranteesAreTested -timeout 60m -v ./lifecycle
soak: ## SIGKILL and SIGSTOP workers at 200 random moments each, while they derive and while they move and delete, over directories and SQLite, and over Ceph RGW and PostgreSQL
	d=$$(mktemp -d); trap "scripts/dev/down $$d" EXIT; eval "$$(scripts/dev/up $$d)"; RADTIER_KILLS=200 go test -run "TestKill" -timeout 60m -v ./worker
schedules: ## SCHEDULES (default 100000) interleavings of derive, late arrivals, sweep, rebuild and restored catalogs
	RADTIER_SCHEDULES=$(or $(SCHEDULES),100000) go test -run 'Pairs|Random' -timeout 12h -v ./worker/interleave
bench: ## benchmarks of codecs and pipeline
	go test -run '^$$' -bench . -benchtime 2s ./codecs/... && go run ./cmd/radtier bench pipeline
demo: ## the main job on synthetic studies
	./scripts/demo
lint: ## format, vet, shell scripts
	gofmt -l . && go vet ./... && shellcheck scripts/setup scripts/demo scripts/test scripts/fuzz scripts/dev/* .ci/run

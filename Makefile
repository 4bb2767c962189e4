.PHONY: help test short fuzz soak bench demo lint
help: ## print this help
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
test: ## everything, as CI runs it
	./scripts/test
short: ## the quick tests only
	go test -short ./...
fuzz: ## each fuzz target for FUZZTIME (default 5m)
	./scripts/fuzz $(or $(FUZZTIME),5m)
soak: ## SIGKILL a worker at 100 random moments over file store, SQLite and redis-server
	RADTIER_KILLS=100 go test -run TestKill -timeout 60m -v ./cmd/radtier
bench: ## benchmarks of codecs and pipeline
	go test -run '^$$' -bench . -benchtime 2s ./codecs/... && go run ./cmd/radtier bench pipeline
demo: ## the main job on synthetic studies
	./scripts/demo
lint: ## format, vet, shell scripts
	gofmt -l . && go vet ./... && shellcheck scripts/setup scripts/demo scripts/test scripts/fuzz .ci/run

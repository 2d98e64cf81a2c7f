# `make` lists what there is to do. All that is built or downloaded goes to .local.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

BIN := .local/bin
# The local cluster, whatever your environment names; `make deploy KUBECONFIG=...` means another.
KUBECONFIG := $(CURDIR)/.local/kubeconfig
# Of the local cluster: real, kind or kwok. Without it, the best that this machine can do.
PROVIDER ?=
# Of measurements.
ROUNDS ?= 1
export KUBECONFIG PROVIDER

TEST_TOOLS := $(BIN)/helm $(BIN)/localcluster
LINT_TOOLS := $(BIN)/controller-gen $(BIN)/helm $(BIN)/golangci-lint

export PATH := $(CURDIR)/$(BIN):$(PATH)
export GOFLAGS += -buildvcs=false
export HELM := $(CURDIR)/$(BIN)/helm

##@ Everyday

help: ## Show this help
	@awk 'BEGIN {FS = ":.*##"} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z0-9-]+:.*##/ {printf "  %-17s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## Bring up a cluster, install kdcos, run hello_world.json and show it
	@hack/demo.sh

test: $(TEST_TOOLS) ## Run all tests this machine can run, and say which it cannot
	@hack/test.sh unit localcluster fuzz chaos scale e2e conformance

verify: $(LINT_TOOLS) ## Regenerate, lint, and fail on any difference
	@hack/verify.sh

##@ Code

generate: $(BIN)/controller-gen ## Generate code, definitions, roles and the chart's copies, of policies too
	controller-gen object:headerFile=hack/boilerplate.go.txt applyconfiguration:headerFile=hack/boilerplate.go.txt \
		crd:allowDangerousTypes=true paths=./api/... output:crd:dir=config/crd
	controller-gen rbac:roleName=kdcos-manager paths=./controllers/... output:rbac:dir=config/rbac
	rm -rf charts/kdcos/files && mkdir -p charts/kdcos/files/{crds,policy}
	cp config/crd/*.yaml charts/kdcos/files/crds/
	cp config/policy/*.yaml charts/kdcos/files/policy/
	cp config/rbac/role.yaml config/rbac/dns_role.yaml charts/kdcos/files/

fmt: $(BIN)/golangci-lint ## Format the code
	golangci-lint fmt ./...

lint: $(LINT_TOOLS) ## Run the linters
	golangci-lint run ./...
	cd hack/localcluster && golangci-lint run --config ../../.golangci.yml ./...
	cd cmd/dns && golangci-lint run --config ../../.golangci.yml ./...
	helm lint --strict --quiet --kube-version 1.36.0 charts/kdcos
	if command -v shellcheck >/dev/null; then shellcheck hack/*.sh .ci/run; else echo "no shellcheck here: scripts are not linted"; fi

build: ## Build the programs into .local/bin
	CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o $(BIN)/ ./cmd/...
	CGO_ENABLED=0 go build -C cmd/dns -trimpath -ldflags="-s -w" -o $(CURDIR)/$(BIN)/dns .

vuln: $(BIN)/govulncheck ## Look for known vulnerabilities (asks the Go vulnerability database)
	govulncheck ./...
	govulncheck -C cmd/dns ./...

##@ Tests

test-unit: $(TEST_TOOLS) ## Unit tests, and controllers against a real API server
	@hack/test.sh unit

test-localcluster: ## The local cluster's own tests; as root they run a second cluster
	@LONG=1 hack/test.sh localcluster

test-e2e: $(TEST_TOOLS) ## End-to-end tests on the local cluster
	@hack/test.sh e2e

test-conformance: $(TEST_TOOLS) ## Every field of Marathon, watched on the local cluster
	@hack/test.sh conformance

chaos: $(TEST_TOOLS) ## Break every write of the manager in every way, see that nothing comes of it (POINT), then seed bugs
	@SWEEP=1 POINT="$(POINT)" hack/test.sh chaos

fuzz: ## Fuzz every parser, five minutes each (FUZZTIME)
	@FUZZTIME=$${FUZZTIME:-5m} hack/test.sh fuzz

##@ Measurements, on simulated nodes: docs/performance.md

scale: $(TEST_TOOLS) ## Measure Apps beside Deployments, all scenarios, against the thresholds (ROUNDS; an hour)
	go run ./test/scale -rounds $(ROUNDS) -check app=1000 app=5000 one=5000

scale-app: $(TEST_TOOLS) ## N Apps beside N Deployments, without and with a Service (N, ROUNDS)
	@go run ./test/scale -rounds $(ROUNDS) app=$(or $(N),1000)

scale-one: $(TEST_TOOLS) ## One App of N instances and its upgrade beside a Deployment (N, ROUNDS)
	@go run ./test/scale -rounds $(ROUNDS) one=$(or $(N),5000)

scale-jobs: $(TEST_TOOLS) ## N Jobs with a run a minute beside N CronJobs (N, MINUTES, ROUNDS)
	@go run ./test/scale -rounds $(ROUNDS) $(if $(MINUTES),-minutes $(MINUTES)) jobs=$(or $(N),1000)

bench-dns: build $(TEST_TOOLS) ## The DNS server beside CoreDNS with Services, 30,000 tasks (N tasks)
	command -v dnsperf >/dev/null || { echo "it needs dnsperf: apt-get install dnsperf"; exit 1; }
	go build -C cmd/dns -o $(CURDIR)/$(BIN)/ ./bench/...
	KUBEBUILDER_ASSETS=$$(localcluster assets) $(BIN)/bench -dns $(BIN)/dns -twin $(BIN)/twin $(if $(N),-tasks $(N))

scale-quota: $(TEST_TOOLS) ## N pods under a quota for a quarter of them, with all that can happen, on 500 nodes (N, MINUTES)
	@go run ./test/scale $(if $(MINUTES),-minutes $(MINUTES)) quota=$(or $(N),2000)

test-scale: $(TEST_TOOLS) ## A small measurement that finds a write too many
	@hack/test.sh scale

##@ Cluster

cluster-up: $(BIN)/localcluster ## Start the local cluster, or repair it
	localcluster up
	ln -sf "$$(localcluster assets)/kubectl" $(BIN)/kubectl

cluster-down: $(BIN)/localcluster ## Remove the local cluster and all its traces
	localcluster down

cluster-status: $(BIN)/localcluster ## Show the local cluster
	localcluster status

image: build $(BIN)/localcluster ## Make the images of kdcos and of the test server, without Docker
	@hack/images.sh

deploy: image $(BIN)/helm ## Install kdcos as it is now, or upgrade to it
	@hack/deploy.sh

undeploy: $(BIN)/helm ## Uninstall kdcos; Apps and their definition stay
	helm uninstall kdcos --namespace kdcos-system --ignore-not-found --wait

clean: ## Remove what was built (the cluster first: make cluster-down)
	@if [ -e $(KUBECONFIG) ]; then echo "there is a cluster: make cluster-down first"; exit 1; fi
	rm -rf .local

# Tools, pinned in go.tools.mod; golangci-lint in a file of its own, since its
# authors ask not to mix its dependencies with others.
$(BIN)/controller-gen $(BIN)/helm $(BIN)/govulncheck &: go.tools.mod
	go build -modfile=$< -ldflags="-s -w" -o $(BIN)/ tool

$(BIN)/golangci-lint: go.lint.mod
	go build -modfile=$< -ldflags="-s -w" -o $(BIN)/ tool

# Templates and manifests are part of the program.
$(BIN)/localcluster: $(shell find hack/localcluster -type f -not -name '*_test.go' -not -path '*/testdata/*' -not -name '*.md')
	go build -C hack/localcluster -o $(CURDIR)/$@ .

.PHONY: help demo test verify generate fmt lint build vuln test-unit test-localcluster test-e2e test-conformance \
	test-scale chaos fuzz scale scale-app scale-one scale-jobs scale-quota bench-dns \
	cluster-up cluster-down cluster-status image deploy undeploy clean

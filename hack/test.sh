#!/usr/bin/env bash
# Runs the parts of the tests that it is told to: unit, localcluster, fuzz, chaos,
# scale, e2e, conformance.
# All of them run, whatever fails; at the end it says what was left out and
# why, and repeats the results by package. Run by `make test` and its like.
#   TESTFLAGS   further flags for go test, such as -race; for ginkgo with e2e, such as --focus=Upgrades
#   FUZZTIME    time or number of inputs for each fuzz target (1000x: go test takes
#               the end of a time for a failure now and then)
#   LONG        not empty: the local cluster's long tests, too
#   SWEEP       not empty: the whole chaos sweep, and bugs seeded for it to catch
#   POINT       of the chaos sweep, the points whose name contains this
set -euo pipefail
cd "$(dirname "$0")/.."
mkdir -p .local/test
output=.local/test/output
results=.local/test/results
: >"$output"
failed=0
left_out=()

# run a test command; its output is kept.
run() {
  printf '+ %.120s\n' "$*"
  "$@" </dev/null 2>&1 | tee -a "$output" || failed=1
}

leave_out() {
  left_out+=("$1: $2")
}

test_unit() {
  KUBEBUILDER_ASSETS=$(localcluster assets)
  export KUBEBUILDER_ASSETS
  # The other directories of test need a cluster.
  # shellcheck disable=SC2046,SC2086 # words are what is wanted
  run go test ${TESTFLAGS:-} $(go list ./... | grep -vE '/test/(e2e|conformance|scale|chaos|upgrade)(/|$)')
  # But for this, which holds docs/compat/marathon.md to what is tested there.
  # shellcheck disable=SC2086
  run go test ${TESTFLAGS:-} -run '^TestTable$' ./test/conformance
  # shellcheck disable=SC2086
  run go -C cmd/dns test ${TESTFLAGS:-} ./...
}

test_localcluster() {
  if [ -n "${LONG:-}" ]; then
    run go -C hack/localcluster test -count=1 -timeout 30m ./...
  else
    leave_out "the local cluster's long tests" "they run a second cluster: make test-localcluster"
    run go -C hack/localcluster test -short ./...
  fi
}

test_fuzz() {
  local file target
  while IFS=: read -r file target; do
    run go -C "$(dirname "$file")" test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-1000x}" .
  done < <(git grep --untracked -oE '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go' ':!hack' | sed 's/func //')
}

test_chaos() {
  KUBEBUILDER_ASSETS=$(localcluster assets)
  export KUBEBUILDER_ASSETS
  if [ -z "${SWEEP:-}" ]; then
    leave_out "the whole chaos sweep, and bugs seeded for it to catch" "they take minutes: make chaos"
    run go test -v -count=1 -timeout 20m ./test/chaos -chaos.short
    return
  fi
  run go test -v -count=1 -timeout 60m ./test/chaos "-chaos.point=${POINT:-}"
  if [ -z "${POINT:-}" ]; then
    run go test -v -count=1 -timeout 60m -tags seeded -run '^TestSeededBugs$' ./test/chaos
  fi
}

test_scale() {
  if [ "$(uname)" != Linux ]; then
    leave_out "measurements" "simulated nodes run on Linux only"
    return
  fi
  run go test ./test/scale
  run go run ./test/scale -quick -check smoke
}

# run tests on the local cluster, with real nodes and kdcos as it is now. The first
# test brings it up; it goes when all have passed, unless it was there before.
cluster=
on_cluster() {
  local what=$1
  shift
  if [ -z "$cluster" ]; then
    if [ "$(id -u)" != 0 ] && ! docker info >/dev/null 2>&1; then
      leave_out "$what" "they need real nodes: run as root on Linux, or where Docker runs"
      return
    fi
    cluster=ours
    localcluster status >/dev/null && cluster=theirs
    make --no-print-directory cluster-up || { failed=1; cluster=; return; }
    if ! localcluster status --output json | grep -q '"provider": *"kwok"'; then
      make --no-print-directory deploy || { failed=1; cluster=; return; }
      localcluster load .local/images/web.tar
    fi
  fi
  if localcluster status --output json | grep -q '"provider": *"kwok"'; then
    leave_out "$what" "the nodes of this cluster are simulated: nothing runs on them"
    return
  fi
  run "$@"
}

# Stories that do not say Serial are told four at a time: they mostly wait.
test_e2e() {
  # shellcheck disable=SC2086
  on_cluster "end-to-end tests" \
    go run github.com/onsi/ginkgo/v2/ginkgo run --procs=4 --timeout=40m --no-color --show-node-events ${TESTFLAGS:-} ./test/e2e
}

test_conformance() {
  # shellcheck disable=SC2086
  on_cluster "conformance tests" go test -v -count=1 -timeout 20m ${TESTFLAGS:-} ./test/conformance
}

for part in "$@"; do
  printf '\n== %s\n' "$part"
  case $part in
    unit) test_unit ;;
    localcluster) test_localcluster ;;
    fuzz) test_fuzz ;;
    chaos) test_chaos ;;
    scale) test_scale ;;
    e2e) test_e2e ;;
    conformance) test_conformance ;;
    *) echo "no such part" && failed=1 ;;
  esac
done
if [ "$cluster" = ours ] && [ "$failed" = 0 ]; then
  localcluster down
fi

{
  if [ "${#left_out[@]}" -gt 0 ]; then
    printf '\n== left out\n'
    printf '%s\n' "${left_out[@]}"
  fi
  printf '\n== results\n'
  grep -E '^(ok\s|FAIL\s| *--- FAIL|--- |panic:| *\[FAIL\]|Ran [0-9]+ of)' "$output" || echo "FAIL	no test ran"
} | tee "$results"
exit "$failed"

#!/usr/bin/env bash
# Runs the parts of the tests that it is told to: unit, localcluster, fuzz, scale, e2e.
# All of them run, whatever fails; at the end it says what was left out and
# why, and repeats the results by package. Run by `make test` and its like.
#   TESTFLAGS   further flags for go test, such as -race
#   FUZZTIME    time for each fuzz target (5s)
#   LONG        not empty: the local cluster's long tests, too
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
    run go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-5s}" "./$(dirname "$file")"
  done < <(git grep --untracked -oE '^func Fuzz[A-Za-z0-9_]+' -- '*_test.go' ':!hack' | sed 's/func //')
}

test_scale() {
  if [ "$(uname)" != Linux ]; then
    leave_out "measurements" "simulated nodes run on Linux only"
    return
  fi
  run go test ./test/scale
  run go run ./test/scale -quick -check smoke
}

test_e2e() {
  if ! compgen -G 'test/e2e/*_test.go' >/dev/null; then
    leave_out "end-to-end tests" "there are none yet"
    return
  fi
  if [ "$(id -u)" != 0 ] && ! docker info >/dev/null 2>&1; then
    leave_out "end-to-end tests" "they need real nodes: run as root on Linux, or where Docker runs"
    return
  fi
  local was_up=1
  localcluster status >/dev/null || was_up=0
  make --no-print-directory cluster-up || { failed=1; return; }
  if localcluster status --output json | grep -q '"provider": *"kwok"'; then
    leave_out "end-to-end tests" "the nodes of this cluster are simulated: nothing runs on them"
    return
  fi
  make --no-print-directory deploy || { failed=1; return; }
  localcluster load .local/images/web.tar
  # shellcheck disable=SC2086
  run go test -v -count=1 -timeout 40m ${TESTFLAGS:-} ./test/e2e/... -ginkgo.v -ginkgo.no-color
  if [ "$was_up" = 0 ] && [ "$failed" = 0 ]; then
    localcluster down
  fi
}

for part in "$@"; do
  printf '\n== %s\n' "$part"
  case $part in
    unit) test_unit ;;
    localcluster) test_localcluster ;;
    fuzz) test_fuzz ;;
    scale) test_scale ;;
    e2e) test_e2e ;;
    *) echo "no such part" && failed=1 ;;
  esac
done

{
  if [ "${#left_out[@]}" -gt 0 ]; then
    printf '\n== left out\n'
    printf '%s\n' "${left_out[@]}"
  fi
  printf '\n== results\n'
  grep -E '^(ok\s|FAIL\s|--- |panic:)' "$output" || echo "FAIL	no test ran"
} | tee "$results"
exit "$failed"

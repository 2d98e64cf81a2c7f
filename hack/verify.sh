#!/usr/bin/env bash
# Regenerates, tidies and formats everything, and fails if that changes
# anything or if a linter complains. With CI=true every file must be committed,
# too. Run by `make verify`.
set -euo pipefail
cd "$(dirname "$0")/.."

state() {
  git status --porcelain --untracked-files=all
  git diff HEAD --binary
  git ls-files -z --others --exclude-standard | xargs -0 -r sha256sum
}

failed=0
before=$(state)
make --no-print-directory generate fmt
go mod tidy
go -C hack/localcluster mod tidy
go -C cmd/dns mod tidy
if [ "$(state)" != "$before" ]; then
  failed=1
  echo "verify: these were out of date; commit what make verify made of them:"
  git status --short --untracked-files=all
  git --no-pager diff
elif [ "${CI:-}" = true ] && [ -n "$before" ]; then
  failed=1
  echo "verify: not committed:"
  git status --short --untracked-files=all
fi
make --no-print-directory lint || failed=1
if [ "$failed" = 0 ]; then
  echo "verify: everything is as it should be"
fi
exit "$failed"

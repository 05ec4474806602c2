#!/bin/sh
# check.sh gofmt|vet|staticcheck: one static check of the whole tree.
set -eu
cd "$(dirname "$0")/.."
case $1 in
  gofmt)
    unformatted=$(git ls-files -z '*.go' | xargs -0 -r ls -d 2>/dev/null | xargs -r gofmt -l)
    [ -z "$unformatted" ] || { echo "not gofmt'ed:"; echo "$unformatted"; exit 1; } ;;
  vet) go vet ./... ;;
  staticcheck) go tool -modfile=dist/tools/go.mod staticcheck ./... ;;
  *) echo "check.sh: unknown check $1" >&2; exit 2 ;;
esac

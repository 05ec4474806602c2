# raket's entry points. Make calls go, install and the scripts; it builds nothing itself.

PREFIX  ?= /usr/local
DESTDIR ?=
GO      ?= go

# The one place the version comes from. The commit is what the Go tool records by itself.
VERSION := $(shell cat VERSION)
LDFLAGS := -s -w -X github.com/raket/raket/pkg/version.version=$(VERSION)
BUILD   := CGO_ENABLED=0 $(GO) build -trimpath -ldflags "$(LDFLAGS)"
COUNT   := $(GO) run ./tests/count

UNIT       = $$($(GO) list ./... | grep -v /raket/tests)
FUNCTIONAL = ./tests/...
CHECKS     = -step 'gofmt=dist/check.sh gofmt' -step 'vet=dist/check.sh vet' -step 'staticcheck=dist/check.sh staticcheck'

.DEFAULT_GOAL := help
.PHONY: help deps build check test itest install clean

help: ## print this
	@sed -nE 's/^([a-z]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

deps: ## install what building, testing and the demo need (Debian, Ubuntu; elsewhere: name it)
	@dist/deps.sh build test demo

build: ## build everything into bin/, where it runs in place
	@dist/deps.sh build
	@mkdir -p bin
	$(BUILD) -o bin/ ./stage0/cmd/...
	@set -e; for d in stage1/cmd/*/; do n=$$(basename $$d); i=bin/stage1/$$n; \
		echo "stage1/$$n"; mkdir -p $$i/rootfs; $(BUILD) -o $$i/rootfs/entry ./$$d; cp $$d/manifest.json $$i/manifest; \
		for e in run enter stop status gc; do ln -sf entry $$i/rootfs/$$e; done; done
	@echo stage2; mkdir -p bin/stage1/nspawn/rootfs/bin; $(BUILD) -o bin/stage1/nspawn/rootfs/bin/ ./stage2/cmd/...

check: ## formatting, vet, staticcheck, the direction of imports
	@dist/deps.sh build
	@$(COUNT) $(CHECKS) -- ./tests/depcheck

test: build ## the whole suite; functional tests need root and systemd-nspawn, and are skipped without
	@dist/deps.sh --optional test
	@$(COUNT) $(CHECKS) -- $(UNIT) -- -p 1 -timeout 20m $(FUNCTIONAL)

itest: build ## the functional tests only; RUN=REGEXP chooses
	@dist/deps.sh --optional test
	@$(COUNT) -- -p 1 -timeout 20m $(if $(RUN),-run '$(RUN)') $(FUNCTIONAL)

install: build ## install to $(DESTDIR)$(PREFIX)
	install -D -m755 bin/raket $(DESTDIR)$(PREFIX)/bin/raket
	install -d $(DESTDIR)$(PREFIX)/lib/raket
	cp -R --no-dereference --preserve=mode,links bin/stage1 $(DESTDIR)$(PREFIX)/lib/raket/

clean: ## remove bin/
	rm -rf bin

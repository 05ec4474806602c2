# raket's entry points. Make calls go, install and the scripts; it builds nothing itself.

PREFIX  ?= /usr/local
DESTDIR ?=
GO      ?= go
LIBDIR  = $(DESTDIR)$(PREFIX)/lib
SHARE   = $(DESTDIR)$(PREFIX)/share

# The one place the version comes from. The commit is what the Go tool records by itself.
VERSION := $(shell cat VERSION)
LDFLAGS := -s -w -X github.com/raket/raket/pkg/version.version=$(VERSION)
BUILD    = CGO_ENABLED=0 $(GO) build -trimpath -ldflags "$(LDFLAGS)"
# The last step of each app's start does without Go's runtime where it can (docs/adr/0022-bare-start.md).
BARE     = $(if $(wildcard stage2/cmd/exec/entry_$(shell $(GO) env GOARCH).s),-E main.entry)
COUNT   := $(GO) run ./tests/count

UNIT       = $$($(GO) list ./... | grep -v /raket/tests)
OTHERS     = $$($(GO) list ./tests/... | grep -v /tests/functional)
# The tests of pods wait more than they compute, each process of them on a test host of its own.
FUNCTIONAL = -shards=3 -timeout 45m ./tests/functional
CHECKS     = -step 'gofmt=dist/check.sh gofmt' -step 'vet=dist/check.sh vet' -step 'staticcheck=dist/check.sh staticcheck'

.DEFAULT_GOAL := help
.PHONY: help deps build bare demo demo-host check test itest vmtest bench man install clean

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
		for e in run enter stop status gc cp attach app-add app-start app-stop app-rm app-kill; do ln -sf entry $$i/rootfs/$$e; done; done
	@echo cni; mkdir -p bin/cni; $(BUILD) -modfile=dist/cni/go.mod -o bin/cni/ tool
	@echo stage2; mkdir -p bin/stage1/nspawn/rootfs/bin; $(BUILD) -o bin/stage1/nspawn/rootfs/bin/ ./stage2/cmd/...
	@$(if $(BARE),$(MAKE) --no-print-directory LDFLAGS='$(LDFLAGS) $(BARE)' bare)

# A Go of another calling convention would end this program with a signal.
bare:
	@$(BUILD) -o bin/exec.bare ./stage2/cmd/exec
	@if [ "$$(bin/exec.bare -- /bin/echo works)" = works ]; then mv bin/exec.bare bin/stage1/nspawn/rootfs/bin/exec; \
	else rm -f bin/exec.bare; echo "stage2/cmd/exec: starts with Go's runtime, since it fails without ($$($(GO) version))"; fi

demo: ## run a real pod from registry to gc, and check every step of it; needs root
	@dist/deps.sh build demo
	@$(MAKE) --no-print-directory -j2 build demo-host
	@tests/demo/demo

demo-host:
	@tests/demo/demo -prepare

check: ## formatting, vet, staticcheck, the direction of imports
	@dist/deps.sh build
	@$(COUNT) $(CHECKS) -- ./tests/depcheck

test: build ## the whole suite; functional tests need root, and are skipped without
	@dist/deps.sh test
	@$(COUNT) $(CHECKS) -- $(UNIT) -- -p 2 -timeout 20m $(OTHERS) -- $(FUNCTIONAL)

itest: build ## the functional tests only; RUN=REGEXP chooses
	@dist/deps.sh test
	@$(COUNT) $(if $(RUN),-- -p 1 -timeout 45m -run '$(RUN)' ./tests/...,-- -p 2 -timeout 20m $(OTHERS) -- $(FUNCTIONAL))

vmtest: build ## functional tests on a virtual machine with cgroup v2; RUN=REGEXP chooses
	@dist/deps.sh test vm
	@$(COUNT) -- -exec $(CURDIR)/tests/testhost/vm -timeout 60m -run '$(RUN)' ./tests/functional

bench: build ## raket beside podman and a bare nspawn; see docs/benchmarks.md. ARGS=-quick
	@dist/deps.sh bench
	@$(GO) run ./tests/bench $(ARGS)

man: ## make man pages and completions from the command tree
	$(GO) run ./dist/gen man dist/man
	$(GO) run ./dist/gen completions dist/completions

# What an uninstalled raket finds beside it, an installed one finds in lib/raket.
install: build ## install to $(DESTDIR)$(PREFIX)
	install -D -m755 bin/raket $(DESTDIR)$(PREFIX)/bin/raket
	install -d $(LIBDIR)/raket $(LIBDIR)/systemd/system $(SHARE)/doc/raket/examples $(SHARE)/man/man1 $(SHARE)/man/man7
	cp -R --no-dereference --remove-destination --preserve=mode,links bin/stage1 bin/cni $(LIBDIR)/raket/
	install -m644 dist/man/*.1 $(SHARE)/man/man1/
	install -m644 dist/man/*.7 $(SHARE)/man/man7/
	install -D -m644 dist/completions/raket.bash $(SHARE)/bash-completion/completions/raket
	install -D -m644 dist/completions/raket.fish $(SHARE)/fish/vendor_completions.d/raket.fish
	install -D -m644 dist/completions/_raket $(SHARE)/zsh/site-functions/_raket
	@set -e; for u in dist/units/*; do case $$u in */raket-*) d=$(LIBDIR)/systemd/system;; *) d=$(SHARE)/doc/raket/examples;; esac; \
		echo "$$u -> $$d"; sed 's|/usr/local/|$(PREFIX)/|' $$u >$$d/$${u##*/}; chmod 644 $$d/$${u##*/}; done

clean: ## remove bin/ and out/
	rm -rf bin out

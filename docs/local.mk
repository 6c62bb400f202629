# Guides, and the manual pages: prose from man/*.in, tables from the --help of the programs just built, so that the
# two can't disagree. A release tarball has the pages, for builds whose programs can't run where they are built.
docsdir = $(docdir)/docs
dist_docs_DATA = docs/operators.md docs/integrators.md docs/events.md docs/comparison.md
# What the guides lead to, where they say it is.
moredir = $(docdir)
nobase_dist_more_DATA = contrib/README.md contrib/grafana/warden.json contrib/prometheus/warden.rules.yml \
	contrib/prometheus/warden.test.yml systemd/README.md
EXTRA_DIST += CONTRIBUTING.md docs/man/render docs/man/help.awk docs/man/wardend.8.in docs/man/warden.conf.5.in \
	docs/man/warden-worker.8.in docs/man/wardenctl.1.in docs/man/warden-sim.1.in

if HAVE_MAN
dist_man_MANS = docs/man/wardend.8 docs/man/warden.conf.5 docs/man/warden-worker.8 docs/man/wardenctl.1 \
	docs/man/warden-sim.1
endif

if !CROSS_COMPILING
MAN_RENDER = $(AM_V_GEN)$(MKDIR_P) docs/man && AWK='$(AWK)' $(SHELL) "$(srcdir)/docs/man/render"
MAN_TOOLS = docs/man/render docs/man/help.awk

docs/man/wardend.8: docs/man/wardend.8.in $(MAN_TOOLS) wardend$(EXEEXT)
	$(MAN_RENDER) "$(srcdir)/$@.in" ./wardend$(EXEEXT) >"$@.new" && mv "$@.new" "$@"
docs/man/warden.conf.5: docs/man/warden.conf.5.in $(MAN_TOOLS) wardend$(EXEEXT)
	$(MAN_RENDER) "$(srcdir)/$@.in" ./wardend$(EXEEXT) >"$@.new" && mv "$@.new" "$@"
docs/man/warden-worker.8: docs/man/warden-worker.8.in $(MAN_TOOLS) warden-worker$(EXEEXT)
	$(MAN_RENDER) "$(srcdir)/$@.in" ./warden-worker$(EXEEXT) >"$@.new" && mv "$@.new" "$@"
docs/man/wardenctl.1: docs/man/wardenctl.1.in $(MAN_TOOLS) wardenctl$(EXEEXT)
	$(MAN_RENDER) "$(srcdir)/$@.in" ./wardenctl$(EXEEXT) >"$@.new" && mv "$@.new" "$@"
docs/man/warden-sim.1: docs/man/warden-sim.1.in $(MAN_TOOLS) warden-sim$(EXEEXT)
	$(MAN_RENDER) "$(srcdir)/$@.in" ./warden-sim$(EXEEXT) >"$@.new" && mv "$@.new" "$@"

CLEANFILES += $(dist_man_MANS)
endif

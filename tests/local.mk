# Unit tests (cmocka) and fuzz corpora run in make check; tests with real processes by ./check.
include $(top_srcdir)/tests/unit/local.mk
include $(top_srcdir)/tests/fuzz/local.mk
EXTRA_DIST += .ci/run tests/README.md tests/package.json tests/package-lock.json tests/integration \
	tests/interop tests/bench tests/systemd
include $(top_srcdir)/tests/tools/local.mk

# A worker's sandbox from inside; sandbox.test.mjs builds and runs it.
check_PROGRAMS += tests/integration/escape
tests_integration_escape_SOURCES = tests/integration/escape.c
tests_integration_escape_CFLAGS = $(libworker_a_CFLAGS)
tests_integration_escape_LDADD = $(WORKER_LIBS)

# Unit tests (cmocka) and fuzz corpora run in make check; tests with real processes by ./check.
include $(top_srcdir)/tests/unit/local.mk
include $(top_srcdir)/tests/fuzz/local.mk
EXTRA_DIST += .ci/run tests/README.md tests/prepare.sh tests/package.json tests/package-lock.json tests/redocly.yaml tests/run.mjs \
	tests/run-reporter.mjs tests/integration \
	tests/interop tests/bench tests/systemd tests/web tests/analysis tests/.clang-tidy .clang-tidy
include $(top_srcdir)/tests/tools/local.mk

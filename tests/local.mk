# Unit tests (cmocka) and fuzz corpora run in make check; tests with real processes by ./check.
include $(top_srcdir)/tests/unit/local.mk
include $(top_srcdir)/tests/fuzz/local.mk

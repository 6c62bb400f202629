# The worker process: its own modules, and real processes for the zygote.
WORKER_TESTS = tests/unit/test_wk_alive tests/unit/test_wk_dial tests/unit/test_wk_pair \
	tests/unit/test_wk_session tests/unit/test_wk_target tests/unit/test_wk_tls \
	tests/unit/test_wk_upgrade tests/unit/test_wk_version tests/unit/test_wk_ws \
	tests/unit/test_wk_zygote
WORKER_TEST_LIBS = $(WORKER_LIBS) $(UNIT_LIBS)
check_PROGRAMS += $(WORKER_TESTS)
TESTS += $(WORKER_TESTS)

tests_unit_test_wk_alive_SOURCES = tests/unit/test_wk_alive.c
tests_unit_test_wk_alive_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_alive_LDADD = $(WORKER_TEST_LIBS)

tests_unit_test_wk_dial_SOURCES = tests/unit/test_wk_dial.c
tests_unit_test_wk_dial_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_dial_LDADD = $(WORKER_TEST_LIBS)

tests_unit_test_wk_pair_SOURCES = tests/unit/test_wk_pair.c
tests_unit_test_wk_pair_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_pair_LDADD = $(WORKER_TEST_LIBS)

tests_unit_test_wk_session_SOURCES = tests/unit/test_wk_session.c
tests_unit_test_wk_session_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_session_LDADD = $(WORKER_TEST_LIBS)

tests_unit_test_wk_target_SOURCES = tests/unit/test_wk_target.c
tests_unit_test_wk_target_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_target_LDADD = $(WORKER_TEST_LIBS)

tests_unit_test_wk_tls_SOURCES = tests/unit/test_wk_tls.c
tests_unit_test_wk_tls_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_tls_LDADD = $(WORKER_TEST_LIBS)

tests_unit_test_wk_upgrade_SOURCES = tests/unit/test_wk_upgrade.c
tests_unit_test_wk_upgrade_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_upgrade_LDADD = $(WORKER_TEST_LIBS)

tests_unit_test_wk_version_SOURCES = tests/unit/test_wk_version.c
tests_unit_test_wk_version_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_version_LDADD = $(WORKER_TEST_LIBS)

tests_unit_test_wk_ws_SOURCES = tests/unit/test_wk_ws.c
tests_unit_test_wk_ws_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_ws_LDADD = $(WORKER_TEST_LIBS)

tests_unit_test_wk_zygote_SOURCES = tests/unit/test_wk_zygote.c
tests_unit_test_wk_zygote_CFLAGS = $(UNIT_CFLAGS) -DWORKER_PATH='"$(abs_top_builddir)/warden-worker"'
tests_unit_test_wk_zygote_LDADD = $(WORKER_TEST_LIBS)

# wardenctl
check_PROGRAMS += tests/unit/test_ctl_args
TESTS += tests/unit/test_ctl_args
tests_unit_test_ctl_args_SOURCES = tests/unit/test_ctl_args.c
tests_unit_test_ctl_args_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_ctl_args_LDADD = $(CTL_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_ctl_resp
TESTS += tests/unit/test_ctl_resp
tests_unit_test_ctl_resp_SOURCES = tests/unit/test_ctl_resp.c
tests_unit_test_ctl_resp_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_ctl_resp_LDADD = $(CTL_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_ctl_sse
TESTS += tests/unit/test_ctl_sse
tests_unit_test_ctl_sse_SOURCES = tests/unit/test_ctl_sse.c
tests_unit_test_ctl_sse_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_ctl_sse_LDADD = $(CTL_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_ctl_text
TESTS += tests/unit/test_ctl_text
tests_unit_test_ctl_text_SOURCES = tests/unit/test_ctl_text.c
tests_unit_test_ctl_text_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_ctl_text_LDADD = $(CTL_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/unit/test_ctl_watch
TESTS += tests/unit/test_ctl_watch
tests_unit_test_ctl_watch_SOURCES = tests/unit/test_ctl_watch.c
tests_unit_test_ctl_watch_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_ctl_watch_LDADD = $(CTL_LIBS) $(UNIT_LIBS)

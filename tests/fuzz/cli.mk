# wardenctl's parsers of what the gateway sends
check_PROGRAMS += tests/fuzz/fuzz_ctl_resp
tests_fuzz_fuzz_ctl_resp_SOURCES = tests/fuzz/fuzz_ctl_resp.c $(FUZZ_MAIN)
tests_fuzz_fuzz_ctl_resp_CFLAGS = $(FUZZ_TARGET_CFLAGS)
tests_fuzz_fuzz_ctl_resp_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_ctl_resp_LDADD = $(FUZZ_MUTATE) $(CTL_LIBS)
check_PROGRAMS += tests/fuzz/fuzz_ctl_sse
tests_fuzz_fuzz_ctl_sse_SOURCES = tests/fuzz/fuzz_ctl_sse.c $(FUZZ_MAIN)
tests_fuzz_fuzz_ctl_sse_CFLAGS = $(FUZZ_TARGET_CFLAGS)
tests_fuzz_fuzz_ctl_sse_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_ctl_sse_LDADD = $(CTL_LIBS)

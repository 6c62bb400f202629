check_PROGRAMS += tests/fuzz/fuzz_http_gate
tests_fuzz_fuzz_http_gate_SOURCES = tests/fuzz/fuzz_http_gate.c tests/unit/gate_feed.h $(FUZZ_MAIN)
tests_fuzz_fuzz_http_gate_CFLAGS = $(FUZZ_TARGET_CFLAGS)
tests_fuzz_fuzz_http_gate_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_http_gate_LDADD = $(GATEWAY_LIBS)

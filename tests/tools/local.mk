# Programs that tests with real processes use; built with everything else.
noinst_PROGRAMS += tests/tools/gate_frames tests/tools/escape
tests_tools_gate_frames_SOURCES = tests/tools/gate_frames.c
tests_tools_gate_frames_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(SSL_CFLAGS)
tests_tools_gate_frames_LDADD = $(GATEWAY_LIBS)
tests_tools_escape_SOURCES = tests/tools/escape.c
tests_tools_escape_CFLAGS = $(libworker_a_CFLAGS)
tests_tools_escape_LDADD = $(WORKER_LIBS)

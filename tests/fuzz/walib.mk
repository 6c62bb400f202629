# libwa.a
check_PROGRAMS += tests/fuzz/fuzz_frame tests/fuzz/fuzz_node tests/fuzz/fuzz_handshake
tests_fuzz_fuzz_frame_SOURCES = tests/fuzz/fuzz_frame.c $(FUZZ_MAIN)
tests_fuzz_fuzz_frame_CFLAGS = $(FUZZ_TARGET_CFLAGS)
tests_fuzz_fuzz_frame_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_frame_LDADD = $(WA_LIBS) $(WA_EXT_LIBS)
tests_fuzz_fuzz_node_SOURCES = tests/fuzz/fuzz_node.c $(FUZZ_MAIN)
tests_fuzz_fuzz_node_CFLAGS = $(FUZZ_TARGET_CFLAGS)
tests_fuzz_fuzz_node_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_node_LDADD = $(WA_LIBS) $(WA_EXT_LIBS)
tests_fuzz_fuzz_handshake_SOURCES = tests/fuzz/fuzz_handshake.c $(WALIB_FIXTURE) $(FUZZ_MAIN)
tests_fuzz_fuzz_handshake_CFLAGS = $(FUZZ_TARGET_CFLAGS)
tests_fuzz_fuzz_handshake_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_handshake_LDADD = $(WA_LIBS) $(WA_EXT_LIBS)

# Programs that tests with real processes use; built with everything else.
noinst_PROGRAMS += tests/tools/gate_frames tests/tools/escape
tests_tools_gate_frames_SOURCES = tests/tools/gate_frames.c
tests_tools_gate_frames_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(SSL_CFLAGS)
tests_tools_gate_frames_LDADD = $(GATEWAY_LIBS)
tests_tools_escape_SOURCES = tests/tools/escape.c
tests_tools_escape_CFLAGS = $(libworker_a_CFLAGS)
tests_tools_escape_LDADD = $(WORKER_LIBS)

noinst_PROGRAMS += tests/tools/keep_socket
tests_tools_keep_socket_SOURCES = tests/tools/keep_socket.c
tests_tools_keep_socket_CFLAGS = $(AM_CFLAGS)

noinst_PROGRAMS += tests/tools/hostile_worker
tests_tools_hostile_worker_SOURCES = tests/tools/hostile_worker.c
tests_tools_hostile_worker_CFLAGS = $(AM_CFLAGS) $(PROTOBUFC_CFLAGS)
tests_tools_hostile_worker_LDADD = $(COMMON_LIBS) $(EVENT_LIBS) $(PROTOBUFC_LIBS) $(CRYPTO_LIBS)

# For LD_PRELOAD, so never with the programs' own flags.
EXTRA_DIST += tests/tools/faults.c tests/tools/faults.h tests/tools/owners.c
if TEST_HOOKS
noinst_DATA += tests/tools/faults.so
CLEANFILES += tests/tools/faults.so
tests/tools/faults.so: $(top_srcdir)/tests/tools/faults.c $(top_srcdir)/tests/tools/faults.h
	$(AM_V_CCLD)$(MKDIR_P) tests/tools && $(CC) -std=gnu17 -D_GNU_SOURCE -O2 -g -fPIC -shared -Wall -Wextra -I$(top_srcdir) $(SQLITE_CFLAGS) \
		-o $@ $(top_srcdir)/tests/tools/faults.c -ldl
endif

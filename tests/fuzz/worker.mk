# the worker's own parsers
check_PROGRAMS += tests/fuzz/fuzz_proxy
tests_fuzz_fuzz_proxy_SOURCES = tests/fuzz/fuzz_proxy.c $(FUZZ_MAIN)
tests_fuzz_fuzz_proxy_CFLAGS = $(FUZZ_TARGET_CFLAGS)
tests_fuzz_fuzz_proxy_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_proxy_LDADD = $(FUZZ_MUTATE) $(WORKER_LIBS)
check_PROGRAMS += tests/fuzz/fuzz_version
tests_fuzz_fuzz_version_SOURCES = tests/fuzz/fuzz_version.c $(FUZZ_MAIN)
tests_fuzz_fuzz_version_CFLAGS = $(FUZZ_TARGET_CFLAGS)
tests_fuzz_fuzz_version_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_version_LDADD = $(FUZZ_MUTATE) $(WORKER_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_http_answer
tests_fuzz_fuzz_http_answer_SOURCES = tests/fuzz/fuzz_http_answer.c $(FUZZ_MAIN)
tests_fuzz_fuzz_http_answer_CFLAGS = $(FUZZ_TARGET_CFLAGS)
tests_fuzz_fuzz_http_answer_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_http_answer_LDADD = $(FUZZ_MUTATE) $(WORKER_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_event
tests_fuzz_fuzz_event_SOURCES = tests/fuzz/fuzz_event.c $(FUZZ_MAIN)
tests_fuzz_fuzz_event_CFLAGS = $(FUZZ_TARGET_CFLAGS)
tests_fuzz_fuzz_event_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_event_LDADD = $(FUZZ_MUTATE) $(WORKER_LIBS) $(JANSSON_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_emit
tests_fuzz_fuzz_emit_SOURCES = tests/fuzz/fuzz_emit.c $(STORE_FIXTURE) $(FUZZ_MAIN)
tests_fuzz_fuzz_emit_CFLAGS = $(FUZZ_TARGET_CFLAGS)
tests_fuzz_fuzz_emit_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_emit_LDADD = $(FUZZ_MUTATE) $(WORKER_LIBS) $(JANSSON_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_recv
tests_fuzz_fuzz_recv_SOURCES = tests/fuzz/fuzz_recv.c $(RECV_FIXTURE) $(FUZZ_MAIN)
tests_fuzz_fuzz_recv_CFLAGS = $(FUZZ_TARGET_CFLAGS)
tests_fuzz_fuzz_recv_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_recv_LDADD = $(FUZZ_MUTATE) $(WORKER_LIBS) $(UNIT_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_upgrade tests/fuzz/fuzz_ws
tests_fuzz_fuzz_upgrade_SOURCES = tests/fuzz/fuzz_upgrade.c $(FUZZ_MAIN)
tests_fuzz_fuzz_upgrade_CFLAGS = $(FUZZ_TARGET_CFLAGS)
tests_fuzz_fuzz_upgrade_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_upgrade_LDADD = $(FUZZ_MUTATE) $(WORKER_LIBS)
tests_fuzz_fuzz_ws_SOURCES = tests/fuzz/fuzz_ws.c $(FUZZ_MAIN)
tests_fuzz_fuzz_ws_CFLAGS = $(FUZZ_TARGET_CFLAGS)
tests_fuzz_fuzz_ws_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_ws_LDADD = $(WORKER_LIBS)

check_PROGRAMS += tests/fuzz/fuzz_passkey_json
tests_fuzz_fuzz_passkey_json_SOURCES = tests/fuzz/fuzz_passkey_json.c $(FUZZ_MAIN)
tests_fuzz_fuzz_passkey_json_CFLAGS = $(FUZZ_TARGET_CFLAGS) $(JANSSON_CFLAGS)
tests_fuzz_fuzz_passkey_json_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_passkey_json_LDADD = $(FUZZ_MUTATE) $(WORKER_LIBS) $(JANSSON_LIBS)

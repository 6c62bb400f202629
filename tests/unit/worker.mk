# The worker process: its own modules, and real processes for the zygote.
WORKER_TESTS = tests/unit/test_wk_appstate tests/unit/test_wk_appstate_phone tests/unit/test_wk_emit_stanza tests/unit/test_wk_emit tests/unit/test_wk_event_msg tests/unit/test_wk_iq tests/unit/test_wk_online tests/unit/test_wk_online_live \
	tests/unit/test_wk_prekeys \
	tests/unit/test_wk_alive tests/unit/test_wk_hand tests/unit/test_wk_powercut tests/unit/test_wk_conn tests/unit/test_wk_dial \
	tests/unit/test_wk_dial_proxy tests/unit/test_wk_proxy tests/unit/test_wk_link_code \
	tests/unit/test_wk_pair tests/unit/test_wk_passkey tests/unit/test_wk_recv tests/unit/test_wk_retry \
	tests/unit/test_wk_heap tests/unit/test_wk_sandbox tests/unit/test_wk_send tests/unit/test_wk_session tests/unit/test_wk_session_life \
	tests/unit/test_wk_outbox tests/unit/test_wk_store tests/unit/test_wk_store_heap tests/unit/test_wk_store_msg \
	tests/unit/test_wk_target tests/unit/test_wk_tls \
	tests/unit/test_wk_upgrade tests/unit/test_wk_version tests/unit/test_wk_ws \
	tests/unit/test_wk_zygote
WORKER_TEST_LIBS = $(WORKER_LIBS) $(UNIT_LIBS)
check_PROGRAMS += $(WORKER_TESTS)
TESTS += $(WORKER_TESTS)

EMIT_FIXTURE = tests/unit/emit_fixture.c tests/unit/emit_fixture.h $(STORE_FIXTURE)

tests_unit_test_wk_emit_SOURCES = tests/unit/test_wk_emit.c $(EMIT_FIXTURE)
tests_unit_test_wk_emit_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_emit_LDADD = $(WORKER_TEST_LIBS)

tests_unit_test_wk_emit_stanza_SOURCES = tests/unit/test_wk_emit_stanza.c $(EMIT_FIXTURE)
tests_unit_test_wk_emit_stanza_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_emit_stanza_LDADD = $(WORKER_TEST_LIBS)

APPSTATE_FIXTURE = tests/unit/appstate_fixture.c tests/unit/appstate_fixture.h \
	tests/unit/appstate_phone.c tests/unit/appstate_phone.h tests/unit/http_server.c \
	tests/unit/http_server.h $(EMIT_FIXTURE)
tests_unit_test_wk_appstate_SOURCES = tests/unit/test_wk_appstate.c \
	$(APPSTATE_FIXTURE)
tests_unit_test_wk_appstate_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_appstate_LDADD = $(WORKER_TEST_LIBS)
tests_unit_test_wk_appstate_phone_SOURCES = tests/unit/test_wk_appstate_phone.c $(APPSTATE_FIXTURE)
tests_unit_test_wk_appstate_phone_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_appstate_phone_LDADD = $(WORKER_TEST_LIBS)

tests_unit_test_wk_event_msg_SOURCES = tests/unit/test_wk_event_msg.c
tests_unit_test_wk_event_msg_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_event_msg_LDADD = $(WORKER_TEST_LIBS)

tests_unit_test_wk_hand_SOURCES = tests/unit/test_wk_hand.c
tests_unit_test_wk_hand_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_hand_LDADD = $(WORKER_TEST_LIBS)
RECEIVE_WORLD = tests/unit/receive_world.c tests/unit/receive_world.h tests/unit/signal_store.c \
	tests/unit/powercut_vfs.c
tests_unit_test_wk_powercut_SOURCES = tests/unit/test_wk_powercut.c $(RECEIVE_WORLD)
tests_unit_test_wk_powercut_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_powercut_LDADD = $(WORKER_TEST_LIBS)

# More of the same, for tests/bench/powercuts.
noinst_PROGRAMS += tests/tools/powercuts
tests_tools_powercuts_SOURCES = tests/tools/powercuts.c $(RECEIVE_WORLD)
tests_tools_powercuts_CFLAGS = $(AM_CFLAGS) -I$(top_srcdir)/tests/unit $(EVENT_CFLAGS) $(SSL_CFLAGS) $(SQLITE_CFLAGS) \
	$(PROTOBUFC_CFLAGS) $(SIGNAL_CFLAGS)
tests_tools_powercuts_LDADD = $(WORKER_LIBS)
tests_unit_test_wk_alive_SOURCES = tests/unit/test_wk_alive.c
tests_unit_test_wk_alive_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_alive_LDADD = $(WORKER_TEST_LIBS)

tests_unit_test_wk_conn_SOURCES = tests/unit/test_wk_conn.c tests/unit/tls_peer.c tests/unit/tls_peer.h $(WALIB_FIXTURE)
tests_unit_test_wk_conn_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_conn_LDADD = libsim.a $(WORKER_TEST_LIBS)
tests_unit_test_wk_conn_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=wa_stanza_decode

tests_unit_test_wk_dial_SOURCES = tests/unit/test_wk_dial.c
tests_unit_test_wk_dial_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_dial_LDADD = $(WORKER_TEST_LIBS)

tests_unit_test_wk_dial_proxy_SOURCES = tests/unit/test_wk_dial_proxy.c tests/unit/tls_peer.c tests/unit/tls_peer.h
tests_unit_test_wk_dial_proxy_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_dial_proxy_LDADD = $(WORKER_TEST_LIBS)

tests_unit_test_wk_proxy_SOURCES = tests/unit/test_wk_proxy.c
tests_unit_test_wk_proxy_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_proxy_LDADD = $(WORKER_TEST_LIBS)

tests_unit_test_wk_pair_SOURCES = tests/unit/test_wk_pair.c
tests_unit_test_wk_pair_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_pair_LDADD = $(WORKER_TEST_LIBS)

tests_unit_test_wk_link_code_SOURCES = tests/unit/test_wk_link_code.c
tests_unit_test_wk_link_code_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_link_code_LDADD = $(WORKER_TEST_LIBS)

tests_unit_test_wk_passkey_SOURCES = tests/unit/test_wk_passkey.c
tests_unit_test_wk_passkey_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_passkey_LDADD = $(WORKER_TEST_LIBS)

tests_unit_test_wk_retry_SOURCES = tests/unit/test_wk_retry.c
tests_unit_test_wk_retry_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_retry_LDADD = $(WORKER_TEST_LIBS)

WK_FAKE_NET = tests/unit/wk_fake_net.c tests/unit/wk_fake_net.h
tests_unit_test_wk_session_SOURCES = tests/unit/test_wk_session.c $(WK_FAKE_NET)
tests_unit_test_wk_session_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_session_LDADD = $(WORKER_TEST_LIBS)

tests_unit_test_wk_session_life_SOURCES = tests/unit/test_wk_session_life.c $(WK_FAKE_NET)
tests_unit_test_wk_session_life_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_session_life_LDADD = $(WORKER_TEST_LIBS)

tests_unit_test_wk_outbox_SOURCES = tests/unit/test_wk_outbox.c
tests_unit_test_wk_outbox_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_outbox_LDADD = $(WORKER_TEST_LIBS)
tests_unit_test_wk_store_SOURCES = tests/unit/test_wk_store.c tests/unit/faulty_vfs.c \
	tests/unit/faulty_vfs.h
tests_unit_test_wk_store_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_store_LDADD = $(WORKER_TEST_LIBS)

STORE_FIXTURE = tests/unit/store_fixture.c tests/unit/store_fixture.h

RECV_FIXTURE = tests/unit/recv_fixture.c tests/unit/recv_fixture.h $(STORE_FIXTURE) \
	tests/unit/signal_store.c tests/unit/signal_store.h

tests_unit_test_wk_recv_SOURCES = tests/unit/test_wk_recv.c $(RECV_FIXTURE) tests/unit/faulty_vfs.c \
	tests/unit/faulty_vfs.h
tests_unit_test_wk_recv_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_recv_LDADD = $(WORKER_TEST_LIBS)

tests_unit_test_wk_send_SOURCES = tests/unit/test_wk_send.c $(STORE_FIXTURE) tests/unit/signal_store.c \
	tests/unit/signal_store.h tests/unit/faulty_vfs.c tests/unit/faulty_vfs.h
tests_unit_test_wk_send_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_send_LDADD = $(WORKER_TEST_LIBS)

tests_unit_test_wk_store_msg_SOURCES = tests/unit/test_wk_store_msg.c $(STORE_FIXTURE)
tests_unit_test_wk_store_msg_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_store_msg_LDADD = $(WORKER_TEST_LIBS)

tests_unit_test_wk_target_SOURCES = tests/unit/test_wk_target.c
tests_unit_test_wk_target_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_target_LDADD = $(WORKER_TEST_LIBS)

tests_unit_test_wk_tls_SOURCES = tests/unit/test_wk_tls.c tests/unit/tls_peer.c tests/unit/tls_peer.h
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

tests_unit_test_wk_iq_SOURCES = tests/unit/test_wk_iq.c
tests_unit_test_wk_iq_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_iq_LDADD = $(WORKER_TEST_LIBS)

ONLINE_FIXTURE = tests/unit/online_fixture.c tests/unit/online_fixture.h

tests_unit_test_wk_online_SOURCES = tests/unit/test_wk_online.c $(ONLINE_FIXTURE)
tests_unit_test_wk_online_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_online_LDADD = $(WORKER_TEST_LIBS)

tests_unit_test_wk_online_live_SOURCES = tests/unit/test_wk_online_live.c $(ONLINE_FIXTURE)
tests_unit_test_wk_online_live_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_online_live_LDADD = $(WORKER_TEST_LIBS)

tests_unit_test_wk_prekeys_SOURCES = tests/unit/test_wk_prekeys.c $(ONLINE_FIXTURE)
tests_unit_test_wk_prekeys_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_prekeys_LDADD = $(WORKER_TEST_LIBS)

tests_unit_test_wk_store_heap_SOURCES = tests/unit/test_wk_store_heap.c
tests_unit_test_wk_store_heap_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_store_heap_LDADD = $(WORKER_TEST_LIBS)
tests_unit_test_wk_heap_SOURCES = tests/unit/test_wk_heap.c
tests_unit_test_wk_heap_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_heap_LDADD = $(WORKER_TEST_LIBS)
tests_unit_test_wk_sandbox_SOURCES = tests/unit/test_wk_sandbox.c
tests_unit_test_wk_sandbox_CFLAGS = $(UNIT_CFLAGS) $(SECCOMP_CFLAGS)
tests_unit_test_wk_sandbox_LDADD = $(WORKER_TEST_LIBS)

# media and history
WK_HISTORY_TESTS = tests/unit/test_wk_history tests/unit/test_wk_media
check_PROGRAMS += $(WK_HISTORY_TESTS)
TESTS += $(WK_HISTORY_TESTS)

tests_unit_test_wk_history_SOURCES = tests/unit/test_wk_history.c tests/unit/http_server.c tests/unit/http_server.h \
	$(EMIT_FIXTURE) $(WALIB_HISTORY)
tests_unit_test_wk_history_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_history_LDADD = $(WORKER_TEST_LIBS)
tests_unit_test_wk_media_SOURCES = tests/unit/test_wk_media.c tests/unit/http_server.c tests/unit/http_server.h
tests_unit_test_wk_media_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wk_media_LDADD = $(WORKER_TEST_LIBS)

EXTRA_PROGRAMS += tests/bench/history
tests_bench_history_SOURCES = tests/bench/history.c $(WALIB_HISTORY)
tests_bench_history_CFLAGS = $(UNIT_CFLAGS)
tests_bench_history_LDADD = $(WORKER_TEST_LIBS)

# Figures, not a test: build and run it by hand.
EXTRA_PROGRAMS += tests/bench/inbound
tests_bench_inbound_SOURCES = tests/bench/inbound.c $(RECV_FIXTURE)
tests_bench_inbound_CFLAGS = $(UNIT_CFLAGS) -I$(top_srcdir)/tests/unit
tests_bench_inbound_LDADD = $(WORKER_TEST_LIBS)

# libwa.a
WALIB_TESTS = tests/unit/test_wa_adv tests/unit/test_wa_appstate tests/unit/test_wa_cert \
	tests/unit/test_wa_device tests/unit/test_wa_frame tests/unit/test_wa_history \
	tests/unit/test_wa_jid tests/unit/test_wa_keys tests/unit/test_wa_link_code \
	tests/unit/test_wa_login tests/unit/test_wa_media tests/unit/test_wa_msg \
	tests/unit/test_wa_msg_oom tests/unit/test_wa_node tests/unit/test_wa_noise tests/unit/test_wa_noise_ik \
	tests/unit/test_wa_oom tests/unit/test_wa_pair tests/unit/test_wa_passkey \
	tests/unit/test_wa_prekey tests/unit/test_wa_receipt tests/unit/test_wa_signal \
	tests/unit/test_wa_source tests/unit/test_wa_stanza tests/unit/test_wa_token
check_PROGRAMS += $(WALIB_TESTS)
TESTS += $(WALIB_TESTS)
WALIB_LDADD = $(WA_LIBS) $(UNIT_LIBS) $(WA_EXT_LIBS)
WALIB_VECTORS = tests/unit/wa_vectors.c tests/unit/wa_vectors.h
WALIB_FIXTURE = tests/unit/wa_fixture.c tests/unit/wa_fixture.h
WALIB_HISTORY = tests/unit/history_blob.c tests/unit/history_blob.h
WALIB_SIGNAL = tests/unit/signal_store.c tests/unit/signal_store.h
WALIB_STANZAS = tests/unit/wa_stanzas.c tests/unit/wa_stanzas.h $(WALIB_VECTORS)

tests_unit_test_wa_adv_SOURCES = tests/unit/test_wa_adv.c $(WALIB_STANZAS) $(WALIB_FIXTURE)
tests_unit_test_wa_adv_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wa_adv_LDADD = $(WALIB_LDADD)
tests_unit_test_wa_appstate_SOURCES = tests/unit/test_wa_appstate.c $(WALIB_STANZAS)
tests_unit_test_wa_appstate_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wa_appstate_LDADD = $(WALIB_LDADD)
tests_unit_test_wa_cert_SOURCES = tests/unit/test_wa_cert.c $(WALIB_VECTORS) $(WALIB_FIXTURE)
tests_unit_test_wa_cert_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wa_cert_LDADD = $(WALIB_LDADD)
tests_unit_test_wa_device_SOURCES = tests/unit/test_wa_device.c $(WALIB_VECTORS)
tests_unit_test_wa_device_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wa_device_LDADD = $(WALIB_LDADD)
tests_unit_test_wa_frame_SOURCES = tests/unit/test_wa_frame.c
tests_unit_test_wa_frame_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wa_frame_LDADD = $(WALIB_LDADD)
tests_unit_test_wa_jid_SOURCES = tests/unit/test_wa_jid.c
tests_unit_test_wa_jid_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wa_jid_LDADD = $(WALIB_LDADD)
tests_unit_test_wa_keys_SOURCES = tests/unit/test_wa_keys.c $(WALIB_VECTORS)
tests_unit_test_wa_keys_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wa_keys_LDADD = $(WALIB_LDADD)
tests_unit_test_wa_link_code_SOURCES = tests/unit/test_wa_link_code.c $(WALIB_STANZAS) $(WALIB_FIXTURE)
tests_unit_test_wa_link_code_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wa_link_code_LDADD = $(WALIB_LDADD)
tests_unit_test_wa_login_SOURCES = tests/unit/test_wa_login.c $(WALIB_STANZAS)
tests_unit_test_wa_login_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wa_login_LDADD = $(WALIB_LDADD)
tests_unit_test_wa_node_SOURCES = tests/unit/test_wa_node.c $(WALIB_VECTORS)
tests_unit_test_wa_node_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wa_node_LDADD = $(WALIB_LDADD)
tests_unit_test_wa_noise_SOURCES = tests/unit/test_wa_noise.c $(WALIB_VECTORS) $(WALIB_FIXTURE)
tests_unit_test_wa_noise_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wa_noise_LDADD = $(WALIB_LDADD)
tests_unit_test_wa_noise_ik_SOURCES = tests/unit/test_wa_noise_ik.c $(WALIB_VECTORS) $(WALIB_FIXTURE)
tests_unit_test_wa_noise_ik_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wa_noise_ik_LDADD = $(WALIB_LDADD)
# Every allocation of ours goes through the test, which lets them fail in turn.
tests_unit_test_wa_oom_SOURCES = tests/unit/test_wa_oom.c $(WALIB_FIXTURE)
tests_unit_test_wa_oom_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wa_oom_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=malloc -Wl,--wrap=calloc
tests_unit_test_wa_oom_LDADD = $(WALIB_LDADD)
tests_unit_test_wa_pair_SOURCES = tests/unit/test_wa_pair.c
tests_unit_test_wa_pair_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wa_pair_LDADD = $(WALIB_LDADD)
tests_unit_test_wa_passkey_SOURCES = tests/unit/test_wa_passkey.c $(WALIB_STANZAS) $(WALIB_FIXTURE)
tests_unit_test_wa_passkey_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wa_passkey_LDADD = $(WALIB_LDADD)
tests_unit_test_wa_prekey_SOURCES = tests/unit/test_wa_prekey.c $(WALIB_STANZAS)
tests_unit_test_wa_prekey_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wa_prekey_LDADD = $(WALIB_LDADD)
tests_unit_test_wa_history_SOURCES = tests/unit/test_wa_history.c $(WALIB_HISTORY) $(WALIB_VECTORS)
tests_unit_test_wa_history_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wa_history_LDADD = $(WALIB_LDADD)
tests_unit_test_wa_media_SOURCES = tests/unit/test_wa_media.c $(WALIB_VECTORS)
tests_unit_test_wa_media_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wa_media_LDADD = $(WALIB_LDADD)
tests_unit_test_wa_msg_SOURCES = tests/unit/test_wa_msg.c $(WALIB_VECTORS)
tests_unit_test_wa_msg_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wa_msg_LDADD = $(WALIB_LDADD)
tests_unit_test_wa_msg_oom_SOURCES = tests/unit/test_wa_msg_oom.c $(WALIB_HISTORY) $(WALIB_SIGNAL) \
	$(WALIB_VECTORS)
tests_unit_test_wa_msg_oom_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wa_msg_oom_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=malloc -Wl,--wrap=calloc \
	-Wl,--wrap=realloc
tests_unit_test_wa_msg_oom_LDADD = $(WALIB_LDADD)
tests_unit_test_wa_receipt_SOURCES = tests/unit/test_wa_receipt.c $(WALIB_STANZAS)
tests_unit_test_wa_receipt_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wa_receipt_LDADD = $(WALIB_LDADD)
tests_unit_test_wa_signal_SOURCES = tests/unit/test_wa_signal.c $(WALIB_SIGNAL) $(WALIB_VECTORS)
tests_unit_test_wa_signal_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wa_signal_LDADD = $(WALIB_LDADD)
tests_unit_test_wa_source_SOURCES = tests/unit/test_wa_source.c
tests_unit_test_wa_source_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wa_source_LDADD = $(WALIB_LDADD)
tests_unit_test_wa_stanza_SOURCES = tests/unit/test_wa_stanza.c $(WALIB_STANZAS)
tests_unit_test_wa_stanza_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wa_stanza_LDADD = $(WALIB_LDADD)
tests_unit_test_wa_token_SOURCES = tests/unit/test_wa_token.c
tests_unit_test_wa_token_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_wa_token_LDADD = $(WALIB_LDADD)
# Figures, not tests: for ./bench, or to be built and run by hand.
EXTRA_PROGRAMS = tests/bench/wa
tests_bench_wa_SOURCES = tests/bench/wa.c $(WALIB_HISTORY) $(WALIB_SIGNAL)
tests_bench_wa_CFLAGS = $(UNIT_CFLAGS)
tests_bench_wa_LDADD = $(WALIB_LDADD)
EXTRA_PROGRAMS += tests/bench/nodes
tests_bench_nodes_SOURCES = tests/bench/nodes.c
tests_bench_nodes_CFLAGS = $(UNIT_CFLAGS)
tests_bench_nodes_LDADD = $(WALIB_LDADD)

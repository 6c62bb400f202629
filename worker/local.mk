# The worker: one WhatsApp session in a process of its own. libworker.a is everything but main.c.
noinst_LIBRARIES += libworker.a
libworker_a_SOURCES = \
	worker/wk.c worker/wk.h \
	worker/wk_alive.c worker/wk_alive.h worker/wk_hand.c worker/wk_hand.h \
	worker/wk_recv_aside.c worker/wk_store_aside.c worker/wk_store_aside.h \
	worker/wk_appstate.c worker/wk_appstate.h worker/wk_appstate_priv.h \
	worker/wk_appstate_apply.c worker/wk_appstate_step.c worker/wk_appstate_step.h \
	worker/wk_batch.c worker/wk_batch.h \
	worker/wk_codes.c worker/wk_codes.h \
	worker/wk_creds.c worker/wk_creds.h \
	worker/wk_conn.c worker/wk_conn.h \
	worker/wk_dial.c worker/wk_dial.h worker/wk_dial_proxy.c worker/wk_dial_proxy.h \
	worker/wk_emit.c worker/wk_emit.h worker/wk_emit_priv.h worker/wk_emit_call.c \
	worker/wk_emit_group.c worker/wk_emit_label.c worker/wk_emit_receipt.c \
	worker/wk_event_msg.c worker/wk_event_msg.h worker/wk_event_priv.h worker/wk_event_open.c \
	worker/wk_event_media.c worker/wk_event_parts.c worker/wk_event_who.c \
	worker/wk_failure.c worker/wk_failure.h \
	worker/wk_fds.c worker/wk_fds.h \
	worker/wk_heap.c worker/wk_heap.h \
	worker/wk_history.c worker/wk_history.h worker/wk_history_blob.c worker/wk_history_blob.h \
	worker/wk_store_history.c worker/wk_store_history.h \
	worker/wk_ask_media.c worker/wk_ask_media.h worker/wk_ask_messages.c worker/wk_ask_messages.h \
	worker/wk_session_history.c \
	worker/wk_http.c worker/wk_http.h worker/wk_http_reader.c worker/wk_http_reader.h \
	worker/wk_ipc.c worker/wk_ipc.h \
	worker/wk_ipc_tell.c worker/wk_ipc_tell.h \
	worker/wk_link_code.c worker/wk_link_code.h \
	worker/wk_iq.c worker/wk_iq.h \
	worker/wk_media.c worker/wk_media.h \
	worker/wk_online.c worker/wk_online.h worker/wk_online_priv.h worker/wk_online_ask.c \
	worker/wk_online_dirty.c worker/wk_online_ib.c worker/wk_online_in.c \
	worker/wk_online_rx.c worker/wk_online_state.c worker/wk_online_up.c \
	worker/wk_outbox.c worker/wk_outbox.h \
	worker/wk_pair.c worker/wk_pair.h worker/wk_pair_id.h \
	worker/wk_passkey.c worker/wk_passkey.h \
	worker/wk_passkey_json.c worker/wk_passkey_json.h \
	worker/wk_prekeys.c worker/wk_prekeys.h \
	worker/wk_probe.c worker/wk_probe.h \
	worker/wk_proxy.c worker/wk_proxy.h \
	worker/wk_recv.c worker/wk_recv.h worker/wk_recv_priv.h worker/wk_recv_budget.c \
	worker/wk_recv_budget.h worker/wk_recv_open.c worker/wk_recv_phone.c worker/wk_recv_take.c \
	worker/wk_retry_ask.c worker/wk_retry_ask.h worker/wk_signal.c worker/wk_signal.h \
	worker/wk_session.c worker/wk_session.h worker/wk_session_priv.h \
	worker/wk_retry.c worker/wk_retry.h \
	worker/wk_session_ask.c worker/wk_session_act.c worker/wk_session_end.c worker/wk_session_events.c \
	worker/wk_session_link.c \
	worker/wk_session_lost.c worker/wk_session_online.c worker/wk_session_pair.c \
	worker/wk_session_rx.c worker/wk_session_stream.c worker/wk_session_version.c \
	worker/wk_sandbox.c worker/wk_sandbox.h worker/wk_sandbox_priv.h worker/wk_sandbox_id.c \
	worker/wk_sandbox_landlock.c worker/wk_sandbox_seccomp.c \
	worker/wk_settings.c worker/wk_settings.h \
	worker/wk_store.c worker/wk_store.h worker/wk_store_priv.h \
	worker/wk_store_appstate.c worker/wk_store_appstate.h \
	worker/wk_store_name.c worker/wk_store_name.h worker/wk_store_once.c worker/wk_store_once.h \
	worker/wk_store_lid.c worker/wk_store_lid.h worker/wk_store_link.c \
	worker/wk_store_msg.c worker/wk_store_msg.h \
	worker/wk_store_outbox.c worker/wk_store_outbox.h worker/wk_store_prekey.c \
	worker/wk_store_signal.c worker/wk_store_signal.h worker/wk_store_stmt.c \
	worker/wk_target.c worker/wk_target.h \
	worker/wk_timer.h \
	worker/wk_title.c worker/wk_title.h \
	worker/wk_tls.c worker/wk_tls.h worker/wk_tls_priv.h worker/wk_tls_warm.c \
	worker/wk_upgrade.c worker/wk_upgrade.h \
	worker/wk_url.c worker/wk_url.h \
	worker/wk_version.c worker/wk_version.h worker/wk_version_reader.c \
	worker/wk_ws.c worker/wk_ws.h \
	worker/wk_zygote.c worker/wk_zygote.h
libworker_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(EVENT_SSL_CFLAGS) $(SSL_CFLAGS) $(PROTOBUFC_CFLAGS) \
	$(SQLITE_CFLAGS) $(JANSSON_CFLAGS) $(SECCOMP_CFLAGS)
WORKER_LIBS = libworker.a $(WA_LIBS) $(WSLAY_LIBS) $(EVENT_SSL_LIBS) $(SSL_LIBS) $(JANSSON_LIBS) \
	$(SECCOMP_LIBS) $(WA_EXT_LIBS)

pkglibexec_PROGRAMS += warden-worker
warden_worker_SOURCES = worker/main.c
warden_worker_CFLAGS = $(libworker_a_CFLAGS)
warden_worker_LDADD = $(WORKER_LIBS)
EXTRA_DIST += worker/README.md

# The worker: one WhatsApp session in a process of its own. libworker.a is everything but main.c.
noinst_LIBRARIES += libworker.a
libworker_a_SOURCES = \
	worker/wk.c worker/wk.h \
	worker/appstate/wk_appstate.c worker/appstate/wk_appstate.h worker/appstate/wk_appstate_apply.c \
	worker/appstate/wk_appstate_phone.c worker/appstate/wk_appstate_piece.c worker/appstate/wk_appstate_priv.h \
	worker/appstate/wk_appstate_step.c \
	worker/appstate/wk_appstate_step.h \
	worker/control/wk_ipc.c worker/control/wk_ipc.h worker/control/wk_ipc_tell.c \
	worker/control/wk_ipc_tell.h worker/control/wk_settings.c worker/control/wk_settings.h \
	worker/control/wk_target.c worker/control/wk_target.h \
	worker/events/wk_emit.c worker/events/wk_emit.h worker/events/wk_emit_call.c \
	worker/events/wk_emit_group.c worker/events/wk_emit_label.c worker/events/wk_emit_priv.h \
	worker/events/wk_emit_receipt.c worker/events/wk_event_media.c worker/events/wk_event_msg.c \
	worker/events/wk_event_msg.h worker/events/wk_event_open.c worker/events/wk_event_parts.c \
	worker/events/wk_event_priv.h worker/events/wk_event_who.c worker/events/wk_outbox.c \
	worker/events/wk_outbox.h \
	worker/history/wk_age.c worker/history/wk_age.h worker/history/wk_ask_media.c worker/history/wk_ask_media.h worker/history/wk_ask_messages.c \
	worker/history/wk_ask_messages.h worker/history/wk_history.c worker/history/wk_history.h \
	worker/history/wk_history_blob.c worker/history/wk_history_blob.h worker/history/wk_history_end.c \
	worker/history/wk_history_fetch.c worker/history/wk_history_job.c worker/history/wk_history_job.h \
	worker/history/wk_history_priv.h worker/history/wk_history_read.c worker/history/wk_history_tell.c \
	worker/history/wk_media.c worker/history/wk_media.h worker/history/wk_media_get.c \
	worker/history/wk_media_hosts.c worker/history/wk_media_priv.h \
	worker/net/wk_conn.c worker/net/wk_conn.h worker/net/wk_dial.c worker/net/wk_dial.h \
	worker/net/wk_dial_proxy.c worker/net/wk_dial_proxy.h worker/net/wk_http.c worker/net/wk_http.h \
	worker/net/wk_http_reader.c worker/net/wk_http_reader.h worker/net/wk_probe.c worker/net/wk_probe.h \
	worker/net/wk_proxy.c worker/net/wk_proxy.h worker/net/wk_tls.c worker/net/wk_tls.h \
	worker/net/wk_tls_priv.h worker/net/wk_tls_warm.c worker/net/wk_upgrade.c worker/net/wk_upgrade.h \
	worker/net/wk_url.c worker/net/wk_url.h worker/net/wk_version.c worker/net/wk_version.h \
	worker/net/wk_version_reader.c worker/net/wk_ws.c worker/net/wk_ws.h \
	worker/online/wk_alive.c worker/online/wk_alive.h worker/online/wk_iq.c worker/online/wk_iq.h \
	worker/online/wk_online.c worker/online/wk_online.h worker/online/wk_online_ask.c \
	worker/online/wk_online_dirty.c worker/online/wk_online_ib.c worker/online/wk_online_in.c \
	worker/online/wk_online_priv.h worker/online/wk_online_rx.c worker/online/wk_online_send.c worker/online/wk_online_state.c \
	worker/online/wk_online_up.c worker/online/wk_prekeys.c worker/online/wk_prekeys.h \
	worker/pair/wk_codes.c worker/pair/wk_codes.h worker/pair/wk_link_code.c worker/pair/wk_link_code.h \
	worker/pair/wk_pair.c worker/pair/wk_pair.h worker/pair/wk_pair_id.h worker/pair/wk_passkey.c \
	worker/pair/wk_passkey.h worker/pair/wk_passkey_json.c worker/pair/wk_passkey_json.h \
	worker/process/wk_fds.c worker/process/wk_fds.h worker/process/wk_hand.c worker/process/wk_hand.h \
	worker/process/wk_heap.c worker/process/wk_heap.h worker/process/wk_sandbox.c \
	worker/process/wk_sandbox.h worker/process/wk_sandbox_id.c worker/process/wk_sandbox_landlock.c \
	worker/process/wk_sandbox_priv.h worker/process/wk_sandbox_seccomp.c worker/process/wk_title.c \
	worker/process/wk_title.h worker/process/wk_zygote.c worker/process/wk_zygote.h \
	worker/receive/wk_recv.c worker/receive/wk_recv.h worker/receive/wk_recv_aside.c \
	worker/receive/wk_recv_budget.c worker/receive/wk_recv_budget.h worker/receive/wk_recv_open.c \
	worker/receive/wk_recv_phone.c worker/receive/wk_recv_priv.h worker/receive/wk_recv_take.c \
	worker/receive/wk_retry_ask.c worker/receive/wk_retry_ask.h worker/receive/wk_signal.c \
	worker/receive/wk_signal.h \
	worker/send/wk_send.c worker/send/wk_send.h worker/send/wk_send_again.c worker/send/wk_send_devices.c \
	worker/send/wk_send_priv.h worker/send/wk_send_seal.c worker/send/wk_sessions.c \
	worker/send/wk_sessions.h \
	worker/session/wk_failure.c worker/session/wk_failure.h worker/session/wk_retry.c \
	worker/session/wk_retry.h worker/session/wk_session.c worker/session/wk_session.h \
	worker/session/wk_session_act.c worker/session/wk_session_ask.c worker/session/wk_session_end.c \
	worker/session/wk_session_events.c worker/session/wk_session_history.c \
	worker/session/wk_session_link.c worker/session/wk_session_lost.c worker/session/wk_session_online.c \
	worker/session/wk_session_pair.c worker/session/wk_session_priv.h worker/session/wk_session_rx.c \
	worker/session/wk_session_stream.c worker/session/wk_session_version.c worker/session/wk_timer.h \
	worker/store/wk_batch.c worker/store/wk_batch.h worker/store/wk_creds.c worker/store/wk_creds.h \
	worker/store/wk_store_age.c worker/store/wk_store_age.h worker/store/wk_store_label.c \
	worker/store/wk_store.c worker/store/wk_store.h worker/store/wk_store_appstate.c \
	worker/store/wk_store_appstate.h worker/store/wk_store_appstate_ask.c worker/store/wk_store_ask.c \
	worker/store/wk_store_ask.h worker/store/wk_store_aside.c worker/store/wk_store_aside.h \
	worker/store/wk_store_heap.c worker/store/wk_store_heap.h worker/store/wk_store_history.c worker/store/wk_store_history.h worker/store/wk_store_lid.c \
	worker/store/wk_store_left.c worker/store/wk_store_left.h worker/store/wk_store_lid.h worker/store/wk_store_link.c worker/store/wk_store_msg.c \
	worker/store/wk_store_msg.h worker/store/wk_store_msg_body.c worker/store/wk_store_msg_key.c \
	worker/store/wk_store_msg_priv.h worker/store/wk_store_name.c worker/store/wk_store_name.h \
	worker/store/wk_store_once.c worker/store/wk_store_once.h worker/store/wk_store_outbox.c \
	worker/store/wk_store_outbox.h worker/store/wk_store_prekey.c worker/store/wk_store_priv.h \
	worker/store/wk_store_sent.c worker/store/wk_store_sent.h \
	worker/store/wk_store_signal.c worker/store/wk_store_signal.h worker/store/wk_store_stmt.c
libworker_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(EVENT_SSL_CFLAGS) $(SSL_CFLAGS) $(PROTOBUFC_CFLAGS) \
	$(SQLITE_CFLAGS) $(JANSSON_CFLAGS) $(SECCOMP_CFLAGS)
WORKER_LIBS = libworker.a $(WA_LIBS) $(WSLAY_LIBS) $(EVENT_SSL_LIBS) $(SSL_LIBS) $(JANSSON_LIBS) \
	$(SECCOMP_LIBS) $(WA_EXT_LIBS)

pkglibexec_PROGRAMS += warden-worker
warden_worker_SOURCES = worker/main.c
warden_worker_CFLAGS = $(libworker_a_CFLAGS)
warden_worker_LDADD = $(WORKER_LIBS)
EXTRA_DIST += worker/README.md

# The gateway: wardend. Everything but main.c is a library so that tests can link it.
noinst_LIBRARIES += libgateway.a
libgateway_a_SOURCES = \
	gateway/gw.h \
	gateway/gw_activation.c gateway/gw_activation.h \
	gateway/gw_config.c gateway/gw_config.h \
	gateway/gw_dir.c gateway/gw_dir.h \
	gateway/gw_exec.c gateway/gw_exec.h \
	gateway/gw_event.c gateway/gw_event.h gateway/gw_events.c gateway/gw_events.h \
	gateway/gw_events_db.c gateway/gw_events_db.h gateway/gw_events_priv.h \
	gateway/gw_events_db_read.c gateway/gw_events_give.c \
	gateway/gw_events_read.c gateway/gw_events_thread.c \
	gateway/gw_feed.c gateway/gw_feed.h gateway/gw_ws.c gateway/gw_ws.h gateway/gw_api_events.c \
	gateway/gw_instance.c gateway/gw_instance.h \
	gateway/gw_invite.c gateway/gw_invite.h gateway/gw_registry_invite.c \
	gateway/gw_instance_act.h gateway/gw_instance_adopt.c gateway/gw_instance_attempt.c gateway/gw_instance_end.c gateway/gw_instance_events.c \
	gateway/gw_instance_json.c gateway/gw_instance_machine.c gateway/gw_instance_pair.c \
	gateway/gw_instance_priv.h gateway/gw_instance_retry.c gateway/gw_instance_session.c \
	gateway/gw_instance_shown.c gateway/gw_instance_watch.c gateway/gw_device.h gateway/gw_proxy.c gateway/gw_proxy.h \
	gateway/gw_deaths.c gateway/gw_deaths.h gateway/gw_dials.c gateway/gw_dials.h \
	gateway/gw_master_key.c gateway/gw_master_key.h \
	gateway/gw_notify.c gateway/gw_notify.h \
	gateway/gw_proc.c gateway/gw_proc.h \
	gateway/gw_numbers.c gateway/gw_numbers.h \
	gateway/gw_sandbox.c gateway/gw_sandbox.h \
	gateway/gw_secrets.c gateway/gw_secrets.h \
	gateway/gw_uids.c gateway/gw_uids.h \
	gateway/gw_version.c gateway/gw_version.h \
	gateway/gw_stop.c \
	gateway/gw_table.c gateway/gw_table.h \
	gateway/gw_registry.c gateway/gw_registry.h \
	gateway/gw_registry_change.c gateway/gw_registry_instance.c gateway/gw_registry_priv.h \
	gateway/gw_store.c gateway/gw_store.h \
	gateway/gw_store_db.c gateway/gw_store_db.h gateway/gw_store_tidy.c \
	gateway/gw_supervisor.c gateway/gw_supervisor.h \
	gateway/gw_upgrade.c gateway/gw_upgrade.h \
	gateway/gw_reload.c gateway/gw_reload.h \
	gateway/gw_runner.c gateway/gw_runner.h gateway/gw_runner_exec.c gateway/gw_runner_zygote.c \
	gateway/gw_worker.c gateway/gw_worker.h gateway/gw_worker_priv.h \
	gateway/gw_worker_ask.c gateway/gw_worker_ask.h \
	gateway/gw_worker_check.c gateway/gw_worker_check.h gateway/gw_worker_adopt.c gateway/gw_worker_info.c \
	gateway/gw_worker_msg.c gateway/gw_worker_start.c gateway/gw_worker_talk.c \
	gateway/gw_event_media.c gateway/gw_event_media.h \
	gateway/gw_hook_addr.c gateway/gw_hook_addr.h \
	gateway/gw_hook_body.c gateway/gw_hook_body.h \
	gateway/gw_hook_config.c gateway/gw_hook_config.h \
	gateway/gw_hook_db.c gateway/gw_hook_db.h \
	gateway/gw_hook_http.c gateway/gw_hook_http.h \
	gateway/gw_hook_lane.c gateway/gw_hook_query.c gateway/gw_hook_read.c gateway/gw_hook_send.c gateway/gw_hook_turns.c \
	gateway/gw_hook_schedule.c gateway/gw_hook_schedule.h \
	gateway/gw_hook_sign.c gateway/gw_hook_sign.h \
	gateway/gw_hook_url.c gateway/gw_hook_url.h \
	gateway/gw_hooks.c gateway/gw_hooks.h gateway/gw_hooks_priv.h \
	gateway/gw_gate.c gateway/gw_gate.h \
	gateway/gw_addr.c gateway/gw_addr.h \
	gateway/gw_peers.c gateway/gw_peers.h \
	gateway/gw_conn.c gateway/gw_conn.h gateway/gw_conn_priv.h \
	gateway/gw_conn_write.c gateway/gw_conns.c \
	gateway/gw_listener.c gateway/gw_listener.h \
	gateway/gw_http.c gateway/gw_http.h \
	gateway/gw_query.c gateway/gw_query.h \
	gateway/gw_req.c gateway/gw_req.h \
	gateway/gw_room.c gateway/gw_room.h \
	gateway/gw_route.c gateway/gw_route.h gateway/gw_routes.c \
	gateway/gw_auth.c gateway/gw_auth.h \
	gateway/gw_limit.c gateway/gw_limit.h \
	gateway/gw_limit_local.c gateway/gw_limit_local.h \
	gateway/gw_limit_script.c gateway/gw_limit_script.h \
	gateway/gw_metrics.c gateway/gw_metrics.h gateway/gw_metrics_priv.h gateway/gw_metrics_text.c \
	gateway/gw_api_metrics.c \
	gateway/gw_redis.c gateway/gw_redis.h \
	gateway/gw_redis_io.c gateway/gw_redis_io.h \
	gateway/gw_redis_reply.c gateway/gw_redis_reply.h \
	gateway/gw_redis_url.c gateway/gw_redis_url.h \
	gateway/gw_accept.c gateway/gw_accept.h \
	gateway/gw_web.c gateway/gw_web.h \
	gateway/gw_qr.c gateway/gw_qr.h \
	gateway/gw_outcome.c gateway/gw_outcome.h \
	gateway/gw_stream.c gateway/gw_stream.h \
	gateway/gw_json.c gateway/gw_json.h gateway/gw_body.c gateway/gw_body.h \
	gateway/gw_api_chat.c gateway/gw_api_connect.c gateway/gw_api_connect.h gateway/gw_api_link.c gateway/gw_api_instance.c gateway/gw_api_list.c \
	gateway/gw_api_session.c gateway/gw_api_settings.c gateway/gw_api_admin.c \
	gateway/gw_api_workers.c gateway/gw_api_ops.c gateway/gw_api_doctor.c gateway/gw_api_replay.c gateway/gw_api_webhook.c gateway/gw_api.h \
	gateway/gw_doctor.c gateway/gw_doctor.h \
	gateway/gw_doctor_disk.c gateway/gw_doctor_disk.h \
	gateway/gw_doctor_host.c gateway/gw_doctor_host.h \
	gateway/gw_doctor_reach.c gateway/gw_doctor_reach.h \
	gateway/gw_probe.c gateway/gw_probe.h \
	gateway/gw_finding.c gateway/gw_finding.h
if HAVE_LIBSYSTEMD
libgateway_a_SOURCES += gateway/gw_runner_systemd.c
endif
libgateway_a_CFLAGS = $(AM_CFLAGS) $(LIBSYSTEMD_CFLAGS) $(EVENT_CFLAGS) $(EVENT_THREADS_CFLAGS) $(CRYPTO_CFLAGS) \
	$(JANSSON_CFLAGS) $(QRENCODE_CFLAGS) $(PNG_CFLAGS) $(SQLITE_CFLAGS) $(PROTOBUFC_CFLAGS) \
	$(SECCOMP_CFLAGS) $(HIREDIS_CFLAGS) $(CURL_CFLAGS) -DWARDEN_WORKER_PATH='"$(pkglibexecdir)/warden-worker"'
GATEWAY_LIBS = libgateway.a $(COMMON_LIBS) $(EVENT_LIBS) $(EVENT_THREADS_LIBS) $(PROTOBUFC_LIBS) \
	$(CRYPTO_LIBS) $(JANSSON_LIBS) $(QRENCODE_LIBS) $(PNG_LIBS) $(SQLITE_LIBS) $(LIBSYSTEMD_LIBS) \
	$(SECCOMP_LIBS) $(HIREDIS_LIBS) $(CURL_LIBS) $(WSLAY_LIBS) -lpthread

sbin_PROGRAMS += wardend
wardend_SOURCES = gateway/main.c
wardend_CFLAGS = $(libgateway_a_CFLAGS)
wardend_LDADD = $(GATEWAY_LIBS)
EXTRA_DIST += gateway/README.md

# The gateway: wardend. Everything but main.c is a library so that tests can link it.
noinst_LIBRARIES += libgateway.a
libgateway_a_SOURCES = \
	gateway/gw.h gateway/gw_config.c gateway/gw_config.h \
	gateway/api/gw_api.h gateway/api/gw_api_admin.c gateway/api/gw_api_chat.c \
	gateway/api/gw_api_connect.c gateway/api/gw_api_connect.h gateway/api/gw_api_doctor.c \
	gateway/api/gw_api_events.c gateway/api/gw_api_instance.c gateway/api/gw_api_link.c \
	gateway/api/gw_api_list.c gateway/api/gw_api_metrics.c gateway/api/gw_api_ops.c \
	gateway/api/gw_api_replay.c gateway/api/gw_api_session.c gateway/api/gw_api_settings.c \
	gateway/api/gw_api_webhook.c gateway/api/gw_api_workers.c gateway/api/gw_outcome.c \
	gateway/api/gw_outcome.h gateway/api/gw_qr.c gateway/api/gw_qr.h gateway/api/gw_web.c \
	gateway/api/gw_web.h \
	gateway/doctor/gw_doctor.c gateway/doctor/gw_doctor.h gateway/doctor/gw_doctor_disk.c \
	gateway/doctor/gw_doctor_disk.h gateway/doctor/gw_doctor_host.c gateway/doctor/gw_doctor_host.h \
	gateway/doctor/gw_doctor_reach.c gateway/doctor/gw_doctor_reach.h gateway/doctor/gw_finding.c \
	gateway/doctor/gw_finding.h gateway/doctor/gw_probe.c gateway/doctor/gw_probe.h \
	gateway/events/gw_event.c gateway/events/gw_event.h gateway/events/gw_event_media.c \
	gateway/events/gw_event_media.h gateway/events/gw_events.c gateway/events/gw_events.h \
	gateway/events/gw_events_db.c gateway/events/gw_events_db.h gateway/events/gw_events_db_read.c \
	gateway/events/gw_events_give.c gateway/events/gw_events_priv.h gateway/events/gw_events_read.c \
	gateway/events/gw_events_thread.c gateway/events/gw_feed.c gateway/events/gw_feed.h \
	gateway/events/gw_ws.c gateway/events/gw_ws.h \
	gateway/http/gw_accept.c gateway/http/gw_accept.h gateway/http/gw_addr.c gateway/http/gw_addr.h \
	gateway/http/gw_auth.c gateway/http/gw_auth.h gateway/http/gw_body.c gateway/http/gw_body.h \
	gateway/http/gw_conn.c gateway/http/gw_conn.h gateway/http/gw_conn_priv.h \
	gateway/http/gw_conn_write.c gateway/http/gw_conns.c gateway/http/gw_gate.c gateway/http/gw_gate.h \
	gateway/http/gw_gate_head.c gateway/http/gw_gate_priv.h \
	gateway/http/gw_http.c gateway/http/gw_http.h gateway/http/gw_json.c gateway/http/gw_json.h \
	gateway/http/gw_listener.c gateway/http/gw_listener.h gateway/http/gw_peers.c \
	gateway/http/gw_peers.h gateway/http/gw_query.c gateway/http/gw_query.h gateway/http/gw_req.c \
	gateway/http/gw_req.h gateway/http/gw_req_priv.h gateway/http/gw_req_stream.c \
	gateway/http/gw_route.c gateway/http/gw_route.h gateway/http/gw_routes.c \
	gateway/http/gw_stream.c gateway/http/gw_stream.h \
	gateway/instance/gw_deaths.c gateway/instance/gw_deaths.h gateway/instance/gw_device.h \
	gateway/instance/gw_dials.c gateway/instance/gw_dials.h gateway/instance/gw_instance.c \
	gateway/instance/gw_instance.h gateway/instance/gw_instance_act.h \
	gateway/instance/gw_instance_adopt.c gateway/instance/gw_instance_attempt.c \
	gateway/instance/gw_instance_end.c gateway/instance/gw_instance_events.c \
	gateway/instance/gw_instance_json.c gateway/instance/gw_instance_machine.c \
	gateway/instance/gw_instance_pair.c gateway/instance/gw_instance_priv.h \
	gateway/instance/gw_instance_retry.c gateway/instance/gw_instance_session.c \
	gateway/instance/gw_instance_shown.c gateway/instance/gw_instance_watch.c \
	gateway/instance/gw_numbers.c gateway/instance/gw_numbers.h gateway/instance/gw_proxy.c \
	gateway/instance/gw_proxy.h gateway/instance/gw_room.c gateway/instance/gw_room.h \
	gateway/instance/gw_version.c gateway/instance/gw_version.h \
	gateway/limit/gw_limit.c gateway/limit/gw_limit.h gateway/limit/gw_limit_local.c \
	gateway/limit/gw_limit_local.h gateway/limit/gw_limit_script.c gateway/limit/gw_limit_script.h \
	gateway/limit/gw_redis.c gateway/limit/gw_redis.h gateway/limit/gw_redis_io.c \
	gateway/limit/gw_redis_io.h gateway/limit/gw_redis_reply.c gateway/limit/gw_redis_reply.h \
	gateway/limit/gw_redis_url.c gateway/limit/gw_redis_url.h \
	gateway/metrics/gw_metrics.c gateway/metrics/gw_metrics.h gateway/metrics/gw_metrics_priv.h \
	gateway/metrics/gw_metrics_text.c \
	gateway/process/gw_activation.c gateway/process/gw_activation.h gateway/process/gw_notify.c \
	gateway/process/gw_notify.h gateway/process/gw_reload.c gateway/process/gw_reload.h \
	gateway/process/gw_sandbox.c gateway/process/gw_sandbox.h gateway/process/gw_stop.c \
	gateway/registry/gw_dir.c gateway/registry/gw_dir.h gateway/registry/gw_invite.c \
	gateway/registry/gw_invite.h gateway/registry/gw_master_key.c gateway/registry/gw_master_key.h \
	gateway/registry/gw_registry.c gateway/registry/gw_registry.h gateway/registry/gw_registry_change.c \
	gateway/registry/gw_registry_instance.c gateway/registry/gw_registry_invite.c \
	gateway/registry/gw_registry_priv.h gateway/registry/gw_sealed_text.c gateway/registry/gw_sealed_text.h \
	gateway/registry/gw_secrets.c gateway/registry/gw_secrets.h \
	gateway/registry/gw_store.c gateway/registry/gw_store.h gateway/registry/gw_store_db.c \
	gateway/registry/gw_store_db.h gateway/registry/gw_store_jobs.c gateway/registry/gw_store_priv.h \
	gateway/registry/gw_store_tidy.c gateway/registry/gw_table.c \
	gateway/registry/gw_table.h \
	gateway/supervision/gw_exec.c gateway/supervision/gw_exec.h gateway/supervision/gw_proc.c \
	gateway/supervision/gw_proc.h gateway/supervision/gw_runner.c gateway/supervision/gw_runner.h \
	gateway/supervision/gw_runner_exec.c gateway/supervision/gw_runner_zygote.c \
	gateway/supervision/gw_supervisor.c gateway/supervision/gw_supervisor.h \
	gateway/supervision/gw_supervisor_adopt.c gateway/supervision/gw_supervisor_priv.h \
	gateway/supervision/gw_survey.c gateway/supervision/gw_survey.h \
	gateway/supervision/gw_uids.c gateway/supervision/gw_uids.h gateway/supervision/gw_upgrade.c \
	gateway/supervision/gw_upgrade.h gateway/supervision/gw_worker.c gateway/supervision/gw_worker.h \
	gateway/supervision/gw_worker_adopt.c gateway/supervision/gw_worker_ask.c \
	gateway/supervision/gw_worker_ask.h gateway/supervision/gw_worker_check.c \
	gateway/supervision/gw_worker_check.h gateway/supervision/gw_worker_info.c \
	gateway/supervision/gw_worker_msg.c gateway/supervision/gw_worker_priv.h \
	gateway/supervision/gw_worker_start.c gateway/supervision/gw_worker_talk.c \
	gateway/webhook/gw_hook_addr.c gateway/webhook/gw_hook_addr.h gateway/webhook/gw_hook_body.c \
	gateway/webhook/gw_hook_body.h gateway/webhook/gw_hook_config.c gateway/webhook/gw_hook_config.h \
	gateway/webhook/gw_hook_db.c gateway/webhook/gw_hook_db.h gateway/webhook/gw_hook_http.c \
	gateway/webhook/gw_hook_http.h gateway/webhook/gw_hook_lane.c gateway/webhook/gw_hook_query.c \
	gateway/webhook/gw_hook_read.c gateway/webhook/gw_hook_schedule.c gateway/webhook/gw_hook_schedule.h \
	gateway/webhook/gw_hook_send.c gateway/webhook/gw_hook_sign.c gateway/webhook/gw_hook_sign.h \
	gateway/webhook/gw_hook_turns.c gateway/webhook/gw_hook_url.c gateway/webhook/gw_hook_url.h \
	gateway/webhook/gw_hooks.c gateway/webhook/gw_hooks.h gateway/webhook/gw_hooks_priv.h
if HAVE_LIBSYSTEMD
libgateway_a_SOURCES += gateway/supervision/gw_runner_systemd.c
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

# The gateway's HTTP side.
GWHTTP_TESTS = tests/unit/test_gw_gate tests/unit/test_gw_limit_local tests/unit/test_gw_accept \
	tests/unit/test_gw_addr tests/unit/test_gw_qr tests/unit/test_gw_conn tests/unit/test_gw_http \
	tests/unit/test_gw_json tests/unit/test_gw_event tests/unit/test_gw_oom tests/unit/test_gw_query tests/unit/test_gw_api tests/unit/test_gw_redis_url \
	tests/unit/test_gw_redis tests/unit/test_gw_limit_redis tests/unit/test_gw_listener \
	tests/unit/test_gw_activation tests/unit/test_gw_notify
check_PROGRAMS += $(GWHTTP_TESTS)
TESTS += $(GWHTTP_TESTS)
GWHTTP_CFLAGS = $(UNIT_CFLAGS) $(CRYPTO_CFLAGS)
GWHTTP_LDADD = $(GATEWAY_LIBS) $(UNIT_LIBS)

tests_unit_test_gw_gate_SOURCES = tests/unit/test_gw_gate.c tests/unit/gate_feed.h tests/unit/test.h \
	tests/unit/wa_vectors.c tests/unit/wa_vectors.h
tests_unit_test_gw_gate_CFLAGS = $(GWHTTP_CFLAGS)
tests_unit_test_gw_gate_LDADD = $(GWHTTP_LDADD)
tests_unit_test_gw_limit_local_SOURCES = tests/unit/test_gw_limit_local.c tests/unit/test.h
tests_unit_test_gw_limit_local_CFLAGS = $(GWHTTP_CFLAGS)
tests_unit_test_gw_limit_local_LDADD = $(GWHTTP_LDADD)
tests_unit_test_gw_accept_SOURCES = tests/unit/test_gw_accept.c tests/unit/test.h
tests_unit_test_gw_accept_CFLAGS = $(GWHTTP_CFLAGS)
tests_unit_test_gw_accept_LDADD = $(GWHTTP_LDADD)
tests_unit_test_gw_addr_SOURCES = tests/unit/test_gw_addr.c tests/unit/test.h
tests_unit_test_gw_addr_CFLAGS = $(GWHTTP_CFLAGS)
tests_unit_test_gw_addr_LDADD = $(GWHTTP_LDADD)
tests_unit_test_gw_qr_SOURCES = tests/unit/test_gw_qr.c tests/unit/test.h
tests_unit_test_gw_qr_CFLAGS = $(GWHTTP_CFLAGS)
tests_unit_test_gw_qr_LDADD = $(GWHTTP_LDADD)
tests_unit_test_gw_conn_SOURCES = tests/unit/test_gw_conn.c tests/unit/http_client.h tests/unit/gw_test.h
tests_unit_test_gw_conn_CFLAGS = $(GWHTTP_CFLAGS)
tests_unit_test_gw_conn_LDADD = $(GWHTTP_LDADD)
tests_unit_test_gw_http_SOURCES = tests/unit/test_gw_http.c tests/unit/http_client.h tests/unit/redis_peer.h tests/unit/gw_test.h \
	tests/unit/gw_fake_supervisor.c tests/unit/gw_fake_supervisor.h
tests_unit_test_gw_http_CFLAGS = $(GWHTTP_CFLAGS)
tests_unit_test_gw_http_LDADD = $(GWHTTP_LDADD)
tests_unit_test_gw_json_SOURCES = tests/unit/test_gw_json.c tests/unit/test.h
tests_unit_test_gw_json_CFLAGS = $(GWHTTP_CFLAGS)
tests_unit_test_gw_json_LDADD = $(GWHTTP_LDADD)
tests_unit_test_gw_oom_SOURCES = tests/unit/test_gw_oom.c $(UNIT_STARVE)
tests_unit_test_gw_oom_CFLAGS = $(GWHTTP_CFLAGS)
tests_unit_test_gw_oom_LDADD = $(GWHTTP_LDADD)
tests_unit_test_gw_query_SOURCES = tests/unit/test_gw_query.c
tests_unit_test_gw_query_CFLAGS = $(GWHTTP_CFLAGS)
tests_unit_test_gw_query_LDADD = $(GWHTTP_LDADD)
tests_unit_test_gw_event_SOURCES = tests/unit/test_gw_event.c
tests_unit_test_gw_event_CFLAGS = $(GWHTTP_CFLAGS)
tests_unit_test_gw_event_LDADD = $(GWHTTP_LDADD)
tests_unit_test_gw_api_SOURCES = tests/unit/test_gw_api.c tests/unit/http_client.h tests/unit/gw_test.h \
	tests/unit/gw_fake_core.c tests/unit/gw_fake_core.h
tests_unit_test_gw_api_CFLAGS = $(GWHTTP_CFLAGS)
tests_unit_test_gw_api_LDADD = $(GWHTTP_LDADD)
tests_unit_test_gw_listener_SOURCES = tests/unit/test_gw_listener.c tests/unit/gw_test.h
tests_unit_test_gw_listener_CFLAGS = $(GWHTTP_CFLAGS)
tests_unit_test_gw_listener_LDADD = $(GWHTTP_LDADD)
tests_unit_test_gw_activation_SOURCES = tests/unit/test_gw_activation.c tests/unit/gw_test.h
tests_unit_test_gw_activation_CFLAGS = $(GWHTTP_CFLAGS)
tests_unit_test_gw_activation_LDADD = $(GWHTTP_LDADD)
tests_unit_test_gw_notify_SOURCES = tests/unit/test_gw_notify.c tests/unit/gw_test.h \
	tests/unit/gw_fake_clock.c tests/unit/gw_fake_clock.h
tests_unit_test_gw_notify_CFLAGS = $(GWHTTP_CFLAGS)
tests_unit_test_gw_notify_LDADD = $(GWHTTP_LDADD)
tests_unit_test_gw_redis_url_SOURCES = tests/unit/test_gw_redis_url.c tests/unit/gw_test.h tests/unit/test.h
tests_unit_test_gw_redis_url_CFLAGS = $(GWHTTP_CFLAGS)
tests_unit_test_gw_redis_url_LDADD = $(GWHTTP_LDADD)
tests_unit_test_gw_redis_SOURCES = tests/unit/test_gw_redis.c tests/unit/redis_peer.h tests/unit/gw_test.h tests/unit/test.h
tests_unit_test_gw_redis_CFLAGS = $(GWHTTP_CFLAGS)
tests_unit_test_gw_redis_LDADD = $(GWHTTP_LDADD)
tests_unit_test_gw_limit_redis_SOURCES = tests/unit/test_gw_limit_redis.c tests/unit/gw_test.h tests/unit/test.h
tests_unit_test_gw_limit_redis_CFLAGS = $(GWHTTP_CFLAGS)
tests_unit_test_gw_limit_redis_LDADD = $(GWHTTP_LDADD)

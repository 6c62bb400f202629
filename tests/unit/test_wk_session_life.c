/* tests/unit/test_wk_session_life.c - a linked session: logins, failures, waits, versions, logout
 */
#include "test.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/err.h"
#include "wk_fake_net.h"
#include "worker/store/wk_store.h"

#define LINK IPC__CONNECT__MODE__LINK
#define RESUME IPC__CONNECT__MODE__RESUME
#define LOGOUT IPC__CONNECT__MODE__LOGOUT

/* Linked, and online for the first time. */
static void online(struct fake *f)
{
	fake_setup(f);
	fake_link(f);
	fake_login(f);
	assert_int_equal(f->online, 1);
}

/* Linked; another process tries to log in. */
static void logging_in(struct fake *f, Ipc__Connect__Mode mode)
{
	online(f);
	fake_restart(f);
	fake_connect(f, mode, NULL);
	fake_up(f);
	assert_int_equal(f->s->state, WK_LOGIN);
}

static void assert_waits(const struct fake *f, int rc, uint64_t least_ms, uint64_t most_ms)
{
	assert_int_equal(f->s->state, WK_BACKOFF);
	assert_int_equal(f->downs, 1);
	assert_int_equal(f->down.rc, rc);
	assert_in_range(f->down_ms, least_ms, most_ms);
	assert_int_equal(f->failed, 0);
	assert_true(fake_has_file(f, "session.db"));
}

/* ---- logins ------------------------------------------------------------------------------ */

static void test_first_login_confirms_the_link(void **state)
{
	struct fake f;

	(void)state;
	online(&f);
	assert_true(f.s->creds.confirmed);
	assert_int_equal(f.s->creds.logins, 1);
	assert_int_equal(f.failed + f.downs, 0);
	assert_int_equal(f.dials, 2);
	assert_false(f.used_ik);
	fake_teardown(&f);
}

static void test_second_login_uses_noise_ik_while_the_chain_is_valid(void **state)
{
	struct fake f;

	(void)state;
	logging_in(&f, RESUME);
	assert_true(f.used_ik);
	assert_int_equal(f.dial_asks, 0); /* CONNECT is the permission */
	fake_restart(&f);
	fake_connect(&f, RESUME, NULL);
	f.s->creds.server_static_until = clock_unix_s();
	fake_up(&f);
	assert_false(f.used_ik);
	fake_teardown(&f);
}

static void test_failed_handshake_forgets_the_servers_key_and_the_routing(void **state)
{
	struct fake f;

	(void)state;
	online(&f);
	fake_restart(&f);
	fake_connect(&f, RESUME, NULL);
	f.s->creds.routing_len = 3;
	fake_dialled(&f);
	assert_true(f.used_ik);
	assert_int_equal(f.routing_len, 3);
	f.s->state = WK_HANDSHAKE;
	fake_conn_ends(&f, WA_EHANDSHAKE);
	assert_waits(&f, WA_EHANDSHAKE, 0, 1000);
	wk_session_resume(f.s);
	fake_dialled(&f);
	assert_false(f.used_ik);
	assert_int_equal(f.routing_len, 0);
	fake_teardown(&f);
}

static void test_failed_dial_keeps_the_servers_key_and_the_routing(void **state)
{
	struct fake f;

	(void)state;
	online(&f);
	fake_restart(&f);
	fake_connect(&f, RESUME, NULL);
	f.s->creds.routing_len = 3;
	fake_dial_fails(&f, WA_ENETWORK);
	wk_session_resume(f.s);
	fake_dialled(&f);
	assert_true(f.used_ik);
	assert_int_equal(f.routing_len, 3);
	fake_teardown(&f);
}

static void test_proxy_that_changes_is_that_of_the_next_dial(void **state)
{
	Ipc__Proxy proxy = IPC__PROXY__INIT;
	char host[] = "proxy.example";
	struct fake f;

	(void)state;
	proxy.has_kind = proxy.has_port = true;
	proxy.kind = IPC__PROXY__KIND__SOCKS5;
	proxy.host = host;
	proxy.port = 1080;
	online(&f);
	assert_int_equal(wk_session_route(f.s, &proxy), 0);
	assert_int_equal(f.s->state, WK_ONLINE); /* what stands is not touched */
	assert_int_equal(f.dial_proxy_port, 0);
	fake_conn_ends(&f, WA_ENETWORK);
	wk_session_resume(f.s);
	assert_int_equal(f.dial_proxy_port, 1080);
	proxy.port = 0;
	assert_int_equal(wk_session_route(f.s, &proxy), -EINVAL);
	fake_dial_fails(&f, WA_EPROXY_UNREACHABLE);
	wk_session_resume(f.s);
	assert_int_equal(f.dial_proxy_port, 1080);
	assert_int_equal(wk_session_route(f.s, NULL), 0); /* while that is under way */
	fake_dial_fails(&f, WA_EPROXY_UNREACHABLE);
	wk_session_resume(f.s);
	assert_int_equal(f.dial_proxy_port, 0);
	fake_teardown(&f);
}

static void test_every_dial_but_the_first_asks(void **state)
{
	struct fake f;

	(void)state;
	online(&f);
	assert_int_equal(f.dial_asks, 1);
	fake_rx_stream_error(&f, "515", NULL, NULL);
	fake_pass(&f); /* at once */
	assert_int_equal(f.s->state, WK_ASKING);
	assert_int_equal(f.dial_asks, 2);
	assert_int_equal(f.dials, 2);
	/* its turn may come late: a second question would be a broken protocol to the gateway */
	assert_false(event_pending(f.s->deadline, EV_TIMEOUT, NULL));
	wk_session_tell(f.s); /* another gateway has come: asked again */
	assert_int_equal(f.dial_asks, 3);
	wk_session_dial_go(f.s);
	wk_session_dial_go(f.s); /* one too many */
	assert_int_equal(f.dials, 3);
	fake_teardown(&f);
}

static void test_resume_without_a_session_is_refused(void **state)
{
	struct fake f;

	(void)state;
	fake_setup(&f);
	fake_connect(&f, RESUME, NULL);
	assert_int_equal(f.failure.rc, WA_ENO_SESSION);
	assert_int_equal(f.dials, 0);
	fake_run(&f);
	fake_teardown(&f);
}

static void test_store_without_a_link_is_no_session(void **state)
{
	struct sealed_key key = { .epoch = 0 };
	struct wk_store *st;
	struct fake f;

	(void)state;
	fake_setup(&f);
	memcpy(key.bytes, f.key, sizeof(key.bytes));
	assert_int_equal(wk_store_open(f.dir, "inst", &key, true, &st), 0);
	wk_store_close(st);
	fake_connect(&f, RESUME, NULL);
	assert_int_equal(f.failure.rc, WA_ENO_SESSION);
	assert_false(fake_has_file(&f, "session.db"));
	fake_restart(&f);
	assert_int_equal(wk_store_open(f.dir, "inst", &key, true, &st), 0);
	wk_store_close(st);
	fake_connect(&f, LINK, NULL); /* a pairing that was killed: another one begins */
	fake_up(&f);
	assert_int_equal(f.s->state, WK_REGISTERING);
	fake_teardown(&f);
}

static void test_store_of_another_key_is_never_written_over(void **state)
{
	struct fake f;

	(void)state;
	online(&f);
	fake_restart(&f);
	memset(f.key, 0x55, sizeof(f.key));
	fake_connect(&f, LINK, NULL);
	assert_int_equal(f.failure.rc, WA_ESTORE_CORRUPT);
	assert_int_equal(f.dials, 0);
	fake_run(&f);
	assert_true(fake_has_file(&f, "session.db"));
	fake_restart(&f);
	memset(f.key, 9, sizeof(f.key));
	fake_connect(&f, LINK, NULL);
	fake_login(&f);
	fake_teardown(&f);
}

/* An older state of the file is put back: its keys were used since. */
static void test_a_store_that_is_not_the_newest_is_never_used(void **state)
{
	uint64_t newest;
	struct fake f;

	(void)state;
	online(&f);
	newest = wk_session_creds(f.s)->generation;
	assert_true(newest > 1);
	fake_restart(&f);
	f.expect_link = true;
	f.store_generation = newest + 1;
	fake_connect(&f, LINK, NULL);
	assert_int_equal(f.failure.rc, WA_ESTORE_CORRUPT);
	assert_non_null(strstr(f.failure.detail, "older copy"));
	assert_int_equal(f.dials, 0);
	fake_run(&f);
	assert_true(fake_has_file(&f, "session.db"));
	fake_restart(&f);
	f.expect_link = true;
	f.store_generation = newest;
	fake_connect(&f, LINK, NULL);
	fake_login(&f);
	fake_teardown(&f);
}

static void test_a_store_that_lost_its_link_is_not_paired_over(void **state)
{
	struct sealed_key key = { .epoch = 0 };
	struct wk_store *st;
	struct fake f;

	(void)state;
	fake_setup(&f);
	memcpy(key.bytes, f.key, sizeof(key.bytes));
	assert_int_equal(wk_store_open(f.dir, "inst", &key, true, &st), 0);
	wk_store_close(st);
	f.expect_link = true;
	fake_connect(&f, LINK, NULL);
	assert_int_equal(f.failure.rc, WA_ESTORE_CORRUPT);
	assert_int_equal(f.dials, 0);
	fake_run(&f);
	assert_true(fake_has_file(&f, "session.db"));
	fake_teardown(&f);
}

/* What is linked next is newer than all that was, so that no copy of it can pass. */
static void test_the_next_link_follows_the_last_one(void **state)
{
	struct fake f;

	(void)state;
	fake_setup(&f);
	f.store_generation = 500;
	fake_link(&f);
	assert_true(wk_session_creds(f.s)->generation > 500);
	fake_teardown(&f);
}

static void test_what_it_leaves_behind_is_told_at_the_end(void **state)
{
	uint64_t newest;
	struct fake f;

	(void)state;
	online(&f);
	newest = wk_session_creds(f.s)->generation;
	assert_int_equal(wk_session_left_generation(f.s), 0);
	assert_int_equal(wk_session_stop(f.s), 0);
	fake_run(&f);
	assert_int_equal(wk_session_left_generation(f.s), newest);
	fake_teardown(&f);
}

/* ---- refused logins ---------------------------------------------------------------------- */

static void test_login_refused_as_unlinked_is_set_aside(void **state)
{
	struct fake f;

	(void)state;
	logging_in(&f, RESUME);
	fake_rx_failure(&f, "401");
	assert_int_equal(f.failure.rc, WA_ELOGGED_OUT);
	assert_int_equal(f.failure.reason, 401);
	assert_true(fake_has_file(&f, "session.db.logged_out-"));
	fake_run(&f);
	fake_restart(&f);
	fake_connect(&f, RESUME, NULL);
	assert_int_equal(f.failure.rc, WA_ENO_SESSION);
	fake_teardown(&f);
}

static void test_stream_errors_that_unlink_are_set_aside(void **state)
{
	struct fake f;

	(void)state;
	online(&f);
	fake_rx_stream_error(&f, "401", "conflict", "device_removed");
	assert_int_equal(f.failure.rc, WA_ELOGGED_OUT);
	assert_true(fake_has_file(&f, "session.db.logged_out-"));
	fake_teardown(&f);
	online(&f);
	fake_rx_stream_error(&f, "516", NULL, NULL);
	assert_int_equal(f.failure.rc, WA_ELOGGED_OUT);
	assert_true(fake_has_file(&f, "session.db.logged_out-"));
	fake_teardown(&f);
}

static void test_ban_is_set_aside(void **state)
{
	static const char *const reasons[] = { "403", "406" };
	struct fake f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		logging_in(&f, RESUME);
		fake_rx_failure(&f, reasons[i]);
		assert_int_equal(f.failure.rc, WA_EBANNED);
		assert_true(fake_has_file(&f, "session.db.banned-"));
		fake_teardown(&f);
	}
}

static void test_verdicts_end_the_session_and_keep_the_link(void **state)
{
	static const char *const reasons[] = { "400", "409", "415", "418", "501" };
	struct fake f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		logging_in(&f, RESUME);
		fake_rx_failure(&f, reasons[i]);
		assert_int_equal(f.failure.rc, WA_ECONNECT_FAILURE);
		assert_int_equal(f.failure.reason, (unsigned)atoi(reasons[i]));
		assert_int_equal(f.downs, 0);
		fake_run(&f);
		assert_true(fake_has_file(&f, "session.db"));
		fake_teardown(&f);
	}
}

static void test_unknown_reason_and_server_trouble_are_tried_again(void **state)
{
	struct fake f;

	(void)state;
	logging_in(&f, RESUME);
	fake_rx_failure(&f, "499");
	assert_waits(&f, WA_ECONNECT_FAILURE, 0, 1000);
	assert_int_equal(f.down.reason, 499);
	fake_teardown(&f);
	logging_in(&f, RESUME);
	fake_rx_failure(&f, "503");
	assert_waits(&f, WA_ENETWORK, 0, 1000);
	fake_teardown(&f);
}

static void test_login_without_an_answer_is_tried_again(void **state)
{
	struct fake f;

	(void)state;
	logging_in(&f, RESUME);
	wk_session_raise(f.s, WK_EV_TIMEOUT);
	assert_waits(&f, WA_ETIMEOUT, 0, 1000);
	fake_teardown(&f);
}

/* ---- temporary ban, replaced ------------------------------------------------------------- */

static void receive_ban(struct fake *f, const char *expire)
{
	struct wa_node *n = wa_node_new("failure");

	wa_node_set(n, "reason", "402");
	wa_node_set(n, "expire", expire);
	fake_rx(f, n);
}

static void test_temporary_ban_is_kept_to_after_a_restart_and_whoever_asks(void **state)
{
	struct fake f;

	(void)state;
	logging_in(&f, RESUME);
	receive_ban(&f, "7200");
	assert_waits(&f, WA_ETEMP_BANNED, 7190000, 7200000);
	f.downs = 0;
	wk_session_resume(f.s);
	assert_waits(&f, WA_ETEMP_BANNED, 7190000, 7200000);
	fake_restart(&f);
	fake_connect(&f, LINK, NULL);
	assert_waits(&f, WA_ETEMP_BANNED, 7190000, 7200000);
	wk_session_logout(f.s);
	assert_int_equal(f.logout.rc, WA_ETEMP_BANNED);
	assert_int_equal(f.dials, 0);
	fake_teardown(&f);
}

/* The gateway takes no wait of more than 400 days: it would end the worker for it. */
static void test_endless_ban_is_waited_for_a_year_at_a_time(void **state)
{
	const uint64_t year_ms = 365 * 86400 * UINT64_C(1000);
	struct fake f;

	(void)state;
	logging_in(&f, RESUME);
	receive_ban(&f, "4294967295");
	assert_waits(&f, WA_ETEMP_BANNED, year_ms, year_ms);
	fake_restart(&f);
	fake_connect(&f, RESUME, NULL);
	assert_waits(&f, WA_ETEMP_BANNED, year_ms, year_ms);
	fake_teardown(&f);
}

static void test_replaced_waits_5_minutes_unless_somebody_asks(void **state)
{
	struct fake f;

	(void)state;
	online(&f);
	fake_rx_stream_error(&f, NULL, "conflict", "replaced");
	assert_waits(&f, WA_ESTREAM_REPLACED, 299000, 300000);
	fake_restart(&f);
	fake_connect(&f, RESUME, NULL);
	assert_waits(&f, WA_ESTREAM_REPLACED, 298000, 300000);
	assert_int_equal(f.dials, 0);
	wk_session_resume(f.s);
	assert_int_equal(f.dials, 1);
	fake_up(&f);
	fake_rx_success(&f);
	assert_int_equal(f.s->creds.not_before_unix_s, 0);
	assert_int_equal(f.s->creds.replaced_n, 1); /* of the day, not of the wait */
	fake_teardown(&f);
}

static void test_connect_to_show_a_code_takes_over_from_another_login(void **state)
{
	struct fake f;

	(void)state;
	online(&f);
	fake_rx_stream_error(&f, NULL, "conflict", "replaced");
	fake_restart(&f);
	fake_connect(&f, LINK, NULL);
	assert_int_equal(f.dials, 1);
	fake_teardown(&f);
}

/* ---- lost connections -------------------------------------------------------------------- */

static void test_restart_by_the_server_is_no_failure(void **state)
{
	struct fake f;

	(void)state;
	online(&f);
	fake_rx_stream_error(&f, "515", NULL, NULL);
	assert_waits(&f, 0, 0, 0);
	fake_pass(&f);
	fake_login(&f);
	assert_int_equal(f.online, 2);
	assert_int_equal(f.pairing_codes + f.codes, 1);
	fake_teardown(&f);
}

static void test_lost_connection_is_tried_again_until_it_is_back(void **state)
{
	struct fake f;

	(void)state;
	fake_setup_speed(&f, 1000);
	fake_link(&f);
	fake_login(&f);
	fake_conn_ends(&f, WA_ENETWORK);
	for (unsigned i = 1; i <= 15; i++) {
		assert_int_equal(f.s->state, WK_BACKOFF);
		assert_int_equal(f.downs, i);
		assert_int_equal(f.down_attempt, i);
		assert_in_range(f.down_ms, 0, 300);
		while (f.s->state == WK_BACKOFF)
			(void)event_base_loop(f.base, EVLOOP_ONCE);
		assert_int_equal(f.s->state, WK_ASKING);
		wk_session_dial_go(f.s);
		fake_dial_fails(&f, WA_ENETWORK);
	}
	assert_int_equal(f.failed, 0);
	wk_session_resume(f.s);
	f.s->p.speed = 1;
	fake_login(&f);
	fake_teardown(&f);
}

static void test_unauthorized_stream_asks_the_login_at_once(void **state)
{
	struct fake f;

	(void)state;
	online(&f);
	fake_rx_stream_error(&f, "401", NULL, NULL);
	assert_waits(&f, WA_ENETWORK, 0, 0);
	fake_teardown(&f);
}

static void test_silent_peer_is_pinged_twice_and_then_left_at_once(void **state)
{
	struct fake f;

	(void)state;
	online(&f);
	f.read_n = f.sent_n;
	for (int i = 0; i < 3; i++) {
		f.s->alive.due_ms = clock_ms(); /* as if the time had passed */
		wk_session_on_alive_timer(-1, 0, f.s);
	}
	assert_non_null(fake_sent_find(&f, "iq", NULL));
	assert_non_null(fake_sent_find(&f, "iq", NULL));
	assert_null(fake_sent_find(&f, "iq", NULL));
	assert_waits(&f, WA_ENETWORK, 0, 0);
	fake_teardown(&f);
}

static void test_what_is_not_the_protocol_ends_after_5_an_hour(void **state)
{
	struct fake f;

	(void)state;
	online(&f);
	for (int i = 0; i < 5; i++) {
		fake_conn_ends(&f, WA_EPROTO);
		assert_int_equal(f.s->state, WK_BACKOFF);
		wk_session_resume(f.s);
		fake_up(&f);
	}
	fake_conn_ends(&f, WA_EPROTO);
	assert_int_equal(f.failure.rc, WA_EPROTO);
	assert_int_equal(f.failed, 1);
	fake_run(&f);
	assert_true(fake_has_file(&f, "session.db"));
	fake_teardown(&f);
}

static void test_proxy_that_wants_a_password_ends_the_session(void **state)
{
	struct fake f;

	(void)state;
	online(&f);
	fake_restart(&f);
	fake_connect(&f, RESUME, NULL);
	fake_dial_fails(&f, WA_EPROXY_AUTH);
	assert_int_equal(f.failure.rc, WA_EPROXY_AUTH);
	fake_teardown(&f);
}

static void test_gateway_that_comes_later_is_told_online_or_down(void **state)
{
	struct fake f;

	(void)state;
	online(&f);
	wk_session_tell(f.s);
	assert_int_equal(f.online, 2);
	fake_conn_ends(&f, WA_ENETWORK);
	f.downs = 0;
	wk_session_tell(f.s);
	assert_waits(&f, WA_ENETWORK, 0, 1000);
	fake_teardown(&f);
}

static void test_stop_closes_politely_and_keeps_the_link(void **state)
{
	struct fake f;

	(void)state;
	online(&f);
	assert_int_equal(wk_session_stop(f.s), 0);
	assert_int_equal(f.closes, 1);
	fake_conn_ends(&f, 0);
	fake_run(&f);
	assert_int_equal(f.failed + f.downs, 0);
	fake_restart(&f);
	fake_connect(&f, RESUME, NULL);
	fake_login(&f);
	fake_teardown(&f);
}

/* ---- versions ---------------------------------------------------------------------------- */

static void test_outdated_pairing_is_tried_once_with_what_the_gateway_tells(void **state)
{
	struct fake f;

	(void)state;
	fake_setup(&f);
	fake_connect(&f, LINK, NULL);
	fake_up(&f);
	fake_rx_failure(&f, "405");
	assert_int_equal(f.s->state, WK_VERSION);
	assert_int_equal(f.version_asks, 1);
	assert_int_equal(f.version_used, 1000);
	assert_int_equal(f.last_step, IPC__STEP__NAME__VERSION);
	wk_session_version(f.s, 2000, false);
	assert_int_equal(f.s->target.version.tertiary, 2000);
	fake_up(&f);
	assert_int_equal(f.s->state, WK_REGISTERING);
	fake_rx_failure(&f, "405");
	assert_int_equal(f.failure.rc, WA_ECLIENT_OUTDATED);
	assert_non_null(strstr(f.failure.detail, "2.3000.2000"));
	assert_int_equal(f.version_asks, 1);
	fake_teardown(&f);
}

static void test_worker_looks_the_version_up_for_the_host(void **state)
{
	struct fake f;

	(void)state;
	logging_in(&f, RESUME);
	fake_rx_failure(&f, "405");
	assert_int_equal(f.downs + f.failed, 0);
	wk_session_version(f.s, 0, true);
	assert_int_equal(f.lookups, 1);
	fake_version(&f, 0, 3000);
	assert_int_equal(f.version_founds, 1);
	assert_int_equal(f.version_found, 3000);
	fake_login(&f);
	assert_int_equal(f.s->target.version.tertiary, 3000);
	fake_rx_stream_error(&f, "515", NULL, NULL);
	fake_pass(&f);
	fake_up(&f);
	fake_rx_failure(&f, "405"); /* weeks later: again one try */
	assert_int_equal(f.s->state, WK_VERSION);
	fake_teardown(&f);
}

static void test_look_up_that_fails_is_told_and_named(void **state)
{
	struct fake f;

	(void)state;
	fake_setup(&f);
	fake_connect(&f, LINK, NULL);
	fake_up(&f);
	fake_rx_failure(&f, "405");
	wk_session_version(f.s, 0, true);
	fake_version(&f, WA_EPROTO, 0);
	assert_int_equal(f.version_founds, 1);
	assert_int_equal(f.version_found, 0);
	fake_up(&f);
	fake_rx_failure(&f, "405");
	assert_int_equal(f.failure.rc, WA_ECLIENT_OUTDATED);
	assert_non_null(strstr(f.failure.detail, "2.3000.1000"));
	assert_non_null(strstr(f.failure.detail, "no such page"));
	fake_teardown(&f);
}

static void test_answer_that_does_not_come_is_not_waited_for(void **state)
{
	struct fake f;

	(void)state;
	fake_setup(&f);
	fake_connect(&f, LINK, NULL);
	fake_up(&f);
	fake_rx_failure(&f, "405");
	wk_session_raise(f.s, WK_EV_TIMEOUT);
	assert_int_equal(f.s->state, WK_ASKING);
	fake_up(&f);
	assert_int_equal(f.s->state, WK_REGISTERING);
	fake_teardown(&f);
}

static void test_stale_version_is_asked_for_before_the_first_dial(void **state)
{
	struct fake f;

	(void)state;
	fake_setup(&f);
	f.s->opened = true;
	f.s->state = WK_OPENING;
	f.s->may_dial = true;
	f.s->target.version_stale = f.s->target.version_auto = true;
	wk_session_go(f.s);
	assert_int_equal(f.version_asks, 1);
	assert_int_equal(f.version_used, 0);
	assert_int_equal(f.dials, 0);
	wk_session_version(f.s, 0, false); /* nobody knows */
	assert_int_equal(f.dials, 1);
	fake_teardown(&f);
}

static void test_fixed_version_is_never_replaced(void **state)
{
	struct fake f;

	(void)state;
	logging_in(&f, RESUME);
	f.s->target.version_auto = false;
	fake_rx_failure(&f, "405");
	assert_int_equal(f.failure.rc, WA_ECLIENT_OUTDATED);
	assert_int_equal(f.version_asks, 0);
	fake_run(&f);
	assert_true(fake_has_file(&f, "session.db"));
	fake_teardown(&f);
}

/* ---- logout ------------------------------------------------------------------------------ */

static void answer_logout(struct fake *f)
{
	const struct wa_node *iq = fake_sent_find(f, "iq", "remove-companion-device");
	struct wa_node *n = wa_node_new("iq");

	assert_non_null(iq);
	wa_node_set_jid(n, "from", WA_SERVER_JID);
	wa_node_set(n, "type", "result");
	wa_node_set(n, "id", wa_node_attr(iq, "id"));
	fake_rx(f, n);
}

static void assert_unlinked(struct fake *f)
{
	assert_int_equal(f->logouts, 1);
	assert_int_equal(f->logout.rc, 0);
	assert_false(fake_has_file(f, "session.db"));
	if (f->closing)
		fake_conn_ends(f, 0);
	fake_run(f);
	assert_int_equal(f->failed + f->downs, 0);
}

static void test_logout_while_online(void **state)
{
	struct fake f;

	(void)state;
	online(&f);
	wk_session_logout(f.s);
	wk_session_logout(f.s);
	assert_int_equal(f.s->state, WK_UNLINKING);
	answer_logout(&f);
	assert_unlinked(&f);
	fake_teardown(&f);
}

static void test_logout_that_is_answered_by_the_end_of_the_link(void **state)
{
	struct fake f;

	(void)state;
	online(&f);
	wk_session_logout(f.s);
	fake_rx_stream_error(&f, "401", "conflict", "device_removed");
	assert_unlinked(&f);
	fake_teardown(&f);
}

static void test_logout_while_waiting_dials_at_once(void **state)
{
	struct fake f;

	(void)state;
	online(&f);
	fake_conn_ends(&f, WA_ENETWORK);
	f.downs = 0;
	wk_session_logout(f.s);
	assert_int_equal(f.dials, 3);
	fake_log_in(&f);
	assert_int_equal(f.s->state, WK_UNLINKING);
	answer_logout(&f);
	assert_unlinked(&f);
	fake_teardown(&f);
}

static void test_logout_mode_dials_only_to_unlink(void **state)
{
	struct fake f;

	(void)state;
	online(&f);
	fake_restart(&f);
	fake_connect(&f, LOGOUT, NULL);
	fake_log_in(&f);
	answer_logout(&f);
	assert_unlinked(&f);
	fake_teardown(&f);
}

static void test_login_that_is_refused_means_unlinked_already(void **state)
{
	static const char *const reasons[] = { "401", "403", "406" };
	struct fake f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		logging_in(&f, LOGOUT);
		fake_rx_failure(&f, reasons[i]);
		assert_unlinked(&f);
		fake_teardown(&f);
	}
}

static void test_logout_without_a_session_is_done(void **state)
{
	struct fake f;

	(void)state;
	fake_setup(&f);
	fake_connect(&f, LOGOUT, NULL);
	assert_int_equal(f.dials, 0);
	assert_unlinked(&f);
	fake_teardown(&f);
}

static void test_logout_that_can_not_reach_whatsapp_keeps_the_link(void **state)
{
	struct fake f;

	(void)state;
	online(&f);
	fake_restart(&f);
	fake_connect(&f, LOGOUT, NULL);
	fake_dial_fails(&f, WA_ENETWORK);
	assert_int_equal(f.logouts, 0); /* tried once more, at once */
	assert_waits(&f, WA_ENETWORK, 0, 0);
	fake_pass(&f);
	wk_session_dial_go(f.s);
	fake_dial_fails(&f, WA_ENETWORK);
	assert_int_equal(f.logouts, 1);
	assert_int_equal(f.logout.rc, WA_ENETWORK);
	fake_run(&f);
	assert_true(fake_has_file(&f, "session.db"));
	fake_teardown(&f);
}

static void test_logout_that_whatsapp_refuses_leaves_the_session_online(void **state)
{
	struct wa_node *n = wa_node_new("iq");
	const struct wa_node *iq;
	struct fake f;

	(void)state;
	online(&f);
	wk_session_logout(f.s);
	iq = fake_sent_find(&f, "iq", "remove-companion-device");
	assert_non_null(iq);
	wa_node_set_jid(n, "from", WA_SERVER_JID);
	wa_node_set(n, "type", "error");
	wa_node_set(n, "id", wa_node_attr(iq, "id"));
	wa_node_set(wa_node_add(n, "error"), "code", "403");
	fake_rx(&f, n);
	assert_int_equal(f.logouts, 1);
	assert_int_not_equal(f.logout.rc, 0);
	assert_int_equal(f.s->state, WK_ONLINE);
	assert_true(fake_has_file(&f, "session.db"));
	fake_teardown(&f);
}

static void test_logout_has_a_limit_of_its_own(void **state)
{
	struct fake f;

	(void)state;
	logging_in(&f, RESUME);
	wk_session_logout(f.s);
	wk_session_on_logout_timer(-1, 0, f.s);
	assert_int_equal(f.logouts, 1);
	assert_int_equal(f.logout.rc, WA_ETIMEOUT);
	assert_int_equal(f.s->state, WK_LOGIN); /* the session goes on */
	fake_teardown(&f);
}

static void test_logout_during_a_pairing_has_nothing_to_unlink(void **state)
{
	struct fake f;

	(void)state;
	fake_setup(&f);
	fake_connect(&f, LINK, NULL);
	fake_up(&f);
	fake_rx_pair_device(&f);
	wk_session_logout(f.s);
	assert_int_equal(f.logout.rc, WA_ENO_SESSION);
	assert_int_equal(f.s->state, WK_PAIRING);
	fake_teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_login_confirms_the_link),
		cmocka_unit_test(test_second_login_uses_noise_ik_while_the_chain_is_valid),
		cmocka_unit_test(test_failed_handshake_forgets_the_servers_key_and_the_routing),
		cmocka_unit_test(test_failed_dial_keeps_the_servers_key_and_the_routing),
		cmocka_unit_test(test_proxy_that_changes_is_that_of_the_next_dial),
		cmocka_unit_test(test_every_dial_but_the_first_asks),
		cmocka_unit_test(test_resume_without_a_session_is_refused),
		cmocka_unit_test(test_store_without_a_link_is_no_session),
		cmocka_unit_test(test_store_of_another_key_is_never_written_over),
		cmocka_unit_test(test_a_store_that_is_not_the_newest_is_never_used),
		cmocka_unit_test(test_a_store_that_lost_its_link_is_not_paired_over),
		cmocka_unit_test(test_the_next_link_follows_the_last_one),
		cmocka_unit_test(test_what_it_leaves_behind_is_told_at_the_end),
		cmocka_unit_test(test_login_refused_as_unlinked_is_set_aside),
		cmocka_unit_test(test_stream_errors_that_unlink_are_set_aside),
		cmocka_unit_test(test_ban_is_set_aside),
		cmocka_unit_test(test_verdicts_end_the_session_and_keep_the_link),
		cmocka_unit_test(test_unknown_reason_and_server_trouble_are_tried_again),
		cmocka_unit_test(test_login_without_an_answer_is_tried_again),
		cmocka_unit_test(test_temporary_ban_is_kept_to_after_a_restart_and_whoever_asks),
		cmocka_unit_test(test_endless_ban_is_waited_for_a_year_at_a_time),
		cmocka_unit_test(test_replaced_waits_5_minutes_unless_somebody_asks),
		cmocka_unit_test(test_connect_to_show_a_code_takes_over_from_another_login),
		cmocka_unit_test(test_restart_by_the_server_is_no_failure),
		cmocka_unit_test(test_lost_connection_is_tried_again_until_it_is_back),
		cmocka_unit_test(test_unauthorized_stream_asks_the_login_at_once),
		cmocka_unit_test(test_silent_peer_is_pinged_twice_and_then_left_at_once),
		cmocka_unit_test(test_what_is_not_the_protocol_ends_after_5_an_hour),
		cmocka_unit_test(test_proxy_that_wants_a_password_ends_the_session),
		cmocka_unit_test(test_gateway_that_comes_later_is_told_online_or_down),
		cmocka_unit_test(test_stop_closes_politely_and_keeps_the_link),
		cmocka_unit_test(test_outdated_pairing_is_tried_once_with_what_the_gateway_tells),
		cmocka_unit_test(test_worker_looks_the_version_up_for_the_host),
		cmocka_unit_test(test_look_up_that_fails_is_told_and_named),
		cmocka_unit_test(test_answer_that_does_not_come_is_not_waited_for),
		cmocka_unit_test(test_stale_version_is_asked_for_before_the_first_dial),
		cmocka_unit_test(test_fixed_version_is_never_replaced),
		cmocka_unit_test(test_logout_while_online),
		cmocka_unit_test(test_logout_that_is_answered_by_the_end_of_the_link),
		cmocka_unit_test(test_logout_while_waiting_dials_at_once),
		cmocka_unit_test(test_logout_mode_dials_only_to_unlink),
		cmocka_unit_test(test_login_that_is_refused_means_unlinked_already),
		cmocka_unit_test(test_logout_without_a_session_is_done),
		cmocka_unit_test(test_logout_that_can_not_reach_whatsapp_keeps_the_link),
		cmocka_unit_test(test_logout_that_whatsapp_refuses_leaves_the_session_online),
		cmocka_unit_test(test_logout_has_a_limit_of_its_own),
		cmocka_unit_test(test_logout_during_a_pairing_has_nothing_to_unlink),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

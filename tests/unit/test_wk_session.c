/* tests/unit/test_wk_session.c - the table of states and events; pairing, linking and how both end
 */
#include "test.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "wk_fake_net.h"
#include "worker/store/wk_store.h"
#include "worker/wa/crypto/wa_keys.h"

#define NUMBER "5511999999999"

#define EV(ev) (1u << (ev))
#define DIALS (EV(WK_EV_STALE) | EV(WK_EV_ASK) | EV(WK_EV_DIAL))
#define FAILS (EV(WK_EV_LOST) | EV(WK_EV_FAILED) | EV(WK_EV_STOP))
#define STREAM (FAILS | EV(WK_EV_REFUSED))

/* Written down a second time on purpose: what may happen when. */
static const unsigned expected[WK_STATE_N] = {
	[WK_IDLE] = EV(WK_EV_CONNECT) | EV(WK_EV_FAILED) | EV(WK_EV_STOP),
	[WK_OPENING] = DIALS | FAILS,
	[WK_VERSION] = DIALS | FAILS | EV(WK_EV_TIMEOUT),
	[WK_ASKING] = FAILS | EV(WK_EV_DIAL) | EV(WK_EV_RESUME),
	[WK_RESOLVING] = FAILS | EV(WK_EV_TIMEOUT) | EV(WK_EV_RESOLVED),
	[WK_CONNECTING] = FAILS | EV(WK_EV_TIMEOUT) | EV(WK_EV_DIALLED),
	[WK_TLS] = FAILS | EV(WK_EV_TIMEOUT) | EV(WK_EV_TLS_UP),
	[WK_UPGRADING] = FAILS | EV(WK_EV_TIMEOUT) | EV(WK_EV_OPEN),
	[WK_HANDSHAKE] = FAILS | EV(WK_EV_TIMEOUT) | EV(WK_EV_READY) | EV(WK_EV_KNOWN),
	[WK_REGISTERING] = STREAM | EV(WK_EV_TIMEOUT) | EV(WK_EV_REFS) | EV(WK_EV_STALE),
	[WK_PAIRING] = STREAM | EV(WK_EV_REFS) | EV(WK_EV_LINKED),
	[WK_LINKING] = STREAM | DIALS | EV(WK_EV_TIMEOUT),
	[WK_LOGIN] = STREAM | EV(WK_EV_TIMEOUT) | EV(WK_EV_STALE) | EV(WK_EV_SUCCESS),
	[WK_SYNCING] = STREAM | EV(WK_EV_ONLINE),
	[WK_ONLINE] = STREAM | EV(WK_EV_UNLINK),
	[WK_UNLINKING] = STREAM | EV(WK_EV_KEPT),
	[WK_BACKOFF] = DIALS | FAILS | EV(WK_EV_CONNECT) | EV(WK_EV_TIMEOUT) | EV(WK_EV_RESUME),
	[WK_CLOSING] = EV(WK_EV_CLOSED) | EV(WK_EV_FAILED) | EV(WK_EV_TIMEOUT) | EV(WK_EV_STOP),
	[WK_ENDED] = 0,
};

static void test_every_empty_cell_is_refused_and_changes_nothing(void **state)
{
	struct fake f;

	(void)state;
	fake_setup(&f);
	for (int st = 0; st < WK_STATE_N; st++) {
		for (int ev = 0; ev < WK_EVENT_N; ev++) {
			if (expected[st] & EV(ev))
				continue;
			f.s->state = (enum wk_state)st;
			assert_int_equal(wk_session_event(f.s, (enum wk_event)ev), WA_ESTATE);
			assert_int_equal(f.s->state, st);
		}
	}
	assert_int_equal(f.steps + f.failed + f.downs, 0);
	assert_int_equal(event_base_loop(f.base, EVLOOP_NONBLOCK), 1); /* no timer was set */
	assert_int_equal(f.ended, 0);
	f.s->state = WK_IDLE;
	fake_teardown(&f);
}

/* Bring a fresh session into a state, raise the event, run the loop; it must have ended. */
static void run_to_end(enum wk_state st, enum wk_event ev, struct fake *f)
{
	fake_setup(f);
	f->s->state = st;
	wk_failure_set(&f->s->failure, WA_ENETWORK, "gone");
	assert_int_equal(wk_session_event(f->s, ev), 0);
	assert_int_equal(f->s->state, WK_ENDED);
	assert_int_equal(f->ended, 0); /* never from inside the call */
	fake_run(f);
}

static void test_failure_without_a_link_is_told_once_and_then_the_session_ends(void **state)
{
	struct fake f;

	(void)state;
	for (int st = WK_OPENING; st <= WK_BACKOFF; st++) {
		run_to_end((enum wk_state)st, WK_EV_FAILED, &f);
		assert_int_equal(f.failed, 1);
		assert_int_equal(f.failure.rc, WA_ENETWORK);
		assert_int_equal(wk_session_event(f.s, WK_EV_FAILED), WA_ESTATE);
		assert_int_equal(f.failed, 1);
		fake_teardown(&f);
	}
}

static void test_timeout_names_the_step(void **state)
{
	static const struct {
		enum wk_state st;
		const char *step;
	} cases[] = {
		{ WK_RESOLVING, "(step: dns)" },
		{ WK_CONNECTING, "(step: tcp)" },
		{ WK_TLS, "(step: tls)" },
		{ WK_UPGRADING, "(step: upgrade)" },
		{ WK_HANDSHAKE, "(step: handshake)" },
		{ WK_REGISTERING, "(step: registration)" },
		{ WK_LOGIN, "(step: login)" },
	};
	struct fake f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		run_to_end(cases[i].st, WK_EV_TIMEOUT, &f);
		assert_int_equal(f.failure.rc, WA_ETIMEOUT);
		assert_non_null(strstr(f.failure.detail, cases[i].step));
		assert_non_null(strstr(f.failure.detail, FAKE_ADDRESS));
		fake_teardown(&f);
	}
}

static void test_deadlines_leave_55_s_from_dial_to_answer(void **state)
{
	uint32_t sum = 0;

	(void)state;
	for (int st = WK_RESOLVING; st <= WK_REGISTERING; st++) {
		int32_t ms = wk_state_info((enum wk_state)st)->deadline_ms;

		sum += ms > 0 ? (uint32_t)ms : 0;
	}
	assert_int_equal(sum, 55000);
	assert_int_equal(wk_state_info(WK_LOGIN)->deadline_ms, 20000);
	assert_int_equal(wk_state_info(WK_LINKING)->deadline_ms, 10000);
}

static void test_stop_ends_without_a_failure(void **state)
{
	static const enum wk_state states[] = { WK_IDLE,      WK_VERSION,    WK_ASKING,
		                                WK_RESOLVING, WK_CONNECTING, WK_TLS,
		                                WK_UPGRADING, WK_HANDSHAKE,  WK_BACKOFF };
	struct fake f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		run_to_end(states[i], WK_EV_STOP, &f);
		assert_int_equal(f.failed, 0);
		fake_teardown(&f);
	}
}

static void test_second_connect_is_refused_and_its_target_released(void **state)
{
	struct wk_target target = { .origin = strdup("x") };
	struct fake f;

	(void)state;
	fake_setup(&f);
	f.s->state = WK_BACKOFF;
	assert_int_equal(wk_session_connect(f.s, &target, 0), WA_ESTATE);
	assert_null(target.origin);
	f.s->state = WK_IDLE;
	fake_teardown(&f);
}

/* ---- stanzas that end a pairing ---------------------------------------------------------- */

static void registering(struct fake *f)
{
	fake_setup(f);
	fake_connect(f, IPC__CONNECT__MODE__LINK, NULL);
	fake_up(f);
	assert_int_equal(f->s->state, WK_REGISTERING);
}

static void test_failure_reasons_before_the_first_code(void **state)
{
	static const struct {
		const char *reason;
		int rc;
	} cases[] = {
		{ "400", WA_EPAIRING_REFUSED }, { "401", WA_EPAIRING_REFUSED },
		{ "402", WA_EPAIRING_REFUSED }, { "403", WA_EBANNED },
		{ "405", WA_ECLIENT_OUTDATED }, { "406", WA_EBANNED },
		{ "503", WA_EPAIRING_REFUSED },
	};
	struct fake f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		registering(&f);
		f.s->target.version_auto = false;
		fake_rx_failure(&f, cases[i].reason);
		assert_int_equal(f.s->state, WK_ENDED);
		assert_int_equal(f.failure.rc, cases[i].rc);
		assert_int_equal(f.failure.reason, (unsigned)atoi(cases[i].reason));
		fake_teardown(&f);
	}
}

static void test_stream_errors_before_the_link(void **state)
{
	static const struct {
		const char *code, *child, *type;
		int rc;
	} cases[] = {
		{ "515", NULL, NULL, WA_ENETWORK },
		{ "503", NULL, NULL, WA_ENETWORK },
		{ "429", NULL, NULL, WA_ENETWORK },
		{ "516", NULL, NULL, WA_EPAIRING_REFUSED },
		{ "401", "conflict", "device_removed", WA_EPAIRING_REFUSED },
		{ NULL, "conflict", "replaced", WA_ESTREAM_REPLACED },
		{ "409", NULL, NULL, WA_ESTREAM_REPLACED },
		{ NULL, "ack", NULL, WA_EPROTO },
		{ NULL, NULL, NULL, WA_EPROTO },
	};
	struct fake f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		registering(&f);
		fake_rx_pair_device(&f);
		fake_rx_stream_error(&f, cases[i].code, cases[i].child, cases[i].type);
		assert_int_equal(f.failure.rc, cases[i].rc);
		assert_int_equal(f.failed, 1);
		assert_int_equal(f.downs, 0);
		fake_teardown(&f);
	}
}

static void test_end_of_stream_is_a_network_failure(void **state)
{
	struct fake f;

	(void)state;
	registering(&f);
	fake_rx(&f, wa_node_new("xmlstreamend"));
	assert_int_equal(f.failure.rc, WA_ENETWORK);
	fake_teardown(&f);
}

static void test_unknown_and_bad_stanzas_are_counted_and_ignored(void **state)
{
	struct fake f;

	(void)state;
	registering(&f);
	fake_rx(&f, wa_node_new("brand-new"));
	assert_int_equal(f.s->unknown_stanzas, 1);
	wk_session_on_bad_stanza(WA_EPROTO, f.s);
	assert_int_equal(f.s->bad_stanzas, 1);
	assert_int_equal(f.s->state, WK_REGISTERING);
	assert_int_equal(f.failed, 0);
	fake_teardown(&f);
}

static void test_server_ping_is_answered(void **state)
{
	struct wa_node *ping = wa_node_new("iq");
	struct fake f;

	(void)state;
	registering(&f);
	wa_node_set_jid(ping, "from", WA_SERVER_JID);
	wa_node_set(ping, "type", "get");
	wa_node_set(ping, "xmlns", "urn:xmpp:ping");
	wa_node_set(ping, "id", "77");
	fake_rx(&f, ping);
	assert_true(wa_node_attr_is(fake_sent(&f), "id", "77"));
	ping = wa_node_new("iq"); /* as it is written, too */
	wa_node_set(ping, "type", "get");
	wa_node_set(ping, "id", "78");
	(void)wa_node_add(ping, "ping");
	fake_rx(&f, ping);
	assert_true(wa_node_attr_is(fake_sent(&f), "id", "78"));
	fake_teardown(&f);
}

/* ---- QR ---------------------------------------------------------------------------------- */

static void test_store_is_made_after_the_first_code_and_erased_without_a_link(void **state)
{
	struct fake f;

	(void)state;
	registering(&f);
	assert_false(fake_has_file(&f, "session.db"));
	fake_rx_pair_device(&f);
	assert_int_equal(f.codes, 1);
	assert_false(fake_has_file(&f, "session.db"));
	fake_pass(&f);
	assert_true(fake_has_file(&f, "session.db"));
	assert_int_equal(wk_session_stop(f.s), 0);
	assert_int_equal(f.closes, 1);
	fake_conn_ends(&f, 0);
	fake_run(&f);
	assert_false(fake_has_file(&f, "session.db"));
	assert_int_equal(f.failed, 0);
	fake_teardown(&f);
}

static void test_codes_that_run_out_are_a_code_timeout(void **state)
{
	struct fake f;

	(void)state;
	registering(&f);
	f.s->p.speed = 20000; /* the keepalive has begun: it keeps its time */
	fake_rx_pair_device(&f);
	fake_run(&f);
	assert_int_equal(f.codes, 6);
	assert_int_equal(f.failure.rc, WA_ECODE_TIMEOUT);
	assert_int_equal(f.closes, 1);
	assert_false(fake_has_file(&f, "session.db"));
	fake_teardown(&f);
}

static void test_gateway_that_comes_later_is_told_the_code(void **state)
{
	struct wk_code before;
	struct fake f;

	(void)state;
	registering(&f);
	wk_session_tell(f.s);
	assert_int_equal(f.codes, 0);
	fake_rx_pair_device(&f);
	before = f.code;
	wk_session_tell(f.s);
	assert_int_equal(f.codes, 2);
	assert_string_equal(before.text, f.code.text);
	fake_teardown(&f);
}

static void test_refresh_is_acknowledged_and_shown(void **state)
{
	struct wk_code before;
	struct fake f;

	(void)state;
	registering(&f);
	fake_rx_pair_device(&f);
	before = f.code;
	fake_rx_notification(&f, "companion_reg_refresh");
	assert_int_equal(f.codes, 2);
	assert_string_not_equal(before.text, f.code.text);
	assert_non_null(fake_sent_find(&f, "ack", NULL));
	fake_teardown(&f);
}

/* ---- pair-success ------------------------------------------------------------------------ */

static void test_link_is_on_disk_before_it_is_told_and_told_before_it_is_answered(void **state)
{
	const struct wa_node *n;
	struct fake f;

	(void)state;
	registering(&f);
	fake_rx_pair_device(&f);
	assert_non_null(fake_sent_find(&f, "iq", NULL)); /* the answer to pair-device */
	fake_rx_pair_success(&f, false);                 /* faster than the store: it is made now */
	assert_int_equal(f.linked, 1);
	assert_true(f.stored_when_linked);
	n = fake_sent_find(&f, "iq", "pair-device-sign");
	assert_non_null(n);
	assert_true(wa_node_attr_is(n, "id", "ps-1"));
	assert_non_null(fake_sent_find(&f, "ib", "unified_session"));
	assert_int_equal(f.s->state, WK_LINKING);
	assert_null(f.s->pair);
	fake_teardown(&f);
}

static void test_pair_success_with_a_wrong_proof_keeps_nothing(void **state)
{
	const struct wa_node *n;
	struct fake f;

	(void)state;
	registering(&f);
	fake_rx_pair_device(&f);
	fake_pass(&f);
	(void)fake_sent(&f);
	fake_rx_pair_success(&f, true);
	n = fake_sent_find(&f, "iq", "error");
	assert_non_null(n);
	assert_true(wa_node_attr_is(wa_node_child(n, "error"), "code", "401"));
	assert_int_equal(f.linked, 0);
	assert_int_equal(f.failure.rc, WA_EPAIRING_REFUSED);
	assert_false(fake_has_file(&f, "session.db")); /* before it was told */
	fake_conn_ends(&f, 0);
	fake_run(&f);
	fake_teardown(&f);
}

static void test_malformed_pair_success_keeps_nothing(void **state)
{
	struct wa_node *n = wa_node_new("iq");
	struct fake f;

	(void)state;
	registering(&f);
	fake_rx_pair_device(&f);
	wa_node_set_jid(n, "from", WA_SERVER_JID);
	wa_node_set(n, "type", "set");
	wa_node_set(n, "id", "ps-1");
	(void)wa_node_add(n, "pair-success");
	fake_rx(&f, n);
	assert_non_null(fake_sent_find(&f, "iq", "error"));
	assert_int_equal(f.failure.rc, WA_EPROTO);
	assert_int_equal(f.linked, 0);
	fake_teardown(&f);
}

/* The outer message is whole, what it holds breaks off. */
static void test_device_identity_that_breaks_off_is_a_protocol_error(void **state)
{
	static const uint8_t inner[] = { 0x0a, 0xff, 0xff };
	uint8_t id[2 + sizeof(inner) + 2 + 32] = { 0x0a, sizeof(inner) };
	struct fake f;

	(void)state;
	registering(&f);
	fake_rx_pair_device(&f);
	memcpy(id + 2, inner, sizeof(inner));
	id[2 + sizeof(inner)] = 0x12;
	id[3 + sizeof(inner)] = 32;
	assert_int_equal(wa_hmac_sha256(f.s->creds.device.adv_secret, WA_KEY_LEN, inner,
	                                sizeof(inner), id + 4 + sizeof(inner)),
	                 0);
	fake_rx_device_identity(&f, id, sizeof(id));
	assert_non_null(fake_sent_find(&f, "iq", "error"));
	assert_int_equal(f.failure.rc, WA_EPROTO);
	assert_int_equal(f.linked, 0);
	fake_teardown(&f);
}

static void test_link_that_can_not_be_saved_is_refused(void **state)
{
	struct wk_store *held;
	struct sealed_key key = { .epoch = 0 };
	struct fake f;

	(void)state;
	registering(&f);
	fake_rx_pair_device(&f);
	memcpy(key.bytes, f.key, sizeof(key.bytes));
	assert_int_equal(wk_store_open(f.dir, "inst", &key, true, &held), 0);
	fake_rx_pair_success(&f, false);
	assert_int_equal(f.linked, 0);
	assert_non_null(fake_sent_find(&f, "iq", "error"));
	assert_int_equal(f.failure.rc, WA_EALREADY_RUNNING);
	wk_store_close(held);
	fake_teardown(&f);
}

/* The gateway ends a worker whose names are not UTF-8: the link would be lost on every login. */
static void test_names_of_the_phone_are_made_what_the_gateway_takes(void **state)
{
	static const char jid[] = FAKE_JID;
	char long_name[WK_NAME_CAP + 8];
	struct fake f;

	(void)state;
	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	memcpy(long_name + WK_NAME_CAP - 2, "\xc3\xa9", 2); /* would be cut in half */
	registering(&f);
	fake_rx_pair_device(&f);
	f.platform = "smb\xc3\xa9\n";
	f.business_name = "Caf\xc3\xa9 \xf0\x9f";
	fake_rx_pair_success(&f, false);
	assert_string_equal(f.s->creds.jid, jid);
	assert_string_equal(f.s->creds.platform, "smb???");
	assert_string_equal(f.s->creds.business_name, "Caf\xc3\xa9 ??");
	fake_teardown(&f);
	registering(&f);
	fake_rx_pair_device(&f);
	f.business_name = long_name;
	fake_rx_pair_success(&f, false);
	assert_int_equal(strlen(f.s->creds.business_name), WK_NAME_CAP - 2);
	fake_teardown(&f);
}

static void test_second_pair_success_is_ignored(void **state)
{
	struct fake f;

	(void)state;
	registering(&f);
	fake_rx_pair_device(&f);
	fake_rx_pair_success(&f, false);
	f.read_n = f.sent_n;
	fake_rx_pair_success(&f, false);
	assert_int_equal(f.linked, 1);
	assert_null(fake_sent(&f));
	fake_teardown(&f);
}

static void test_whatever_ends_the_stream_after_the_link_leads_to_the_login(void **state)
{
	struct fake f;

	(void)state;
	for (int how = 0; how < 5; how++) {
		registering(&f);
		fake_rx_pair_device(&f);
		fake_rx_pair_success(&f, false);
		switch (how) {
		case 0:
			fake_rx_stream_error(&f, "515", NULL, NULL);
			break;
		case 1:
			fake_conn_ends(&f, WA_ENETWORK);
			break;
		case 2:
			fake_rx(&f, wa_node_new("xmlstreamend"));
			break;
		case 3:
			fake_rx_stream_error(&f, "503", NULL, NULL);
			break;
		default:
			wk_session_raise(f.s, WK_EV_TIMEOUT);
			break;
		}
		assert_int_equal(f.s->state, WK_ASKING);
		assert_int_equal(f.dial_asks, 1);
		assert_int_equal(f.failed + f.downs, 0); /* no failure in anybody's eyes */
		fake_up(&f);
		assert_int_equal(f.s->state, WK_LOGIN);
		fake_teardown(&f);
	}
}

static void test_link_that_whatsapp_does_not_know_never_was_one(void **state)
{
	struct fake f;

	(void)state;
	fake_setup(&f);
	fake_link(&f);
	fake_up(&f);
	fake_rx_failure(&f, "401");
	assert_int_equal(f.failure.rc, WA_EPAIRING_REFUSED);
	assert_false(fake_has_file(&f, "session.db"));
	fake_run(&f);
	fake_teardown(&f);
}

/* ---- pairing code ------------------------------------------------------------------------ */

static void answer_companion_hello(struct fake *f)
{
	const struct wa_node *hello = fake_sent_find(f, "iq", "link_code_companion_reg");
	struct wa_node *n = wa_node_new("iq");
	struct wa_node *reg = wa_node_add(n, "link_code_companion_reg");

	assert_non_null(hello);
	wa_node_set_jid(n, "from", WA_SERVER_JID);
	wa_node_set(n, "type", "result");
	wa_node_set(n, "id", wa_node_attr(hello, "id"));
	wa_node_set_bytes(wa_node_add(reg, "link_code_pairing_ref"), "2@lc", 4);
	fake_rx(f, n);
}

static void test_number_brings_a_pairing_code_and_no_qr(void **state)
{
	struct fake f;

	(void)state;
	fake_setup(&f);
	fake_connect(&f, IPC__CONNECT__MODE__LINK, NUMBER);
	fake_up(&f);
	fake_rx_pair_device(&f);
	assert_int_equal(f.codes + f.pairing_codes, 0);
	answer_companion_hello(&f);
	assert_int_equal(f.pairing_codes, 1);
	assert_int_equal(strlen(f.pairing_code), 9);
	assert_in_range(f.pairing_code_ms, 159000, 160000);
	wk_session_tell(f.s);
	assert_int_equal(f.codes, 0);
	fake_pass(&f);
	assert_true(fake_has_file(&f, "session.db"));
	fake_rx_pair_success(&f, false);
	assert_int_equal(f.s->state, WK_LINKING);
	fake_teardown(&f);
}

static void test_throttled_number_ends_the_attempt(void **state)
{
	struct wa_node *n = wa_node_new("iq");
	const struct wa_node *hello;
	struct fake f;

	(void)state;
	fake_setup(&f);
	fake_connect(&f, IPC__CONNECT__MODE__LINK, NUMBER);
	fake_up(&f);
	fake_rx_pair_device(&f);
	hello = fake_sent_find(&f, "iq", "link_code_companion_reg");
	assert_non_null(hello);
	wa_node_set(n, "type", "error");
	wa_node_set(n, "id", wa_node_attr(hello, "id"));
	wa_node_set(wa_node_add(n, "error"), "code", "429");
	fake_rx(&f, n);
	assert_int_equal(f.failure.rc, WA_ETHROTTLED);
	assert_int_equal(f.closes, 1);
	fake_conn_ends(&f, 0);
	fake_run(&f);
	fake_teardown(&f);
}

/* ---- passkey ----------------------------------------------------------------------------- */

static void test_passkey_step_stops_the_codes_and_the_secret(void **state)
{
	uint8_t secret[32];
	struct fake f;

	(void)state;
	registering(&f);
	fake_rx_pair_device(&f);
	memcpy(secret, f.s->creds.device.adv_secret, sizeof(secret));
	fake_rx_notification(&f, "passkey_prologue_request");
	assert_memory_not_equal(secret, f.s->creds.device.adv_secret, sizeof(secret));
	assert_non_null(fake_sent_find(&f, "ack", NULL));
	assert_non_null(fake_sent_find(&f, "iq", "passkey_request_options"));
	memcpy(secret, f.s->creds.device.adv_secret, sizeof(secret));
	fake_rx_notification(&f, "companion_reg_refresh");
	assert_memory_equal(secret, f.s->creds.device.adv_secret, sizeof(secret));
	assert_int_equal(f.codes, 1);
	wk_session_passkey_answer(f.s, "{}"); /* out of turn: dropped */
	wk_session_passkey_confirm(f.s);
	assert_int_equal(f.s->state, WK_PAIRING);
	fake_rx_pair_success(&f, false);
	assert_int_equal(f.linked, 1);
	wk_session_passkey_answer(f.s, "{}"); /* too late */
	fake_teardown(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_empty_cell_is_refused_and_changes_nothing),
		cmocka_unit_test(
		    test_failure_without_a_link_is_told_once_and_then_the_session_ends),
		cmocka_unit_test(test_timeout_names_the_step),
		cmocka_unit_test(test_deadlines_leave_55_s_from_dial_to_answer),
		cmocka_unit_test(test_stop_ends_without_a_failure),
		cmocka_unit_test(test_second_connect_is_refused_and_its_target_released),
		cmocka_unit_test(test_failure_reasons_before_the_first_code),
		cmocka_unit_test(test_stream_errors_before_the_link),
		cmocka_unit_test(test_end_of_stream_is_a_network_failure),
		cmocka_unit_test(test_unknown_and_bad_stanzas_are_counted_and_ignored),
		cmocka_unit_test(test_server_ping_is_answered),
		cmocka_unit_test(test_store_is_made_after_the_first_code_and_erased_without_a_link),
		cmocka_unit_test(test_codes_that_run_out_are_a_code_timeout),
		cmocka_unit_test(test_gateway_that_comes_later_is_told_the_code),
		cmocka_unit_test(test_refresh_is_acknowledged_and_shown),
		cmocka_unit_test(
		    test_link_is_on_disk_before_it_is_told_and_told_before_it_is_answered),
		cmocka_unit_test(test_pair_success_with_a_wrong_proof_keeps_nothing),
		cmocka_unit_test(test_malformed_pair_success_keeps_nothing),
		cmocka_unit_test(test_device_identity_that_breaks_off_is_a_protocol_error),
		cmocka_unit_test(test_link_that_can_not_be_saved_is_refused),
		cmocka_unit_test(test_names_of_the_phone_are_made_what_the_gateway_takes),
		cmocka_unit_test(test_second_pair_success_is_ignored),
		cmocka_unit_test(test_whatever_ends_the_stream_after_the_link_leads_to_the_login),
		cmocka_unit_test(test_link_that_whatsapp_does_not_know_never_was_one),
		cmocka_unit_test(test_number_brings_a_pairing_code_and_no_qr),
		cmocka_unit_test(test_throttled_number_ends_the_attempt),
		cmocka_unit_test(test_passkey_step_stops_the_codes_and_the_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

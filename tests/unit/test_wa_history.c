/* tests/unit/test_wa_history.c - history: the published blob, any cut of it, limits and hostility
 */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "history_blob.h"
#include "proto/wa_history.pb-c.h"
#include "proto/wa_msg.pb-c.h"
#include "wa_vectors.h"
#include "worker/wa/history/wa_history.h"
#include "worker/wa/history/wa_media.h"

/* ---- recording what comes out -------------------------------------------------------------------
 */

struct record {
	struct buf text; /* one line for each callback */
	int fail_at;     /* the n-th callback says -EIO; 0: none */
	unsigned calls;
};

static int note(struct record *r)
{
	return ++r->calls == (unsigned)r->fail_at ? -EIO : 0;
}

static int on_message(void *arg, const struct wa_history_msg *m)
{
	struct record *r = arg;

	assert_int_equal(buf_appendf(&r->text, "m %s %s %s %u %s\n", m->chat, m->key.id,
	                             m->sender == NULL ? "me" : m->sender, (unsigned)m->unix_s,
	                             m->has_view && m->view.text != NULL ? m->view.text : "-"),
	                 0);
	return note(r);
}

static int on_status(void *arg, const struct wa_history_msg *m)
{
	struct record *r = arg;

	assert_int_equal(buf_appendf(&r->text, "s %s\n", m->key.id == NULL ? "-" : m->key.id), 0);
	return note(r);
}

static int on_conversation(void *arg, const Wa__Conversation *c, uint64_t n)
{
	struct record *r = arg;

	assert_int_equal(buf_appendf(&r->text, "c %s %u %s\n", c->id, (unsigned)n,
	                             c->lid_jid == NULL ? "-" : c->lid_jid),
	                 0);
	return note(r);
}

static int on_push_name(void *arg, const char *jid, const char *name)
{
	struct record *r = arg;

	assert_int_equal(buf_appendf(&r->text, "n %s %s\n", jid, name), 0);
	return note(r);
}

static int on_mapping(void *arg, const char *pn, const char *lid)
{
	struct record *r = arg;

	assert_int_equal(buf_appendf(&r->text, "l %s %s\n", pn, lid), 0);
	return note(r);
}

static int on_contact(void *arg, const Wa__InlineContact *c)
{
	struct record *r = arg;

	assert_int_equal(buf_appendf(&r->text, "i %s\n", c->full_name), 0);
	return note(r);
}

static int on_salt(void *arg, const uint8_t *salt, size_t salt_len)
{
	struct record *r = arg;

	assert_int_equal(buf_appendf(&r->text, "salt %.*s\n", (int)salt_len, (const char *)salt),
	                 0);
	return note(r);
}

static int on_nonce(void *arg, const char *nonce)
{
	struct record *r = arg;

	assert_int_equal(buf_appendf(&r->text, "nonce %s\n", nonce), 0);
	return note(r);
}

static const struct wa_history_ops ops = {
	.on_message = on_message,
	.on_status = on_status,
	.on_conversation = on_conversation,
	.on_push_name = on_push_name,
	.on_mapping = on_mapping,
	.on_contact = on_contact,
	.on_nct_salt = on_salt,
	.on_companion_nonce = on_nonce,
};

static struct wa_history_counts counts;
static size_t memory_peak;

/* All of z in pieces of step bytes. */
static int run_steps(const uint8_t *z, size_t z_len, size_t step,
                     const struct wa_history_limits *limits, struct record *r)
{
	struct wa_history *h;
	int rc = 0;

	buf_reset(&r->text);
	r->calls = 0;
	memory_peak = 0;
	assert_int_equal(wa_history_new(&ops, r, limits, &h), 0);
	for (size_t at = 0; rc == 0 && at < z_len; at += step) {
		rc = wa_history_feed(h, z + at, z_len - at < step ? z_len - at : step);
		if (wa_history_memory(h) > memory_peak)
			memory_peak = wa_history_memory(h);
	}
	if (rc == 0)
		rc = wa_history_end(h);
	counts = *wa_history_counts(h);
	wa_history_free(h);
	assert_int_equal(buf_append_u8(&r->text, 0), 0);
	return rc;
}

static int run(const struct buf *z, struct record *r)
{
	return run_steps(z->p, z->len, z->len, &wa_history_limits_default, r);
}

/* A HistorySync that is written by hand. */
static int run_plain(const void *p, size_t n, struct record *r)
{
	struct buf plain = { .p = (uint8_t *)(uintptr_t)p, .len = n }, z = { 0 };
	int rc;

	history_deflate(&plain, &z);
	rc = run(&z, r);
	buf_free(&z);
	return rc;
}

/* ---- published ----------------------------------------------------------------------------------
 */

static void test_published_blob(void **state)
{
	static const char expected[] =
	    "m 447700900123@s.whatsapp.net 3EB0C0FFEE0000000002 me 1700000100 reply\n"
	    "m 447700900123@s.whatsapp.net 3A0000000000000000A1 447700900123@s.whatsapp.net "
	    "1700000000 old hello\n"
	    "c 447700900123@s.whatsapp.net 2 123456789012345@lid\n";
	json_t *root = vec_load("messaging.json");
	const json_t *v = vec_get(vec_get(root, "history_sync"), "external");
	struct buf notice = { 0 }, blob = { 0 }, z = { 0 };
	struct wa_pool *a = wa_pool_new(4096, WA_MSG_MEMORY_MAX);
	struct record r = { 0 };
	struct wa_history_notice n;
	struct wa_msg_view view;
	Wa__Message *m;

	(void)state;
	assert_non_null(a);
	vec_hex(v, "notification_message", &notice);
	assert_int_equal(wa_msg_parse(a, notice.p, notice.len, &m), 0);
	assert_int_equal(wa_msg_view(m, &view), 0);
	assert_int_equal(wa_history_notice_read(view.protocol, &n), 0);
	assert_int_equal(n.type, WA_HISTORY_RECENT);
	assert_int_equal(n.chunk, 1);
	assert_int_equal(n.progress, 100);
	assert_null(n.inline_payload.p);
	vec_assert_hex(v, "media_key", n.media_key, 32);

	/* the file as the notice describes it */
	struct wa_media_expect e = { n.enc_sha256, n.sha256, true, n.file_len, 1 << 20 };

	vec_hex(v, "blob", &blob);
	assert_int_equal(wa_media_decrypt(n.media_key, WA_MEDIA_HISTORY, &e, blob.p, blob.len, &z),
	                 0);
	vec_assert_hex(v, "zlib", z.p, z.len);
	for (size_t step = 1; step <= z.len; step++) {
		assert_int_equal(run_steps(z.p, z.len, step, &wa_history_limits_default, &r), 0);
		assert_memory_equal(r.text.p, expected, sizeof(expected) - 1);
		assert_non_null(strstr((char *)r.text.p, "n 447700900123@s.whatsapp.net Ann\n"));
	}
	assert_int_equal(counts.messages, 2);
	assert_int_equal(counts.conversations, 1);
	assert_int_equal(counts.unreadable, 0);
	for (size_t cut = 0; cut < z.len; cut++)
		assert_true(run_steps(z.p, cut, 7, &wa_history_limits_default, &r) < 0);
	buf_free(&notice);
	buf_free(&blob);
	buf_free(&z);
	buf_free(&r.text);
	wa_pool_free(a);
	json_decref(root);
}

static void test_published_inline(void **state)
{
	json_t *root = vec_load("messaging.json");
	const json_t *v = vec_get(vec_get(root, "history_sync"), "inline");
	struct wa_pool *a = wa_pool_new(4096, WA_MSG_MEMORY_MAX);
	struct buf notice = { 0 };
	struct record r = { 0 };
	struct wa_history_notice n;
	Wa__Message *m;

	(void)state;
	assert_non_null(a);
	vec_hex(v, "notification_message", &notice);
	assert_int_equal(wa_msg_parse(a, notice.p, notice.len, &m), 0);
	assert_int_equal(wa_history_notice_read(m->protocol_message, &n), 0);
	assert_int_equal(n.type, WA_HISTORY_INITIAL_BOOTSTRAP);
	assert_null(n.direct_path);
	vec_assert_hex(v, "zlib", n.inline_payload.p, n.inline_payload.len);
	assert_int_equal(
	    run_steps(n.inline_payload.p, n.inline_payload.len, 5, &wa_history_limits_default, &r),
	    0);
	assert_string_equal((char *)r.text.p, "c 447700900123@s.whatsapp.net 0 -\n");
	buf_free(&notice);
	buf_free(&r.text);
	wa_pool_free(a);
	json_decref(root);
}

static void test_notice_is_checked(void **state)
{
	Wa__HistorySyncNotification m = WA__HISTORY_SYNC_NOTIFICATION__INIT;
	Wa__ProtocolMessage p = WA__PROTOCOL_MESSAGE__INIT;
	struct wa_history_notice n;
	uint8_t bytes[33] = { 1 };

	(void)state;
	assert_int_equal(wa_history_notice_read(&p, &n), WA_EPROTO);
	p.history_sync_notification = &m;
	assert_int_equal(wa_history_notice_read(&p, &n), WA_EPROTO);
	m.has_sync_type = 1;
	m.sync_type = 7;
	m.has_progress = 1;
	m.progress = 4000000000;
	m.original_message_id = (char *)(uintptr_t) "3EB0";
	assert_int_equal(wa_history_notice_read(&p, &n), 0); /* nothing to fetch */
	assert_null(n.direct_path);
	assert_int_equal(n.progress, 100);
	assert_string_equal(n.request_id, "3EB0");
	m.has_media_key = m.has_file_sha256 = m.has_file_enc_sha256 = 1;
	m.media_key.data = m.file_sha256.data = m.file_enc_sha256.data = bytes;
	m.media_key.len = m.file_sha256.len = m.file_enc_sha256.len = 32;
	assert_int_equal(wa_history_notice_read(&p, &n), WA_EPROTO); /* no path */
	m.direct_path = (char *)(uintptr_t) "/v";
	assert_int_equal(wa_history_notice_read(&p, &n), 0);
	for (unsigned i = 0; i < 3; i++) {
		ProtobufCBinaryData *parts[] = { &m.media_key, &m.file_sha256, &m.file_enc_sha256 };

		parts[i]->len = 31;
		assert_int_equal(wa_history_notice_read(&p, &n), WA_EPROTO);
		parts[i]->len = 32;
	}
}

/* ---- any size, any cut --------------------------------------------------------------------------
 */

static void test_pieces_do_not_matter(void **state)
{
	static const size_t steps[] = { 1, 2, 3, 7, 64, 1000, 4096, 100000 };
	struct buf plain = { 0 }, z = { 0 };
	struct record whole = { 0 }, r = { 0 };

	(void)state;
	history_blob(3, 40, &plain);
	history_deflate(&plain, &z);
	assert_int_equal(run(&z, &whole), 0);
	assert_int_equal(counts.messages, 120);
	assert_int_equal(counts.conversations, 3);
	assert_int_equal(counts.push_names, 3);
	assert_int_equal(counts.mappings, 3);
	assert_int_equal(counts.inflated_len, plain.len);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		assert_int_equal(run_steps(z.p, z.len, steps[i], &wa_history_limits_default, &r),
		                 0);
		assert_string_equal((char *)r.text.p, (char *)whole.text.p);
	}
	buf_free(&plain);
	buf_free(&z);
	buf_free(&whole.text);
	buf_free(&r.text);
}

static void test_memory_is_bounded(void **state)
{
	struct buf plain = { 0 }, z = { 0 };
	struct record r = { 0 };

	(void)state;
	history_blob(20, 1000, &plain);
	history_deflate(&plain, &z);
	assert_true(plain.len > 4u << 20);
	assert_int_equal(run_steps(z.p, z.len, 4096, &wa_history_limits_default, &r), 0);
	assert_int_equal(counts.messages, 20000);
	assert_true(memory_peak < 256 * 1024);
	buf_free(&plain);
	buf_free(&z);
	buf_free(&r.text);
}

static void test_old_messages_are_dropped(void **state)
{
	struct wa_history_limits limits = wa_history_limits_default;
	struct buf plain = { 0 }, z = { 0 };
	struct record r = { 0 };

	(void)state;
	history_blob(2, 100, &plain);
	history_deflate(&plain, &z);
	limits.oldest_unix_s = HISTORY_BLOB_FIRST_S + 60 * 90;
	assert_int_equal(run_steps(z.p, z.len, z.len, &limits, &r), 0);
	assert_int_equal(counts.messages, 20);
	assert_int_equal(counts.dropped_old, 180);
	assert_int_equal(counts.conversations, 2); /* chats and mappings stay */
	assert_int_equal(counts.mappings, 2);
	assert_non_null(strstr((char *)r.text.p, "3EB0000000000000005A"));
	assert_null(strstr((char *)r.text.p, "3EB00000000000000059"));
	buf_free(&plain);
	buf_free(&z);
	buf_free(&r.text);
}

static void test_callbacks_can_stop(void **state)
{
	struct buf plain = { 0 }, z = { 0 };
	struct record r = { 0 };
	unsigned total;

	(void)state;
	history_blob(2, 3, &plain);
	history_deflate(&plain, &z);
	assert_int_equal(run(&z, &r), 0);
	total = r.calls;
	assert_int_equal(total, 2 * (3 + 1 + 1 + 1));
	for (unsigned n = 1; n <= total; n++) {
		r.fail_at = (int)n;
		assert_int_equal(run(&z, &r), -EIO);
		assert_int_equal(r.calls, n);
	}
	buf_free(&plain);
	buf_free(&z);
	buf_free(&r.text);
}

static void test_no_callbacks(void **state)
{
	static const struct wa_history_ops none;
	struct buf plain = { 0 }, z = { 0 };
	struct wa_history *h;

	(void)state;
	history_blob(2, 3, &plain);
	history_deflate(&plain, &z);
	assert_int_equal(wa_history_new(&none, NULL, &wa_history_limits_default, &h), 0);
	assert_int_equal(wa_history_feed(h, z.p, z.len), 0);
	assert_int_equal(wa_history_end(h), 0);
	assert_int_equal(wa_history_type_of(h), WA_HISTORY_RECENT);
	assert_int_equal(wa_history_counts(h)->messages, 6);
	wa_history_free(h);
	wa_history_free(NULL);
	buf_free(&plain);
	buf_free(&z);
}

/* ---- other content ------------------------------------------------------------------------------
 */

#define PLAIN(s) (s), sizeof(s) - 1

static void test_small_fields(void **state)
{
	static const char plain[] = "\x08\x05"
	                            "\x1a\x07\x0a\x05\x1a\x03XYZ" /* status with a key */
	                            "\x3a\x08\x0a\x01\x61\x12\x03"
	                            "Ann"                           /* push name */
	                            "\x3a\x06\x0a\x01\x62\x12\x01-" /* no push name */
	                            "\x3a\x00"                      /* nor this */
	                            "\x7a\x06\x0a\x01p\x12\x01l"    /* mapping */
	                            "\x7a\x03\x0a\x01p"             /* half a mapping */
	                            "\x82\x01\x05nonce"             /* 16 */
	                            "\x9a\x01\x04salt"              /* 19 */
	                            "\xa2\x01\x05\x1a\x03"
	                            "Ann" /* 20 */
	                            "\x5a\x03xyz\xba\x3e\x02hi\x21"
	                            "12345678"
	                            "\x25"
	                            "1234"; /* unknown, of each wire type */
	struct record r = { 0 };

	(void)state;
	assert_int_equal(run_plain(PLAIN(plain), &r), 0);
	assert_string_equal((char *)r.text.p,
	                    "s XYZ\nn a Ann\nl p l\nnonce nonce\nsalt salt\ni Ann\n");
	assert_int_equal(counts.statuses, 1);
	assert_int_equal(counts.push_names, 1);
	assert_int_equal(counts.mappings, 1);
	buf_free(&r.text);
}

/* One message that can't be read costs nothing but itself. */
static void test_bad_messages_are_counted(void **state)
{
	static const char plain[] =
	    "\x08\x03"
	    "\x12\x2b"
	    "\x0a\x01"
	    "c"
	    "\x12\x04\x0a\x02\x12\x7f"                   /* cut inside */
	    "\x12\x02\x10\x01"                           /* no WebMessageInfo */
	    "\x12\x00"                                   /* nothing */
	    "\x12\x06\x0a\x04\x12\x02\x0b\x0c"           /* a group inside the Message */
	    "\x12\x07\x0a\x05\x0a\x03\x1a\x01X"          /* good: a key alone */
	    "\x12\x09\x0a\x07\x0a\x03\x1a\x01Y\x18\x05"; /* good: and a time */
	struct record r = { 0 };

	(void)state;
	assert_int_equal(run_plain(PLAIN(plain), &r), 0);
	assert_string_equal((char *)r.text.p, "m c X c 0 -\nm c Y c 5 -\nc c 2 -\n");
	assert_int_equal(counts.unreadable, 4);
	assert_int_equal(counts.messages, 2);
	buf_free(&r.text);
}

static void test_message_before_the_chat_id(void **state)
{
	static const char plain[] = "\x08\x03\x12\x12\x12\x0d\x0a\x0b\x0a\x09\x0a\x04key1\x1a\x01X"
	                            "\x0a\x01"
	                            "c";
	struct record r = { 0 };

	(void)state;
	assert_int_equal(run_plain(PLAIN(plain), &r), 0);
	assert_string_equal((char *)r.text.p, "m key1 X key1 0 -\nc c 1 -\n");
	buf_free(&r.text);
}

static void test_wrong_forms_are_refused(void **state)
{
	static const struct {
		const char *plain;
		size_t len;
		int rc;
	} cases[] = {
		{ PLAIN("\x08"), WA_ETRUNC },
		{ PLAIN("\x08\x03\x12\x05\x0a"), WA_ETRUNC },          /* chat goes on */
		{ PLAIN("\x08\x03\x12\x03\x0a\x05hello"), WA_EPROTO }, /* field leaves its chat */
		{ PLAIN("\x08\x03\x3a\x05\x0a"), WA_ETRUNC },
		{ PLAIN("\x08\x03\x5a\x05\x0a"), WA_ETRUNC }, /* in a skipped one */
		{ PLAIN("\x00\x00"), WA_EPROTO },             /* field 0 */
		{ PLAIN("\x0b\x0c"), WA_EPROTO },             /* group */
		{ PLAIN("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), WA_EPROTO },
		{ PLAIN("\x5a\xff\xff\xff\xff\x7f"), WA_ELIMIT }, /* 34 GB */
		{ PLAIN("\x30\x64"), WA_EPROTO },                 /* no syncType */
		{ PLAIN(""), WA_EPROTO },
	};
	struct record r = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		int rc = run_plain(cases[i].plain, cases[i].len, &r);

		if (rc != cases[i].rc)
			fail_msg("case %zu: %s", i, wa_err_name(rc));
	}
	buf_free(&r.text);
}

static void test_bytes_behind_the_stream(void **state)
{
	struct buf plain = { 0 }, z = { 0 };
	struct record r = { 0 };

	(void)state;
	history_blob(1, 1, &plain);
	history_deflate(&plain, &z);
	assert_int_equal(buf_append_u8(&z, 0), 0);
	assert_int_equal(run(&z, &r), WA_EPROTO);
	assert_int_equal(run_steps(z.p, z.len, 1, &wa_history_limits_default, &r), WA_EPROTO);
	z.p[z.len - 2] ^= 1; /* the checksum of zlib */
	assert_int_equal(run_steps(z.p, z.len - 1, 3, &wa_history_limits_default, &r), WA_EPROTO);
	assert_int_equal(
	    run_steps((const uint8_t *)"not zlib", 8, 8, &wa_history_limits_default, &r),
	    WA_EPROTO);
	buf_free(&plain);
	buf_free(&z);
	buf_free(&r.text);
}

/* ---- hostility ----------------------------------------------------------------------------------
 */

/* head, then n bytes of zeros, deflated without ever being in memory twice. */
static void zeros(const char *head, size_t head_len, size_t n, struct buf *z)
{
	struct buf plain = { 0 };

	assert_int_equal(buf_append(&plain, head, head_len), 0);
	assert_int_equal(buf_reserve(&plain, n), 0);
	memset(plain.p + plain.len, 0, n);
	plain.len += n;
	history_deflate(&plain, z);
	buf_free(&plain);
}

static void test_zip_bombs_are_stopped(void **state)
{
	struct wa_history_limits limits = wa_history_limits_default;
	struct record r = { 0 };
	struct buf z = { 0 };

	(void)state;
	/* field 11 (not read) of 32 MiB: 1000 times what it is compressed */
	zeros(PLAIN("\x08\x03\x5a\x80\x80\x80\x10"), 32u << 20, &z);
	assert_int_equal(run_steps(z.p, z.len, 4096, &wa_history_limits_default, &r), WA_ELIMIT);
	assert_true(counts.inflated_len < 12u << 20);
	limits.ratio_max = 100000;
	assert_int_equal(run_steps(z.p, z.len, 4096, &limits, &r),
	                 0); /* skipped in little memory */
	assert_true(memory_peak < 128 * 1024);
	limits.inflated_max = (32u << 20) - 1;
	assert_int_equal(run_steps(z.p, z.len, 4096, &limits, &r), WA_ELIMIT);
	buf_free(&z);
	buf_free(&r.text);
}

static void test_giant_message_is_skipped(void **state)
{
	static const char tail[] = "\x12\x07\x0a\x05\x0a\x03\x1a\x01X";
	struct buf plain = { 0 };
	struct record r = { 0 };
	const size_t n = 3u << 20;

	(void)state;
	/* chat { id, message of 3 MiB, message X } */
	assert_int_equal(buf_append(&plain, PLAIN("\x08\x03\x12\x91\x80\xc0\x01\x0a\x01"
	                                          "c\x12\x80\x80\xc0\x01")),
	                 0);
	assert_int_equal(buf_reserve(&plain, n), 0);
	memset(plain.p + plain.len, 0x55, n);
	plain.len += n;
	assert_int_equal(buf_append(&plain, PLAIN(tail)), 0);
	assert_int_equal(run_plain(plain.p, plain.len, &r), 0);
	assert_string_equal((char *)r.text.p, "m c X c 0 -\nc c 1 -\n");
	assert_int_equal(counts.too_large, 1);
	assert_true(memory_peak < 128 * 1024);
	buf_free(&plain);
	buf_free(&r.text);
}

/* ---- asking -------------------------------------------------------------------------------------
 */

static void test_requests(void **state)
{
	const Wa__PeerDataOperationRequestMessage *q;
	struct buf b = { 0 };
	Wa__Message *m;

	(void)state;
	assert_int_equal(wa_history_ask_older("1@lid", "AB", true, 1700000000, 80, &b), 0);
	m = wa__message__unpack(NULL, b.len, b.p);
	assert_non_null(m);
	assert_int_equal(m->protocol_message->type, WA_PROTO_PEER_DATA_REQUEST);
	q = m->protocol_message->peer_data_operation_request_message;
	assert_int_equal(q->peer_data_operation_request_type, 3);
	assert_string_equal(q->history_sync_on_demand_request->chat_jid, "1@lid");
	assert_string_equal(q->history_sync_on_demand_request->oldest_msg_id, "AB");
	assert_true(q->history_sync_on_demand_request->oldest_msg_from_me);
	assert_int_equal(q->history_sync_on_demand_request->on_demand_msg_count, 50);
	assert_int_equal(q->history_sync_on_demand_request->oldest_msg_timestamp_ms, 1700000000);
	wa__message__free_unpacked(m, NULL);

	buf_free(&b);
	assert_string_equal(wa_history_type_name(WA_HISTORY_PUSH_NAME), "push_name");
	assert_string_equal(wa_history_type_name(99), "unknown");
	assert_string_equal(wa_history_type_name(-1), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published_blob),
		cmocka_unit_test(test_published_inline),
		cmocka_unit_test(test_notice_is_checked),
		cmocka_unit_test(test_pieces_do_not_matter),
		cmocka_unit_test(test_memory_is_bounded),
		cmocka_unit_test(test_old_messages_are_dropped),
		cmocka_unit_test(test_callbacks_can_stop),
		cmocka_unit_test(test_no_callbacks),
		cmocka_unit_test(test_small_fields),
		cmocka_unit_test(test_bad_messages_are_counted),
		cmocka_unit_test(test_message_before_the_chat_id),
		cmocka_unit_test(test_wrong_forms_are_refused),
		cmocka_unit_test(test_bytes_behind_the_stream),
		cmocka_unit_test(test_zip_bombs_are_stopped),
		cmocka_unit_test(test_giant_message_is_skipped),
		cmocka_unit_test(test_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* tests/unit/test_sim_history.c - what a phone's history holds arrives as the client reads it */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "simulator/history/sim_history_part.h"
#include "simulator/history/sim_hostile.h"
#include "worker/wa/history/wa_history.h"
#include "worker/wa/history/wa_media.h"

#define UNTIL INT64_C(1760000000)
#define DAY INT64_C(86400)

static void fresh(uint32_t chats, uint32_t messages, uint32_t days, struct sim_history *h)
{
	const uint64_t seed = 3;
	struct sim_rand rnd;
	struct sim_phone phone = { .number = "4915100000001",
		                   .jid = "4915100000001@s.whatsapp.net",
		                   .lid = "100000000000001@lid",
		                   .name = "Owner",
		                   .chats = chats,
		                   .messages = messages,
		                   .days_of_history = days };

	assert_int_equal(sim_rand_init(&rnd, &seed), 0);
	assert_int_equal(sim_rand_fork(&rnd, "phone", 1, &phone.rnd), 0);
	assert_int_equal(sim_history_init(h, &phone, UNTIL), 0);
}

/* What the client's decoder has said. */
struct heard {
	const struct sim_history *h;
	uint64_t messages, stubs, media;
	uint64_t conversations, mappings, push_names, statuses;
	bool seen_type[64];
};

static void check_media(const struct sim_history *h, const struct sim_chat *c,
                        const struct sim_history_msg *m, const struct wa_msg_view *v)
{
	struct wa_media_expect expect = { .len_max = 1 << 20 };
	struct sim_media_file f;
	struct buf stored = { 0 }, plain = { 0 };

	assert_int_equal(sim_history_file(h, c, m, &stored, &f), 0);
	assert_string_equal(v->media.direct_path, f.direct_path);
	assert_memory_equal(v->media.media_key.p, f.key, 32);
	expect.enc_sha256 = v->media.enc_sha256.p;
	expect.sha256 = v->media.sha256.p;
	assert_int_equal(wa_media_decrypt(f.key,
	                                  m->media_kind == SIM_MEDIA_VIDEO      ? WA_MEDIA_VIDEO
	                                  : m->media_kind == SIM_MEDIA_AUDIO    ? WA_MEDIA_AUDIO
	                                  : m->media_kind == SIM_MEDIA_DOCUMENT ? WA_MEDIA_DOCUMENT
	                                                                        : WA_MEDIA_IMAGE,
	                                  &expect, stored.p, stored.len, &plain),
	                 0);
	buf_free(&stored);
	buf_free(&plain);
}

static int on_message(void *arg, const struct wa_history_msg *got)
{
	struct heard *x = arg;
	struct sim_history_msg m;
	struct sim_chat c;
	uint32_t chat, number;

	assert_non_null(got->key.id);
	assert_true(sim_history_find(x->h, got->key.id, &chat, &number));
	assert_int_equal(sim_history_chat(x->h, chat, &c), 0);
	assert_int_equal(sim_history_msg(x->h, &c, number, &m), 0);
	assert_string_equal(got->chat, c.id);
	assert_int_equal(got->key.from_me, m.from_me);
	assert_int_equal(got->unix_s, m.unix_s);
	assert_int_equal(got->order, m.order);
	if (c.group && !m.from_me)
		assert_string_equal(got->sender, m.sender);
	x->messages++;
	if (m.stub != 0) {
		assert_false(got->has_view);
		x->stubs++;
		return 0;
	}
	assert_true(got->has_view);
	if (strcmp(wa_msg_type_name(got->view.type), m.type) != 0)
		fail_msg("slot %u: %s is %s", m.slot, m.type, wa_msg_type_name(got->view.type));
	x->seen_type[got->view.type] = true;
	if (m.text[0] != '\0')
		assert_string_equal(got->view.text, m.text);
	assert_int_equal(got->secret.len, 32);
	if (m.has_media) {
		check_media(x->h, &c, &m, &got->view);
		x->media++;
	}
	return 0;
}

static int on_conversation(void *arg, const struct Wa__Conversation *c, uint64_t n)
{
	(void)c;
	(void)n;
	((struct heard *)arg)->conversations++;
	return 0;
}

static int on_mapping(void *arg, const char *pn, const char *lid)
{
	(void)pn;
	(void)lid;
	((struct heard *)arg)->mappings++;
	return 0;
}

static int on_push_name(void *arg, const char *jid, const char *name)
{
	(void)jid;
	(void)name;
	((struct heard *)arg)->push_names++;
	return 0;
}

static int on_status(void *arg, const struct wa_history_msg *m)
{
	(void)m;
	((struct heard *)arg)->statuses++;
	return 0;
}

static void read_back(const struct buf *zlib, enum sim_history_type type, struct heard *x)
{
	static const struct wa_history_ops ops = {
		.on_message = on_message,
		.on_status = on_status,
		.on_conversation = on_conversation,
		.on_mapping = on_mapping,
		.on_push_name = on_push_name,
	};
	struct wa_history *r = NULL;

	assert_int_equal(wa_history_new(&ops, x, &wa_history_limits_default, &r), 0);
	assert_int_equal(wa_history_feed(r, zlib->p, zlib->len), 0);
	assert_int_equal(wa_history_end(r), 0);
	assert_int_equal(wa_history_type_of(r), type);
	assert_int_equal(wa_history_counts(r)->unreadable, 0);
	wa_history_free(r);
}

/* All parts of a range of time, one after the other. Returns how many. */
static uint32_t read_range(const struct sim_history *h, enum sim_history_type type, int64_t from,
                           int64_t to, uint32_t max, struct heard *x)
{
	struct sim_history_part part = {
		.type = type, .order = 1, .from_unix_s = from, .to_unix_s = to, .max = max
	};
	struct sim_history_written w = { .chat = 0 };
	uint32_t last = 0;

	assert_int_equal(sim_history_count(h, from, to, &part.total), 0);
	while (w.chat < h->chats) {
		struct buf out = { 0 };

		assert_int_equal(sim_history_write(h, &part, &out, &w), 0);
		assert_true(w.messages <= max);
		assert_true(w.progress >= last);
		assert_int_equal(w.progress == 100, w.chat == h->chats);
		last = w.progress;
		read_back(&out, type, x);
		buf_free(&out);
		part.sent += w.messages;
		part.chat = w.chat;
		part.done = w.done;
		part.order++;
	}
	assert_int_equal(part.sent, part.total);
	return part.order - 1;
}

static void test_everything_is_read_as_it_was_made(void **state)
{
	struct sim_history h;
	struct heard x = { .h = &h };

	(void)state;
	fresh(19, 1201, 60, &h);
	assert_int_equal(read_range(&h, SIM_HISTORY_RECENT, 0, UNTIL + 1, 100, &x), 13);
	assert_int_equal(x.messages, 1201);
	assert_true(x.stubs > 20 && x.media > 200);
	for (int kind = WA_MSG_TEXT; kind <= WA_MSG_LIST; kind++) {
		static const int wanted[] = {
			WA_MSG_TEXT,     WA_MSG_IMAGE,   WA_MSG_VIDEO,    WA_MSG_AUDIO,
			WA_MSG_DOCUMENT, WA_MSG_STICKER, WA_MSG_LOCATION, WA_MSG_CONTACT,
			WA_MSG_POLL,     WA_MSG_EVENT,   WA_MSG_LIST,     WA_MSG_GROUP_INVITE
		};

		for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
			if (wanted[i] == kind)
				assert_true(x.seen_type[kind]);
		}
	}
}

static void test_recent_and_full_divide_the_time(void **state)
{
	struct sim_history h;
	struct heard recent = { .h = &h }, full = { .h = &h };
	const int64_t border = UNTIL - 10 * DAY;

	(void)state;
	fresh(7, 700, 70, &h);
	read_range(&h, SIM_HISTORY_RECENT, border, INT64_MAX, 1000, &recent);
	read_range(&h, SIM_HISTORY_FULL, 0, border, 64, &full);
	assert_int_equal(recent.messages + full.messages, 700);
	assert_in_range(recent.messages, 98, 102);
}

static void test_the_other_types(void **state)
{
	struct sim_history_part part = { .type = SIM_HISTORY_BOOTSTRAP };
	struct sim_history_written w;
	struct sim_history h;
	struct heard x = { .h = &h };
	struct buf out = { 0 };

	(void)state;
	fresh(20, 100, 7, &h);
	assert_int_equal(sim_history_write(&h, &part, &out, &w), 0);
	read_back(&out, SIM_HISTORY_BOOTSTRAP, &x);
	assert_int_equal(x.conversations, 20);
	assert_int_equal(x.messages, 20);
	assert_true(x.mappings >= 10);
	assert_int_equal(x.push_names, 1);
	buf_reset(&out);
	part.type = SIM_HISTORY_STATUS;
	assert_int_equal(sim_history_write(&h, &part, &out, &w), 0);
	read_back(&out, SIM_HISTORY_STATUS, &x);
	assert_int_equal(x.statuses, 3);
	buf_reset(&out);
	part.type = SIM_HISTORY_PUSH_NAME;
	assert_int_equal(sim_history_write(&h, &part, &out, &w), 0);
	read_back(&out, SIM_HISTORY_PUSH_NAME, &x);
	assert_true(x.push_names > 10);
	buf_reset(&out);
	part.type = SIM_HISTORY_NON_BLOCKING;
	assert_int_equal(sim_history_write(&h, &part, &out, &w), 0);
	read_back(&out, SIM_HISTORY_NON_BLOCKING, &x);
	buf_free(&out);
}

static void test_older_messages_of_one_chat(void **state)
{
	struct sim_history_part part = {
		.type = SIM_HISTORY_ON_DEMAND, .chat = 2, .before = 70, .max = 50
	};
	struct sim_history_written w;
	struct sim_history h;
	struct heard x = { .h = &h };
	struct buf out = { 0 };

	(void)state;
	fresh(3, 300, 7, &h);
	assert_int_equal(sim_history_write(&h, &part, &out, &w), 0);
	read_back(&out, SIM_HISTORY_ON_DEMAND, &x);
	assert_int_equal(x.messages, 50);
	assert_int_equal(w.oldest_unix_s, sim_history_time(&h, 2, 20));
	buf_free(&out);
}

static void test_the_same_phone_has_the_same_history(void **state)
{
	struct sim_history a, b;
	struct sim_history_part part = { .type = SIM_HISTORY_RECENT,
		                         .max = 500,
		                         .to_unix_s = INT64_MAX };
	struct sim_history_written w;
	struct buf one = { 0 }, two = { 0 };

	(void)state;
	fresh(11, 333, 5, &a);
	fresh(11, 333, 5, &b);
	assert_int_equal(sim_history_write(&a, &part, &one, &w), 0);
	assert_int_equal(sim_history_write(&b, &part, &two, &w), 0);
	assert_int_equal(one.len, two.len);
	assert_memory_equal(one.p, two.p, one.len);
	buf_free(&one);
	buf_free(&two);
}

static void test_paths_name_their_message(void **state)
{
	char number[SIM_NUMBER_CAP];
	uint32_t chat, msg;

	(void)state;
	assert_true(
	    sim_history_path(SIM_MEDIA_SOURCE_PREFIX "4915100000001-12-345", number, &chat, &msg));
	assert_string_equal(number, "4915100000001");
	assert_int_equal(chat, 12);
	assert_int_equal(msg, 345);
	assert_false(sim_history_path(SIM_MEDIA_SOURCE_PREFIX "49-12-345x", number, &chat, &msg));
	assert_false(sim_history_path("/v/other", number, &chat, &msg));
}

/* What the client's decoder says to each hostile blob; files' flaws are test_sim_media.c's. */
static void test_hostile_blobs(void **state)
{
	static const struct {
		const char *kind;
		uint64_t size;
		int rc;
		uint64_t messages; /* that come out all the same */
	} cases[] = {
		{ "zip_bomb", 12u << 20, WA_ELIMIT, 0 },
		{ "nesting", 500, 0, 0 },
		{ "wrapped", 500, 0, 0 },
		{ "giant_message", 3u << 20, 0, 1 },
		{ "giant_field", 2u << 20, 0, 0 },
		{ "bad_values", 0, 0, 1 },
		{ "not_zlib", 0, WA_EPROTO, 0 },
		{ "not_protobuf", 0, WA_EPROTO, 0 },
		{ "no_type", 0, WA_EPROTO, 1 },
		{ "cut_zlib", 0, WA_ETRUNC, 0 },
		{ "trailing", 0, WA_EPROTO, 20 },
		{ "empty", 0, WA_ETRUNC, 0 },
		{ "many_chats", 2000, 0, 0 },
	};
	struct sim_history h;

	(void)state;
	fresh(2, 40, 3, &h);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct sim_hostile hostile = { .kind = cases[i].kind,
			                             .type = SIM_HISTORY_RECENT,
			                             .size = cases[i].size,
			                             .history = &h };
		static const struct wa_history_ops ops = { .on_message = NULL };
		struct wa_history *r = NULL;
		struct sim_sync_blob blob;
		struct buf zlib = { 0 };
		int rc;

		assert_int_equal(sim_hostile_make(&hostile, &zlib, &blob), 0);
		assert_int_equal(wa_history_new(&ops, NULL, &wa_history_limits_default, &r), 0);
		rc = wa_history_feed(r, blob.zlib, blob.zlib_len);
		if (rc == 0)
			rc = wa_history_end(r);
		if (rc != cases[i].rc || wa_history_counts(r)->messages < cases[i].messages)
			fail_msg("%s: %d, %d messages", cases[i].kind, rc,
			         (int)wa_history_counts(r)->messages);
		wa_history_free(r);
		buf_free(&zlib);
	}
	for (size_t i = 0; sim_hostile_name(i) != NULL; i++) {
		const struct sim_hostile hostile = { .kind = sim_hostile_name(i),
			                             .size = 1000,
			                             .history = &h };
		struct sim_sync_blob blob;
		struct buf zlib = { 0 };

		assert_int_equal(sim_hostile_make(&hostile, &zlib, &blob), 0);
		buf_free(&zlib);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything_is_read_as_it_was_made),
		cmocka_unit_test(test_recent_and_full_divide_the_time),
		cmocka_unit_test(test_the_other_types),
		cmocka_unit_test(test_older_messages_of_one_chat),
		cmocka_unit_test(test_the_same_phone_has_the_same_history),
		cmocka_unit_test(test_paths_name_their_message),
		cmocka_unit_test(test_hostile_blobs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

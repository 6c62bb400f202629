/*
 * tests/fuzz/fuzz_event.c - a hostile contact's message as event data
 *
 * Property: whatever decodes becomes an object that a strict JSON reader takes, no longer than an
 * event may be, without a name twice, live and from history; and never the media key. The first
 * byte chooses what the message is about.
 */
#include "fuzz.h"
#include "mutate.h"

#include <jansson.h>
#include <string.h>

#include "proto/wa_msg.pb-c.h"
#include "worker/events/wk_event_msg.h"

#define POLL_SECRET "0123456789abcdef0123456789abcdef"

/* Any message it is about is this poll. */
static bool stored(void *arg, const struct wa_jid *chat, const char *id,
                   const struct wa_jid *author, struct wk_event_stored *out)
{
	static const uint8_t poll[] = { 0x82, 0x04, 8, 0x12, 1, 'Q', 0x1a, 3, 0x0a, 1, 'a' };

	(void)arg;
	(void)chat;
	(void)id;
	(void)author;
	*out = (struct wk_event_stored){ .message = poll,
		                         .message_len = sizeof(poll),
		                         .secret = (const uint8_t *)POLL_SECRET };
	return true;
}

static void render(const struct wk_event_msg *m, struct wa_pool *pool)
{
	static const struct wk_event_lookup look = { .own = { "5500", "77" },
		                                     .own_name = "\xff me",
		                                     .stored = stored };
	struct buf out = { 0 };
	json_t *v;

	FUZZ_REQUIRE(wk_event_message(m, &look, pool, &out) == 0);
	FUZZ_REQUIRE(out.len <= 8u * 1024 * 1024);
	fuzz_own_begin();
	v = json_loadb((const char *)out.p, out.len, JSON_REJECT_DUPLICATES, NULL);
	fuzz_own_end();
	FUZZ_REQUIRE(json_is_object(v));
	FUZZ_REQUIRE(json_is_string(json_object_get(json_object_get(v, "message"), "content")));
	json_decref(v);
	buf_free(&out);
}

static void live(const struct wa_msg_view *v, struct wa_pool *pool, uint8_t kind)
{
	struct wk_event_msg m;

	if (wk_event_msg_of_row(&m, kind & 1 ? "1@g.us" : "99@lid", "99@lid", kind & 2, "3EB0", 1,
	                        v) == 0)
		render(&m, pool);
}

static void historic(const uint8_t *data, size_t size, struct wa_pool *pool)
{
	static const struct wa_own_users own = { "5500", "77" };
	ProtobufCMessage *msg;
	struct wk_event_msg m;
	const Wa__WebMessageInfo *info;
	struct wa_msg_view v;

	if (wa_pool_unpack(pool, &wa__web_message_info__descriptor, data, size, &wa_msg_limits,
	                   &msg) < 0)
		return;
	info = (const Wa__WebMessageInfo *)msg;
	if (info->message != NULL && wa_msg_view(info->message, &v) < 0)
		return;
	if (wk_event_msg_of_info(&m, "99@lid", info, info->message != NULL ? &v : NULL, &own) == 0)
		render(&m, pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wa_pool *pool;
	struct wa_msg_view v;
	struct Wa__Message *m;

	if (size < 1)
		return 0;
	pool = wa_pool_new(1024, WA_MSG_MEMORY_MAX);
	FUZZ_REQUIRE(pool != NULL);
	if (data[0] & 4)
		historic(data + 1, size - 1, pool);
	else if (wa_msg_parse(pool, data + 1, size - 1, &m) == 0 && wa_msg_view(m, &v) == 0)
		live(&v, pool, data[0]);
	wa_pool_free(pool);
	return 0;
}

bool fuzz_mutate(struct mut *m, const uint8_t *data, size_t size, struct buf *out)
{
	if (size < 2)
		return false;
	mut_put(out, data, 1);
	mut_pb(m, data[0] & 4 ? &wa__web_message_info__descriptor : &wa__message__descriptor,
	       data + 1, size - 1, out);
	return true;
}

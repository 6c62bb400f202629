/*
 * tests/fuzz/fuzz_msg.c - a decrypted message of a hostile contact
 *
 * Property: whatever decodes can be looked at, every part of the view lies in memory (all of it is
 * read), memory stays below the limit, and looking twice gives the same.
 */
#include "fuzz.h"
#include "mutate.h"

#include <string.h>

#include "proto/wa_msg.pb-c.h"
#include "worker/wa/message/wa_msg.h"

static volatile unsigned sink;

static void touch_text(const char *s)
{
	if (s != NULL)
		sink += (unsigned)strlen(s);
}

static void touch(struct wa_bytes b)
{
	FUZZ_REQUIRE(b.p != NULL || b.len == 0);
	for (size_t i = 0; i < b.len; i++)
		sink += b.p[i];
}

static void touch_key(const struct wa_msg_key *k)
{
	touch_text(k->chat);
	touch_text(k->id);
	touch_text(k->participant);
}

static void touch_view(const struct wa_msg_view *v)
{

	touch_text(v->text);
	touch_text(v->title);
	touch_text(v->footer);
	touch_text(v->choice_id);
	touch_text(v->destination);
	touch_text(v->enc.use_case);
	touch_text(v->invite_code);
	touch_text(v->group_jid);
	touch_key(&v->quoted);
	touch_key(&v->target);
	touch_key(&v->edited);
	touch_key(&v->album);
	touch(v->quoted_message);
	touch(v->message_secret);
	touch(v->sender_key_distribution);
	touch(v->enc.payload);
	touch(v->enc.iv);
	touch(v->media.media_key);
	touch(v->media.sha256);
	touch(v->media.enc_sha256);
	touch(v->media.thumbnail);
	touch(v->media.waveform);
	touch_text(v->media.url);
	touch_text(v->media.direct_path);
	touch_text(v->media.mimetype);
	touch_text(v->media.file_name);
	touch_text(v->media.title);
	touch_text(v->location.name);
	touch_text(v->location.address);
	touch_text(v->location.url);
	for (size_t i = 0; i < v->mentions_n; i++)
		touch_text(v->mentions[i]);
	for (size_t i = 0; i < v->contacts_n; i++) {
		touch_text(wa_msg_contact(v, i).name);
		touch_text(wa_msg_contact(v, i).vcard);
	}
	for (size_t i = 0; i < v->options_n; i++)
		touch_text(wa_msg_option(v, i));
	touch_text(wa_msg_type_name(v->type));
	if (v->target.id != NULL)
		touch_text(wa_msg_source(v->target.id));
	FUZZ_REQUIRE(v->type != WA_MSG_PROTOCOL || v->protocol != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wa_pool *a = wa_pool_new(1024, WA_MSG_MEMORY_MAX);
	struct wa_msg_view v, again;
	struct Wa__Message *m;

	FUZZ_REQUIRE(a != NULL);
	if (wa_msg_parse(a, data, size, &m) == 0 && wa_msg_view(m, &v) == 0) {
		touch_view(&v);
		FUZZ_REQUIRE(wa_msg_view(m, &again) == 0);
		FUZZ_REQUIRE(again.type == v.type && again.text == v.text &&
		             again.inner == v.inner && again.target.id == v.target.id);
	}
	wa_pool_free(a);
	return 0;
}

bool fuzz_mutate(struct mut *m, const uint8_t *data, size_t size, struct buf *out)
{
	mut_pb(m, &wa__message__descriptor, data, size, out);
	return true;
}

/* tests/fuzz/mutate_node.c - stanzas changed by their nodes */
#include "mutate.h"

#include <string.h>
#include <zlib.h>

#include "fuzz.h"
#include "worker/wa/node/wa_node.h"

#define FLAG_ZLIB 2
#define DEPTH_MAX 100

static const char *const tags[] = {
	"iq",
	"message",
	"receipt",
	"ack",
	"notification",
	"call",
	"success",
	"failure",
	"ib",
	"enc",
	"participants",
	"to",
	"user",
	"list",
	"usync",
	"devices",
	"device-list",
	"device",
	"key-index-list",
	"error",
	"pair-device",
	"pair-success",
	"ref",
	"device-identity",
	"biz",
	"platform",
	"key",
	"skey",
	"identity",
	"type",
	"registration",
	"id",
	"value",
	"signature",
	"digest",
	"sync",
	"collection",
	"patches",
	"patch",
	"snapshot",
	"keys",
	"retry",
	"item",
	"groups",
	"group",
	"participant",
	"offer",
	"accept",
	"reject",
	"terminate",
	"create",
	"add",
	"remove",
	"subject",
	"dirty",
	"offline",
	"stream:error",
	"conflict",
	"media_conn",
	"host",
	"tokens",
	"token",
	"lid",
	"description",
	"body",
	"announcement",
	"reason",
	"meta",
	"bot",
	"count",
	"link_code_companion_reg",
	"link_code_pairing_ref",
	"passkey_prologue",
	"unavailable",
};
static const char *const names[] = {
	"id",
	"type",
	"from",
	"to",
	"participant",
	"recipient",
	"t",
	"v",
	"offline",
	"category",
	"notify",
	"code",
	"text",
	"count",
	"jid",
	"lid",
	"phone_number",
	"sender_lid",
	"sender_pn",
	"participant_pn",
	"participant_lid",
	"peer_recipient_pn",
	"addressing_mode",
	"xmlns",
	"name",
	"version",
	"has_more_patches",
	"error",
	"key-index",
	"value",
	"edit",
	"mediatype",
	"stage",
	"call-id",
	"call-creator",
	"caller_pn",
	"s_t",
	"creation",
	"subject",
	"size",
	"registration",
	"reason",
	"location",
	"refresh",
	"is_lid",
	"index",
	"from_me",
};
static const char *const values[] = {
	"",
	"0",
	"1",
	"2",
	"-1",
	"503",
	"515",
	"401",
	"409",
	"18446744073709551615",
	"4294967296",
	"get",
	"set",
	"result",
	"error",
	"text",
	"media",
	"retry",
	"read",
	"read-self",
	"played",
	"sender",
	"peer_msg",
	"hist_sync",
	"server-error",
	"pkmsg",
	"msg",
	"skmsg",
	"msmsg",
	"peer",
	"lid",
	"pn",
	"true",
	"false",
	"1@s.whatsapp.net",
	"2:3@s.whatsapp.net",
	"99@lid",
	"99:7@lid",
	"120363021033254949@g.us",
	"status@broadcast",
	"5500@s.whatsapp.net",
	"77@lid",
	"1@newsletter",
	"@s.whatsapp.net",
	"s.whatsapp.net",
	"1@bot",
	"1:99@hosted",
	"critical_block",
	"regular_high",
	"w:sync:app:state",
	"encrypt",
	"usync",
	"w:gp2",
	"devices",
	"account_sync",
	"identity",
	"3EB0",
	"md",
	"companion_hello",
	"primary_hello",
	"add",
	"remove",
	"unavailable",
	"device_removed",
};

struct walk {
	struct mut *m;
	size_t at, wanted; /* nodes are counted as they are passed */
};

static size_t count(const struct wa_node *n, unsigned depth)
{
	size_t sum = 1;

	for (const struct wa_node *c = n->first_child; c != NULL && depth < DEPTH_MAX; c = c->next)
		sum += count(c, depth + 1);
	return sum;
}

static void set_value(struct mut *m, struct wa_node *n, const char *name)
{
	const char *value = MUT_PICK(m, values);

	if (strchr(value, '@') != NULL && !mut_chance(m, 3))
		wa_node_set_jid(n, name, value);
	else if (mut_chance(m, 8))
		wa_node_set_int(n, name, (int64_t)mut_number(m));
	else
		wa_node_set(n, name, value);
}

static void set_bytes(struct mut *m, const struct wa_node *from, struct wa_node *n)
{
	struct buf b = { 0 };

	if (from->content == WA_CONTENT_BYTES && mut_chance(m, 2))
		mut_bytes(m, from->bytes, from->bytes_len, &b);
	else if (mut_chance(m, 2))
		mut_fresh_bytes(m, &b);
	else
		mut_put_text(&b, MUT_PICK(m, values));
	wa_node_set_bytes(n, b.p == NULL ? (const void *)"" : b.p, b.len);
	buf_free(&b);
}

static void copy_attrs(const struct wa_node *from, struct wa_node *n, size_t but)
{
	for (size_t i = 0; i < from->attrs_n; i++) {
		const struct wa_attr *a = &from->attrs[i];

		if (i == but)
			continue;
		if (a->is_jid)
			wa_node_set_jid(n, a->name, a->value);
		else
			wa_node_set(n, a->name, a->value);
	}
}

static void copy(struct walk *w, const struct wa_node *from, struct wa_node *n, unsigned depth);

static void copy_children(struct walk *w, const struct wa_node *from, struct wa_node *n, size_t but,
                          size_t twice, unsigned depth)
{
	size_t i = 0;

	for (const struct wa_node *c = from->first_child; c != NULL; c = c->next, i++) {
		for (size_t times = i == but ? 0 : i == twice ? 2 : 1; times > 0; times--)
			copy(w, c, wa_node_add(n, c->tag), depth + 1);
	}
}

/* from becomes n, which has its tag; with one change when it is the one. */
static void copy(struct walk *w, const struct wa_node *from, struct wa_node *n, unsigned depth)
{
	struct mut *m = w->m;
	bool is_it = w->at++ == w->wanted;
	size_t but_attr = SIZE_MAX, but_child = SIZE_MAX, twice = SIZE_MAX;
	unsigned what = is_it ? (unsigned)mut_below(m, 8) : 0;

	if (depth > DEPTH_MAX)
		return;
	if (what == 1)
		but_attr = mut_below(m, from->attrs_n);
	if (what == 2)
		but_child = mut_below(m, from->children_n);
	if (what == 3)
		twice = mut_below(m, from->children_n);
	copy_attrs(from, n, but_attr);
	if (from->content == WA_CONTENT_BYTES)
		wa_node_set_bytes(n, from->bytes_len == 0 ? (const void *)"" : from->bytes,
		                  from->bytes_len);
	else
		copy_children(w, from, n, but_child, twice, depth);
	if (what == 4 && from->attrs_n > 0)
		set_value(m, n, from->attrs[mut_below(m, from->attrs_n)].name);
	else if (what == 4 || what == 5)
		set_value(m, n, MUT_PICK(m, names));
	else if (what == 6)
		set_bytes(m, from, n);
	else if (what == 7)
		set_value(m, wa_node_add(n, MUT_PICK(m, tags)), MUT_PICK(m, names));
}

/* Compressed, now and then. */
static void put_stanza(struct mut *m, const struct buf *plain, struct buf *out)
{
	uLongf n = compressBound(plain->len);
	uint8_t flag = FLAG_ZLIB;

	if (!mut_chance(m, 24)) {
		mut_put(out, plain->p, plain->len);
		return;
	}
	mut_put(out, &flag, 1);
	FUZZ_REQUIRE(buf_reserve(out, n) == 0);
	if (compress2(out->p + out->len, &n, plain->p + 1, plain->len - 1, 1) == Z_OK)
		out->len += n;
}

bool mut_node(struct mut *m, const uint8_t *data, size_t len, struct buf *out)
{
	struct wa_node *from = NULL, *n;
	struct walk w = { m, 0, 0 };
	struct buf plain = { 0 };
	bool ok = false;

	if (wa_stanza_decode(data, len, &from) < 0)
		return false;
	w.wanted = mut_below(m, count(from, 0));
	n = wa_node_new(w.wanted == 0 && mut_chance(m, 4) ? MUT_PICK(m, tags) : from->tag);
	copy(&w, from, n, 0);
	if (wa_stanza_encode(n, &plain) == 0 && plain.len > 1) {
		put_stanza(m, &plain, out);
		ok = true;
	}
	buf_free(&plain);
	wa_node_free(n);
	wa_node_free(from);
	return ok;
}

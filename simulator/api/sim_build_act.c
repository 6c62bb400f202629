/* simulator/api/sim_build_act.c - messages about another message, and polls */
#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "simulator/api/sim_api.h"
#include "simulator/api/sim_build.h"
#include "simulator/phone/sim_mail.h"
#include "simulator/phone/sim_msg.h"
#include "simulator/sim.h"
#include "worker/wa/crypto/wa_keys.h"

#define SECRET_LEN 32
#define TAG_LEN 16

/* ---- about another message ---------------------------------------------------------------------
 */

void sim_build_reaction(struct sim_build *b, const json_t *spec)
{
	const char *text = sim_build_str(spec, "text");
	struct buf r = { 0 };

	b->type = "reaction";
	b->hide = true;
	b->no_secret = true;
	if (text == NULL || text[0] == '\0')
		b->edit = "7";
	sim_build_key(b, &r, 1, spec);
	sim_build_text(b, &r, 2, text == NULL ? "" : text);
	sim_build_int(b, &r, 4, (uint64_t)clock_unix_ms());
	sim_build_part(b, &b->msg, 46, &r);
}

/* An edit is about a message of one's own. */
void sim_build_edit(struct sim_build *b, const json_t *spec)
{
	struct buf protocol = { 0 }, edited = { 0 }, key = { 0 }, inner = { 0 };

	b->edit = "1";
	b->hide = true;
	sim_build_text(b, &key, 1, b->chat);
	sim_build_int(b, &key, 2, 1);
	sim_build_text(b, &key, 3, sim_build_str(spec, "id"));
	sim_build_part(b, &protocol, 1, &key);
	sim_build_int(b, &protocol, 2, 14);
	sim_build_text(b, &edited, 1, sim_build_str(spec, "text"));
	sim_build_part(b, &protocol, 14, &edited);
	sim_build_int(b, &protocol, 15, (uint64_t)clock_unix_ms());
	if (sim_build_flag(spec, "bare")) { /* without the wrapper, as some clients send it */
		sim_build_part(b, &b->msg, 12, &protocol);
		return;
	}
	sim_build_part(b, &edited, 12, &protocol);
	sim_build_part(b, &inner, 1, &edited);
	sim_build_part(b, &b->msg, 58, &inner);
}

/* {id}: one's own; {id, from}: an admin's, of another's message. */
void sim_build_revoke(struct sim_build *b, const json_t *spec)
{
	const char *author = sim_build_str(spec, "from"), *jid = NULL;
	struct buf protocol = { 0 }, key = { 0 };

	b->edit = author == NULL ? "7" : "8";
	b->hide = true;
	b->no_secret = true;
	sim_build_text(b, &key, 1, b->chat);
	sim_build_int(b, &key, 2, author == NULL);
	sim_build_text(b, &key, 3, sim_build_str(spec, "id"));
	if (author != NULL && sim_build_person(b, author, &jid))
		sim_build_text(b, &key, 4, jid);
	sim_build_part(b, &protocol, 1, &key);
	sim_build_int(b, &protocol, 2, 0);
	sim_build_part(b, &b->msg, 12, &protocol);
}

void sim_build_pin(struct sim_build *b, const json_t *spec)
{
	struct buf pin = { 0 }, info = { 0 };

	b->edit = "2";
	b->hide = true;
	b->no_secret = true;
	sim_build_key(b, &pin, 1, spec);
	sim_build_int(b, &pin, 2, sim_build_flag(spec, "unpin") ? 2 : 1);
	sim_build_int(b, &pin, 3, (uint64_t)clock_unix_ms());
	sim_build_part(b, &b->msg, 63, &pin);
	sim_build_int(b, &info, 5, sim_build_num(spec, "seconds", 604800));
	sim_build_part(b, &b->msg, 35, &info);
}

/* ---- polls -------------------------------------------------------------------------------------
 */

void sim_build_poll(struct sim_build *b, const json_t *spec)
{
	const json_t *options = json_object_get(spec, "options"), *option;
	uint64_t selectable = sim_build_num(spec, "selectable", 1);
	struct buf poll = { 0 };
	size_t i;

	b->type = "poll";
	if (json_array_size(options) < 2)
		sim_build_refuse(b, "a poll needs two options or more");
	sim_build_text(b, &poll, 2, sim_build_str(spec, "name"));
	json_array_foreach((json_t *)options, i, option)
	{
		struct buf one = { 0 };

		sim_build_text(b, &one, 1, json_string_value(option));
		sim_build_part(b, &poll, 3, &one);
	}
	sim_build_int(b, &poll, 4, selectable);
	sim_build_context(b, &poll, 5);
	sim_build_part(b, &b->msg, selectable == 1 ? 64 : 49, &poll);
}

static bool secret_of(const uint8_t *msg, size_t len, uint8_t out[SECRET_LEN])
{
	const uint8_t *info, *secret;
	size_t info_len, secret_len;

	if (!sim_msg_field(msg, len, 35, &info, &info_len) ||
	    !sim_msg_field(info, info_len, 3, &secret, &secret_len) || secret_len != SECRET_LEN)
		return false;
	memcpy(out, secret, SECRET_LEN);
	return true;
}

struct search {
	const char *id;
	uint8_t *secret;
	bool found;
};

static void on_entry(const struct sim_mail_entry *e, void *arg)
{
	struct search *s = arg;

	if (!s->found && strcmp(e->id, s->id) == 0)
		s->found = secret_of(e->msg, e->msg_len, s->secret);
}

/* The voter has the poll in its inbox, or has sent it. */
static bool find_secret(const struct sim_build *b, const char *id, uint8_t out[SECRET_LEN])
{
	struct search s = { id, out, false };

	(void)sim_mail_each_got(b->from, 0, on_entry, &s);
	if (!s.found)
		(void)sim_mail_each_sent(b->from, 0, on_entry, &s);
	return s.found;
}

static int hash_options(const json_t *options, struct buf *out)
{
	const json_t *option;
	uint8_t hash[32];
	size_t i;
	int rc = 0;

	json_array_foreach((json_t *)options, i, option)
	{
		const char *text = json_string_value(option);

		if (rc == 0 && text != NULL)
			rc = wa_sha256(text, strlen(text), hash);
		if (rc == 0 && text != NULL)
			rc = sim_msg_put(out, 1, hash, sizeof(hash));
	}
	return rc;
}

/* key = HKDF(secret, info = poll id || author || voter || "Poll Vote") */
static int vote_key(const uint8_t secret[SECRET_LEN], const char *id, const char *author,
                    const char *voter, uint8_t key[32])
{
	struct buf info = { 0 };
	int rc = buf_appendf(&info, "%s%s%sPoll Vote", id, author, voter);

	if (rc == 0)
		rc = wa_hkdf(secret, SECRET_LEN, NULL, 0, info.p, info.len, key, 32);
	buf_free(&info);
	return rc;
}

static int seal_vote(struct sim_build *b, const uint8_t key[32], const char *id, const char *voter,
                     const struct buf *plain, struct buf *value)
{
	struct buf aad = { 0 }, sealed = { 0 };
	uint8_t iv[WA_IV_LEN];
	int rc = sim_rand_bytes(&b->from->rnd, iv, sizeof(iv));

	if (rc == 0)
		rc = buf_append(&aad, id, strlen(id) + 1);
	if (rc == 0)
		rc = buf_append_str(&aad, voter);
	if (rc == 0)
		rc = buf_reserve(&sealed, plain->len + TAG_LEN);
	if (rc == 0)
		rc = wa_gcm_seal_iv(key, iv, aad.p, aad.len, plain->p, plain->len, sealed.p);
	if (rc == 0)
		rc = sim_msg_put(value, 1, sealed.p, plain->len + TAG_LEN);
	if (rc == 0)
		rc = sim_msg_put(value, 2, iv, sizeof(iv));
	buf_free(&aad);
	buf_free(&sealed);
	return rc;
}

/* {id, from: the poll's author, options} */
void sim_build_vote(struct sim_build *b, const json_t *spec)
{
	const char *id = sim_build_str(spec, "id"), *author = NULL;
	const char *voter = b->pn ? b->from->jid : b->from->lid;
	struct buf plain = { 0 }, value = { 0 }, update = { 0 };
	uint8_t secret[SECRET_LEN], key[32];

	b->type = "poll";
	b->hide = true;
	b->no_secret = true;
	if (id == NULL || !find_secret(b, id, secret)) {
		sim_build_refuse(b, "the phone has no poll of that id");
		return;
	}
	if (!sim_build_person(b, sim_build_str(spec, "from"), &author))
		return;
	if (b->err == 0)
		b->err = vote_key(secret, id, author, voter, key);
	if (b->err == 0)
		b->err = hash_options(json_object_get(spec, "options"), &plain);
	if (b->err == 0)
		b->err = seal_vote(b, key, id, voter, &plain, &value);
	buf_free(&plain);
	sim_build_key(b, &update, 1, spec);
	sim_build_part(b, &update, 2, &value);
	sim_build_int(b, &update, 4, (uint64_t)clock_unix_ms());
	sim_build_part(b, &b->msg, 50, &update);
}

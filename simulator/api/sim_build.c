/* simulator/api/sim_build.c - a message from what a body of the control API says of it */
#include "simulator/api/sim_build.h"

#include <errno.h>
#include <string.h>

#include "common/clock.h"
#include "common/codec.h"
#include "common/err.h"
#include "simulator/api/sim_api.h"
#include "simulator/phone/sim_msg.h"
#include "simulator/sim.h"

#define SECRET_LEN 32
#define RAW_MAX (4u * 1024 * 1024)
#define REFUSED (-EINVAL) /* the call is answered */

/* ---- writers -----------------------------------------------------------------------------------
 */

void sim_build_text(struct sim_build *b, struct buf *to, uint32_t number, const char *text)
{
	if (b->err == 0)
		b->err = sim_msg_put_text(to, number, text);
}

void sim_build_bytes(struct sim_build *b, struct buf *to, uint32_t number, const void *p, size_t n)
{
	if (b->err == 0)
		b->err = sim_msg_put(to, number, p, n);
}

void sim_build_int(struct sim_build *b, struct buf *to, uint32_t number, uint64_t v)
{
	if (b->err == 0)
		b->err = sim_msg_put_int(to, number, v);
}

void sim_build_part(struct sim_build *b, struct buf *to, uint32_t number, struct buf *part)
{
	sim_build_bytes(b, to, number, part->p, part->len);
	buf_free(part);
}

const char *sim_build_str(const json_t *spec, const char *name)
{
	return json_string_value(json_object_get(spec, name));
}

uint64_t sim_build_num(const json_t *spec, const char *name, uint64_t otherwise)
{
	const json_t *j = json_object_get(spec, name);

	return json_is_integer(j) ? (uint64_t)json_integer_value(j) : otherwise;
}

bool sim_build_flag(const json_t *spec, const char *name)
{
	return json_is_true(json_object_get(spec, name));
}

void sim_build_refuse(struct sim_build *b, const char *why)
{
	if (b->err != 0)
		return;
	b->err = REFUSED;
	sim_call_error(b->call, 400, "bad_request", "%s", why);
}

bool sim_build_person(struct sim_build *b, const char *who, const char **jid_out)
{
	const struct sim_phone *phone = who == NULL ? NULL : sim_api_find(b->call->sim, who);

	if (phone == NULL) {
		sim_build_refuse(b, "a person is named whom no phone has");
		return false;
	}
	*jid_out = b->pn ? phone->jid : phone->lid;
	return true;
}

/* ---- parts -------------------------------------------------------------------------------------
 */

void sim_build_key(struct sim_build *b, struct buf *to, uint32_t number, const json_t *spec)
{
	const char *id = sim_build_str(spec, "id"), *author = sim_build_str(spec, "from");
	struct buf key = { 0 };
	const char *jid;

	if (id == NULL)
		sim_build_refuse(b, "the message that is meant needs an id");
	sim_build_text(b, &key, 1, b->chat);
	sim_build_int(b, &key, 2, sim_build_flag(spec, "fromMe"));
	sim_build_text(b, &key, 3, id);
	if (author != NULL && b->group && sim_build_person(b, author, &jid))
		sim_build_text(b, &key, 4, jid);
	sim_build_part(b, to, number, &key);
}

static void quote(struct sim_build *b, struct buf *ctx, const json_t *spec)
{
	const char *author = sim_build_str(spec, "from"), *jid;
	struct buf quoted = { 0 };

	sim_build_text(b, ctx, 1, sim_build_str(spec, "id"));
	if (author != NULL && sim_build_person(b, author, &jid))
		sim_build_text(b, ctx, 2, jid);
	sim_build_text(b, &quoted, 1, sim_build_str(spec, "text"));
	sim_build_part(b, ctx, 3, &quoted);
}

static const char *const context_names[] = { "quote", "mentions", "forwarded", "expiration" };

static bool sim_build_has_context(const struct sim_build *b)
{
	for (size_t i = 0; i < ARRAY_LEN(context_names); i++) {
		if (json_object_get(b->body, context_names[i]) != NULL)
			return true;
	}
	return false;
}

void sim_build_context(struct sim_build *b, struct buf *to, uint32_t number)
{
	const json_t *quoted = json_object_get(b->body, "quote"), *person;
	const json_t *mentions = json_object_get(b->body, "mentions");
	uint64_t expiration = sim_build_num(b->body, "expiration", 0);
	struct buf ctx = { 0 };
	const char *jid;
	size_t i;

	if (!sim_build_has_context(b))
		return;
	if (quoted != NULL)
		quote(b, &ctx, quoted);
	json_array_foreach((json_t *)mentions, i, person)
	{
		if (sim_build_person(b, json_string_value(person), &jid))
			sim_build_text(b, &ctx, 15, jid);
	}
	if (sim_build_flag(b->body, "forwarded")) {
		sim_build_int(b, &ctx, 21, 1);
		sim_build_int(b, &ctx, 22, 1);
	}
	if (expiration != 0)
		sim_build_int(b, &ctx, 25, expiration);
	sim_build_part(b, to, number, &ctx);
}

/* ---- kinds -------------------------------------------------------------------------------------
 */

static void build_text(struct sim_build *b, const json_t *spec)
{
	const json_t *link = json_object_get(b->body, "link");
	const json_t *color = json_object_get(b->body, "background");
	const char *text = json_string_value(spec);
	struct buf ext = { 0 };

	if (text == NULL)
		sim_build_refuse(b, "text must be a text");
	if (link == NULL && color == NULL && !sim_build_has_context(b)) {
		sim_build_text(b, &b->msg, 1, text);
		return;
	}
	sim_build_text(b, &ext, 1, text);
	if (link != NULL) {
		b->type = "media";
		b->mediatype = "url";
		sim_build_text(b, &ext, 2, sim_build_str(link, "url"));
		sim_build_text(b, &ext, 5, sim_build_str(link, "description"));
		sim_build_text(b, &ext, 6, sim_build_str(link, "title"));
	}
	if (color != NULL && b->err == 0)
		b->err = sim_msg_put_fixed32(&ext, 8, (uint32_t)json_integer_value(color));
	sim_build_context(b, &ext, 17);
	sim_build_part(b, &b->msg, 6, &ext);
}

static void put_degrees(struct sim_build *b, struct buf *to, uint32_t number, const json_t *spec,
                        const char *name)
{
	const json_t *v = json_object_get(spec, name);

	if (!json_is_number(v))
		sim_build_refuse(b, "location needs latitude and longitude");
	else if (b->err == 0)
		b->err = sim_msg_put_double(to, number, json_number_value(v));
}

static void build_location(struct sim_build *b, const json_t *spec)
{
	bool live = sim_build_flag(spec, "live");
	struct buf at = { 0 };

	b->type = "media";
	b->mediatype = live ? "livelocation" : "location";
	put_degrees(b, &at, 1, spec, "latitude");
	put_degrees(b, &at, 2, spec, "longitude");
	if (live) {
		sim_build_int(b, &at, 3, sim_build_num(spec, "accuracy", 10));
		sim_build_text(b, &at, 6, sim_build_str(spec, "caption"));
		sim_build_int(b, &at, 7, sim_build_num(spec, "sequence", 1));
	} else {
		sim_build_text(b, &at, 3, sim_build_str(spec, "name"));
		sim_build_text(b, &at, 4, sim_build_str(spec, "address"));
		sim_build_text(b, &at, 5, sim_build_str(spec, "url"));
	}
	sim_build_context(b, &at, 17);
	sim_build_part(b, &b->msg, live ? 18 : 5, &at);
}

/* {name, vcard?} or {name, number} */
static void put_contact(struct sim_build *b, struct buf *to, uint32_t number, const json_t *spec)
{
	const char *name = sim_build_str(spec, "name"), *vcard = sim_build_str(spec, "vcard");
	const char *tel = sim_build_str(spec, "number");
	struct buf one = { 0 }, card = { 0 };

	if (name == NULL) {
		sim_build_refuse(b, "a contact needs a name");
		return;
	}
	if (vcard == NULL && b->err == 0)
		b->err = buf_appendf(&card,
		                     "BEGIN:VCARD\nVERSION:3.0\nN:;%s;;;\nFN:%s\n"
		                     "TEL;type=CELL;waid=%s:+%s\nEND:VCARD",
		                     name, name, tel == NULL ? "" : tel, tel == NULL ? "" : tel);
	sim_build_text(b, &one, 1, name);
	if (vcard != NULL)
		sim_build_text(b, &one, 16, vcard);
	else
		sim_build_part(b, &one, 16, &card);
	sim_build_part(b, to, number, &one);
	buf_free(&card);
}

static void build_contact(struct sim_build *b, const json_t *spec)
{
	b->type = "media";
	b->mediatype = "vcard";
	put_contact(b, &b->msg, 4, spec);
}

static void build_contacts(struct sim_build *b, const json_t *spec)
{
	struct buf list = { 0 };
	const json_t *one;
	size_t i;

	b->type = "media";
	b->mediatype = "contact_array";
	if (!json_is_array(spec))
		sim_build_refuse(b, "contacts must be an array");
	sim_build_text(b, &list, 1, "contacts");
	json_array_foreach((json_t *)spec, i, one) put_contact(b, &list, 2, one);
	sim_build_part(b, &b->msg, 13, &list);
}

static void build_invite(struct sim_build *b, const json_t *spec)
{
	struct buf invite = { 0 };

	b->type = "media";
	b->mediatype = "url";
	sim_build_text(b, &invite, 1, sim_build_str(spec, "group"));
	sim_build_text(b, &invite, 2, sim_build_str(spec, "code"));
	sim_build_int(b, &invite, 3, sim_build_num(spec, "expiration", 0));
	sim_build_text(b, &invite, 4, sim_build_str(spec, "name"));
	sim_build_text(b, &invite, 6, sim_build_str(spec, "caption"));
	sim_build_part(b, &b->msg, 28, &invite);
}

/* The chat's timer: protocolMessage EPHEMERAL_SETTING. */
static void build_timer(struct sim_build *b, const json_t *spec)
{
	struct buf protocol = { 0 };

	sim_build_int(b, &protocol, 2, 3);
	sim_build_int(b, &protocol, 4, (uint64_t)json_integer_value(spec));
	sim_build_int(b, &protocol, 5, (uint64_t)clock_unix_s());
	sim_build_part(b, &b->msg, 12, &protocol);
}

/* A serialized Message in hex, sent as it is. */
static void build_raw(struct sim_build *b, const json_t *spec)
{
	const char *hex = json_string_value(spec);
	size_t len = hex == NULL ? 0 : strlen(hex) / 2;
	const char *type = sim_build_str(b->body, "type");

	b->no_secret = true;
	b->type = type == NULL ? "text" : type;
	b->mediatype = sim_build_str(b->body, "mediatype");
	b->edit = sim_build_str(b->body, "edit_attr");
	b->hide = sim_build_flag(b->body, "hide");
	if (hex == NULL || len > RAW_MAX) {
		sim_build_refuse(b, "raw must be hex, of 4 MiB at most");
		return;
	}
	if (b->err == 0)
		b->err = buf_reserve(&b->msg, len + 1);
	if (b->err == 0 && hex_decode(hex, b->msg.p, len) < 0)
		sim_build_refuse(b, "raw must be hex");
	if (b->err == 0)
		b->msg.len = len;
}

static const struct {
	const char *name;
	void (*build)(struct sim_build *b, const json_t *spec);
} kinds[] = {
	{ "media", sim_build_media },
	{ "location", build_location },
	{ "contact", build_contact },
	{ "contacts", build_contacts },
	{ "reaction", sim_build_reaction },
	{ "poll", sim_build_poll },
	{ "vote", sim_build_vote },
	{ "edit", sim_build_edit },
	{ "revoke", sim_build_revoke },
	{ "pin", sim_build_pin },
	{ "invite", build_invite },
	{ "timer", build_timer },
	{ "nest", sim_build_nest },
	{ "giant", sim_build_giant },
	{ "garbage", sim_build_garbage },
	{ "raw", build_raw },
	{ "text", build_text },
};

/* ---- around it ---------------------------------------------------------------------------------
 */

static void wrap(struct sim_build *b, uint32_t field)
{
	struct buf inner = { 0 };

	sim_build_bytes(b, &inner, 1, b->msg.p, b->msg.len);
	buf_reset(&b->msg);
	sim_build_part(b, &b->msg, field, &inner);
}

/* Every message that a person sees has a secret. */
static void add_secret(struct sim_build *b)
{
	uint8_t secret[SECRET_LEN];
	struct buf info = { 0 };

	if (b->err == 0)
		b->err = sim_rand_bytes(&b->from->rnd, secret, sizeof(secret));
	sim_build_bytes(b, &info, 3, secret, sizeof(secret));
	sim_build_part(b, &b->msg, 35, &info);
}

bool sim_build(struct sim_build *b)
{
	const json_t *spec = NULL;

	b->type = "text";
	for (size_t i = 0; i < ARRAY_LEN(kinds) && spec == NULL; i++) {
		spec = json_object_get(b->body, kinds[i].name);
		if (spec != NULL)
			kinds[i].build(b, spec);
	}
	if (spec == NULL)
		sim_build_refuse(b, "nothing to send: text, media, location, ...");
	if (sim_build_flag(b->body, "viewOnce"))
		wrap(b, 55);
	if (sim_build_flag(b->body, "ephemeral"))
		wrap(b, 40);
	if (!b->no_secret)
		add_secret(b);
	if (b->err < 0 && b->err != REFUSED)
		sim_call_error(b->call, 500, "internal", "%s", wa_err_name(b->err));
	if (b->err < 0)
		sim_build_clear(b);
	return b->err == 0;
}

void sim_build_clear(struct sim_build *b)
{
	buf_free(&b->msg);
}

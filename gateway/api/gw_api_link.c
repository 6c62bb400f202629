/*
 * gateway/api/gw_api_link.c - one-time links: POST /api/instance/link/:instance, and /l/... (contract
 * 5)
 *
 * Below /l/ the link itself is what lets in: to the page, to connecting its one instance, and to
 * the passkey step of that. Any other, however it came to be none, gets the same 410.
 */
#include "gateway/api/gw_api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/secret.h"
#include "gateway/api/gw_api_connect.h"
#include "gateway/api/gw_web.h"
#include "gateway/gw.h"
#include "gateway/http/gw_auth.h"
#include "gateway/http/gw_body.h"
#include "gateway/http/gw_req.h"
#include "gateway/instance/gw_instance.h"
#include "gateway/registry/gw_invite.h"
#include "gateway/registry/gw_registry.h"

#define NUMBER_SHOWN 4 /* its last digits, to whoever has the link */

/* ---- made ------------------------------------------------------------------------------------ */

/* A new one that waits for its commit. */
struct made {
	struct gw_req *req;
	char text[GW_INVITE_TEXT_LEN + 1];
	int64_t expires_unix_ms;
};

static void made_free(struct made *m)
{
	if (m == NULL)
		return;
	secret_wipe(m->text, sizeof(m->text));
	free(m);
}

/* A whole number from 1 to max; absent: as it is. */
static bool read_whole(const json_t *v, json_int_t max, json_int_t *out)
{
	if (v == NULL)
		return true;
	if (!json_is_integer(v) || json_integer_value(v) < 1 || json_integer_value(v) > max)
		return false;
	*out = json_integer_value(v);
	return true;
}

/* False: the request has been answered. */
static bool read_terms(struct gw_req *req, const json_t *body, struct gw_invite_terms *t)
{
	const json_t *number = json_object_get(body, "number");
	json_int_t expires_s = GW_INVITE_S_DEFAULT, days = 0;

	*t = (struct gw_invite_terms){ 0 };
	if (!read_whole(json_object_get(body, "expiresIn"), GW_INVITE_S_MAX, &expires_s))
		gw_req_fail(req, GW_ERR_BODY,
		            "expiresIn is a whole number of seconds from 1 to 86400");
	else if (number != NULL && !json_is_string(number))
		gw_req_fail(req, GW_ERR_BODY, "number has to be a string");
	else if (number != NULL && !gw_connect_number(json_string_value(number), t->number))
		gw_req_fail(req, GW_ERR_NUMBER, NULL);
	else if (!read_whole(json_object_get(body, "history"), GW_HISTORY_DAYS_MAX, &days))
		gw_req_fail(req, GW_ERR_HISTORY, NULL);
	else {
		t->history_days = (uint32_t)days;
		t->expires_unix_ms = clock_unix_ms() + expires_s * 1000;
		return true;
	}
	return false;
}

static json_t *made_json(const struct made *m)
{
	const char *base = gw_req_gw(m->req)->cfg.public_url;
	char expires_at[RFC3339_CAP];
	int base_len = base != NULL ? (int)strlen(base) : 0;

	while (base_len > 0 && base[base_len - 1] == '/')
		base_len--;
	clock_rfc3339(m->expires_unix_ms, expires_at);
	return json_pack("{s:b, s:s, s:o, s:s}", "success", 1, "message", "Link created", "url",
	                 json_sprintf("%.*s/l/%s", base_len, base != NULL ? base : "", m->text),
	                 "expiresAt", expires_at);
}

static void on_made(int rc, struct gw_instance *inst, void *arg)
{
	struct made *m = arg;

	(void)inst;
	if (rc == -ENOMEM)
		gw_req_fail(m->req, GW_ERR_AT_CAPACITY, NULL);
	else if (rc < 0)
		gw_req_fail(m->req, GW_ERR_STORAGE, NULL);
	else
		gw_req_reply(m->req, 201, made_json(m));
	made_free(m);
}

void gw_api_link_new(struct gw_req *req)
{
	json_t *body = gw_body_read(req);
	uint8_t hash[GW_TOKEN_HASH_LEN];
	struct gw_invite_terms terms;
	struct made *m = NULL;
	int rc = -ENOMEM;

	if (body == NULL)
		return;
	if (!read_terms(req, body, &terms))
		goto out;
	m = calloc(1, sizeof(*m));
	if (m != NULL)
		rc = gw_invite_new(m->text);
	if (rc == 0) {
		m->req = req;
		m->expires_unix_ms = terms.expires_unix_ms;
		gw_token_hash(m->text, GW_INVITE_TEXT_LEN, hash);
		rc = gw_registry_invite_create(gw_req_gw(req)->registry, gw_req_auth(req)->instance,
		                               hash, &terms, on_made, m);
	}
	if (rc < 0) {
		made_free(m);
		gw_req_fail(req, GW_ERR_AT_CAPACITY, NULL);
	}
out:
	json_decref(body);
}

/* ---- used: below /l/ ------------------------------------------------------------------------- */

/* Whose link it is; from here on the request may do what the link lets it. NULL: nobody's. */
static struct gw_instance *enter(struct gw_req *req, const struct gw_invite_terms **terms_out)
{
	const char *text = gw_req_name(req);
	struct gw_auth auth = { .kind = GW_TOKEN_INVITE };

	gw_req_add_text(req, "Referrer-Policy", "no-referrer");
	if (!gw_invite_text_valid(text))
		return NULL;
	gw_token_hash(text, GW_INVITE_TEXT_LEN, auth.hash);
	auth.instance = gw_registry_invite_find(gw_req_gw(req)->registry, auth.hash,
	                                        clock_unix_ms(), terms_out);
	if (auth.instance == NULL)
		return NULL;
	auth.account = gw_instance_account(auth.instance);
	gw_req_set_auth(req, &auth);
	return auth.instance;
}

/* As enter(); NULL: the request has been answered. */
static struct gw_instance *enter_or_fail(struct gw_req *req,
                                         const struct gw_invite_terms **terms_out)
{
	struct gw_instance *inst = enter(req, terms_out);

	if (inst == NULL)
		gw_req_fail(req, GW_ERR_LINK_OVER, NULL);
	return inst;
}

/* A person is told by the page that the link is over, a program as by every other route. */
void gw_api_link_page(struct gw_req *req)
{
	const char *accept = gw_req_header(req, "accept");
	const struct gw_invite_terms *terms;

	if (enter(req, &terms) != NULL)
		gw_web_answer(req, 200, false);
	else if (accept != NULL && strstr(accept, "text/html") != NULL)
		gw_web_answer(req, 410, false);
	else
		gw_req_fail(req, GW_ERR_LINK_OVER, NULL);
}

/* "••••1234": enough for whom it belongs to. */
static json_t *number_json(const char *number)
{
	size_t len = strlen(number);

	return len == 0 ? json_null()
	                : json_sprintf("\u2022\u2022\u2022\u2022%s",
	                               number + (len > NUMBER_SHOWN ? len - NUMBER_SHOWN : 0));
}

void gw_api_link_status(struct gw_req *req)
{
	const struct gw_invite_terms *terms;
	struct gw_instance *inst = enter_or_fail(req, &terms);
	char expires_at[RFC3339_CAP];

	if (inst == NULL)
		return;
	clock_rfc3339(terms->expires_unix_ms, expires_at);
	gw_req_reply(req, 200,
	             json_pack("{s:b, s:s, s:s, s:o, s:I, s:s}", "success", 1, "name",
	                       gw_instance_name(inst), "status",
	                       gw_conn_state_name(gw_instance_state(inst)), "number",
	                       number_json(terms->number), "history",
	                       (json_int_t)terms->history_days, "expiresAt", expires_at));
}

/*
 * ?code=1: a pairing code for the link's own number; ?number=N: for N, which has to be the link's
 * number where it has one, so that nobody is sent codes by whoever found a link.
 */
static bool read_number(struct gw_req *req, const struct gw_invite_terms *terms,
                        char digits_out[GW_CONNECT_NUMBER_CAP])
{
	char number[64], code[4];
	int with_number = gw_req_param(req, "number", number, sizeof(number));
	bool with_code = gw_req_param(req, "code", code, sizeof(code)) != 0;

	digits_out[0] = '\0';
	if (with_number < 0 || (with_number > 0 && !gw_connect_number(number, digits_out)))
		return false;
	if (with_number > 0)
		return terms->number[0] == '\0' || strcmp(terms->number, digits_out) == 0;
	if (with_code)
		memcpy(digits_out, terms->number, sizeof(terms->number));
	return !with_code || digits_out[0] != '\0';
}

void gw_api_link_connect(struct gw_req *req)
{
	struct gw_connect_params params = { .request_id = gw_req_id(req) };
	const struct gw_invite_terms *terms;
	struct gw_instance *inst = enter_or_fail(req, &terms);
	char digits[GW_CONNECT_NUMBER_CAP];

	if (inst == NULL)
		return;
	if (!read_number(req, terms, digits)) {
		gw_req_fail(req, GW_ERR_NUMBER, NULL);
		return;
	}
	if (digits[0] != '\0')
		params.number = digits;
	params.history_days = terms->history_days;
	gw_connect_answer(req, inst, &params);
}

void gw_api_link_passkey_get(struct gw_req *req)
{
	const struct gw_invite_terms *terms;

	if (enter_or_fail(req, &terms) != NULL)
		gw_api_passkey_get(req);
}

void gw_api_link_passkey_answer(struct gw_req *req)
{
	const struct gw_invite_terms *terms;

	if (enter_or_fail(req, &terms) != NULL)
		gw_api_passkey_answer(req);
}

void gw_api_link_passkey_confirm(struct gw_req *req)
{
	const struct gw_invite_terms *terms;

	if (enter_or_fail(req, &terms) != NULL)
		gw_api_passkey_confirm(req);
}

/* worker/pair/wk_passkey_json.c - WebAuthn JSON in and out */
#include "worker/pair/wk_passkey_json.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec.h"
#include "common/err.h"
#include "common/json_text.h"
#include "common/secret.h"

#define LOAD_FLAGS (JSON_REJECT_DUPLICATES)

bool wk_passkey_options_valid(const char *json, size_t json_len)
{
	json_t *root = json_text_read(json, json_len, LOAD_FLAGS);
	bool ok = json_is_object(root);

	json_decref(root);
	return ok;
}

/* The members of a response that are passed on; those of an assertion must be there. */
static const struct {
	const char *name;
	bool needed;
} members[] = {
	{ "clientDataJSON", true },
	{ "authenticatorData", true },
	{ "signature", true },
	{ "userHandle", false },
};

/* NULL, or what is wrong. */
static const char *copy_response(json_t *to, const json_t *from)
{
	if (!json_is_object(from))
		return "response is missing";
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		json_t *v = json_object_get(from, members[i].name);

		if (json_is_string(v)) {
			if (json_object_set(to, members[i].name, v) < 0)
				return "out of memory";
		} else if (members[i].needed) {
			return "response lacks clientDataJSON, authenticatorData or signature";
		}
	}
	return NULL;
}

static const char *read_id(const json_t *root, struct wk_credential *out)
{
	const json_t *raw = json_object_get(root, "rawId");

	if (!json_is_string(raw))
		raw = json_object_get(root, "id");
	if (!json_is_string(raw) ||
	    b64_decode(json_string_value(raw), json_string_length(raw), out->id, sizeof(out->id),
	               &out->id_len) < 0 ||
	    out->id_len == 0)
		return "rawId is missing or not base64url";
	return NULL;
}

static int write_assertion(const json_t *root, json_t *response, struct wk_credential *out)
{
	const json_t *id = json_object_get(root, "id");
	const json_t *raw = json_object_get(root, "rawId");
	json_t *made;

	if (!json_is_string(id))
		id = raw;
	if (!json_is_string(raw))
		raw = id;
	made = json_pack("{s:s, s:s, s:s, s:O}", "id", json_string_value(id), "rawId",
	                 json_string_value(raw), "type", "public-key", "response", response);
	out->assertion = json_text(made);
	json_decref(made);
	return out->assertion != NULL ? 0 : -ENOMEM;
}

int wk_credential_read(const char *json, struct wk_credential *out, const char **why_out)
{
	size_t len = strlen(json);
	json_t *response = NULL;
	json_t *root = NULL;
	int rc = WA_ELIMIT;

	memset(out, 0, sizeof(*out));
	*why_out = "it is too long";
	if (len > WK_CREDENTIAL_MAX)
		goto out;
	*why_out = "it is not a JSON object";
	rc = json_text_load(json, len, LOAD_FLAGS, &root);
	if (rc < 0 ? rc != -ENOMEM : !json_is_object(root))
		rc = WA_EPROTO;
	if (rc < 0)
		goto out;
	rc = WA_EPROTO;
	response = json_object();
	*why_out = read_id(root, out);
	if (*why_out == NULL)
		*why_out = copy_response(response, json_object_get(root, "response"));
	if (*why_out == NULL)
		rc = write_assertion(root, response, out);
out:
	json_decref(response);
	json_decref(root);
	if (rc < 0)
		wk_credential_clear(out);
	return rc;
}

void wk_credential_clear(struct wk_credential *c)
{
	if (c->assertion != NULL)
		secret_wipe(c->assertion, strlen(c->assertion));
	free(c->assertion);
	secret_wipe(c, sizeof(*c));
}

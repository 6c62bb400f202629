/*
 * tests/fuzz/fuzz_passkey_json.c - WebAuthn JSON: what WhatsApp asks, what a browser answers
 *
 * Input: the text. Property: what is taken of a credential is an assertion with the members that
 * there may be, and is taken again as it is; what is refused is empty, with a reason.
 */
#include "fuzz.h"
#include "mutate.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "common/attr.h"
#include "common/err.h"
#include "worker/pair/wk_passkey_json.h"

static bool is_empty(const struct wk_credential *c)
{
	static const struct wk_credential none;

	return memcmp(c, &none, sizeof(none)) == 0;
}

static void check_assertion(const struct wk_credential *c)
{
	json_t *root = json_loads(c->assertion, JSON_REJECT_DUPLICATES, NULL);
	const json_t *response = json_object_get(root, "response");
	size_t known = 3;

	FUZZ_REQUIRE(json_object_size(root) == 4);
	FUZZ_REQUIRE(json_is_string(json_object_get(root, "id")));
	FUZZ_REQUIRE(json_is_string(json_object_get(root, "rawId")));
	FUZZ_REQUIRE(strcmp(json_string_value(json_object_get(root, "type")), "public-key") == 0);
	FUZZ_REQUIRE(json_is_string(json_object_get(response, "clientDataJSON")));
	FUZZ_REQUIRE(json_is_string(json_object_get(response, "authenticatorData")));
	FUZZ_REQUIRE(json_is_string(json_object_get(response, "signature")));
	known += json_is_string(json_object_get(response, "userHandle"));
	FUZZ_REQUIRE(json_object_size(response) == known);
	json_decref(root);
}

static void read_credential(const char *text)
{
	struct wk_credential c, again;
	const char *why = NULL;
	int rc = wk_credential_read(text, &c, &why);

	FUZZ_REQUIRE(rc == 0 || rc == WA_ELIMIT || rc == WA_EPROTO);
	if (rc < 0) {
		FUZZ_REQUIRE(why != NULL && is_empty(&c));
		return;
	}
	FUZZ_REQUIRE(c.id_len >= 1 && c.id_len <= sizeof(c.id));
	fuzz_own_begin();
	check_assertion(&c);
	fuzz_own_end();
	rc = wk_credential_read(c.assertion, &again, &why);
	/* what JSON escapes may make it longer than it may come */
	FUZZ_REQUIRE(rc == 0 || (rc == WA_ELIMIT && strlen(c.assertion) > WK_CREDENTIAL_MAX));
	if (rc == 0) {
		FUZZ_REQUIRE(again.id_len == c.id_len && memcmp(again.id, c.id, c.id_len) == 0);
		FUZZ_REQUIRE(strcmp(again.assertion, c.assertion) == 0);
	}
	wk_credential_clear(&again);
	wk_credential_clear(&c);
	FUZZ_REQUIRE(is_empty(&c));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	FUZZ_REQUIRE(text != NULL);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	if (wk_passkey_options_valid(text, size))
		FUZZ_REQUIRE(size >= 2);
	read_credential(text);
	free(text);
	return 0;
}

bool fuzz_mutate(struct mut *m, const uint8_t *data, size_t size, struct buf *out)
{
	static const char *const names[] = {
		"id",        "rawId",          "type",      "response",   "authenticatorData",
		"signature", "clientDataJSON", "challenge", "userHandle",
	};

	mut_json(m, names, ARRAY_LEN(names), data, size, out);
	return true;
}

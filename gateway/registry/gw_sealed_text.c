/* gateway/registry/gw_sealed_text.c - a text of registry.db's JSON that is sealed */
#include "gateway/registry/gw_sealed_text.h"

#include <errno.h>
#include <string.h>

#include "common/codec.h"
#include "common/err.h"

#define ENVELOPE_CAP (SEALED_OVERHEAD + GW_SEALED_TEXT_MAX)

static struct sealed_place place_of(const char *column)
{
	return (struct sealed_place){ .owner = "registry", .table = "instance", .column = column };
}

int gw_sealed_text_set(json_t *o, const char *name, const char *plain, const struct sealed_key *key,
                       const char *column)
{
	const struct sealed_place place = place_of(column);
	char text[B64_CAP(ENVELOPE_CAP)];
	struct buf envelope = { 0 };
	int rc;

	if (plain[0] == '\0')
		return 0;
	if (strlen(plain) > GW_SEALED_TEXT_MAX)
		return -EINVAL;
	rc = sealed_seal(key, &place, plain, strlen(plain), &envelope);
	if (rc == 0) {
		b64_encode(envelope.p, envelope.len, text);
		rc = json_object_set_new(o, name, json_string(text)) < 0 ? -ENOMEM : 0;
	}
	buf_free(&envelope);
	return rc;
}

int gw_sealed_text_get(const json_t *o, const char *name, const struct sealed_key *key,
                       const char *column, struct buf *plain_out)
{
	const struct sealed_place place = place_of(column);
	const char *text = json_string_value(json_object_get(o, name));
	uint8_t envelope[ENVELOPE_CAP];
	size_t envelope_len = 0, before = plain_out->len;
	int rc;

	if (text == NULL || text[0] == '\0')
		return 0;
	if (b64_decode(text, strlen(text), envelope, sizeof(envelope), &envelope_len) < 0)
		return WA_ESTORE_CORRUPT;
	rc = sealed_open(key, &place, envelope, envelope_len, plain_out);
	if (rc == 0 && plain_out->len > before &&
	    memchr(plain_out->p + before, 0, plain_out->len - before) != NULL)
		rc = WA_ESTORE_CORRUPT;
	return rc;
}

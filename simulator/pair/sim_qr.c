/* simulator/pair/sim_qr.c - the text of a QR code */
#include "simulator/pair/sim_qr.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "common/codec.h"
#include "common/err.h"

#define PREFIX "https://wa.me/settings/linked_devices#"
#define TEXT_MAX 1024
#define KEY_TEXT_LEN 44 /* 32 bytes in padded base64 */
#define FIELDS 5

enum field { F_REF, F_NOISE, F_IDENTITY, F_ADV, F_TYPE };

struct span {
	const char *p;
	size_t len;
};

static int fail(struct sim_qr_error *e, const char *code, const char *message)
{
	e->code = code;
	e->message = message;
	return WA_EPROTO;
}

static bool is_printable(const char *s)
{
	for (; *s != '\0'; s++) {
		if (*s < 0x21 || *s > 0x7e)
			return false;
	}
	return true;
}

/* Commas may stand inside the ref, so fields are cut off from the end. Returns how many there are.
 */
static size_t cut_fields(const char *text, struct span out[FIELDS])
{
	size_t len = strlen(text), commas = 0;

	for (size_t i = 0; i < len; i++)
		commas += text[i] == ',';
	if (commas < FIELDS - 1)
		return commas + 1;
	for (int f = FIELDS - 1; f > 0; f--) {
		size_t start = len;

		while (text[start - 1] != ',')
			start--;
		out[f] = (struct span){ text + start, len - start };
		len = start - 1;
	}
	out[F_REF] = (struct span){ text, len };
	return FIELDS;
}

/* Exactly the canonical text: decoding and encoding again must give the same. */
static bool read_key(const struct span *s, uint8_t key_out[32])
{
	char again[B64_CAP(32)];
	size_t n;

	if (s->len != KEY_TEXT_LEN || b64_decode(s->p, s->len, key_out, 32, &n) < 0 || n != 32)
		return false;
	b64_encode(key_out, 32, again);
	return memcmp(again, s->p, KEY_TEXT_LEN) == 0;
}

static bool is_zero(const uint8_t key[32])
{
	uint8_t any = 0;

	for (size_t i = 0; i < 32; i++)
		any |= key[i];
	return any == 0;
}

static int read_ref(const struct span *s, struct sim_qr *qr, struct sim_qr_error *e)
{
	if (s->len == 0)
		return fail(e, "qr_ref", "the first field (ref) is empty");
	if (s->len >= sizeof(qr->ref))
		return fail(e, "qr_ref", "the first field (ref) is longer than 512 characters");
	memcpy(qr->ref, s->p, s->len);
	qr->ref[s->len] = '\0';
	return 0;
}

static int read_type(const struct span *s, struct sim_qr *qr, struct sim_qr_error *e)
{
	if (s->len != 1)
		return fail(e, "qr_type", "the fifth field (client type) is not one character");
	if (s->p[0] == '0')
		return fail(e, "qr_type", "client type 0 (unknown) is refused");
	if (!((s->p[0] >= '1' && s->p[0] <= '9') || (s->p[0] >= 'a' && s->p[0] <= 'm')))
		return fail(e, "qr_type", "the client type is none of 1-9 and a-m");
	qr->type = s->p[0];
	return 0;
}

static int read_fields(const struct span f[FIELDS], struct sim_qr *qr, struct sim_qr_error *e)
{
	int rc = read_ref(&f[F_REF], qr, e);

	if (rc < 0)
		return rc;
	if (!read_key(&f[F_NOISE], qr->noise))
		return fail(
		    e, "qr_noise_key",
		    "the second field (noise key) is not 32 bytes in padded standard base64");
	if (!read_key(&f[F_IDENTITY], qr->identity))
		return fail(
		    e, "qr_identity_key",
		    "the third field (identity key) is not 32 bytes in padded standard base64");
	if (!read_key(&f[F_ADV], qr->adv))
		return fail(
		    e, "qr_adv_secret",
		    "the fourth field (adv secret) is not 32 bytes in padded standard base64");
	if (is_zero(qr->adv))
		return fail(e, "qr_adv_secret", "the fourth field (adv secret) is all zero");
	return read_type(&f[F_TYPE], qr, e);
}

int sim_qr_parse(const char *text, struct sim_qr *qr_out, struct sim_qr_error *error_out)
{
	struct span fields[FIELDS];
	struct sim_qr qr = { .type = 0 };
	int rc;

	if (text[0] == '\0' || strlen(text) >= TEXT_MAX)
		return fail(error_out, "qr_form",
		            "the text is empty or longer than 1023 characters");
	if (!is_printable(text))
		return fail(error_out, "qr_form",
		            "the text holds a character that is not printable ASCII");
	if (strncmp(text, PREFIX, strlen(PREFIX)) != 0)
		return fail(error_out, "qr_prefix", "the text does not begin with " PREFIX);
	if (cut_fields(text + strlen(PREFIX), fields) != FIELDS)
		return fail(error_out, "qr_fields",
		            "there are not five fields: ref, noise key, identity key, adv secret, "
		            "client type");
	rc = read_fields(fields, &qr, error_out);
	if (rc == 0)
		*qr_out = qr;
	return rc;
}

/* worker/wa/link/wa_device.c - a companion's identity, the client version, and the QR text */
#include "worker/wa/link/wa_device.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/codec.h"
#include "common/err.h"
#include "common/secret.h"

#define KEY_TYPE_DJB 0x05
#define REGISTRATION_ID_MAX 16380
#define SIGNED_ID_MAX 0xFFFFFEu
#define QR_PREFIX "https://wa.me/settings/linked_devices#"

/* ---- version ------------------------------------------------------------------------------------
 */

int wa_version_parse(const char *text, struct wa_version *v_out)
{
	char prefix[16];
	uint64_t n = 0;
	int prefix_len;

	prefix_len =
	    snprintf(prefix, sizeof(prefix), "%d.%d.", WA_VERSION_PRIMARY, WA_VERSION_SECONDARY);
	if (strncmp(text, prefix, (size_t)prefix_len) != 0)
		return -EINVAL;
	text += prefix_len;
	if (*text == '\0' || (*text == '0' && text[1] != '\0'))
		return -EINVAL;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		n = n * 10 + (uint64_t)(*text - '0');
		if (n > UINT32_MAX)
			return -EINVAL;
	}
	v_out->primary = WA_VERSION_PRIMARY;
	v_out->secondary = WA_VERSION_SECONDARY;
	v_out->tertiary = (uint32_t)n;
	return 0;
}

/* ---- keys ---------------------------------------------------------------------------------------
 */

/* 1..REGISTRATION_ID_MAX, all equally likely. */
static int random_registration_id(uint32_t *id_out)
{
	uint16_t v;
	int rc;

	do {
		rc = secret_random(&v, sizeof(v));
		if (rc < 0)
			return rc;
		v &= 0x3fff;
	} while (v == 0 || v > REGISTRATION_ID_MAX);
	*id_out = v;
	return 0;
}

static int sign_prekey(struct wa_device *d)
{
	uint8_t typed[1 + WA_KEY_LEN] = { KEY_TYPE_DJB };

	memcpy(typed + 1, d->signed_prekey.pub, WA_KEY_LEN);
	return wa_xeddsa_sign(d->identity.priv, typed, sizeof(typed), NULL, d->signed_prekey_sig);
}

int wa_device_init(struct wa_device *d)
{
	int rc;

	memset(d, 0, sizeof(*d));
	d->signed_prekey_id = 1;
	rc = wa_keypair_new(&d->noise);
	if (rc == 0)
		rc = wa_keypair_new(&d->identity);
	if (rc == 0)
		rc = wa_keypair_new(&d->signed_prekey);
	if (rc == 0)
		rc = sign_prekey(d);
	if (rc == 0)
		rc = random_registration_id(&d->registration_id);
	if (rc == 0)
		rc = wa_device_rotate_adv(d);
	if (rc < 0)
		wa_device_wipe(d);
	return rc;
}

int wa_device_rotate_signed(struct wa_device *d)
{
	struct wa_device next = *d;
	int rc = wa_keypair_new(&next.signed_prekey);

	next.signed_prekey_id = d->signed_prekey_id >= SIGNED_ID_MAX ? 1 : d->signed_prekey_id + 1;
	if (rc == 0)
		rc = sign_prekey(&next);
	if (rc == 0)
		*d = next;
	wa_device_wipe(&next);
	return rc;
}

int wa_device_rotate_adv(struct wa_device *d)
{
	uint8_t fresh[sizeof(d->adv_secret)];
	int rc;

	rc = secret_random(fresh, sizeof(fresh));
	if (rc == 0)
		memcpy(d->adv_secret, fresh, sizeof(fresh));
	secret_wipe(fresh, sizeof(fresh));
	return rc;
}

void wa_device_wipe(struct wa_device *d)
{
	secret_wipe(d, sizeof(*d));
}

/* ---- QR text ------------------------------------------------------------------------------------
 */

int wa_qr_text(const struct wa_device *d, const uint8_t *ref, size_t ref_len, char *out)
{
	char noise[B64_CAP(WA_KEY_LEN)], identity[B64_CAP(WA_KEY_LEN)];
	char adv[B64_CAP(sizeof(d->adv_secret))];
	int len;

	if (ref_len == 0 || ref_len > WA_REF_MAX_LEN)
		return WA_ELIMIT;
	for (size_t i = 0; i < ref_len; i++) {
		if (ref[i] < ' ' || ref[i] > '~')
			return WA_EPROTO;
	}
	b64_encode(d->noise.pub, WA_KEY_LEN, noise);
	b64_encode(d->identity.pub, WA_KEY_LEN, identity);
	b64_encode(d->adv_secret, sizeof(d->adv_secret), adv);
	len = snprintf(out, WA_QR_CAP, QR_PREFIX "%.*s,%s,%s,%s," WA_CLIENT_TYPE, (int)ref_len,
	               (const char *)ref, noise, identity, adv);
	secret_wipe(adv, sizeof(adv));
	return len < 0 || len >= WA_QR_CAP ? WA_ELIMIT : 0;
}

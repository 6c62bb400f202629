/* worker/wa/wa_device.c - a companion's identity, its registration payload and its QR text */
#include "worker/wa/wa_device.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/codec.h"
#include "common/err.h"
#include "common/secret.h"
#include "proto/wa_payload.pb-c.h"

#define KEY_TYPE_DJB 0x05
#define REGISTRATION_ID_MAX 16380
#define RECENT_DAYS 90 /* what a phone sends without a full sync */
#define QR_PREFIX "https://wa.me/settings/linked_devices#"
#define QR_CLIENT_TYPE "1" /* Chrome, as platform_type below */

enum {
	PLATFORM_WEB = 14,
	RELEASE_CHANNEL_RELEASE = 0,
	SUB_PLATFORM_WEB_BROWSER = 0,
	CONNECT_WIFI_UNKNOWN = 1,
	CONNECT_USER_ACTIVATED = 1,
	PLATFORM_TYPE_CHROME = 1,
	STORAGE_QUOTA_MB = 10240,
	THUMBNAIL_DAYS = 60,
};

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

static int build_hash(const struct wa_version *v, uint8_t out[16])
{
	char text[40];
	int len;

	len = snprintf(text, sizeof(text), "%u.%u.%u", (unsigned)v->primary, (unsigned)v->secondary,
	               (unsigned)v->tertiary);
	return wa_md5(text, (size_t)len, out);
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

/* ---- registration payload -----------------------------------------------------------------------
 *
 * A field with a value is written even when that value is 0 or empty: so the real clients do it.
 */

/* protobuf-c's string fields are not const, and are only read when packing. */
#define PB_STR(literal) ((char *)(uintptr_t)(literal))
#define PB_SET(msg, field, value) ((msg)->has_##field = 1, (msg)->field = (value))
#define PB_BYTES(msg, field, bytes, n) \
	((msg)->has_##field = 1, (msg)->field.data = (bytes), (msg)->field.len = (n))

static void fill_history(uint32_t days, Wa__HistorySyncConfig *h)
{
	if (days > 0) {
		PB_SET(h, full_sync_days_limit, days);
		PB_SET(h, recent_sync_days_limit, days);
	}
	PB_SET(h, storage_quota_mb, STORAGE_QUOTA_MB);
	PB_SET(h, inline_initial_payload, 1);
	PB_SET(h, support_call_log_history, 1);
	PB_SET(h, support_bot_user_agent_chat_history, 1);
	PB_SET(h, support_cag_reactions_and_polls, 1);
	PB_SET(h, support_biz_hosted_msg, 1);
	PB_SET(h, support_recent_sync_chunk_message_count_tuning, 1);
	PB_SET(h, support_hosted_group_msg, 1);
	PB_SET(h, support_fbid_bot_chat_history, 1);
	PB_SET(h, support_message_association, 1);
	PB_SET(h, support_group_history, 1);
	PB_SET(h, thumbnail_sync_days_limit, THUMBNAIL_DAYS);
}

static int append_device_props(const struct wa_registration *r, struct buf *out)
{
	Wa__DeviceProps props = WA__DEVICE_PROPS__INIT;
	Wa__AppVersion version = WA__APP_VERSION__INIT;
	Wa__HistorySyncConfig history = WA__HISTORY_SYNC_CONFIG__INIT;
	int rc;

	PB_SET(&version, primary, 10);
	PB_SET(&version, secondary, 15);
	PB_SET(&version, tertiary, 7);
	fill_history(r->history_days, &history);
	props.os = PB_STR(r->device_name);
	props.version = &version;
	PB_SET(&props, platform_type, PLATFORM_TYPE_CHROME);
	PB_SET(&props, require_full_sync, r->history_days > RECENT_DAYS);
	props.history_sync_config = &history;

	rc = buf_reserve(out, wa__device_props__get_packed_size(&props));
	if (rc == 0)
		out->len += wa__device_props__pack(&props, out->p + out->len);
	return rc;
}

static void fill_user_agent(const struct wa_version *v, Wa__AppVersion *version,
                            Wa__UserAgent *agent)
{
	PB_SET(version, primary, v->primary);
	PB_SET(version, secondary, v->secondary);
	PB_SET(version, tertiary, v->tertiary);
	PB_SET(agent, platform, PLATFORM_WEB);
	agent->app_version = version;
	agent->mcc = PB_STR("000");
	agent->mnc = PB_STR("000");
	agent->os_version = PB_STR("0.1");
	agent->manufacturer = PB_STR("");
	agent->device = PB_STR("Desktop");
	agent->os_build_number = PB_STR("0.1");
	PB_SET(agent, release_channel, RELEASE_CHANNEL_RELEASE);
	agent->locale_language = PB_STR("en");
	agent->locale_country = PB_STR("US");
}

/* The byte strings of DevicePairingData that are not in struct wa_device as they are. */
struct pairing_bytes {
	uint8_t regid[4];
	uint8_t keytype[1];
	uint8_t skey_id[3];
	uint8_t hash[16];
	struct buf props;
};

static int make_pairing_bytes(const struct wa_device *d, const struct wa_registration *r,
                              struct pairing_bytes *b)
{
	int rc;

	for (unsigned i = 0; i < 4; i++)
		b->regid[i] = (uint8_t)(d->registration_id >> (24 - 8 * i));
	for (unsigned i = 0; i < 3; i++)
		b->skey_id[i] = (uint8_t)(d->signed_prekey_id >> (16 - 8 * i));
	b->keytype[0] = KEY_TYPE_DJB;
	rc = build_hash(&r->version, b->hash);
	return rc < 0 ? rc : append_device_props(r, &b->props);
}

static void fill_pairing(const struct wa_device *d, struct pairing_bytes *b,
                         Wa__DevicePairingData *p)
{
	PB_BYTES(p, e_regid, b->regid, sizeof(b->regid));
	PB_BYTES(p, e_keytype, b->keytype, sizeof(b->keytype));
	PB_BYTES(p, e_ident, (uint8_t *)d->identity.pub, WA_KEY_LEN);
	PB_BYTES(p, e_skey_id, b->skey_id, sizeof(b->skey_id));
	PB_BYTES(p, e_skey_val, (uint8_t *)d->signed_prekey.pub, WA_KEY_LEN);
	PB_BYTES(p, e_skey_sig, (uint8_t *)d->signed_prekey_sig, WA_SIG_LEN);
	PB_BYTES(p, build_hash, b->hash, sizeof(b->hash));
	PB_BYTES(p, device_props, b->props.p, b->props.len);
}

int wa_payload_registration(const struct wa_device *d, const struct wa_registration *r,
                            struct buf *out)
{
	Wa__ClientPayload payload = WA__CLIENT_PAYLOAD__INIT;
	Wa__UserAgent agent = WA__USER_AGENT__INIT;
	Wa__AppVersion version = WA__APP_VERSION__INIT;
	Wa__WebInfo web = WA__WEB_INFO__INIT;
	Wa__DevicePairingData pairing = WA__DEVICE_PAIRING_DATA__INIT;
	struct pairing_bytes bytes = { 0 };
	int rc;

	rc = make_pairing_bytes(d, r, &bytes);
	if (rc < 0)
		goto out;
	fill_user_agent(&r->version, &version, &agent);
	fill_pairing(d, &bytes, &pairing);
	PB_SET(&web, web_sub_platform, SUB_PLATFORM_WEB_BROWSER);
	PB_SET(&payload, passive, 0);
	payload.user_agent = &agent;
	payload.web_info = &web;
	PB_SET(&payload, connect_type, CONNECT_WIFI_UNKNOWN);
	PB_SET(&payload, connect_reason, CONNECT_USER_ACTIVATED);
	payload.device_pairing_data = &pairing;
	PB_SET(&payload, pull, 0);

	rc = buf_reserve(out, wa__client_payload__get_packed_size(&payload));
	if (rc == 0)
		out->len += wa__client_payload__pack(&payload, out->p + out->len);
out:
	buf_free(&bytes.props);
	return rc;
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
	len = snprintf(out, WA_QR_CAP, QR_PREFIX "%.*s,%s,%s,%s," QR_CLIENT_TYPE, (int)ref_len,
	               (const char *)ref, noise, identity, adv);
	secret_wipe(adv, sizeof(adv));
	return len < 0 || len >= WA_QR_CAP ? WA_ELIMIT : 0;
}

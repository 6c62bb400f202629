/* worker/wa/link/wa_payload.c - what a client says about itself: registration and login payload */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "proto/wa_payload.pb-c.h"
#include "worker/wa/link/wa_device.h"
#include "worker/wa/link/wa_login.h"
#include "worker/wa/node/wa_jid.h"
#include "worker/wa/node/wa_node.h"

#define KEY_TYPE_DJB 0x05
#define RECENT_DAYS 90 /* what a phone sends without a full sync */

enum {
	PLATFORM_WEB = 14,
	RELEASE_CHANNEL_RELEASE = 0,
	SUB_PLATFORM_WEB_BROWSER = 0,
	CONNECT_WIFI_UNKNOWN = 1,
	CONNECT_USER_ACTIVATED = 1,
	STORAGE_QUOTA_MB = 10240,
	THUMBNAIL_DAYS = 60,
};

/* ---- what both payloads say ---------------------------------------------------------------------
 *
 * A field with a value is written even when that value is 0 or empty: so the real clients do it.
 */

/* protobuf-c's string fields are not const, and are only read when packing. */
#define PB_STR(literal) ((char *)(uintptr_t)(literal))
#define PB_SET(msg, field, value) ((msg)->has_##field = 1, (msg)->field = (value))
#define PB_BYTES(msg, field, bytes, n) \
	((msg)->has_##field = 1, (msg)->field.data = (bytes), (msg)->field.len = (n))

/* A payload with the messages it points to: stays where it is until it is written. */
struct client {
	Wa__ClientPayload payload;
	Wa__UserAgent agent;
	Wa__AppVersion version;
	Wa__WebInfo web;
};

static void fill_user_agent(const struct wa_version *v, struct client *c)
{
	Wa__UserAgent *agent = &c->agent;

	wa__app_version__init(&c->version);
	PB_SET(&c->version, primary, v->primary);
	PB_SET(&c->version, secondary, v->secondary);
	PB_SET(&c->version, tertiary, v->tertiary);
	wa__user_agent__init(agent);
	PB_SET(agent, platform, PLATFORM_WEB);
	agent->app_version = &c->version;
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

static void fill_client(const struct wa_version *v, struct client *c)
{
	Wa__ClientPayload *p = &c->payload;

	fill_user_agent(v, c);
	wa__web_info__init(&c->web);
	PB_SET(&c->web, web_sub_platform, SUB_PLATFORM_WEB_BROWSER);
	wa__client_payload__init(p);
	p->user_agent = &c->agent;
	p->web_info = &c->web;
	PB_SET(p, connect_type, CONNECT_WIFI_UNKNOWN);
	PB_SET(p, connect_reason, CONNECT_USER_ACTIVATED);
}

static int append_client(const struct client *c, struct buf *out)
{
	int rc;

	rc = buf_reserve(out, wa__client_payload__get_packed_size(&c->payload));
	if (rc == 0)
		out->len += wa__client_payload__pack(&c->payload, out->p + out->len);
	return rc;
}

/* ---- registration -------------------------------------------------------------------------------
 */

static int build_hash(const struct wa_version *v, uint8_t out[16])
{
	char text[40];
	int len;

	len = snprintf(text, sizeof(text), "%u.%u.%u", (unsigned)v->primary, (unsigned)v->secondary,
	               (unsigned)v->tertiary);
	return wa_md5(text, (size_t)len, out);
}

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
	PB_SET(&props, platform_type, WA_DEVICE_TYPE);
	PB_SET(&props, require_full_sync, r->history_days > RECENT_DAYS);
	props.history_sync_config = &history;

	rc = buf_reserve(out, wa__device_props__get_packed_size(&props));
	if (rc == 0)
		out->len += wa__device_props__pack(&props, out->p + out->len);
	return rc;
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
	Wa__DevicePairingData pairing = WA__DEVICE_PAIRING_DATA__INIT;
	struct pairing_bytes bytes = { 0 };
	struct client c;
	int rc;

	rc = make_pairing_bytes(d, r, &bytes);
	if (rc < 0)
		goto out;
	fill_client(&r->version, &c);
	fill_pairing(d, &bytes, &pairing);
	PB_SET(&c.payload, passive, 0);
	PB_SET(&c.payload, pull, 0);
	c.payload.device_pairing_data = &pairing;
	rc = append_client(&c, out);
out:
	buf_free(&bytes.props);
	return rc;
}

/* ---- login --------------------------------------------------------------------------------------
 */

int wa_payload_login(const struct wa_login *l, struct buf *out)
{
	struct client c;
	struct wa_jid jid;
	uint64_t username;

	if (wa_jid_parse_device(l->jid, WA_SERVER_JID, &jid) < 0 ||
	    wa_jid_user_number(&jid, &username) < 0)
		return WA_EPROTO;
	fill_client(&l->version, &c);
	PB_SET(&c.payload, username, username);
	PB_SET(&c.payload, device, jid.device);
	PB_SET(&c.payload, passive, 1);
	PB_SET(&c.payload, pull, 1);
	PB_SET(&c.payload, lid_db_migrated, 1);
	PB_SET(&c.payload, lc, l->logins > INT32_MAX ? INT32_MAX : (int32_t)l->logins);
	if (l->attempt != 0)
		PB_SET(&c.payload, connect_attempt_count, l->attempt);
	if (l->push_name != NULL && l->push_name[0] != '\0')
		c.payload.push_name = PB_STR(l->push_name);
	return append_client(&c, out);
}

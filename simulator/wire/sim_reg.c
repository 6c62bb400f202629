/*
 * simulator/wire/sim_reg.c - the ClientPayload, checked
 *
 * What a server needs is always checked. What a careful client sends besides (the table of protocol
 * notes 03 section 2.1) is checked on request only: clients differ in it and all of them are let
 * in.
 */
#include "simulator/wire/sim_reg.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "common/err.h"
#include "common/pb_guard.h"
#include "common/secret.h"
#include "proto/wa_payload.pb-c.h"

#define PLATFORM_WEB 14
#define REASON_GENERIC 400
#define REASON_OUTDATED 405
#define REASON_USER_AGENT 409

/* Each check returns NULL, or what is wrong. */

static bool is_len(protobuf_c_boolean has, const ProtobufCBinaryData *b, size_t len)
{
	return has && b->len == len;
}

static bool is_text(const char *s)
{
	return s != NULL && s[0] != '\0';
}

static bool is_three_digits(const char *s)
{
	return s != NULL && strlen(s) == 3 && strspn(s, "0123456789") == 3;
}

static const char *check_user_agent(const Wa__UserAgent *ua)
{
	const Wa__AppVersion *v;

	if (ua == NULL)
		return "userAgent missing";
	v = ua->app_version;
	if (!ua->has_platform || ua->platform != PLATFORM_WEB)
		return "userAgent.platform is not WEB";
	if (v == NULL || !v->has_primary || !v->has_secondary || !v->has_tertiary)
		return "userAgent.appVersion incomplete";
	if (v->primary != 2 || v->secondary != 3000 || v->tertiary == 0)
		return "userAgent.appVersion is not 2.3000.N";
	if (!is_three_digits(ua->mcc) || !is_three_digits(ua->mnc))
		return "userAgent.mcc or mnc is not three digits";
	if (!is_text(ua->os_version) || !is_text(ua->device) || !is_text(ua->os_build_number))
		return "userAgent.osVersion, device or osBuildNumber missing";
	if (!ua->has_release_channel || ua->release_channel != 0)
		return "userAgent.releaseChannel is not RELEASE";
	if (ua->locale_language == NULL || strlen(ua->locale_language) != 2 ||
	    ua->locale_country == NULL || strlen(ua->locale_country) != 2)
		return "userAgent.locale is not two and two letters";
	return NULL;
}

/* Fields that stand in every payload with a value, 0 included. */
static const char *check_common(const Wa__ClientPayload *p)
{
	if (p->web_info == NULL || !p->web_info->has_web_sub_platform)
		return "webInfo.webSubPlatform missing";
	if (p->web_info->web_sub_platform != 0)
		return "webInfo.webSubPlatform is not WEB_BROWSER";
	if (!p->has_connect_type || !p->has_connect_reason)
		return "connectType or connectReason missing";
	if (!p->has_passive)
		return "passive missing";
	if (!p->has_pull)
		return "pull missing";
	return NULL;
}

static const char *check_absent(const Wa__ClientPayload *p)
{
	if (p->has_device)
		return "device present without username";
	if (p->has_lc)
		return "lc present in a registration";
	if (p->has_lid_db_migrated)
		return "lidDbMigrated present in a registration";
	if (p->has_connect_attempt_count)
		return "connectAttemptCount present in a registration";
	if (p->push_name != NULL)
		return "pushName present in a registration";
	if (p->passive || p->pull)
		return "passive or pull true in a registration";
	return NULL;
}

static const char *check_lengths(const Wa__DevicePairingData *d)
{
	if (!is_len(d->has_e_regid, &d->e_regid, 4))
		return "eRegid is not 4 bytes";
	if (!is_len(d->has_e_keytype, &d->e_keytype, 1))
		return "eKeytype is not 1 byte";
	if (!is_len(d->has_e_ident, &d->e_ident, WA_KEY_LEN))
		return "eIdent is not 32 bytes";
	if (!is_len(d->has_e_skey_id, &d->e_skey_id, 3))
		return "eSkeyId is not 3 bytes";
	if (!is_len(d->has_e_skey_val, &d->e_skey_val, WA_KEY_LEN))
		return "eSkeyVal is not 32 bytes";
	if (!is_len(d->has_e_skey_sig, &d->e_skey_sig, WA_SIG_LEN))
		return "eSkeySig is not 64 bytes";
	if (!is_len(d->has_build_hash, &d->build_hash, 16))
		return "buildHash is not 16 bytes";
	if (!d->has_device_props || d->device_props.len == 0)
		return "deviceProps missing";
	return NULL;
}

static const char *check_signature(const Wa__DevicePairingData *d)
{
	uint8_t signed_bytes[1 + WA_KEY_LEN] = { 5 };

	memcpy(signed_bytes + 1, d->e_skey_val.data, WA_KEY_LEN);
	if (wa_xeddsa_verify(d->e_ident.data, signed_bytes, sizeof(signed_bytes),
	                     d->e_skey_sig.data) < 0)
		return "eSkeySig does not verify";
	return NULL;
}

static const char *check_build_hash(const Wa__DevicePairingData *d, const Wa__AppVersion *v)
{
	char text[40];
	unsigned char md5[EVP_MAX_MD_SIZE];
	int text_len = snprintf(text, sizeof(text), "%" PRIu32 ".%" PRIu32 ".%" PRIu32, v->primary,
	                        v->secondary, v->tertiary);

	if (EVP_Digest(text, (size_t)text_len, md5, NULL, EVP_md5(), NULL) != 1 ||
	    !secret_eq(md5, d->build_hash.data, 16))
		return "buildHash is not the MD5 of the version";
	return NULL;
}

static void keep_history_ask(const Wa__DeviceProps *props, struct sim_history_ask *out)
{
	const Wa__HistorySyncConfig *c = props->history_sync_config;

	out->full = props->require_full_sync;
	if (c == NULL)
		return;
	out->full_days = c->full_sync_days_limit;
	out->full_mb = c->full_sync_size_mb_limit;
	out->quota_mb = c->storage_quota_mb;
	out->recent_days = c->recent_sync_days_limit;
	out->inline_payload = c->inline_initial_payload;
}

/* What the phone would show of the device; deviceProps that don't parse leave it empty. */
static void keep_device_props(const Wa__DevicePairingData *d, struct sim_payload *out)
{
	ProtobufCMessage *msg = NULL;
	const Wa__DeviceProps *props;

	if (pb_unpack(&wa__device_props__descriptor, d->device_props.data, d->device_props.len,
	              &pb_limits_small, &msg) < 0)
		return;
	props = (const Wa__DeviceProps *)msg;
	snprintf(out->device_name, sizeof(out->device_name), "%s",
	         props->os == NULL ? "" : props->os);
	out->platform_type = props->platform_type;
	keep_history_ask(props, &out->history);
	pb_free(msg);
}

static const char *check_device_props(const Wa__DevicePairingData *d)
{
	ProtobufCMessage *msg = NULL;
	const Wa__DeviceProps *props;
	const char *why = NULL;

	if (pb_unpack(&wa__device_props__descriptor, d->device_props.data, d->device_props.len,
	              &pb_limits_small, &msg) < 0)
		return "deviceProps does not parse";
	props = (const Wa__DeviceProps *)msg;
	if (!is_text(props->os))
		why = "deviceProps.os missing";
	else if (props->version == NULL)
		why = "deviceProps.version missing";
	else if (!props->has_platform_type || props->platform_type < 0)
		why = "deviceProps.platformType missing";
	else if (!props->has_require_full_sync)
		why = "deviceProps.requireFullSync missing";
	pb_free(msg);
	return why;
}

static uint32_t big_endian(const uint8_t *p, size_t len)
{
	uint32_t v = 0;

	for (size_t i = 0; i < len; i++)
		v = v << 8 | p[i];
	return v;
}

static const char *check_registration(const Wa__ClientPayload *p, bool strict,
                                      struct sim_payload *out)
{
	const Wa__DevicePairingData *d = p->device_pairing_data;
	const char *why;

	if (d == NULL)
		return "devicePairingData and username both missing";
	why = check_lengths(d);
	if (why == NULL)
		why = check_signature(d);
	if (why == NULL && strict)
		why = check_absent(p);
	if (why == NULL && strict && d->e_keytype.data[0] != 5)
		why = "eKeytype is not 05";
	if (why == NULL && strict)
		why = check_build_hash(d, p->user_agent->app_version);
	if (why == NULL && strict)
		why = check_device_props(d);
	if (why != NULL)
		return why;
	keep_device_props(d, out);
	out->registration_id = big_endian(d->e_regid.data, 4); /* Baileys draws 0 as well */
	memcpy(out->identity, d->e_ident.data, WA_KEY_LEN);
	out->signed_prekey_id = big_endian(d->e_skey_id.data, 3);
	memcpy(out->signed_prekey, d->e_skey_val.data, WA_KEY_LEN);
	memcpy(out->signed_prekey_sig, d->e_skey_sig.data, WA_SIG_LEN);
	return NULL;
}

/* passive, lc, connectAttemptCount and pushName are the client's choice. */
static const char *check_login(const Wa__ClientPayload *p, bool strict, struct sim_payload *out)
{
	if (p->username == 0)
		return "username is 0";
	if (!p->has_device || p->device == 0)
		return "device missing or 0";
	if (strict && p->device_pairing_data != NULL)
		return "username and devicePairingData both present";
	if (strict && !p->pull)
		return "pull is not true in a login";
	if (strict && !p->has_lid_db_migrated)
		return "lidDbMigrated missing in a login";
	out->username = p->username;
	out->device = p->device;
	out->passive = p->passive;
	return NULL;
}

static int refuse(struct sim_refusal *refusal_out, int reason, const char *why)
{
	refusal_out->reason = reason;
	refusal_out->why = why;
	return WA_EPROTO;
}

static int check_all(const Wa__ClientPayload *p, uint32_t revision_min, bool strict,
                     struct sim_payload *out, struct sim_refusal *refusal_out)
{
	const Wa__UserAgent *ua = p->user_agent;
	const char *why = strict ? check_user_agent(ua) : NULL;

	if (why != NULL)
		return refuse(refusal_out, REASON_USER_AGENT, why);
	out->revision = ua != NULL && ua->app_version != NULL ? ua->app_version->tertiary : 0;
	if (out->revision < revision_min)
		return refuse(refusal_out, REASON_OUTDATED, "version too old");
	if (strict)
		why = check_common(p);
	if (why == NULL) {
		out->kind = p->has_username ? SIM_PAYLOAD_LOGIN : SIM_PAYLOAD_REGISTRATION;
		why = p->has_username ? check_login(p, strict, out)
		                      : check_registration(p, strict, out);
	}
	return why == NULL ? 0 : refuse(refusal_out, REASON_GENERIC, why);
}

int sim_payload_check(const uint8_t *data, size_t data_len, uint32_t revision_min, bool strict,
                      struct sim_payload *payload_out, struct sim_refusal *refusal_out)
{
	ProtobufCMessage *msg = NULL;
	struct sim_payload payload = { 0 };
	int rc;

	if (pb_unpack(&wa__client_payload__descriptor, data, data_len, &pb_limits_small, &msg) < 0)
		return refuse(refusal_out, 0, "not a ClientPayload");
	rc = check_all((const Wa__ClientPayload *)msg, revision_min, strict, &payload, refusal_out);
	if (rc == 0)
		*payload_out = payload;
	pb_free(msg);
	return rc;
}

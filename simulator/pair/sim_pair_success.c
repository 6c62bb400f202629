/* simulator/pair/sim_pair_success.c - the phone signs a companion; pair-success and its answer */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "simulator/base/sim_pb.h"
#include "simulator/pair/sim_pair_priv.h"
#include "simulator/server/sim_device.h"
#include "simulator/server/sim_online.h"

#define ANSWER_MS 30000

void sim_pair_proceed(struct sim_client *c)
{
	if (c->pairing.phone->passkey)
		sim_pair_passkey_begin(c);
	else
		sim_pair_sign(c);
}

json_t *sim_pair_linked_json(const struct sim_phone *phone, uint32_t device)
{
	char jid[SIM_JID_CAP];

	snprintf(jid, sizeof(jid), "%s:%u@s.whatsapp.net", phone->number, device);
	return json_pack("{s:I, s:s}", "device", (json_int_t)device, "jid", jid);
}

/* ---- pair-success ------------------------------------------------------------------------------
 */

static enum sim_adv_flaw flaw_of(const struct sim_fault *f)
{
	if (f->kind == SIM_F_BAD_HMAC)
		return SIM_ADV_BAD_HMAC;
	if (f->kind != SIM_F_BAD_SIGNATURE)
		return SIM_ADV_RIGHT;
	return strcmp(f->child, "parse") == 0 ? SIM_ADV_NO_PROTOBUF : SIM_ADV_BAD_SIGNATURE;
}

/* A key index is given once, whatever comes of it; so is a device number. */
static int prepare(struct sim_client *c)
{
	struct sim_pairing *p = &c->pairing;
	struct sim_phone *phone = p->phone;
	uint8_t random[SIM_ADV_RANDOM_LEN];
	int rc;

	if (p->adv == NULL)
		p->adv = malloc(sizeof(*p->adv));
	if (p->adv == NULL)
		return WA_ELIMIT;
	rc = sim_rand_digits(&c->rnd, p->success_id, 10);
	if (rc == 0)
		rc = sim_rand_bytes(&phone->rnd, random, sizeof(random));
	if (rc == 0)
		rc = sim_adv_sign(&phone->account, c->payload.identity, p->secret,
		                  ++phone->key_index, clock_unix_s(), flaw_of(&c->fault), random,
		                  p->adv);
	if (rc == 0)
		rc = sim_device_reserve(c->sim->devices, phone->number, phone->lid, &p->device);
	return rc;
}

/* ClientPairingProps of an account that works LID first. */
static void add_client_props(struct wa_node *parent)
{
	uint8_t props[8];
	struct wr w;

	wr_init(&w, props, sizeof(props));
	sim_pb_uint(&w, 1, 1); /* isChatDbLidMigrated */
	sim_pb_uint(&w, 2, 1); /* isSyncdPureLidSession */
	wa_node_set_bytes(wa_node_add(parent, "client-props"), props, w.len);
}

static void send_success(struct sim_client *c)
{
	const struct sim_pairing *p = &c->pairing;
	const struct sim_phone *phone = p->phone;
	struct wa_node *iq = wa_node_new("iq"), *success, *device;
	char jid[SIM_JID_CAP], lid[SIM_JID_CAP + 8];

	snprintf(jid, sizeof(jid), "%s:%u@s.whatsapp.net", phone->number, p->device);
	snprintf(lid, sizeof(lid), "%.*s:%u@lid", (int)strcspn(phone->lid, "@"), phone->lid,
	         p->device);
	wa_node_set_jid(iq, "from", WA_SERVER_JID);
	wa_node_set(iq, "type", "set");
	wa_node_set(iq, "id", p->success_id);
	wa_node_set(iq, "xmlns", "md");
	wa_node_set_int(iq, "t", clock_unix_s());
	success = wa_node_add(iq, "pair-success");
	wa_node_set_bytes(wa_node_add(success, "device-identity"), p->adv->message,
	                  p->adv->message_len);
	device = wa_node_add(success, "device");
	wa_node_set_jid(device, "jid", jid);
	wa_node_set_jid(device, "lid", lid);
	wa_node_set(wa_node_add(success, "platform"), "name", phone->business ? "smba" : "android");
	if (phone->business)
		wa_node_set(wa_node_add(success, "biz"), "name", phone->name);
	add_client_props(success);
	sim_client_send(c, iq);
}

void sim_pair_sign(struct sim_client *c)
{
	int rc = prepare(c);

	if (rc < 0) {
		LOG(NULL, LOG_WARNING, "not_signed", LF_INT("client", c->id), LF_ERR("err", rc));
		sim_pair_tell_error(c, 500, "internal", wa_err_name(rc));
		sim_client_end(c, "not signed");
		return;
	}
	c->pairing.step = SIM_PAIR_SIGNED;
	sim_client_deadline(c, ANSWER_MS);
	send_success(c);
	(void)sim_client_fault_late(c, "pair-success");
}

/* ---- its answer --------------------------------------------------------------------------------
 */

static void refused(struct sim_client *c, const char *code, const char *message)
{
	LOG(NULL, LOG_NOTICE, "companion_refused", LF_INT("client", c->id), LF_STR("why", message));
	sim_pair_tell_error(c, 400, code, message);
	sim_client_stream_error(c, 500, "");
}

/* The companion does not take what it was given; its codes can be read again. */
static void on_error(struct sim_client *c, const struct wa_node *iq)
{
	const struct wa_node *error = wa_node_child(iq, "error");
	const char *code = error == NULL ? NULL : wa_node_attr(error, "code");
	const char *text = error == NULL ? NULL : wa_node_attr(error, "text");
	long status = code == NULL ? 0 : strtol(code, NULL, 10);
	char message[160];

	snprintf(message, sizeof(message), "the companion has answered %.8s %.64s",
	         code == NULL ? "no code" : code, text == NULL ? "" : text);
	c->pairing.step = SIM_PAIR_CODES;
	c->pairing.success_id[0] = '\0';
	sim_pair_tell_error(c, status >= 400 && status <= 499 ? (int)status : 409,
	                    "companion_refused", message);
}

static int check_answer(struct sim_client *c, const struct wa_node *iq, struct buf *identity,
                        const char **why)
{
	const struct wa_node *sign = wa_node_child(iq, "pair-device-sign");
	const struct wa_node *n = sign == NULL ? NULL : wa_node_child(sign, "device-identity");

	*why = "the answer has no pair-device-sign with device-identity";
	if (n == NULL || n->content != WA_CONTENT_BYTES)
		return WA_EPROTO;
	return sim_adv_check_answer(c->pairing.adv, n->bytes, n->bytes_len,
	                            wa_node_attr(n, "key-index"), identity, why);
}

static int add_device(struct sim_client *c, const struct buf *identity)
{
	const struct sim_pairing *p = &c->pairing;
	const struct sim_device_new params = {
		.number = p->phone->number,
		.lid = p->phone->lid,
		.id = p->device,
		.noise_key = c->noise_key,
		.identity = c->payload.identity,
		.registration_id = c->payload.registration_id,
		.signed_prekey_id = c->payload.signed_prekey_id,
		.signed_prekey = c->payload.signed_prekey,
		.signed_prekey_sig = c->payload.signed_prekey_sig,
		.key_index = p->adv->key_index,
		.platform_type = c->payload.platform_type,
		.name = c->payload.device_name,
		.identity_bytes = identity->p,
		.identity_bytes_len = identity->len,
		.now_unix_ms = clock_unix_ms(),
		.history = c->payload.history,
	};
	struct sim_device *device;
	int rc = sim_online_link(c->sim, &params, &device);

	if (rc == 0)
		sim_client_linked(c, device);
	return rc;
}

static void linked(struct sim_client *c)
{
	struct sim_pairing *p = &c->pairing;
	struct sim_phone *phone = p->phone;

	p->step = SIM_PAIR_LINKED;
	if (phone->passkey_client == c) {
		phone->passkey_state = SIM_PASSKEY_LINKED;
		phone->passkey_device = p->device;
		phone->passkey_code[0] = '\0';
	}
	sim_client_restart(c);
	sim_pair_tell(c, 200, sim_pair_linked_json(phone, p->device));
}

void sim_pair_on_signed(struct sim_client *c, const struct wa_node *iq)
{
	struct buf identity = { 0 };
	const char *why;
	int rc;

	if (c->pairing.step != SIM_PAIR_SIGNED)
		return; /* once more, after a pair-success that was sent twice */
	if (wa_node_attr_is(iq, "type", "error")) {
		on_error(c, iq);
		return;
	}
	rc = check_answer(c, iq, &identity, &why);
	if (rc == WA_EPROTO) {
		refused(c, "bad_device_identity", why);
	} else {
		if (rc == 0)
			rc = add_device(c, &identity);
		if (rc == 0)
			linked(c);
		else
			refused(c, "internal", wa_err_name(rc));
	}
	buf_free(&identity);
}

/* ---- key indexes -------------------------------------------------------------------------------
 */

static size_t count_devices(const struct sim *s, const char *number)
{
	size_t n = 0;

	for (const struct sim_device *d = sim_device_first(s->devices, number); d != NULL;
	     d = d->next)
		n++;
	return n;
}

/* Devices are in the order of their numbers, which is that of their key indexes but for races. */
static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static int sign_list(const char *number, struct buf *out, int64_t *ts_out, void *arg)
{
	const struct sim *s = arg;
	struct sim_phone *phone = sim_phones_find(s->phones, number);
	size_t n = 1 + count_devices(s, number), i = 1;
	uint8_t random[SIM_ADV_RANDOM_LEN];
	int64_t now = clock_unix_s();
	uint32_t *valid;
	int rc;

	if (phone == NULL)
		return -ENOENT;
	valid = calloc(n, sizeof(*valid)); /* the first, 0, is the phone's own */
	if (valid == NULL)
		return -ENOMEM;
	for (const struct sim_device *d = sim_device_first(s->devices, number); d != NULL;
	     d = d->next)
		valid[i++] = d->key_index;
	qsort(valid, n, sizeof(*valid), by_value);
	rc = sim_rand_bytes(&phone->rnd, random, sizeof(random));
	if (rc == 0)
		rc =
		    sim_adv_key_list(&phone->account, now, phone->key_index, valid, n, random, out);
	free(valid);
	if (rc == 0)
		*ts_out = now;
	return rc;
}

void sim_pair_start(struct sim *s)
{
	sim_devices_set_signer(s->devices, sign_list, s);
}

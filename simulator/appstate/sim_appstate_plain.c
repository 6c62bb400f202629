/*
 * simulator/appstate/sim_appstate_plain.c - app state: a collection in plain, for a companion that
 * is lost
 */
#include <errno.h>
#include <string.h>

#include "common/err.h"
#include "simulator/appstate/sim_appstate_priv.h"
#include "simulator/base/sim_zip.h"

#define DAY_MS 86400000
#define BOMB_FIELD 15
#define BOMB_LEN (64u * 1024 * 1024)
#define ZEROS 65536
#define NAME_CAP 64

static const char *const answers[] = {
#define X(id, name) [id] = name,
	SIM_AS_ANSWER_LIST(X)
#undef X
};

bool sim_as_answer_find(const char *name, enum sim_as_answer *a_out)
{
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		if (strcmp(answers[i], name) == 0) {
			*a_out = (enum sim_as_answer)i;
			return true;
		}
	}
	return false;
}

void sim_as_answer_with(struct sim_appstate *as, enum sim_as_answer answer)
{
	as->answer = answer;
}

void sim_as_asked(const struct sim_appstate *as, uint32_t *asked_out, uint32_t *answered_out)
{
	*asked_out = as->asked;
	*answered_out = as->answered;
}

/* ---- the request -------------------------------------------------------------------------------
 */

static bool refuse(struct sim_appstate *as, const char *why)
{
	as->refused++;
	as->why = why;
	return false;
}

/* SyncDCollectionFatalRecoveryRequest{1 collectionName, 2 timestamp}. */
static bool read_request(struct sim_appstate *as, const uint8_t *request, size_t request_len,
                         int64_t now_unix_ms, enum sim_as_collection *c)
{
	struct sim_pb_field f;
	struct rd r;
	char name[NAME_CAP] = "";
	int64_t at = 0;

	rd_init(&r, request, request_len);
	while (sim_pb_next(&r, &f)) {
		if (f.number == 1 && f.type == SIM_PB_BYTES && f.len < sizeof(name)) {
			memcpy(name, f.data, f.len);
			name[f.len] = '\0';
		} else if (f.number == 2 && f.type == SIM_PB_VARINT && f.value <= INT64_MAX) {
			at = (int64_t)f.value;
		}
	}
	if (r.err != 0)
		return refuse(as, "a request for a collection does not parse");
	if (!sim_as_find(name, c))
		return refuse(as, "a collection that there is not was asked for");
	if (*c == SIM_AS_CRITICAL_BLOCK)
		return refuse(as, "a collection was asked for that phones do not give");
	if (at < now_unix_ms - DAY_MS || at > now_unix_ms + DAY_MS)
		return refuse(as, "a collection was asked for at another time, in milliseconds");
	return true;
}

/* ---- the answer --------------------------------------------------------------------------------
 */

/* SyncdPlainTextRecord{1 SyncActionData, 2 keyId, 3 value MAC} */
static void put_record(struct sim_pbw *w, const struct sim_as_record *r)
{
	size_t at = sim_pbw_begin(w, 3), data = sim_pbw_begin(w, 1);

	sim_pbw_text(w, 1, r->index);
	sim_pbw_bytes(w, 2, r->value.p, r->value.len);
	sim_pbw_bytes(w, 3, "", 0);
	sim_pbw_uint(w, 4, r->version);
	sim_pbw_end(w, data);
	sim_pbw_bytes(w, 2, r->key_id, sizeof(r->key_id));
	sim_pbw_bytes(w, 3, r->value_mac, sizeof(r->value_mac));
	sim_pbw_end(w, at);
}

int sim_as_put_plain(const struct sim_appstate *as, enum sim_as_collection c, struct buf *out)
{
	const struct sim_as_state *st = &as->states[c];
	struct sim_pbw w;
	size_t at;

	sim_pbw_init(&w, out);
	at = sim_pbw_begin(&w, 1);
	sim_pbw_uint(&w, 1, st->version);
	sim_pbw_end(&w, at);
	sim_pbw_text(&w, 2, sim_as_name(c));
	for (size_t i = 0; i < st->records_n; i++)
		put_record(&w, &st->records[i]);
	sim_pbw_bytes(&w, 4, st->hash, sizeof(st->hash));
	return w.err;
}

/* What is sound, and behind it a field of zeros. */
static int add_bomb(struct sim_zip *z)
{
	static const uint8_t zeros[ZEROS];
	uint8_t head[] = { BOMB_FIELD << 3 | 2, 0x80, 0x80, 0x80, BOMB_LEN >> 21 };
	int rc = sim_zip_add(z, head, sizeof(head));

	for (size_t left = BOMB_LEN; rc == 0 && left > 0; left -= ZEROS)
		rc = sim_zip_add(z, zeros, ZEROS);
	return rc;
}

static int pack(const struct buf *plain, enum sim_as_answer answer, struct buf *out)
{
	struct sim_zip z;
	int rc = sim_zip_begin_gzip(&z, 9, out), end;

	if (rc < 0)
		return rc;
	rc = sim_zip_add(&z, plain->p, plain->len);
	if (rc == 0 && answer == SIM_AS_ANSWER_BOMB)
		rc = add_bomb(&z);
	end = sim_zip_end(&z);
	if (answer == SIM_AS_ANSWER_CUT)
		out->len -= out->len / 2;
	return rc < 0 ? rc : end;
}

/* Message{12 protocolMessage{2 17, 17 {1 8, 2 id, 3 {8 {1 snapshot, 2 compressed}}}}} */
static int put_answer(const char *id, const struct buf *snapshot, bool gzip, struct buf *out)
{
	struct sim_pbw w;
	size_t protocol, response, result, part;

	sim_pbw_init(&w, out);
	protocol = sim_pbw_begin(&w, 12);
	sim_pbw_uint(&w, 2, 17);
	response = sim_pbw_begin(&w, 17);
	sim_pbw_uint(&w, 1, SIM_AS_REQUEST_TYPE);
	sim_pbw_text(&w, 2, id);
	result = sim_pbw_begin(&w, 3);
	part = sim_pbw_begin(&w, 8);
	sim_pbw_bytes(&w, 1, snapshot->p, snapshot->len);
	sim_pbw_uint(&w, 2, gzip);
	sim_pbw_end(&w, part);
	sim_pbw_end(&w, result);
	sim_pbw_end(&w, response);
	sim_pbw_end(&w, protocol);
	return w.err;
}

int sim_as_give(struct sim_appstate *as, const char *id, const uint8_t *request, size_t request_len,
                int64_t now_unix_ms, struct buf *out)
{
	struct buf plain = { 0 }, packed = { 0 };
	enum sim_as_collection c;
	bool gzip = as->answer != SIM_AS_ANSWER_PLAIN;
	int rc;

	as->asked++;
	if (!read_request(as, request, request_len, now_unix_ms, &c))
		return WA_EPROTO;
	if (as->answer == SIM_AS_ANSWER_NONE)
		return -ENOENT;
	rc = sim_as_put_plain(as, c, &plain);
	if (rc == 0 && gzip)
		rc = pack(&plain, as->answer, &packed);
	if (rc == 0)
		rc = put_answer(id, gzip ? &packed : &plain, gzip, out);
	if (rc == 0)
		as->answered++;
	buf_wipe(&plain);
	buf_wipe(&packed);
	return rc;
}

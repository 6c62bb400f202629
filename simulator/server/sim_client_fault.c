/* simulator/server/sim_client_fault.c - what a fault does to one connection, stage by stage */
#include "simulator/server/sim_client_fault.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "simulator/wire/sim_http.h"

#define GARBAGE_LEN 300
#define OVERSIZE_LEN 4096           /* bytes that follow a length that is too large */
#define OVERSIZE_HEAD (1024 * 1024) /* length of an HTTP head that never ends */
#define SLOW_DEFAULT 64             /* bytes per second */
#define SLOW_STEPS 20               /* pieces per second */
#define FAILURE_HTTP 503
#define FAILURE_REASON 500
#define NESTED_LEVELS 5000
#define BOMB_LEN (64u * 1024 * 1024)

/* ---- arming ---------------------------------------------------------------------------------- */

static void pace(struct sim_client *c)
{
	uint32_t rate = c->fault.bytes_per_second != 0 ? c->fault.bytes_per_second : SLOW_DEFAULT;

	if (c->fault.kind == SIM_F_SPLIT)
		sim_wire_pace(c->wire, 1, 0);
	else if (rate >= SLOW_STEPS)
		sim_wire_pace(c->wire, rate / SLOW_STEPS, 1000 / SLOW_STEPS);
	else
		sim_wire_pace(c->wire, 1, 1000 / rate);
}

/* Below the WebSocket the raw bytes are changed, above it the stream inside. */
static void shape(struct sim_client *c, enum sim_stage stage)
{
	const struct sim_shaper shaper = { .kind = c->fault.kind, .offset = c->fault.offset };

	if (stage == SIM_TCP || stage == SIM_TLS)
		sim_wire_shape(c->wire, &shaper);
	else if (c->stream != NULL)
		sim_stream_shape(c->stream, &shaper, false);
}

void sim_client_leave(struct sim_client *c)
{
	const struct sim_shaper none = { .kind = SIM_F_NONE };

	c->fault.kind = SIM_F_NONE;
	if (c->whole_connection)
		return;
	sim_wire_pace(c->wire, 0, 0);
	sim_wire_shape(c->wire, &none);
	if (c->stream != NULL)
		sim_stream_shape(c->stream, &none, false);
}

/* child: what the fault waits for; it is looked at where that happens. */
static bool waits(const struct sim_client *c)
{
	switch ((int)c->fault.kind) {
	case SIM_F_CLOSE:
	case SIM_F_RESET:
	case SIM_F_STALL:
	case SIM_F_FAILURE:
		return c->fault.child[0] != '\0';
	default:
		return false;
	}
}

static bool begin_fault(struct sim_client *c, enum sim_stage stage)
{
	const struct sim_shaper none = { .kind = SIM_F_NONE };

	if (waits(c))
		return true;
	switch ((int)c->fault.kind) {
	case SIM_F_REFUSE:
	case SIM_F_RESET:
		sim_wire_reset(c->wire);
		return false;
	case SIM_F_CLOSE:
		c->ended = true;
		sim_wire_end(c->wire, false);
		return false;
	case SIM_F_STALL:
		if (c->fault.offset <= 0) {
			sim_wire_mute(c->wire);
			return false;
		}
		shape(c, stage);
		return true;
	case SIM_F_CORRUPT:
		if (strcmp(c->fault.child, "counter") == 0)
			sim_stream_skip_counter(c->stream);
		else
			shape(c, stage);
		return true;
	case SIM_F_TRUNCATE:
		shape(c, stage);
		return true;
	case SIM_F_SLOW:
		pace(c);
		return true;
	case SIM_F_SPLIT:
		if (strcmp(c->fault.child, "message") == 0 && c->stream != NULL)
			sim_stream_shape(c->stream, &none, true);
		else
			pace(c);
		return true;
	default: /* the stage's own code */
		return true;
	}
}

static bool begin_armed(struct sim_client *c, enum sim_stage stage, const struct sim_fault *fault)
{
	LOG(NULL, LOG_INFO, "fault", LF_INT("client", c->id),
	    LF_STR("stage", sim_stage_name(stage)), LF_STR("kind", sim_fault_name(fault->kind)));
	c->fault = *fault;
	c->whole_connection |= stage == SIM_TCP;
	return begin_fault(c, stage);
}

bool sim_client_meet(struct sim_client *c, enum sim_stage stage)
{
	struct sim_fault fault;

	sim_client_leave(c);
	if (!sim_faults_arm(c->sim->faults, stage, c->number[0] == '\0' ? NULL : c->number, &fault))
		return true;
	return begin_armed(c, stage, &fault);
}

static bool begin_late(struct sim_client *c, const struct sim_fault *fault)
{
	sim_client_leave(c);
	if (!begin_armed(c, c->stage, fault) || !sim_client_fault_stanza(c))
		return false;
	c->pairing.no_pong = c->fault.kind == SIM_F_NO_PONG;
	return true;
}

bool sim_client_meet_number(struct sim_client *c)
{
	struct sim_fault fault;

	if (c->fault.kind != SIM_F_NONE ||
	    !sim_faults_arm_number(c->sim->faults, c->stage, c->number, &fault))
		return true;
	return begin_late(c, &fault);
}

/* What happens to bytes needs some: a ping of ours is always at hand. */
void sim_client_hit(struct sim_client *c, const struct sim_fault *fault)
{
	bool needs_bytes = fault->kind == SIM_F_CORRUPT || fault->kind == SIM_F_TRUNCATE ||
	                   (fault->kind == SIM_F_STALL && fault->offset > 0);

	if (begin_late(c, fault) && needs_bytes && c->stage == SIM_ONLINE)
		sim_online_ping(c, 0);
}

bool sim_client_fault_late(struct sim_client *c, const char *moment)
{
	if (!waits(c) || strcmp(c->fault.child, moment) != 0)
		return true;
	c->fault.child[0] = '\0';
	return begin_fault(c, c->stage);
}

void sim_client_restart(struct sim_client *c)
{
	if (sim_client_fault_late(c, "515"))
		sim_client_stream_error(c, 515, NULL);
}

/* ---- stages ---------------------------------------------------------------------------------- */

static void garbage(struct sim_client *c, uint8_t out[GARBAGE_LEN])
{
	if (sim_rand_bytes(&c->sim->fault_rnd, out, GARBAGE_LEN) < 0)
		memset(out, 0xa5, GARBAGE_LEN);
}

void sim_client_fault_tcp(struct sim_client *c)
{
	uint8_t junk[GARBAGE_LEN];

	garbage(c, junk);
	sim_wire_write_raw(c->wire, junk, sizeof(junk));
	sim_wire_mute(c->wire);
}

bool sim_client_fault_tls(struct sim_client *c)
{
	/* the head of a handshake record that claims 65535 bytes */
	static const uint8_t record[5] = { 0x16, 3, 3, 0xff, 0xff };
	uint8_t junk[GARBAGE_LEN];

	if (c->fault.kind != SIM_F_GARBAGE && c->fault.kind != SIM_F_OVERSIZE)
		return true;
	garbage(c, junk);
	if (c->fault.kind == SIM_F_OVERSIZE)
		sim_wire_write_raw(c->wire, record, sizeof(record));
	sim_wire_write_raw(c->wire, junk, sizeof(junk));
	sim_wire_mute(c->wire);
	return false;
}

enum sim_tls_cert sim_client_tls_cert(const struct sim_client *c)
{
	if (c->fault.kind == SIM_F_EXPIRED_CERT)
		return SIM_TLS_EXPIRED;
	if (c->fault.kind == SIM_F_BAD_CERT)
		return strcmp(c->fault.child, "host") == 0 ? SIM_TLS_WRONG_HOST : SIM_TLS_UNTRUSTED;
	return SIM_TLS_GOOD;
}

static void endless_head(struct sim_client *c)
{
	static const char start[] = "HTTP/1.1 101 Switching Protocols\r\nX-Filler: ";
	char *filler = malloc(OVERSIZE_HEAD);

	if (filler == NULL)
		return;
	memset(filler, 'a', OVERSIZE_HEAD);
	sim_wire_write(c->wire, start, sizeof(start) - 1);
	sim_wire_write(c->wire, filler, OVERSIZE_HEAD);
	free(filler);
}

bool sim_client_fault_upgrade(struct sim_client *c)
{
	uint8_t junk[GARBAGE_LEN];
	struct buf answer = { 0 };

	switch ((int)c->fault.kind) {
	case SIM_F_GARBAGE:
		garbage(c, junk);
		sim_wire_write(c->wire, junk, sizeof(junk));
		sim_wire_mute(c->wire);
		return false;
	case SIM_F_OVERSIZE:
		endless_head(c);
		sim_wire_mute(c->wire);
		return false;
	case SIM_F_FAILURE:
		if (sim_http_answer_status(c->fault.code != 0 ? c->fault.code : FAILURE_HTTP,
		                           &answer) == 0)
			sim_wire_write(c->wire, answer.p, answer.len);
		buf_free(&answer);
		sim_client_end(c, "fault");
		return false;
	default:
		return true;
	}
}

void sim_client_write_http(struct sim_client *c, uint8_t *data, size_t len)
{
	struct sim_shaper shaper = { .kind = c->fault.kind, .offset = c->fault.offset };
	enum sim_shape shape_result = SIM_SHAPE_PASS;

	if (c->fault.stage == SIM_UPGRADE)
		shape_result = sim_shape(&shaper, data, &len);
	sim_wire_write(c->wire, data, len);
	if (shape_result == SIM_SHAPE_MUTE)
		sim_wire_mute(c->wire);
	if (shape_result == SIM_SHAPE_CUT) {
		c->ended = true;
		sim_wire_end(c->wire, false);
	}
}

/* A frame of junk, or one that claims 16 MiB. Above the handshake neither can be decrypted. */
static void send_wrong_frame(struct sim_client *c)
{
	uint8_t junk[GARBAGE_LEN];
	static const uint8_t oversize[3 + OVERSIZE_LEN] = { 0xff, 0xff, 0xff };
	int rc;

	if (c->fault.kind == SIM_F_OVERSIZE) {
		rc = sim_stream_send_bytes(c->stream, oversize, sizeof(oversize));
	} else if (strcmp(c->fault.child, "text") == 0) {
		rc = sim_stream_send_text(c->stream, "not of this protocol");
	} else {
		garbage(c, junk);
		rc = sim_stream_send_frame(c->stream, junk, sizeof(junk));
	}
	if (rc < 0)
		sim_client_end(c, "send failed");
	sim_wire_mute(c->wire);
}

static bool make_wrong_chain(struct sim_client *c)
{
	int flaw =
	    c->fault.kind == SIM_F_EXPIRED_CERT ? SIM_FLAW_LEAF_NOT_AFTER : SIM_FLAW_OTHER_ROOT;

	if (c->fault.child[0] != '\0')
		flaw = sim_flaw_parse(c->fault.child); /* checked when the fault was defined */
	c->wrong = calloc(1, sizeof(*c->wrong));
	return c->wrong != NULL && flaw >= 0 &&
	       sim_chain_make(&c->sim->root, c->sim->identity.pub, &c->sim->fault_rnd,
	                      clock_unix_s(), (enum sim_flaw)flaw, c->wrong) == 0;
}

bool sim_client_fault_handshake(struct sim_client *c)
{
	switch ((int)c->fault.kind) {
	case SIM_F_GARBAGE:
	case SIM_F_OVERSIZE:
		send_wrong_frame(c);
		return false;
	case SIM_F_BAD_CERT:
	case SIM_F_EXPIRED_CERT:
		if (make_wrong_chain(c))
			return true;
		sim_client_end(c, "no chain");
		return false;
	default:
		return true;
	}
}

/* Frames that decrypt to no stanza: the client can refuse it and go on. */

static bool make_cut(struct buf *out)
{
	/* flag, a list of 255 items of which nothing follows */
	static const uint8_t stanza[] = { 0x00, 0xf8, 0xff, 0x13 };

	return buf_append(out, stanza, sizeof(stanza)) == 0;
}

/* <iq> in <iq> in <iq>: each a list of two, the tag and a list of one child. */
static bool make_nested(struct buf *out)
{
	static const uint8_t open[] = { 0xf8, 0x02, 0x19, 0xf8, 0x01 };
	static const uint8_t innermost[] = { 0xf8, 0x01, 0x19 };
	int rc = buf_append_u8(out, 0x00);

	for (size_t i = 0; i < NESTED_LEVELS && rc == 0; i++)
		rc = buf_append(out, open, sizeof(open));
	return rc == 0 && buf_append(out, innermost, sizeof(innermost)) == 0;
}

/* The flag says compressed; a few KB become many MB. */
static bool make_bomb(struct buf *out)
{
	uLongf len = compressBound(BOMB_LEN);
	uint8_t *zeros = calloc(1, BOMB_LEN);
	bool ok = zeros != NULL && buf_append_u8(out, 0x02) == 0 && buf_reserve(out, len) == 0 &&
	          compress2(out->p + out->len, &len, zeros, BOMB_LEN, Z_BEST_COMPRESSION) == Z_OK;

	if (ok)
		out->len += len;
	free(zeros);
	return ok;
}

static const struct junk {
	const char *child;
	bool (*make)(struct buf *out);
} junks[] = {
	{ "stanza", make_cut },
	{ "nested", make_nested },
	{ "bomb", make_bomb },
};

/* False: the fault's child names none of them. */
static bool send_junk_stanza(struct sim_client *c)
{
	struct buf stanza = { 0 };
	size_t i = 0;

	while (i < ARRAY_LEN(junks) && strcmp(c->fault.child, junks[i].child) != 0)
		i++;
	if (i == ARRAY_LEN(junks))
		return false;
	if (!junks[i].make(&stanza) || sim_stream_send(c->stream, stanza.p, stanza.len) < 0)
		sim_client_end(c, "send failed");
	buf_free(&stanza);
	return true;
}

static void send_unknown(struct sim_client *c)
{
	struct wa_node *n = wa_node_new("telepathy");

	wa_node_set_jid(n, "from", WA_SERVER_JID);
	wa_node_set(n, "id", "901");
	wa_node_set_bytes(wa_node_add(n, "thought"), "\x01\x02\x03", 3);
	sim_client_send(c, n);
	n = wa_node_new("notification");
	wa_node_set_jid(n, "from", WA_SERVER_JID);
	wa_node_set(n, "id", "902");
	wa_node_set(n, "type", "telepathy");
	wa_node_set_int(n, "t", clock_unix_s());
	sim_client_send(c, n);
	n = wa_node_new("ib");
	wa_node_set_jid(n, "from", WA_SERVER_JID);
	wa_node_add(n, "telepathy");
	sim_client_send(c, n);
}

bool sim_client_fault_stanza(struct sim_client *c)
{
	uint32_t code = c->fault.code;

	switch ((int)c->fault.kind) {
	case SIM_F_GARBAGE:
		if (send_junk_stanza(c))
			return true;
		send_wrong_frame(c);
		return false;
	case SIM_F_OVERSIZE:
		send_wrong_frame(c);
		return false;
	case SIM_F_FAILURE:
		/* only some requests are refused: sim_online_iq.c, sim_pair.c */
		if (waits(c) || c->stage == SIM_PAIRING)
			return true;
		sim_client_fail(c, code != 0 ? code : FAILURE_REASON);
		return false;
	case SIM_F_STREAM_ERROR:
		sim_client_stream_error(c, code, c->fault.child);
		return false;
	case SIM_F_UNKNOWN:
		send_unknown(c);
		return true;
	default:
		return true;
	}
}

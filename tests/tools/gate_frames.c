/*
 * tests/tools/gate_frames.c - how the gate frames what comes on a connection
 *
 * Reads connections from stdin, each its length (4 bytes, little-endian) and its bytes. Prints one
 * line of JSON for each: the requests that wardend would have handled, and how it ended: "end" (all
 * bytes were requests), "wait" (one is not complete), "close" (the client asked for it), "bad" or
 * "large" (refused).
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/sha.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/codec.h"
#include "gateway/http/gw_gate.h"

#define CONNECTION_MAX (4u << 20)

/* False at the end of the input. */
static bool read_connection(struct buf *in)
{
	uint8_t len[4];
	size_t n;

	buf_reset(in);
	if (fread(len, 1, sizeof(len), stdin) != sizeof(len))
		return false;
	n = (size_t)len[0] | (size_t)len[1] << 8 | (size_t)len[2] << 16 | (size_t)len[3] << 24;
	if (n > CONNECTION_MAX || buf_reserve(in, n + 1) < 0 || fread(in->p, 1, n, stdin) != n)
		exit(1);
	in->len = n;
	return true;
}

/* What a request line and a target are made of needs no escape in JSON. */
static void print_request(const struct gw_gate *g, const struct buf *body, bool first)
{
	uint8_t digest[SHA256_DIGEST_LENGTH];
	char hex[HEX_CAP(SHA256_DIGEST_LENGTH)];

	SHA256(body->p, body->len, digest);
	hex_encode(digest, sizeof(digest), hex);
	printf("%s{\"method\":\"%s\",\"target\":\"%s\",\"length\":%zu,\"sha256\":\"%s\"}",
	       first ? "" : ",", gw_gate_method(g), gw_gate_target(g), body->len, hex);
}

/* Prints the requests; returns how it ended. */
static const char *frame(const struct buf *in)
{
	enum gw_gate_verdict v = GW_GATE_MORE;
	size_t at = 0, used, piece_len;
	struct buf body = { 0 };
	const char *end = "wait";
	const uint8_t *piece;
	struct gw_gate g;
	bool first = true;

	gw_gate_init(&g, GW_GATE_BODY_MAX);
	do {
		v = gw_gate_feed(&g, in->p + at, in->len - at, &used, &piece, &piece_len);
		at += used;
		if (v == GW_GATE_DATA && buf_append(&body, piece, piece_len) < 0)
			exit(1);
		if (v != GW_GATE_DONE)
			continue;
		print_request(&g, &body, first);
		first = false;
		buf_reset(&body);
		end = !gw_gate_keeps_alive(&g) ? "close" : at == in->len ? "end" : "wait";
		gw_gate_reset(&g);
	} while (end[0] == 'w' && v < GW_GATE_BAD && v != GW_GATE_MORE);
	if (v == GW_GATE_BAD)
		end = "bad";
	else if (v == GW_GATE_TOO_LARGE)
		end = "large";
	gw_gate_clear(&g);
	buf_free(&body);
	return end;
}

int main(void)
{
	struct buf in = { 0 };
	const char *end;

	while (read_connection(&in)) {
		printf("{\"requests\":[");
		end = frame(&in);
		printf("],\"end\":\"%s\"}\n", end);
		fflush(stdout);
	}
	buf_free(&in);
	return 0;
}

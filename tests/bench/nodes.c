/*
 * tests/bench/nodes.c - binary nodes decoded and encoded, as often as it goes
 *
 * Arguments: file, seconds. The file holds stanzas as they are inside a frame, each with its length
 * (32 bits, little-endian) in front. Each is decoded and encoded again first: other bytes than it
 * came as end the program. Then "decode N SECONDS" and "encode N SECONDS": N stanzas in that time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "worker/wa/node/wa_node.h"

#define STANZAS_MAX 64

#define MUST(cond) \
	do { \
		if (!(cond)) { \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond); \
			exit(1); \
		} \
	} while (0)

struct stanza {
	uint8_t *p;
	uint32_t len;
	struct wa_node *node;
};

static struct stanza stanzas[STANZAS_MAX];
static unsigned stanzas_n;

static void read_stanzas(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t head[4];

	MUST(f != NULL);
	while (fread(head, 1, sizeof(head), f) == sizeof(head)) {
		struct stanza *s = &stanzas[stanzas_n++];

		MUST(stanzas_n < STANZAS_MAX);
		s->len = head[0] | head[1] << 8 | head[2] << 16 | (uint32_t)head[3] << 24;
		s->p = malloc(s->len);
		MUST(s->p != NULL && fread(s->p, 1, s->len, f) == s->len);
	}
	(void)fclose(f);
	MUST(stanzas_n > 0);
}

static void check(struct stanza *s)
{
	struct buf b = { 0 };

	MUST(wa_stanza_decode(s->p, s->len, &s->node) == 0);
	MUST(wa_stanza_encode(s->node, &b) == 0);
	MUST(b.len == s->len && memcmp(b.p, s->p, b.len) == 0);
	buf_free(&b);
}

static void decode_all(void)
{
	for (unsigned i = 0; i < stanzas_n; i++) {
		struct wa_node *n = NULL;

		MUST(wa_stanza_decode(stanzas[i].p, stanzas[i].len, &n) == 0);
		wa_node_free(n);
	}
}

static void encode_all(void)
{
	for (unsigned i = 0; i < stanzas_n; i++) {
		struct buf b = { 0 };

		MUST(wa_stanza_encode(stanzas[i].node, &b) == 0);
		buf_free(&b);
	}
}

static void measure(const char *name, void (*all)(void), double seconds)
{
	uint64_t from = clock_us(), now = from;
	unsigned long n = 0;

	while ((double)(now - from) < seconds * 1e6) {
		all();
		n += stanzas_n;
		now = clock_us();
	}
	printf("%s %lu %.6f\n", name, n, (double)(now - from) / 1e6);
}

int main(int argc, char **argv)
{
	double seconds = argc > 2 ? strtod(argv[2], NULL) : 1;

	MUST(argc > 1);
	read_stanzas(argv[1]);
	for (unsigned i = 0; i < stanzas_n; i++)
		check(&stanzas[i]);
	measure("decode", decode_all, seconds);
	measure("encode", encode_all, seconds);
	for (unsigned i = 0; i < stanzas_n; i++) {
		wa_node_free(stanzas[i].node);
		free(stanzas[i].p);
	}
	return 0;
}

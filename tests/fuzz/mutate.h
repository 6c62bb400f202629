/*
 * tests/fuzz/mutate.h - inputs changed as what they are: fields, nodes, frames, header lines
 *
 * A target whose input has a shape defines fuzz_mutate() with these; mutate.c calls it, in turns
 * with the engine's own changes of bytes. Lengths are written anew, so that what is changed within
 * is reached. libFuzzer finds it in the target; AFL++ loads it as a library (mutate.mk).
 */
#ifndef MUTATE_H
#define MUTATE_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

/* Where chance comes from: the engine's seed decides all of it. */
struct mut {
	uint64_t state;
};

/*
 * Defined by the target: append to out what size bytes of data become with one change. False: it
 * can't be changed in this way (the engine then does it in its own); out is thrown away.
 */
bool fuzz_mutate(struct mut *m, const uint8_t *data, size_t size, struct buf *out);

/* For the engines: fuzz_mutate(), once or several times. False: not even once. */
bool mut_change(struct mut *m, const uint8_t *data, size_t size, struct buf *out);

/* ---- chance --------------------------------------------------------------------------------- */

uint64_t mut_rand(struct mut *m);
size_t mut_below(struct mut *m, size_t n); /* 0 to n - 1; n 0: 0 */
bool mut_chance(struct mut *m, size_t one_in);
/* A number where things happen: powers of two, their neighbours, small ones, any. */
uint64_t mut_number(struct mut *m);
/* One of n texts. */
const char *mut_pick(struct mut *m, const char *const *texts, size_t n);
#define MUT_PICK(m, texts) mut_pick(m, texts, sizeof(texts) / sizeof((texts)[0]))

/* ---- parts, appended to out -------------------------------------------------------------------
 */

void mut_put(struct buf *out, const void *data, size_t len);
void mut_put_text(struct buf *out, const char *text);
/* data with a few of its bytes changed, inserted, left out or repeated. */
void mut_bytes(struct mut *m, const void *data, size_t len, struct buf *out);
/* Bytes that come from nowhere, of a length that something may want (32, 33, 64, ...). */
void mut_fresh_bytes(struct mut *m, struct buf *out);

/*
 * A protobuf message with a field changed, added, left out, repeated or moved, at any depth. desc:
 * its schema, from which fields are added; NULL: unknown.
 */
void mut_pb(struct mut *m, const ProtobufCMessageDescriptor *desc, const uint8_t *data, size_t len,
            struct buf *out);
/* A stanza (flag byte, node). False: it can't be decoded. */
bool mut_node(struct mut *m, const uint8_t *data, size_t len, struct buf *out);
/* Frames with their lengths in front (3 bytes, big-endian); len_max: of what the reader takes. */
void mut_frames(struct mut *m, size_t len_max, const uint8_t *data, size_t len, struct buf *out);
/* HTTP: a start line, header lines, a body, plain or in chunks. */
enum mut_http { MUT_HTTP_REQUEST, MUT_HTTP_RESPONSE };
void mut_http(struct mut *m, enum mut_http kind, const uint8_t *data, size_t len, struct buf *out);
/* JSON text: its words, strings and brackets. names: members to add; may be NULL. */
void mut_json(struct mut *m, const char *const *names, size_t names_n, const uint8_t *data,
              size_t len, struct buf *out);

#endif

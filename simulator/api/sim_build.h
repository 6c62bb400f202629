/*
 * simulator/api/sim_build.h - a message from what a body of the control API says of it
 *
 * The members of a body that describe the content are in README.md. Source: protocol notes 06
 * sections 3 and 4.
 */
#ifndef SIM_BUILD_H
#define SIM_BUILD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "simulator/api/sim_control.h"
#include "simulator/phone/sim_phone.h"

struct sim_build {
	/* what is asked for */
	struct sim_call *call; /* errors answer it */
	const json_t *body;
	struct sim_phone *from;
	const char *chat; /* JID, as the stanza is addressed */
	bool pn;          /* JIDs of persons by phone number, not LID */
	bool group;       /* keys name the author */
	/* what comes out */
	struct buf msg;        /* owned: sim_build_clear() */
	const char *type;      /* of the stanza */
	const char *mediatype; /* NULL: none */
	const char *edit;      /* NULL: none */
	bool hide;             /* decrypt-fail="hide" */
	/* internal */
	int err;
	bool no_secret;
};

/* False after an error answer to the call. */
ATTR_NODISCARD bool sim_build(struct sim_build *b);
void sim_build_clear(struct sim_build *b);

/* ---- for sim_build*.c --------------------------------------------------------------------------
 *
 * Writers with a sticky error in b->err.
 */

void sim_build_text(struct sim_build *b, struct buf *to, uint32_t number, const char *text);
void sim_build_bytes(struct sim_build *b, struct buf *to, uint32_t number, const void *p, size_t n);
void sim_build_int(struct sim_build *b, struct buf *to, uint32_t number, uint64_t v);
/* Move part into a field of to; part is empty then. */
void sim_build_part(struct sim_build *b, struct buf *to, uint32_t number, struct buf *part);
/* The context: quoted message, mentions, forwarding, expiration; nothing when the body has none. */
void sim_build_context(struct sim_build *b, struct buf *to, uint32_t number);
/* MessageKey of {id, fromMe?, from?} as a field; from: the author, in a group. */
void sim_build_key(struct sim_build *b, struct buf *to, uint32_t number, const json_t *spec);
/* A person: number or JID to the JID as this chat has it. False after an error answer. */
bool sim_build_person(struct sim_build *b, const char *who, const char **jid_out);
const char *sim_build_str(const json_t *spec, const char *name); /* NULL: no such text */
uint64_t sim_build_num(const json_t *spec, const char *name, uint64_t otherwise);
bool sim_build_flag(const json_t *spec, const char *name);
/* Refuse; b->err is set. */
void sim_build_refuse(struct sim_build *b, const char *why);

/* sim_build_media.c: {media: {kind, ...}} */
void sim_build_media(struct sim_build *b, const json_t *spec);
/* sim_build_act.c: what refers to another message */
void sim_build_reaction(struct sim_build *b, const json_t *spec);
void sim_build_edit(struct sim_build *b, const json_t *spec);
void sim_build_revoke(struct sim_build *b, const json_t *spec);
void sim_build_pin(struct sim_build *b, const json_t *spec);
void sim_build_poll(struct sim_build *b, const json_t *spec);
void sim_build_vote(struct sim_build *b, const json_t *spec);

/* sim_build_bad.c: {nest: depth}, {giant: bytes}, {garbage: bytes} */
void sim_build_nest(struct sim_build *b, const json_t *spec);
void sim_build_giant(struct sim_build *b, const json_t *spec);
void sim_build_garbage(struct sim_build *b, const json_t *spec);

#endif

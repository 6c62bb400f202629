/*
 * simulator/server/sim_fault.h - what shall go wrong, at which stage, for which connection
 *
 * A fault is defined through the control API and waits. When a connection comes to the first answer
 * of a stage it asks sim_faults_arm() once: each waiting fault whose match fits counts it, and the
 * first whose turn it is happens to that connection. No clock, no sockets.
 */
#ifndef SIM_FAULT_H
#define SIM_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

#define SIM_STAGE_LIST(X) \
	X(SIM_TCP, "tcp") \
	X(SIM_TLS, "tls") \
	X(SIM_UPGRADE, "upgrade") \
	X(SIM_HANDSHAKE, "handshake") \
	X(SIM_REGISTRATION, "registration") \
	X(SIM_PAIRING, "pairing") \
	X(SIM_LOGIN, "login") \
	X(SIM_ONLINE, "online")

enum sim_stage {
#define X(id, name) id,
	SIM_STAGE_LIST(X)
#undef X
};

#define SIM_AT(stage) (1u << (stage))
#define SIM_AT_BYTES \
	(SIM_AT(SIM_TCP) | SIM_AT(SIM_TLS) | SIM_AT(SIM_UPGRADE) | SIM_AT(SIM_HANDSHAKE) | \
	 SIM_AT_STANZAS)
#define SIM_AT_STANZAS \
	(SIM_AT(SIM_REGISTRATION) | SIM_AT(SIM_PAIRING) | SIM_AT(SIM_LOGIN) | SIM_AT(SIM_ONLINE))
#define SIM_AT_REFS (SIM_AT(SIM_REGISTRATION) | SIM_AT(SIM_PAIRING))

/* kind, word, stages where it has a meaning, stage when none is named */
#define SIM_FAULT_LIST(X) \
	X(SIM_F_REFUSE, "refuse", SIM_AT(SIM_TCP), SIM_TCP) \
	X(SIM_F_CLOSE, "close", SIM_AT_BYTES, SIM_TCP) \
	X(SIM_F_RESET, "reset", SIM_AT_BYTES, SIM_TCP) \
	X(SIM_F_STALL, "stall", SIM_AT_BYTES, SIM_TCP) \
	X(SIM_F_SLOW, "slow", SIM_AT_BYTES, SIM_TCP) \
	X(SIM_F_CORRUPT, "corrupt", SIM_AT_BYTES, SIM_HANDSHAKE) \
	X(SIM_F_TRUNCATE, "truncate", SIM_AT_BYTES, SIM_HANDSHAKE) \
	X(SIM_F_SPLIT, "split", SIM_AT_BYTES, SIM_TCP) \
	X(SIM_F_GARBAGE, "garbage", SIM_AT_BYTES, SIM_HANDSHAKE) \
	X(SIM_F_OVERSIZE, "oversize", SIM_AT_BYTES & ~SIM_AT(SIM_TCP), SIM_HANDSHAKE) \
	X(SIM_F_BAD_CERT, "bad_cert", SIM_AT(SIM_TLS) | SIM_AT(SIM_HANDSHAKE), SIM_HANDSHAKE) \
	X(SIM_F_EXPIRED_CERT, "expired_cert", SIM_AT(SIM_TLS) | SIM_AT(SIM_HANDSHAKE), \
	  SIM_HANDSHAKE) \
	X(SIM_F_FAILURE, "failure", SIM_AT(SIM_UPGRADE) | SIM_AT_STANZAS, SIM_REGISTRATION) \
	X(SIM_F_STREAM_ERROR, "stream_error", SIM_AT_STANZAS, SIM_REGISTRATION) \
	X(SIM_F_NO_PONG, "no_pong", SIM_AT_REFS | SIM_AT(SIM_ONLINE), SIM_PAIRING) \
	X(SIM_F_REFS_END, "refs_end", SIM_AT_REFS, SIM_REGISTRATION) \
	X(SIM_F_NO_REFS, "no_refs", SIM_AT_REFS, SIM_REGISTRATION) \
	X(SIM_F_BAD_HMAC, "bad_hmac", SIM_AT(SIM_PAIRING), SIM_PAIRING) \
	X(SIM_F_BAD_SIGNATURE, "bad_signature", SIM_AT(SIM_PAIRING), SIM_PAIRING) \
	X(SIM_F_DUPLICATE, "duplicate", SIM_AT_STANZAS, SIM_REGISTRATION) \
	X(SIM_F_REORDER, "reorder", SIM_AT_STANZAS, SIM_PAIRING) \
	X(SIM_F_UNKNOWN, "unknown", SIM_AT_STANZAS, SIM_REGISTRATION)

enum sim_fault_kind {
	SIM_F_NONE,
#define X(id, name, stages, stage) id,
	SIM_FAULT_LIST(X)
#undef X
};

#define SIM_FAULT_CHILD_CAP 32
#define SIM_NUMBER_CAP 16 /* 15 digits and a NUL */
#define SIM_FAULTS_MAX 1024

struct sim_fault {
	enum sim_fault_kind kind;
	enum sim_stage stage;
	uint32_t code;   /* 0: the kind's own default */
	uint32_t expire; /* failure 402: seconds; 0: not told */
	uint32_t bytes_per_second;
	int64_t offset; /* -1: the kind's own default */
	char child[SIM_FAULT_CHILD_CAP];
};

struct sim_fault_match {
	char number[SIM_NUMBER_CAP]; /* "": any */
	uint32_t nth;                /* 0: every one; else counted from 1 */
};

/* One waiting fault. */
struct sim_fault_entry {
	uint32_t id;
	struct sim_fault_match match;
	struct sim_fault fault;
	uint32_t seen; /* connections that fitted the match */
	uint32_t hit;  /* connections it happened to */
};

const char *sim_stage_name(enum sim_stage stage);
int sim_stage_parse(const char *name); /* or -EINVAL */
const char *sim_fault_name(enum sim_fault_kind kind);
int sim_fault_parse(const char *name); /* or -EINVAL */
enum sim_stage sim_fault_default_stage(enum sim_fault_kind kind);
bool sim_fault_fits(enum sim_fault_kind kind, enum sim_stage stage);

struct sim_faults;

ATTR_NODISCARD int sim_faults_new(struct sim_faults **faults_out);
void sim_faults_free(struct sim_faults *f); /* NULL is fine */

/* The pair must fit (sim_fault_fits). 0, WA_ELIMIT (SIM_FAULTS_MAX are waiting) or -ENOMEM. */
ATTR_NODISCARD int sim_faults_add(struct sim_faults *f, const struct sim_fault_match *match,
                                  const struct sim_fault *fault, uint32_t *id_out);
/* Forget all; what has begun on a connection goes on. Returns how many there were. */
size_t sim_faults_clear(struct sim_faults *f);
size_t sim_faults_count(const struct sim_faults *f);
const struct sim_fault_entry *sim_faults_at(const struct sim_faults *f, size_t index);

/*
 * A connection comes to stage. number: its account's, NULL while it is not known (a match by number
 * then does not fit). True with a copy in *fault_out when a fault is to happen.
 */
bool sim_faults_arm(struct sim_faults *f, enum sim_stage stage, const char *number,
                    struct sim_fault *fault_out);
/*
 * The number of a connection becomes known after it has come to the stage: as above, for the faults
 * that match by number and could not fit before.
 */
bool sim_faults_arm_number(struct sim_faults *f, enum sim_stage stage, const char *number,
                           struct sim_fault *fault_out);

/* ---- what happens to bytes ------------------------------------------------------------------- */

/* Zero-initialised: bytes pass as they are. */
struct sim_shaper {
	enum sim_fault_kind kind; /* corrupt, truncate or stall; else nothing happens */
	int64_t offset; /* from the first byte shaped; -1: the middle of the first piece */
	uint64_t passed;
};

enum sim_shape {
	SIM_SHAPE_PASS, /* send what is left */
	SIM_SHAPE_CUT,  /* send what is left, then close */
	SIM_SHAPE_MUTE, /* send what is left, then nothing any more */
};

/* Change the next bytes of a stream in place; *len may become less. */
enum sim_shape sim_shape(struct sim_shaper *s, uint8_t *data, size_t *len);
/* Does the shaper still have something to do? */
bool sim_shaper_is_active(const struct sim_shaper *s);

#endif

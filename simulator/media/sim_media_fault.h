/*
 * simulator/media/sim_media_fault.h - what shall go wrong with which request to the media host
 *
 * Defined through the control API; each request that fits counts, the first fault whose turn it is
 * happens to it. No sockets.
 */
#ifndef SIM_MEDIA_FAULT_H
#define SIM_MEDIA_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "simulator/wire/sim_http.h"

#define SIM_MEDIA_FAULT_LIST(X) \
	X(SIM_MF_STATUS, "status")     /* code (404), without a file */ \
	X(SIM_MF_TRUNCATE, "truncate") /* FIN after offset bytes (half of it) */ \
	X(SIM_MF_CORRUPT, "corrupt")   /* a bit of the byte at offset (the middle) is flipped */ \
	X(SIM_MF_MAC, "mac")           /* a bit of the last ten bytes */ \
	X(SIM_MF_SLOW, "slow")         /* bytesPerSecond (4096) */ \
	X(SIM_MF_STALL, "stall")       /* silence after offset bytes of the body */ \
	X(SIM_MF_CLOSE, "close")       /* FIN instead of an answer */ \
	X(SIM_MF_RESET, "reset")       /* RST instead of an answer */ \
	X(SIM_MF_SHORT, "short")       /* the head promises offset bytes only (half of it) */ \
	X(SIM_MF_ENDLESS, \
	  "endless") /* no length, and noise behind the file until bytes (1 GiB) */ \
	X(SIM_MF_NO_LENGTH, "no_length") /* no Content-Length */ \
	X(SIM_MF_REDIRECT, "redirect")   /* 302 to `location` */

enum sim_media_fault_kind {
	SIM_MF_NONE,
#define X(id, word) id,
	SIM_MEDIA_FAULT_LIST(X)
#undef X
};

#define SIM_MEDIA_FAULTS_MAX 256
#define SIM_MEDIA_MATCH_CAP 96

struct sim_media_fault {
	enum sim_media_fault_kind kind;
	uint32_t code, rate;
	bool has_offset;
	uint64_t offset, bytes;
	char location[SIM_MEDIA_MATCH_CAP * 2];
};

struct sim_media_match {
	char part[SIM_MEDIA_MATCH_CAP]; /* of path and query; "": any */
	int method;                     /* enum sim_http_method; -1: any */
	uint32_t nth;                   /* from this matching request on; 0: from the first */
	uint32_t times;                 /* how often; 0: for ever */
};

struct sim_media_faults;

ATTR_NODISCARD int sim_media_faults_new(struct sim_media_faults **f_out); /* 0 or -ENOMEM */
void sim_media_faults_free(struct sim_media_faults *f);                   /* NULL is fine */
/* 0 with the number of it; WA_ELIMIT. */
ATTR_NODISCARD int sim_media_faults_add(struct sim_media_faults *f,
                                        const struct sim_media_match *match,
                                        const struct sim_media_fault *fault, uint32_t *id_out);
void sim_media_faults_clear(struct sim_media_faults *f);
/* What happens to this request. */
struct sim_media_fault sim_media_faults_take(struct sim_media_faults *f,
                                             enum sim_http_method method, const char *target);

bool sim_media_fault_find(const char *word, enum sim_media_fault_kind *kind_out);

#endif

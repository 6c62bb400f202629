/* simulator/media/sim_media_target.h - paths and queries of requests to the media host (no I/O) */
#ifndef SIM_MEDIA_TARGET_H
#define SIM_MEDIA_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "simulator/media/sim_media_crypt.h"

/* A parameter of the query, percent-decoded into out; false when it is not there, or too long. */
bool sim_media_query(const char *target, const char *name, char *out, size_t cap);
/* Base64 of a hash, either alphabet, with or without padding. */
bool sim_media_read_hash(const char *text, size_t text_len, uint8_t out[SIM_HASH_LEN]);
/* "/mms/TYPE/TOKEN": false when it is none, or TOKEN is no hash. */
bool sim_media_mms_path(const char *target, enum sim_media_kind *kind, uint8_t hash[SIM_HASH_LEN]);

#endif

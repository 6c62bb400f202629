/*
 * simulator/media/sim_media.h - the files of the media host
 *
 * Content-addressed: a file that is put twice is kept once. What no file is left of can be made
 * again by a source (the media of generated history is). No sockets; HTTP is in sim_media_http.h.
 * Source: protocol notes 09.
 */
#ifndef SIM_MEDIA_H
#define SIM_MEDIA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "simulator/base/sim_rand.h"
#include "simulator/media/sim_media_crypt.h"

#define SIM_MEDIA_LIMIT (1024u * 1024 * 1024) /* bytes of all files */
#define SIM_MEDIA_FILE_MAX (256u * 1024 * 1024)
#define SIM_MEDIA_PATH_CAP 192 /* direct path with its query */
#define SIM_MEDIA_URL_CAP (SIM_MEDIA_PATH_CAP + 64)
#define SIM_MEDIA_AUTH_CAP 49

struct sim_media;

/* A stored file. Borrowed; stays while anybody holds it. */
struct sim_media_blob {
	char path[SIM_MEDIA_PATH_CAP]; /* without its query */
	enum sim_media_kind kind;
	uint8_t enc_sha256[SIM_HASH_LEN];
	struct buf data; /* the stored file */
	uint32_t gets, puts;
	uint64_t number; /* rises from 1: the name of it in the control API */
	/* internal */
	uint32_t holds;
	bool spare;
	struct sim_media_blob *next_path, *next_hash, *next, *prev;
};

/* What a message says about a file. */
struct sim_media_file {
	char url[SIM_MEDIA_URL_CAP]; /* https://mmg.whatsapp.net..., as phones write it */
	char direct_path[SIM_MEDIA_PATH_CAP];
	uint8_t key[SIM_MEDIA_KEY_LEN];
	uint8_t sha256[SIM_HASH_LEN];     /* of the plaintext */
	uint8_t enc_sha256[SIM_HASH_LEN]; /* of the stored file */
	uint64_t len;                     /* of the plaintext */
	uint64_t number;                  /* of the blob */
};

ATTR_NODISCARD int sim_media_new(const struct sim_rand *rnd, struct sim_media **m_out);
void sim_media_free(struct sim_media *m); /* NULL is fine */

/*
 * Encrypt under a fresh key and keep.
 * flaw: what shall be wrong with it. 0, WA_ELIMIT (the host is full, or the file too large),
 * WA_ECRYPTO, -ENOMEM. On failure nothing is kept.
 */
ATTR_NODISCARD int sim_media_put(struct sim_media *m, enum sim_media_kind kind,
                                 enum sim_media_flaw flaw, const void *data, size_t len,
                                 struct sim_media_file *file_out);
/* Bytes as they are, encrypted elsewhere: kept under a new path, or the old one when they are here
 * already. As above. */
ATTR_NODISCARD int sim_media_store(struct sim_media *m, enum sim_media_kind kind, const void *data,
                                   size_t len, struct sim_media_blob **blob_out);
/* Under a new path from now on; the old one is gone. 0 or WA_ECRYPTO. */
ATTR_NODISCARD int sim_media_move(struct sim_media *m, struct sim_media_blob *b);
/* The direct path of a blob: path and query. */
void sim_media_direct_path(const struct sim_media_blob *b, char out[SIM_MEDIA_PATH_CAP]);
/* The same for a path alone. */
void sim_media_sign_path(const char *path, const uint8_t enc_sha256[SIM_HASH_LEN],
                         char out[SIM_MEDIA_PATH_CAP]);
/* The url of a message for that direct path. */
void sim_media_url(const char *direct_path, char out[SIM_MEDIA_URL_CAP]);

/* By the path without query; asks the source when there is none. NULL: no such file. Hold it and
 * release it: one that a source has made lives no longer than that. */
struct sim_media_blob *sim_media_find(struct sim_media *m, const char *path, size_t path_len);
struct sim_media_blob *sim_media_find_hash(struct sim_media *m, const uint8_t hash[SIM_HASH_LEN]);
struct sim_media_blob *sim_media_find_number(struct sim_media *m, uint64_t number);
/* Nobody should need it any more: it goes when SIM_MEDIA_SPARE bytes of such files are here. */
#define SIM_MEDIA_SPARE (64u * 1024 * 1024)
void sim_media_spare(struct sim_media *m, struct sim_media_blob *b);
/* Gone for whoever asks; the memory stays while it is held. */
void sim_media_drop(struct sim_media *m, struct sim_media_blob *b);
void sim_media_hold(struct sim_media_blob *b);
void sim_media_release(struct sim_media_blob *b); /* NULL is fine */

/*
 * Who can make files again: append the stored file of a path that begins with
 * SIM_MEDIA_SOURCE_PREFIX. 0, -ENOENT, or another code.
 */
#define SIM_MEDIA_SOURCE_PREFIX "/v/t62.7118-24/h-"
typedef int sim_media_source_fn(const char *path, struct buf *out, void *arg);
void sim_media_set_source(struct sim_media *m, sim_media_source_fn *source, void *arg);

/* A token of media_conn. 0 or WA_ECRYPTO. */
ATTR_NODISCARD int sim_media_auth(struct sim_media *m, char out[SIM_MEDIA_AUTH_CAP]);
bool sim_media_auth_ok(const struct sim_media *m, const char *auth, size_t auth_len);
void sim_media_auth_revoke(struct sim_media *m); /* all that were given out */

uint64_t sim_media_bytes(const struct sim_media *m);
size_t sim_media_count(const struct sim_media *m);
/* All files, the oldest first. */
void sim_media_each(const struct sim_media *m, void (*on_blob)(struct sim_media_blob *b, void *arg),
                    void *arg);

/* Bytes that look like a file of that kind (magic number, then noise of the seed). */
ATTR_NODISCARD int sim_media_make(enum sim_media_kind kind, uint64_t seed, size_t len,
                                  struct buf *out);

#endif

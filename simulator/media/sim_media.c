/* simulator/media/sim_media.c - the files of the media host */
#include "simulator/media/sim_media.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec.h"
#include "common/err.h"
#include "common/secret.h"

#define BUCKETS 4096
#define QUERY "?ccb=11-4&oh=01_%s&oe=%08" PRIX32 "&_nc_sid=5e03e0"
#define EXPIRES UINT32_C(0x7fffffff)

struct sim_media {
	struct sim_rand rnd;
	uint8_t auth_key[32];
	uint64_t auths, auths_revoked;
	struct sim_media_blob *by_path[BUCKETS], *by_hash[BUCKETS];
	struct sim_media_blob *first, *last;
	size_t count;
	uint64_t bytes, spare_bytes, numbers;
	sim_media_source_fn *source;
	void *source_arg;
};

int sim_media_new(const struct sim_rand *rnd, struct sim_media **m_out)
{
	struct sim_media *m = calloc(1, sizeof(*m));
	int rc;

	if (m == NULL)
		return -ENOMEM;
	rc = sim_rand_fork(rnd, "media", 0, &m->rnd);
	if (rc == 0)
		rc = sim_rand_bytes(&m->rnd, m->auth_key, sizeof(m->auth_key));
	if (rc < 0)
		free(m);
	else
		*m_out = m;
	return rc;
}

static void blob_free(struct sim_media_blob *b)
{
	buf_free(&b->data);
	free(b);
}

void sim_media_free(struct sim_media *m)
{
	if (m == NULL)
		return;
	while (m->first != NULL)
		sim_media_drop(m, m->first);
	secret_wipe(m, sizeof(*m));
	free(m);
}

/* ---- tables ------------------------------------------------------------------------------------
 */

static size_t path_bucket(const char *path, size_t len)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

	for (size_t i = 0; i < len; i++)
		h = (h ^ (uint8_t)path[i]) * UINT64_C(0x100000001b3);
	return h % BUCKETS;
}

static size_t hash_bucket(const uint8_t hash[SIM_HASH_LEN])
{
	return ((size_t)hash[0] << 8 | hash[1]) % BUCKETS;
}

static void insert(struct sim_media *m, struct sim_media_blob *b)
{
	struct sim_media_blob **path = &m->by_path[path_bucket(b->path, strlen(b->path))];
	struct sim_media_blob **hash = &m->by_hash[hash_bucket(b->enc_sha256)];

	b->next_path = *path;
	*path = b;
	b->next_hash = *hash;
	*hash = b;
	b->prev = m->last;
	if (m->last != NULL)
		m->last->next = b;
	else
		m->first = b;
	m->last = b;
	m->count++;
	m->bytes += b->data.len;
}

void sim_media_drop(struct sim_media *m, struct sim_media_blob *b)
{
	struct sim_media_blob **at = &m->by_path[path_bucket(b->path, strlen(b->path))];

	while (*at != b)
		at = &(*at)->next_path;
	*at = b->next_path;
	at = &m->by_hash[hash_bucket(b->enc_sha256)];
	while (*at != b)
		at = &(*at)->next_hash;
	*at = b->next_hash;
	*(b->prev != NULL ? &b->prev->next : &m->first) = b->next;
	*(b->next != NULL ? &b->next->prev : &m->last) = b->prev;
	m->count--;
	m->bytes -= b->data.len;
	if (b->spare)
		m->spare_bytes -= b->data.len;
	sim_media_release(b);
}

void sim_media_spare(struct sim_media *m, struct sim_media_blob *b)
{
	struct sim_media_blob *old = m->first, *next;

	if (b->spare)
		return;
	b->spare = true;
	m->spare_bytes += b->data.len;
	for (; old != NULL && m->spare_bytes > SIM_MEDIA_SPARE; old = next) {
		next = old->next;
		if (old->spare)
			sim_media_drop(m, old);
	}
}

void sim_media_hold(struct sim_media_blob *b)
{
	b->holds++;
}

void sim_media_release(struct sim_media_blob *b)
{
	if (b != NULL && --b->holds == 0)
		blob_free(b);
}

struct sim_media_blob *sim_media_find_hash(struct sim_media *m, const uint8_t hash[SIM_HASH_LEN])
{
	struct sim_media_blob *b = m->by_hash[hash_bucket(hash)];

	while (b != NULL && memcmp(b->enc_sha256, hash, SIM_HASH_LEN) != 0)
		b = b->next_hash;
	return b;
}

struct sim_media_blob *sim_media_find_number(struct sim_media *m, uint64_t number)
{
	struct sim_media_blob *b = m->first;

	while (b != NULL && b->number != number)
		b = b->next;
	return b;
}

void sim_media_each(const struct sim_media *m, void (*on_blob)(struct sim_media_blob *b, void *arg),
                    void *arg)
{
	for (struct sim_media_blob *b = m->first; b != NULL; b = b->next)
		on_blob(b, arg);
}

uint64_t sim_media_bytes(const struct sim_media *m)
{
	return m->bytes;
}

size_t sim_media_count(const struct sim_media *m)
{
	return m->count;
}

/* ---- putting -----------------------------------------------------------------------------------
 */

static int draw_path(struct sim_media *m, enum sim_media_kind kind, char out[SIM_MEDIA_PATH_CAP])
{
	char digits[16], more[20];
	int rc = sim_rand_digits(&m->rnd, digits, 15);

	if (rc == 0)
		rc = sim_rand_digits(&m->rnd, more, 19);
	if (rc == 0)
		snprintf(out, SIM_MEDIA_PATH_CAP, "/v/%s/%s_%s_n.enc", sim_media_folder(kind),
		         digits, more);
	return rc;
}

/* Takes data, also on failure. path NULL: a new one. */
static int keep(struct sim_media *m, enum sim_media_kind kind, const char *path, struct buf *data,
                struct sim_media_blob **blob_out)
{
	struct sim_media_blob *b = NULL;
	int rc = 0;

	if (data->len > SIM_MEDIA_FILE_MAX || m->bytes + data->len > SIM_MEDIA_LIMIT)
		rc = WA_ELIMIT;
	if (rc == 0)
		b = calloc(1, sizeof(*b));
	if (rc == 0 && b == NULL)
		rc = -ENOMEM;
	if (rc == 0)
		rc = wa_sha256(data->p, data->len, b->enc_sha256);
	if (rc == 0 && path == NULL)
		rc = draw_path(m, kind, b->path);
	else if (rc == 0)
		snprintf(b->path, sizeof(b->path), "%s", path);
	if (rc < 0) {
		free(b);
		buf_free(data);
		return rc;
	}
	b->kind = kind;
	b->number = ++m->numbers;
	b->holds = 1;
	b->data = *data;
	insert(m, b);
	*blob_out = b;
	return 0;
}

int sim_media_move(struct sim_media *m, struct sim_media_blob *b)
{
	struct sim_media_blob **at = &m->by_path[path_bucket(b->path, strlen(b->path))];
	char path[SIM_MEDIA_PATH_CAP];
	int rc = draw_path(m, b->kind, path);

	if (rc < 0)
		return rc;
	while (*at != b)
		at = &(*at)->next_path;
	*at = b->next_path;
	memcpy(b->path, path, sizeof(b->path));
	at = &m->by_path[path_bucket(b->path, strlen(b->path))];
	b->next_path = *at;
	*at = b;
	return 0;
}

int sim_media_store(struct sim_media *m, enum sim_media_kind kind, const void *data, size_t len,
                    struct sim_media_blob **blob_out)
{
	struct buf copy = { 0 };
	uint8_t hash[SIM_HASH_LEN];
	struct sim_media_blob *b;
	int rc = wa_sha256(data, len, hash);

	if (rc < 0)
		return rc;
	b = sim_media_find_hash(m, hash);
	if (b != NULL) {
		*blob_out = b;
		return 0;
	}
	rc = buf_append(&copy, data, len);
	return rc < 0 ? rc : keep(m, kind, NULL, &copy, blob_out);
}

/* The message says something else than what is stored. */
static void lie(struct sim_media_file *f, enum sim_media_flaw flaw)
{
	if (flaw == SIM_FLAW_SHA256)
		f->sha256[0] ^= 1;
	if (flaw == SIM_FLAW_ENC_SHA256)
		f->enc_sha256[0] ^= 1;
	if (flaw == SIM_FLAW_KEY)
		f->key[0] ^= 1;
	if (flaw == SIM_FLAW_LENGTH)
		f->len++;
}

int sim_media_put(struct sim_media *m, enum sim_media_kind kind, enum sim_media_flaw flaw,
                  const void *data, size_t len, struct sim_media_file *file_out)
{
	struct sim_media_file f = { .len = len };
	struct sim_media_blob *b;
	struct buf stored = { 0 };
	int rc = sim_rand_bytes(&m->rnd, f.key, sizeof(f.key));

	if (rc == 0)
		rc = wa_sha256(data, len, f.sha256);
	if (rc == 0)
		rc = sim_media_seal(f.key, kind, flaw, data, len, &stored);
	if (rc < 0)
		buf_free(&stored);
	else
		rc = keep(m, kind, NULL, &stored, &b);
	if (rc < 0)
		return rc;
	memcpy(f.enc_sha256, b->enc_sha256, sizeof(f.enc_sha256));
	f.number = b->number;
	sim_media_direct_path(b, f.direct_path);
	sim_media_url(f.direct_path, f.url);
	lie(&f, flaw);
	*file_out = f;
	return 0;
}

void sim_media_direct_path(const struct sim_media_blob *b, char out[SIM_MEDIA_PATH_CAP])
{
	sim_media_sign_path(b->path, b->enc_sha256, out);
}

void sim_media_sign_path(const char *path, const uint8_t enc_sha256[SIM_HASH_LEN],
                         char out[SIM_MEDIA_PATH_CAP])
{
	char oh[B64_CAP(12)];

	b64_encode(enc_sha256, 12, oh);
	for (char *p = oh; *p != '\0'; p++)
		*p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
	if ((size_t)snprintf(out, SIM_MEDIA_PATH_CAP, "%.120s" QUERY, path, oh, EXPIRES) >=
	    SIM_MEDIA_PATH_CAP)
		out[0] = '\0';
}

void sim_media_url(const char *direct_path, char out[SIM_MEDIA_URL_CAP])
{
	snprintf(out, SIM_MEDIA_URL_CAP, "https://mmg.whatsapp.net%.*s&mms3=true",
	         SIM_MEDIA_PATH_CAP - 1, direct_path);
}

/* ---- finding -----------------------------------------------------------------------------------
 */

void sim_media_set_source(struct sim_media *m, sim_media_source_fn *source, void *arg)
{
	m->source = source;
	m->source_arg = arg;
}

/* Made for the one who asks, and forgotten when he releases it: nothing is kept. */
static struct sim_media_blob *ask_source(struct sim_media *m, const char *path, size_t path_len)
{
	struct sim_media_blob *b;

	if (m->source == NULL || path_len < strlen(SIM_MEDIA_SOURCE_PREFIX) ||
	    path_len >= SIM_MEDIA_PATH_CAP ||
	    memcmp(path, SIM_MEDIA_SOURCE_PREFIX, strlen(SIM_MEDIA_SOURCE_PREFIX)) != 0)
		return NULL;
	b = calloc(1, sizeof(*b));
	if (b == NULL)
		return NULL;
	memcpy(b->path, path, path_len);
	if (m->source(b->path, &b->data, m->source_arg) < 0 ||
	    wa_sha256(b->data.p, b->data.len, b->enc_sha256) < 0) {
		blob_free(b);
		return NULL;
	}
	return b;
}

struct sim_media_blob *sim_media_find(struct sim_media *m, const char *path, size_t path_len)
{
	struct sim_media_blob *b = m->by_path[path_bucket(path, path_len)];

	while (b != NULL && (strlen(b->path) != path_len || memcmp(b->path, path, path_len) != 0))
		b = b->next_path;
	return b != NULL ? b : ask_source(m, path, path_len);
}

/* ---- tokens of media_conn ----------------------------------------------------------------------
 */

static int auth_text(const struct sim_media *m, uint64_t number, char out[SIM_MEDIA_AUTH_CAP])
{
	char text[17];
	uint8_t mac[32];
	int rc;

	snprintf(text, sizeof(text), "%016" PRIx64, number);
	rc = wa_hmac_sha256(m->auth_key, sizeof(m->auth_key), text, 16, mac);
	if (rc < 0)
		return rc;
	memcpy(out, text, 16);
	hex_encode(mac, 16, out + 16);
	return 0;
}

int sim_media_auth(struct sim_media *m, char out[SIM_MEDIA_AUTH_CAP])
{
	return auth_text(m, ++m->auths, out);
}

bool sim_media_auth_ok(const struct sim_media *m, const char *auth, size_t auth_len)
{
	char number[17] = "", right[SIM_MEDIA_AUTH_CAP];
	unsigned long long n;
	char *end;

	if (auth_len != SIM_MEDIA_AUTH_CAP - 1)
		return false;
	memcpy(number, auth, 16);
	n = strtoull(number, &end, 16);
	return *end == '\0' && n > m->auths_revoked && n <= m->auths &&
	       auth_text(m, n, right) == 0 && secret_eq(right, auth, auth_len);
}

void sim_media_auth_revoke(struct sim_media *m)
{
	m->auths_revoked = m->auths;
}

/* ---- content -----------------------------------------------------------------------------------
 */

int sim_media_make(enum sim_media_kind kind, uint64_t seed, size_t len, struct buf *out)
{
	static const struct {
		const char *bytes;
		size_t len;
	} magic[SIM_MEDIA_KINDS_N] = {
		[SIM_MEDIA_IMAGE] = { "\xff\xd8\xff\xe0\x00\x10JFIF", 10 },
		[SIM_MEDIA_VIDEO] = { "\0\0\0\x18"
		                      "ftypmp42",
		                      12 },
		[SIM_MEDIA_AUDIO] = { "OggS\0\x02", 6 },
		[SIM_MEDIA_DOCUMENT] = { "%PDF-1.7\n", 9 },
		[SIM_MEDIA_STICKER] = { "RIFF\x10\0\0\0WEBP", 12 },
	};
	uint64_t x = seed;
	uint8_t *p;
	int rc = buf_reserve(out, len + 8);

	if (rc < 0)
		return rc;
	p = out->p + out->len;
	for (size_t i = 0; i < len; i += 8) { /* splitmix64 */
		uint64_t z = x += UINT64_C(0x9e3779b97f4a7c15);

		z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
		z ^= z >> 31;
		memcpy(p + i, &z, 8);
	}
	if (magic[kind].bytes != NULL && magic[kind].len <= len)
		memcpy(p, magic[kind].bytes, magic[kind].len);
	out->len += len;
	return 0;
}

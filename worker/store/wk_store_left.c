/* worker/store/wk_store_left.c - events whose session.db is gone */
#include "worker/store/wk_store_left.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/err.h"
#include "common/io.h"
#include "common/rd.h"
#include "common/wr.h"
#include "worker/store/wk_store_priv.h"

#define FILE_MAX (64u * 1024 * 1024) /* sealed, with the last event, which may be a large one */
#define HEAD_ROW 0                   /* numbers of events begin with 1 */

/*
 * The file: for each part the length of its envelope (4 bytes, little-endian), its number (8),
 * which is sealed in, and the envelope. Part 0 is the head (store, newest); the others are events
 * (kind, flags, time, data) with their numbers.
 */
#define PART_HEAD_LEN 12
#define HEAD_LEN 16       /* store, newest */
#define EVENT_HEAD_LEN 16 /* kind, flags, time */

static struct sealed_place place_of(const char *instance_id, uint64_t row)
{
	return (struct sealed_place){
		.owner = instance_id, .table = "left", .column = "event", .row = (int64_t)row
	};
}

/* ---- writing -----------------------------------------------------------------------------------
 */

static int write_part(struct wk_store *st, int fd, uint64_t row, const struct buf *plain)
{
	const struct sealed_place place = place_of(st->instance_id, row);
	struct buf env = { 0 };
	uint8_t head[PART_HEAD_LEN];
	struct wr w;
	int rc = sealed_seal(&st->key, &place, plain->p, plain->len, &env);

	wr_init(&w, head, sizeof(head));
	wr_le32(&w, (uint32_t)env.len); /* of an event, which is bounded */
	wr_le64(&w, row);
	if (rc == 0 &&
	    (io_write_all(fd, head, sizeof(head)) < 0 || io_write_all(fd, env.p, env.len) < 0))
		rc = WA_ESTORAGE;
	buf_free(&env);
	return rc;
}

static int write_row(struct wk_store *st, int fd, const struct wk_outbox_row *row)
{
	struct buf plain = { 0 };
	uint8_t head[EVENT_HEAD_LEN];
	struct wr w;
	int rc;

	wr_init(&w, head, sizeof(head));
	wr_le32(&w, (uint32_t)row->kind);
	wr_le32(&w, row->flags);
	wr_le64(&w, (uint64_t)row->unix_ms);
	rc = buf_append(&plain, head, sizeof(head));
	if (rc == 0)
		rc = buf_append(&plain, row->data.p, row->data.len);
	if (rc == 0)
		rc = write_part(st, fd, row->number, &plain);
	buf_wipe(&plain);
	return rc;
}

static int write_file(struct wk_store *st, int fd, const struct wk_outbox_stock *stock,
                      const struct wk_outbox_row *rows, size_t n)
{
	uint8_t bytes[HEAD_LEN];
	const struct buf head = { .p = bytes, .len = sizeof(bytes) };
	struct wr w;
	int rc;

	wr_init(&w, bytes, sizeof(bytes));
	wr_le64(&w, stock->store);
	wr_le64(&w, stock->newest);
	rc = write_part(st, fd, HEAD_ROW, &head);
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = write_row(st, fd, &rows[i]);
	if (rc == 0 && fsync(fd) < 0)
		rc = WA_ESTORAGE;
	return rc;
}

int wk_store_left_write(struct wk_store *st, const struct wk_outbox_stock *stock,
                        const struct wk_outbox_row *rows, size_t rows_n)
{
	int dir = open(st->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;
	int rc = dir < 0 ? WA_ESTORAGE : 0;

	if (rc == 0)
		fd = openat(dir, WK_LEFT_NAME ".new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
		            0600);
	if (rc == 0)
		rc = fd < 0 ? WA_ESTORAGE : write_file(st, fd, stock, rows, rows_n);
	if (fd >= 0)
		(void)close(fd);
	if (rc == 0 &&
	    (renameat(dir, WK_LEFT_NAME ".new", dir, WK_LEFT_NAME) < 0 || fsync(dir) < 0))
		rc = WA_ESTORAGE;
	if (rc < 0 && dir >= 0)
		(void)unlinkat(dir, WK_LEFT_NAME ".new", 0);
	if (dir >= 0)
		(void)close(dir);
	return rc;
}

/* ---- reading -----------------------------------------------------------------------------------
 */

static int read_file(const char *dir, struct buf *out)
{
	char path[PATH_MAX];
	struct stat sb;
	ssize_t n;
	int fd, rc;

	if (snprintf(path, sizeof(path), "%s/" WK_LEFT_NAME, dir) >= (int)sizeof(path))
		return WA_ESTORAGE;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return errno == ENOENT ? -ENOENT : WA_ESTORAGE;
	rc = fstat(fd, &sb) < 0                                        ? WA_ESTORAGE
	     : !S_ISREG(sb.st_mode) || (uint64_t)sb.st_size > FILE_MAX ? WA_ESTORE_CORRUPT
	                                                               : 0;
	if (rc == 0)
		rc = buf_reserve(out, (size_t)sb.st_size);
	while (rc == 0 && out->len < (size_t)sb.st_size) {
		n = read(fd, out->p + out->len, (size_t)sb.st_size - out->len);
		if (n > 0)
			out->len += (size_t)n;
		else if (n == 0 || errno != EINTR)
			rc = n == 0 ? WA_ESTORE_CORRUPT : WA_ESTORAGE;
	}
	(void)close(fd);
	return rc;
}

/* The part that comes next, and its number. */
static int open_part(struct rd *r, const struct sealed_key *key, const char *id,
                     uint64_t *number_out, struct buf *plain)
{
	size_t len = rd_le32(r);
	uint64_t number = rd_le64(r);
	const struct sealed_place place = place_of(id, number);
	const uint8_t *env = rd_bytes(r, len);
	int rc = env == NULL ? WA_ESTORE_CORRUPT : sealed_open(key, &place, env, len, plain);

	*number_out = number;
	return rc == 0 || rc == -ENOMEM || rc == WA_ECRYPTO ? rc : WA_ESTORE_CORRUPT;
}

static int read_head(struct rd *r, const struct sealed_key *key, const char *id,
                     struct wk_outbox_stock *stock)
{
	struct buf plain = { 0 };
	uint64_t number;
	struct rd in;
	int rc = open_part(r, key, id, &number, &plain);

	rd_init(&in, plain.p, plain.len);
	stock->store = rd_le64(&in);
	stock->newest = rd_le64(&in);
	if (rc == 0 && (number != HEAD_ROW || in.err != 0 || in.left != 0))
		rc = WA_ESTORE_CORRUPT;
	buf_free(&plain);
	return rc;
}

/* after: the number before it; they rise. */
static int read_row(struct rd *r, const struct sealed_key *key, const char *id, uint64_t after,
                    struct wk_outbox_row *row)
{
	struct buf plain = { 0 };
	struct rd in;
	int rc = open_part(r, key, id, &row->number, &plain);

	rd_init(&in, plain.p, plain.len);
	row->kind = (int)rd_le32(&in);
	row->flags = rd_le32(&in);
	row->unix_ms = (int64_t)rd_le64(&in);
	if (rc == 0 && (in.err != 0 || row->number <= after))
		rc = WA_ESTORE_CORRUPT;
	if (rc == 0)
		rc = buf_append(&row->data, plain.p + (plain.len - in.left), in.left);
	buf_wipe(&plain);
	return rc;
}

static int read_rows(struct rd *r, const struct sealed_key *key, const char *id,
                     struct wk_outbox_stock *stock, struct wk_outbox_row *rows)
{
	uint64_t after = 0;
	int rc = 0;

	while (rc == 0 && r->left > 0) {
		if (stock->n == WK_LEFT_N)
			return WA_ESTORE_CORRUPT;
		rc = read_row(r, key, id, after, &rows[stock->n]);
		if (rc == 0) {
			after = rows[stock->n].number;
			stock->bytes += rows[stock->n++].data.len;
		}
	}
	return rc == 0 && after > stock->newest ? WA_ESTORE_CORRUPT : rc;
}

int wk_store_left_read(const char *dir, const char *instance_id, const struct sealed_key *key,
                       struct wk_outbox_stock *stock_out, struct wk_outbox_row **rows_out,
                       size_t *rows_n_out)
{
	struct wk_outbox_stock stock = { 0 };
	struct wk_outbox_row *rows = NULL;
	struct buf file = { 0 };
	struct rd r;
	int rc = read_file(dir, &file);

	rd_init(&r, file.p, file.len);
	if (rc == 0)
		rc = read_head(&r, key, instance_id, &stock);
	if (rc == 0) {
		rows = calloc(WK_LEFT_N, sizeof(*rows));
		rc = rows == NULL ? -ENOMEM : read_rows(&r, key, instance_id, &stock, rows);
	}
	buf_free(&file);
	if (rc < 0) {
		for (size_t i = 0; rows != NULL && i < stock.n; i++)
			buf_wipe(&rows[i].data);
		free(rows);
		return rc;
	}
	*stock_out = stock;
	*rows_out = rows;
	*rows_n_out = (size_t)stock.n;
	return 0;
}

void wk_store_left_remove(const char *dir)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof(path), "%s/" WK_LEFT_NAME, dir) < (int)sizeof(path))
		(void)unlink(path);
}

const char *wk_store_dir(const struct wk_store *st)
{
	return st->dir;
}

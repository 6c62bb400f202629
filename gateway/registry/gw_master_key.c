/* gateway/registry/gw_master_key.c - the key that wraps every secret at rest */
#include "gateway/registry/gw_master_key.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/codec.h"
#include "common/err.h"
#include "common/io.h"
#include "common/log.h"
#include "common/secret.h"

#define HEX_LEN (2 * (size_t)SEALED_KEY_LEN)
#define FILE_MAX (HEX_LEN + 2) /* with "\r\n" */

struct gw_master_key {
	uint8_t bytes[SEALED_KEY_LEN];
};

void gw_master_key_free(struct gw_master_key *k)
{
	secret_free(k);
}

int gw_master_key_derive(const struct gw_master_key *k, const char *owner, uint32_t epoch,
                         struct sealed_key *key_out)
{
	return k != NULL ? sealed_derive(k->bytes, owner, epoch, key_out) : WA_ECRYPTO;
}

/* ---- the file --------------------------------------------------------------- */

static void complain(const char *path, const char *why, int rc)
{
	LOG(NULL, LOG_ERR, "master_key_unusable", LF_STR("file", path), LF_STR("why", why),
	    LF_ERR("err", rc));
}

/* Whoever may write the file may choose the key, and whoever may read it has all that is sealed. */
const char *gw_master_key_why_unsafe(mode_t mode, uid_t owner, uid_t uid)
{
	if (!S_ISREG(mode))
		return NULL;
	if (owner != 0 && owner != uid)
		return "it belongs to another user";
	return (mode & 027) != 0 ? "others may read or change it: chmod 600" : NULL;
}

/* Up to cap bytes of the file. Negative: -errno; -EPERM: unsafe. why_out NULL: safe or not. */
static ssize_t file_read(const char *path, uint8_t *out, size_t cap, const char **why_out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	const char *unsafe = NULL;
	struct stat st;
	ssize_t n = 1;
	int rc = 0;

	if (why_out != NULL)
		*why_out = "it can't be read";
	if (fd < 0)
		return -errno;
	if (why_out != NULL && fstat(fd, &st) == 0)
		unsafe = gw_master_key_why_unsafe(st.st_mode, st.st_uid, geteuid());
	if (unsafe != NULL) {
		*why_out = unsafe;
		rc = -EPERM;
	}
	while (rc == 0 && n > 0 && len < cap) {
		n = read(fd, out + len, cap - len);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n < 0)
			rc = -errno;
		else
			len += (size_t)n;
	}
	close(fd);
	return rc < 0 ? rc : (ssize_t)len;
}

/* 32 bytes as they are, or 64 hex digits and perhaps a line end. */
static int parse(const uint8_t *data, size_t n, uint8_t out[SEALED_KEY_LEN])
{
	char hex[HEX_LEN + 1];
	int rc;

	if (n == SEALED_KEY_LEN) {
		memcpy(out, data, n);
		return 0;
	}
	while (n > HEX_LEN && (data[n - 1] == '\n' || data[n - 1] == '\r'))
		n--;
	if (n != HEX_LEN)
		return -EINVAL;
	memcpy(hex, data, n);
	hex[n] = '\0';
	rc = hex_decode(hex, out, SEALED_KEY_LEN);
	secret_wipe(hex, sizeof(hex));
	return rc;
}

/* A group may be meant to, and the mode of systemd's credentials shows their access list there. */
static void warn_of_readers(const char *path)
{
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	struct stat st;

	if (credentials != NULL && strncmp(path, credentials, strlen(credentials)) == 0)
		return;
	if (stat(path, &st) == 0 && (st.st_mode & 077) != 0)
		LOG(NULL, LOG_WARNING, "master_key_readable_by_others", LF_STR("file", path));
}

static int load(const char *path, struct gw_master_key **key_out)
{
	uint8_t data[FILE_MAX + 1];
	struct gw_master_key *k = secret_alloc(sizeof(*k));
	const char *why = "there is no memory for it";
	ssize_t n = k == NULL ? -ENOMEM : file_read(path, data, sizeof(data), &why);
	int rc = n < 0 ? (int)n : parse(data, (size_t)n, k->bytes);

	secret_wipe(data, sizeof(data));
	if (rc == 0) {
		warn_of_readers(path);
		*key_out = k;
		return 0;
	}
	complain(path, n < 0 ? why : "it holds neither 32 bytes nor 64 hex digits", rc);
	gw_master_key_free(k);
	return rc;
}

int gw_master_key_derive_from(const char *path, const char *owner, uint32_t epoch,
                              struct sealed_key *key_out)
{
	uint8_t data[FILE_MAX + 1];
	struct gw_master_key *k = secret_alloc(sizeof(*k));
	ssize_t n = k == NULL ? -ENOMEM : file_read(path, data, sizeof(data), NULL);
	int rc = n < 0 ? (int)n : parse(data, (size_t)n, k->bytes);

	secret_wipe(data, sizeof(data));
	if (rc == 0)
		rc = gw_master_key_derive(k, owner, epoch, key_out);
	gw_master_key_free(k);
	return rc;
}

/* Complete and durable under its name, or not there; one that is there stays. */
static int make(const char *dir, const char *path)
{
	char next[PATH_MAX + 8];
	uint8_t key[SEALED_KEY_LEN];
	int dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = -1;
	int rc = dir_fd < 0 ? -errno : secret_random(key, sizeof(key));

	snprintf(next, sizeof(next), "%s.new", path);
	if (rc == 0) {
		unlink(next); /* of a start that was cut short */
		fd = open(next, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		rc = fd < 0 ? -errno : io_write_all(fd, key, sizeof(key));
	}
	if (rc == 0 && fsync(fd) < 0)
		rc = -errno;
	secret_wipe(key, sizeof(key));
	if (fd >= 0 && close(fd) < 0 && rc == 0)
		rc = -errno;
	if (rc == 0 && link(next, path) < 0)
		rc = -errno;
	if (fd >= 0)
		unlink(next);
	if (rc == 0 && fsync(dir_fd) < 0)
		rc = -errno;
	if (dir_fd >= 0)
		close(dir_fd);
	return rc;
}

static int load_own(const char *path, const char *data_dir, bool first,
                    struct gw_master_key **key_out)
{
	int rc = 0;

	if (strlen(path) >= PATH_MAX - 8)
		return -ENAMETOOLONG;
	if (access(path, F_OK) == 0)
		return load(path, key_out);
	if (!first) {
		complain(path, "it is missing; what is sealed in data_dir can't be read without it",
		         -ENOENT);
		return -ENOENT;
	}
	rc = make(data_dir, path);
	if (rc < 0) {
		complain(path, "it can't be made", rc);
		return rc;
	}
	LOG(NULL, LOG_NOTICE, "master_key_made", LF_STR("file", path));
	return load(path, key_out);
}

int gw_master_key_where(const char *file, const char *data_dir, char *path_out, size_t path_cap,
                        const char **from_out)
{
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	int n;

	if (file != NULL) {
		*from_out = "setting";
		n = snprintf(path_out, path_cap, "%s", file);
		return n < 0 || (size_t)n >= path_cap ? -ENAMETOOLONG : 0;
	}
	if (credentials != NULL && credentials[0] == '/') {
		*from_out = "credential";
		n = snprintf(path_out, path_cap, "%s/master_key", credentials);
		if (n > 0 && (size_t)n < path_cap && access(path_out, F_OK) == 0)
			return 0;
	}
	*from_out = "data_dir";
	n = snprintf(path_out, path_cap, "%s/master.key", data_dir);
	return n < 0 || (size_t)n >= path_cap ? -ENAMETOOLONG : 0;
}

int gw_master_key_load(const char *file, const char *data_dir, bool first,
                       struct gw_master_key **key_out)
{
	char path[PATH_MAX];
	const char *from;
	int rc = gw_master_key_where(file, data_dir, path, sizeof(path), &from);

	if (rc < 0)
		return rc;
	return strcmp(from, "data_dir") == 0 ? load_own(path, data_dir, first, key_out)
	                                     : load(path, key_out);
}

/* simulator/base/sim_state.c - the state directory */
#include "simulator/base/sim_state.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/codec.h"
#include "common/secret.h"

struct sim_state {
	char dir[PATH_MAX];
	bool temporary;
};

static const char *const own_files[] = { "root.key", "ca.key", "ca.pem" };

static int make_temporary(struct sim_state *s)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(s->dir, sizeof(s->dir), "%s/warden-sim-XXXXXX",
	         tmp != NULL && tmp[0] == '/' ? tmp : "/tmp");
	if (mkdtemp(s->dir) == NULL)
		return -errno;
	s->temporary = true;
	return 0;
}

static int use_given(struct sim_state *s, const char *dir)
{
	if (strlen(dir) >= sizeof(s->dir))
		return -ENAMETOOLONG;
	memcpy(s->dir, dir, strlen(dir) + 1);
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	return access(dir, R_OK | W_OK | X_OK) < 0 ? -errno : 0;
}

int sim_state_open(const char *dir, struct sim_state **state_out)
{
	struct sim_state *s = calloc(1, sizeof(*s));
	int rc;

	if (s == NULL)
		return -ENOMEM;
	rc = dir == NULL ? make_temporary(s) : use_given(s, dir);
	if (rc < 0)
		free(s);
	else
		*state_out = s;
	return rc;
}

void sim_state_free(struct sim_state *s)
{
	char path[PATH_MAX + 16];

	if (s == NULL)
		return;
	for (size_t i = 0; s->temporary && i < ARRAY_LEN(own_files); i++) {
		snprintf(path, sizeof(path), "%s/%s", s->dir, own_files[i]);
		unlink(path);
	}
	if (s->temporary)
		rmdir(s->dir);
	free(s);
}

const char *sim_state_dir(const struct sim_state *s)
{
	return s->dir;
}

static int write_key(const char *path, const struct wa_keypair *key)
{
	char text[HEX_CAP(WA_KEY_LEN) + 1];
	int fd, rc = 0;

	hex_encode(key->priv, WA_KEY_LEN, text);
	text[2 * WA_KEY_LEN] = '\n';
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	if (write(fd, text, 2 * WA_KEY_LEN + 1) != 2 * WA_KEY_LEN + 1)
		rc = -EIO;
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	secret_wipe(text, sizeof(text));
	return rc;
}

static int read_key(int fd, struct wa_keypair *key_out)
{
	char text[2 * WA_KEY_LEN + 1] = { 0 };
	uint8_t priv[WA_KEY_LEN];
	int rc;

	if (read(fd, text, 2 * WA_KEY_LEN) != 2 * WA_KEY_LEN ||
	    hex_decode(text, priv, sizeof(priv)) < 0)
		return -EINVAL;
	rc = wa_keypair_from_priv(priv, key_out);
	secret_wipe(text, sizeof(text));
	secret_wipe(priv, sizeof(priv));
	return rc;
}

int sim_state_root_key(const struct sim_state *s, const struct sim_rand *rnd,
                       struct wa_keypair *root_out)
{
	char path[PATH_MAX + 16];
	struct sim_rand own;
	int fd, rc;

	snprintf(path, sizeof(path), "%s/root.key", s->dir);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		rc = read_key(fd, root_out);
		close(fd);
		return rc;
	}
	if (errno != ENOENT)
		return -errno;
	rc = sim_rand_fork(rnd, "root", 0, &own);
	if (rc == 0)
		rc = sim_rand_keypair(&own, root_out);
	return rc < 0 ? rc : write_key(path, root_out);
}

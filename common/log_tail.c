/* common/log_tail.c - a ring of log lines in a memfd, and what its process has in hand */
#include "common/log_tail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct log_tail {
	uint64_t total;
	_Atomic uint64_t hand;
	char ring[LOG_TAIL_LEN];
};

int log_tail_new(struct log_tail **tail_out, int *fd_out)
{
	int fd = memfd_create("warden-log", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *p;
	int rc;

	if (fd < 0)
		return -errno;
	if (ftruncate(fd, sizeof(struct log_tail)) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	p = mmap(NULL, sizeof(struct log_tail), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		rc = -errno;
		close(fd);
		return rc;
	}
	*tail_out = p;
	*fd_out = fd;
	return 0;
}

void log_tail_free(struct log_tail *t)
{
	if (t != NULL)
		munmap(t, sizeof(*t));
}

void log_tail_put(struct log_tail *t, const char *line, size_t len)
{
	size_t at, first;

	if (len > LOG_TAIL_LEN) {
		line += len - LOG_TAIL_LEN;
		len = LOG_TAIL_LEN;
	}
	at = (size_t)(t->total % LOG_TAIL_LEN);
	first = LOG_TAIL_LEN - at < len ? LOG_TAIL_LEN - at : len;
	memcpy(t->ring + at, line, first);
	memcpy(t->ring, line + first, len - first);
	t->total += len;
}

void log_tail_hand(struct log_tail *t, uint64_t key)
{
	/* the compiler must not move it past the work: whatever ends this process there finds it */
	atomic_store_explicit(&t->hand, key, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
}

/* Of a size that cannot change, and not something that blocks. */
static int check(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	return seals >= 0 && (seals & F_SEAL_SHRINK) != 0 && S_ISREG(st.st_mode) &&
	               st.st_size == sizeof(struct log_tail)
	           ? 0
	           : -EINVAL;
}

static char printable(char c)
{
	return (c >= ' ' && c <= '~') || c == '\n' ? c : '?';
}

static int read_all(int fd, struct log_tail *t)
{
	int rc = check(fd);
	ssize_t got;

	if (rc < 0)
		return rc;
	got = pread(fd, t, sizeof(*t), 0);
	if (got != (ssize_t)sizeof(*t))
		return got < 0 ? -errno : -EINVAL;
	return 0;
}

int log_tail_read_hand(int fd, uint64_t *key_out)
{
	struct log_tail t;
	int rc = read_all(fd, &t);

	if (rc == 0)
		*key_out = t.hand;
	return rc;
}

int log_tail_read(int fd, char *out)
{
	struct log_tail t;
	size_t len, at, n = 0;
	int rc = read_all(fd, &t);

	if (rc < 0)
		return rc;
	len = t.total < LOG_TAIL_LEN ? (size_t)t.total : LOG_TAIL_LEN;
	at = t.total < LOG_TAIL_LEN ? 0 : (size_t)(t.total % LOG_TAIL_LEN);
	for (size_t i = 0; i < len; i++)
		out[n++] = printable(t.ring[(at + i) % LOG_TAIL_LEN]);
	out[n] = '\0';
	if (t.total > LOG_TAIL_LEN) { /* the first line has lost its beginning */
		const char *whole = strchr(out, '\n');

		if (whole != NULL)
			memmove(out, whole + 1, strlen(whole + 1) + 1);
	}
	return 0;
}

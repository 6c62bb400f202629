/* common/log_journal.c - log lines as entries of systemd's journal */
#include "common/log_journal.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define KEY_MAX 60 /* the journal takes 64 */

static struct {
	int fd;           /* connected; -1: none */
	atomic_uint lost; /* lines since it had no room; nothing waits meanwhile */
	struct sockaddr_un where;
} journal = { .fd = -1 };

static int dial(void)
{
	return connect(journal.fd, (const struct sockaddr *)&journal.where,
	               sizeof(journal.where)) == 0
	           ? 0
	           : -errno;
}

int log_journal_open(const char *path, unsigned wait_ms)
{
	const struct timeval wait = { .tv_sec = wait_ms / 1000, .tv_usec = wait_ms % 1000 * 1000L };
	size_t len = strlen(path);
	int rc;

	if (journal.fd >= 0)
		return 0;
	if (len >= sizeof(journal.where.sun_path))
		return -ENAMETOOLONG;
	journal.where = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(journal.where.sun_path, path, len);
	journal.lost = 0;
	journal.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (journal.fd < 0)
		return -errno;
	(void)setsockopt(journal.fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	rc = dial();
	if (rc < 0)
		log_journal_close();
	return rc;
}

void log_journal_close(void)
{
	if (journal.fd >= 0)
		(void)close(journal.fd);
	journal.fd = -1;
}

bool log_journal_is_open(void)
{
	return journal.fd >= 0;
}

/* ---- an entry ---------------------------------------------------------------------------------
 */

/* Of a field's name: A-Z, 0-9 and _, none of them small. */
static char key_char(char c)
{
	if (c >= 'a' && c <= 'z')
		return (char)(c - 'a' + 'A');
	return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? c : '_';
}

static size_t put_key(char *out, const char *prefix, const char *key)
{
	size_t n = 0;

	for (; *prefix != '\0'; prefix++)
		out[n++] = key_char(*prefix);
	for (; *key != '\0'; key++)
		out[n++] = key_char(*key);
	return n;
}

/* "KEY=value\n", or, where the value has a line end, "KEY\n", its length in 64 bits, the value. */
void log_journal_put(struct log_journal_entry *e, const char *prefix, const char *key,
                     const char *value, size_t value_len)
{
	bool lines = memchr(value, '\n', value_len) != NULL;
	size_t key_len = strlen(prefix) + strlen(key);
	size_t room = sizeof(e->p) - e->len;
	char *p = e->p + e->len;

	if (key_len > KEY_MAX || value_len > room ||
	    key_len + 2 + sizeof(uint64_t) > room - value_len)
		return;
	p += put_key(p, prefix, key);
	*p++ = lines ? '\n' : '=';
	for (unsigned i = 0; lines && i < 64; i += 8)
		*p++ = (char)((uint64_t)value_len >> i & 0xff);
	memcpy(p, value, value_len);
	p += value_len;
	*p++ = '\n';
	e->len = (size_t)(p - e->p);
}

/* ---- sending it -------------------------------------------------------------------------------
 */

static int send_entry(const struct log_journal_entry *e)
{
	int flags = MSG_NOSIGNAL | (journal.lost > 0 ? MSG_DONTWAIT : 0);
	ssize_t n;

	do
		n = send(journal.fd, e->p, e->len, flags);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

static void tell_lost(void)
{
	struct log_journal_entry e;
	char text[48];
	unsigned lost = atomic_exchange(&journal.lost, 0);
	int n = snprintf(text, sizeof(text), "log_lines_lost n=%u", lost);

	if (lost == 0)
		return; /* another thread tells */

	e.len = 0;
	log_journal_put(&e, "", "MESSAGE", text, (size_t)n);
	log_journal_put(&e, "", "PRIORITY", "4", 1);
	log_journal_put(&e, "", "EVENT", "log_lines_lost", strlen("log_lines_lost"));
	if (send_entry(&e) < 0)
		journal.lost += lost;
}

bool log_journal_send(const struct log_journal_entry *e)
{
	int rc;

	if (journal.fd < 0)
		return false;
	rc = send_entry(e);
	/* journald's socket was made anew */
	if ((rc == -ECONNREFUSED || rc == -ENOTCONN || rc == -ECONNRESET) && dial() == 0)
		rc = send_entry(e);
	if (rc == -EAGAIN) {
		journal.lost++;
		return true;
	}
	if (rc == 0 && journal.lost > 0)
		tell_lost();
	return rc == 0;
}

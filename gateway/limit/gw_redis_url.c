/* gateway/limit/gw_redis_url.c - the setting redis_url, taken apart */
#include "gateway/limit/gw_redis_url.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/codec.h"
#include "common/secret.h"

#define TEXT_MAX 2048

/* A piece of the URL. */
struct piece {
	const char *p;
	size_t len;
};

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent escapes decoded; printable ASCII and bytes above it only. */
static int decode(struct piece in, char *out, size_t cap)
{
	size_t n = 0;

	for (size_t i = 0; i < in.len; i++) {
		unsigned char c = (unsigned char)in.p[i];

		if (c == '%') {
			bool whole = i + 2 < in.len;
			int hi = whole ? hex_value(in.p[i + 1]) : -1;
			int lo = whole ? hex_value(in.p[i + 2]) : -1;

			if (hi < 0 || lo < 0)
				return -EINVAL;
			c = (unsigned char)(hi << 4 | lo);
			i += 2;
		}
		if (c < ' ' || c == 0x7f || n + 1 >= cap)
			return -EINVAL;
		out[n++] = (char)c;
	}
	out[n] = '\0';
	return 0;
}

static int number(struct piece in, uint64_t max, uint64_t *v_out)
{
	char digits[8];

	if (in.len == 0 || in.len >= sizeof(digits))
		return -EINVAL;
	memcpy(digits, in.p, in.len);
	digits[in.len] = '\0';
	return dec_decode(digits, max, v_out);
}

static int parse_db(struct piece in, struct gw_redis_target *t)
{
	uint64_t db;
	int rc = number(in, GW_REDIS_DB_MAX, &db);

	if (rc == 0)
		t->db = (uint32_t)db;
	return rc;
}

/* ---- redis:// -------------------------------------------------------------------------------- */

/* "user:password", "user" or ":password" */
static int parse_login(struct piece in, struct gw_redis_target *t)
{
	const char *colon = memchr(in.p, ':', in.len);
	struct piece user = in, password = { in.p, 0 };

	if (colon != NULL) {
		user.len = (size_t)(colon - in.p);
		password = (struct piece){ colon + 1, in.len - user.len - 1 };
	}
	if (decode(user, t->user, sizeof(t->user)) < 0)
		return -EINVAL;
	return decode(password, t->password, sizeof(t->password));
}

static bool host_ok(const char *host)
{
	static const char allowed[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_";

	return *host != '\0' && host[strspn(host, allowed)] == '\0';
}

static bool address_ok(const char *host)
{
	return *host != '\0' && host[strspn(host, "0123456789abcdefABCDEF:.")] == '\0';
}

/* "host", "host:port", "[::1]:port" */
static int parse_place(struct piece in, struct gw_redis_target *t)
{
	struct piece host = in, port = { NULL, 0 };
	bool brackets = in.len > 0 && in.p[0] == '[';
	const char *end = memchr(in.p, brackets ? ']' : ':', in.len);
	uint64_t v = GW_REDIS_PORT;

	if (brackets) {
		if (end == NULL)
			return -EINVAL;
		host = (struct piece){ in.p + 1, (size_t)(end - in.p) - 1 };
		end++;
		if (end == in.p + in.len)
			end = NULL;
		else if (*end != ':')
			return -EINVAL;
	} else if (end != NULL) {
		host.len = (size_t)(end - in.p);
	}
	if (end != NULL) {
		port = (struct piece){ end + 1, in.len - (size_t)(end + 1 - in.p) };
		if (number(port, UINT16_MAX, &v) < 0 || v == 0)
			return -EINVAL;
	}
	if (host.len >= sizeof(t->host))
		return -EINVAL;
	memcpy(t->host, host.p, host.len);
	t->host[host.len] = '\0';
	t->port = (uint16_t)v;
	return (brackets ? address_ok(t->host) : host_ok(t->host)) ? 0 : -EINVAL;
}

static int parse_tcp(const char *text, struct gw_redis_target *t)
{
	struct piece place = { text, strcspn(text, "/") }, login;
	const char *db = text + place.len;
	/* The last "@": a password that nobody encoded may hold one. */
	const char *at = memrchr(place.p, '@', place.len);

	if (at != NULL) {
		login = (struct piece){ place.p, (size_t)(at - place.p) };
		place = (struct piece){ at + 1, place.len - login.len - 1 };
		if (parse_login(login, t) < 0)
			return -EINVAL;
	}
	if (parse_place(place, t) < 0)
		return -EINVAL;
	if (*db == '\0' || db[1] == '\0')
		return 0;
	return parse_db((struct piece){ db + 1, strlen(db + 1) }, t);
}

/* ---- unix: ----------------------------------------------------------------------------------- */

static int parse_option(struct piece in, struct gw_redis_target *t)
{
	const char *eq = memchr(in.p, '=', in.len);
	size_t key_len = eq == NULL ? 0 : (size_t)(eq - in.p);
	struct piece value;

	if (eq == NULL)
		return -EINVAL;
	value = (struct piece){ eq + 1, in.len - key_len - 1 };
	if (key_len == 2 && memcmp(in.p, "db", 2) == 0)
		return parse_db(value, t);
	if (key_len == 4 && memcmp(in.p, "user", 4) == 0)
		return decode(value, t->user, sizeof(t->user));
	if (key_len == 8 && memcmp(in.p, "password", 8) == 0)
		return decode(value, t->password, sizeof(t->password));
	return -EINVAL;
}

static int parse_socket(const char *text, struct gw_redis_target *t)
{
	struct piece path, option;

	if (text[0] == '/' && text[1] == '/')
		text += 2; /* unix:///path */
	path = (struct piece){ text, strcspn(text, "?") };
	if (path.len < 2 || text[0] != '/' || decode(path, t->path, sizeof(t->path)) < 0)
		return -EINVAL;
	text += path.len;
	while (*text != '\0') {
		option = (struct piece){ text + 1, strcspn(text + 1, "&") };
		if (parse_option(option, t) < 0)
			return -EINVAL;
		text = option.p + option.len;
	}
	return 0;
}

/* ---- both ------------------------------------------------------------------------------------ */

int gw_redis_url_parse(const char *text, struct gw_redis_target *out)
{
	struct gw_redis_target t;
	int rc = -EINVAL;

	memset(&t, 0, sizeof(t));
	if (strnlen(text, TEXT_MAX) < TEXT_MAX) {
		if (strncmp(text, "redis://", 8) == 0)
			rc = parse_tcp(text + 8, &t);
		else if (strncmp(text, "unix:", 5) == 0)
			rc = parse_socket(text + 5, &t);
	}
	if (rc == 0)
		*out = t;
	gw_redis_target_wipe(&t);
	return rc;
}

int gw_redis_password_read(const char *file, struct gw_redis_target *target)
{
	char data[GW_REDIS_SECRET_CAP + 1];
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 1;
	int rc = fd < 0 ? -errno : 0;

	while (rc == 0 && n > 0 && len < sizeof(data)) {
		n = read(fd, data + len, sizeof(data) - len);
		if (n < 0)
			rc = -errno;
		else
			len += (size_t)n;
	}
	if (fd >= 0)
		close(fd);
	while (rc == 0 && len > 0 && (data[len - 1] == '\n' || data[len - 1] == '\r'))
		len--;
	if (rc == 0 && (len == 0 || len >= GW_REDIS_SECRET_CAP))
		rc = -EINVAL;
	for (size_t i = 0; rc == 0 && i < len; i++)
		if ((unsigned char)data[i] < ' ' || data[i] == 0x7f)
			rc = -EINVAL;
	if (rc == 0) {
		memcpy(target->password, data, len);
		target->password[len] = '\0';
	}
	secret_wipe(data, sizeof(data));
	return rc;
}

void gw_redis_target_wipe(struct gw_redis_target *target)
{
	secret_wipe(target, sizeof(*target));
}

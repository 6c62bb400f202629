/* common/log.c - one line per event */
#include "common/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "common/attr.h"
#include "common/clock.h"
#include "common/codec.h"
#include "common/err.h"
#include "common/log_journal.h"
#include "common/log_tail.h"
#include "common/secret.h"

#define LOG_LINE_MAX 2048
/* Where a line ends that is too long: room stays for what closes it, and its end. */
#define CUT_JSON ",\"cut\":true}"
#define CUT_TEXT " cut=true"
#define LINE_FULL (LOG_LINE_MAX - 1 - sizeof("\"" CUT_JSON))
#define JOURNAL_STREAM_PATH "/run/systemd/journal/stdout"
#define JOURNAL_WAIT_MS 200
#define JOURNAL_SOCKET_PATH "/run/systemd/journal/socket"

/* The one place of the program that is global on purpose: every module logs. */
static struct {
	const char *program;
	int max_level;
	enum log_format format;
	struct log_tail *tail; /* NULL: none */
	pthread_mutex_t salting;
	bool salted;
	uint8_t salt[16];
} log_state = { .program = "warden",
	        .max_level = LOG_INFO,
	        .format = LOG_FMT_TEXT,
	        .salting = PTHREAD_MUTEX_INITIALIZER };

/* The gateway's threads all log. */
static _Thread_local struct {
	int64_t s; /* the second that text is of */
	char text[RFC3339_CAP];
} log_time = { .s = -1 };

static const char *const level_words[] = {
	[LOG_ERR] = "err",   [LOG_WARNING] = "warning", [LOG_NOTICE] = "notice",
	[LOG_INFO] = "info", [LOG_DEBUG] = "debug",
};

/*
 * A line being built: foreign text is cut at LINE_FULL, between two characters, and then nothing
 * but the end follows. All else is short, and never written past the end of p.
 */
struct line {
	char p[LOG_LINE_MAX];
	size_t len;
	bool cut;
};

/* Who has no environment sees by whom stderr is heard. */
static bool stderr_goes_to_journald(void)
{
	struct sockaddr_un peer = { .sun_family = AF_UNSPEC };
	socklen_t len = sizeof(peer) - 1; /* a NUL stays behind the path */

	return getpeername(STDERR_FILENO, (struct sockaddr *)&peer, &len) == 0 &&
	       peer.sun_family == AF_UNIX && strcmp(peer.sun_path, JOURNAL_STREAM_PATH) == 0;
}

bool log_stderr_is_journal(void)
{
	const char *want = getenv("JOURNAL_STREAM");
	char have[64];
	struct stat st;

	if (want == NULL)
		return stderr_goes_to_journald();
	if (fstat(STDERR_FILENO, &st) < 0)
		return false;
	snprintf(have, sizeof(have), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(want, have) == 0;
}

void log_init(const char *program, int max_level, enum log_format format)
{
	log_state.program = program;
	log_state.max_level = max_level;
	if (format == LOG_FMT_AUTO)
		format = log_stderr_is_journal() ? LOG_FMT_JOURNAL : LOG_FMT_TEXT;
	log_state.format = format;
}

void log_set_tail(struct log_tail *tail)
{
	log_state.tail = tail;
}

void log_open_journal(void)
{
	int rc;

	if (log_state.format != LOG_FMT_JOURNAL)
		return;
	rc = log_journal_open(JOURNAL_SOCKET_PATH, JOURNAL_WAIT_MS);
	if (rc < 0)
		LOG(NULL, LOG_DEBUG, "journal_without_fields", LF_ERR("err", rc));
}

bool log_wants(int level)
{
	return level <= log_state.max_level;
}

int log_level_parse(const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(level_words); i++)
		if (level_words[i] != NULL && strcmp(level_words[i], word) == 0)
			return (int)i;
	return -EINVAL;
}

int log_format_parse(const char *word, enum log_format *format_out)
{
	static const char *const words[] = {
		[LOG_FMT_AUTO] = "auto",
		[LOG_FMT_TEXT] = "text",
		[LOG_FMT_JSON] = "json",
		[LOG_FMT_JOURNAL] = "journal",
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (strcmp(words[i], word) == 0) {
			*format_out = (enum log_format)i;
			return 0;
		}
	}
	return -EINVAL;
}

static void put(struct line *l, const char *s, size_t n)
{
	size_t room = sizeof(l->p) - 2 - l->len; /* newline and NUL always fit */

	if (n > room)
		n = room;
	memcpy(l->p + l->len, s, n);
	l->len += n;
}

static void ATTR_PRINTF(2, 3) putf(struct line *l, const char *fmt, ...)
{
	char tmp[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(tmp, sizeof(tmp), fmt, ap);
	va_end(ap);
	if (n > 0)
		put(l, tmp, (size_t)n < sizeof(tmp) ? (size_t)n : sizeof(tmp) - 1);
}

/* All of it, or none and the line is cut. */
static void put_whole(struct line *l, const char *s, size_t n)
{
	if (l->cut || l->len > LINE_FULL || n > LINE_FULL - l->len)
		l->cut = true;
	else
		put(l, s, n);
}

/* U+0080 to U+009F */
static bool is_c1(const char *s)
{
	return (unsigned char)s[0] == 0xc2 && (unsigned char)s[1] >= 0x80 &&
	       (unsigned char)s[1] <= 0x9f;
}

static void put_str(struct line *l, const char *s)
{
	put(l, s, strlen(s));
}

static void put_int(struct line *l, int64_t v)
{
	char digits[sizeof("-9223372036854775808")], *p = digits + sizeof(digits);
	uint64_t u = v < 0 ? -(uint64_t)v : (uint64_t)v;

	do {
		*--p = (char)('0' + u % 10);
		u /= 10;
	} while (u > 0);
	if (v < 0)
		*--p = '-';
	put(l, p, (size_t)(digits + sizeof(digits) - p));
}

/* How many characters from s on mean themselves in a JSON string; ASCII only. */
static size_t plain_run(const char *s)
{
	size_t n = 0;

	while ((unsigned char)s[n] >= 0x20 && (unsigned char)s[n] < 0x7f && s[n] != '"' &&
	       s[n] != '\\')
		n++;
	return n;
}

/* ASCII, as much as there is room for. */
static void put_run(struct line *l, const char *s, size_t n)
{
	size_t room = l->len < LINE_FULL ? LINE_FULL - l->len : 0;

	put(l, s, n < room ? n : room);
	l->cut = l->cut || n > room;
}

static void put_escape(struct line *l, unsigned c)
{
	char text[sizeof("\\u0000")];
	int n = snprintf(text, sizeof(text), "\\u%04x", c & 0xffff);

	put_whole(l, text, (size_t)n);
}

/* One that is no plain ASCII; how long it was. */
static size_t put_char(struct line *l, const char *s)
{
	unsigned char c = (unsigned char)*s;
	size_t n = utf8_char_len(s);

	if (n == 0)
		put_escape(l, 0xfffd);
	else if (c == '"' || c == '\\')
		put_whole(l, c == '"' ? "\\\"" : "\\\\", 2);
	else if (c < 0x20 || c == 0x7f)
		put_escape(l, c);
	else if (is_c1(s))
		put_escape(l, (unsigned char)s[1]);
	else
		put_whole(l, s, n);
	return n == 0 ? 1 : n;
}

/*
 * Text as a JSON string, which is also how a text line quotes: one escape for both. What is no
 * UTF-8 would make the line no JSON, and C1 controls are commands to a terminal as those of C0 are.
 */
static void put_quoted(struct line *l, const char *s)
{
	put(l, "\"", 1);
	for (size_t n; *s != '\0' && !l->cut; s += n) {
		n = plain_run(s);
		if (n > 0)
			put_run(l, s, n);
		else
			n = put_char(l, s);
	}
	put(l, "\"", 1);
}

static bool needs_quotes(const char *s)
{
	if (*s == '\0')
		return true;
	for (size_t n; *s != '\0'; s += n) {
		n = (unsigned char)*s < 0x80 ? 1 : utf8_char_len(s);
		if (n == 0 || (unsigned char)*s <= 0x20 || *s == '"' || *s == '=' || *s == '\\' ||
		    *s == 0x7f || is_c1(s))
			return true;
	}
	return false;
}

static bool have_salt(void)
{
	bool have;

	(void)pthread_mutex_lock(&log_state.salting);
	if (!log_state.salted && secret_random(log_state.salt, sizeof(log_state.salt)) == 0)
		log_state.salted = true;
	have = log_state.salted;
	(void)pthread_mutex_unlock(&log_state.salting);
	return have;
}

static void id_of(const char *s, char out[HEX_CAP(4)])
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *ctx;
	unsigned n = 0;

	ctx = EVP_MD_CTX_new();
	if (!have_salt() || ctx == NULL || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1 ||
	    EVP_DigestUpdate(ctx, log_state.salt, sizeof(log_state.salt)) != 1 ||
	    EVP_DigestUpdate(ctx, s, strlen(s)) != 1 || EVP_DigestFinal_ex(ctx, digest, &n) != 1)
		memset(digest, 0, 4);
	EVP_MD_CTX_free(ctx);
	hex_encode(digest, 4, out);
}

static void put_text(struct line *l, bool json, const char *s)
{
	if (s == NULL)
		put(l, json ? "null" : "-", json ? 4 : 1);
	else if (json || needs_quotes(s))
		put_quoted(l, s);
	else if (strlen(s) <= LINE_FULL - l->len)
		put_str(l, s);
	else
		put_quoted(l, s); /* it will be cut, between two characters */
}

static void put_value(struct line *l, bool json, const struct log_field *f)
{
	char id[HEX_CAP(4)];

	switch (f->type) {
	case LOG_F_INT:
		put_int(l, f->i);
		break;
	case LOG_F_BOOL:
		put_str(l, f->i != 0 ? "true" : "false");
		break;
	case LOG_F_ERR:
		put_text(l, json, wa_err_name((int)f->i));
		break;
	case LOG_F_ID:
		id_of(f->s == NULL ? "" : f->s, id);
		put_text(l, json, id);
		break;
	case LOG_F_STR:
		put_text(l, json, f->s);
		break;
	}
}

/* All of it, text perhaps cut; or nothing. */
static void put_field(struct line *l, bool json, const struct log_field *f)
{
	size_t before = l->len;

	if (l->cut)
		return;
	put_str(l, json ? ",\"" : " ");
	put_str(l, f->key);
	put_str(l, json ? "\":" : "=");
	put_value(l, json, f);
	if (l->len > LINE_FULL + 1) {
		l->len = before;
		l->cut = true;
	}
}

/* The time of a line, of which all but the milliseconds stays the same for a second. */
static void put_time(struct line *l)
{
	int64_t now_ms = clock_unix_ms();
	unsigned ms = (unsigned)(now_ms % 1000);
	char *digits = log_time.text + sizeof("2026-11-22T19:42:15.") - 1;

	if (now_ms / 1000 != log_time.s) {
		clock_rfc3339(now_ms, log_time.text);
		log_time.s = now_ms / 1000;
	}
	digits[0] = (char)('0' + ms / 100 % 10);
	digits[1] = (char)('0' + ms / 10 % 10);
	digits[2] = (char)('0' + ms % 10);
	put(l, log_time.text, RFC3339_CAP - 1);
}

static void put_head(struct line *l, int level, const char *event)
{
	switch (log_state.format) {
	case LOG_FMT_JSON:
		put_str(l, "{\"time\":\"");
		put_time(l);
		put_str(l, "\",\"level\":\"");
		put_str(l, level_words[level]);
		put_str(l, "\",\"program\":\"");
		put_str(l, log_state.program);
		put_str(l, "\",\"process_id\":");
		put_int(l, getpid());
		put_str(l, ",\"event\":\"");
		put_str(l, event);
		put_str(l, "\"");
		break;
	case LOG_FMT_JOURNAL:
		putf(l, "<%d>%s", level, event); /* systemd's own prefix; it adds the rest */
		break;
	case LOG_FMT_AUTO:
	case LOG_FMT_TEXT:
		put_time(l);
		put_str(l, " ");
		put_str(l, level_words[level]);
		put_str(l, " ");
		put_str(l, log_state.program);
		put_str(l, "[");
		put_int(l, getpid());
		put_str(l, "] ");
		put_str(l, event);
		break;
	}
}

/* A field of the journal: text as it is, all else as in a line. */
static void journal_field(struct log_journal_entry *e, const char *prefix,
                          const struct log_field *f)
{
	struct line value;

	value.len = 0;
	value.cut = false;
	if (f->type == LOG_F_STR) {
		if (f->s != NULL)
			log_journal_put(e, prefix, f->key, f->s, strlen(f->s));
		return;
	}
	put_value(&value, false, f);
	log_journal_put(e, prefix, f->key, value.p, value.len);
}

/* text: the line without its level and its end. False: it has to go elsewhere. */
static bool journal_line(const struct log_ctx *ctx, int level, const char *event,
                         const struct log_field *fields, const char *text, size_t text_len)
{
	const char priority = (char)('0' + level);
	struct log_journal_entry e;

	if (!log_journal_is_open())
		return false;
	e.len = 0;
	log_journal_put(&e, "", "MESSAGE", text, text_len);
	log_journal_put(&e, "", "PRIORITY", &priority, 1);
	journal_field(&e, "", &LF_STR("SYSLOG_IDENTIFIER", log_state.program));
	journal_field(&e, "", &LF_STR("EVENT", event));
	if (ctx != NULL)
		journal_field(&e, "", &LF_STR("INSTANCE", ctx->instance));
	if (ctx != NULL)
		journal_field(&e, "", &LF_STR("REQUEST_ID", ctx->request_id));
	for (; fields->key != NULL; fields++)
		journal_field(&e, "WARDEN_", fields);
	return log_journal_send(&e);
}

void log_event(const struct log_ctx *ctx, int level, const char *event,
               const struct log_field *fields)
{
	bool json = log_state.format == LOG_FMT_JSON;
	bool journal = log_state.format == LOG_FMT_JOURNAL;
	const struct log_field *f;
	size_t level_len = journal ? strlen("<6>") : 0;
	struct line l;
	ssize_t n;

	l.len = 0;
	l.cut = false;
	put_head(&l, level, event);
	if (ctx != NULL && ctx->instance != NULL)
		put_field(&l, json, &LF_STR("instance", ctx->instance));
	if (ctx != NULL && ctx->request_id != NULL)
		put_field(&l, json, &LF_STR("request", ctx->request_id));
	for (f = fields; f->key != NULL; f++)
		put_field(&l, json, f);
	if (l.cut)
		put_str(&l, json ? CUT_JSON : CUT_TEXT);
	else if (json)
		put_str(&l, "}");
	l.p[l.len++] = '\n';
	if (log_state.tail != NULL)
		log_tail_put(log_state.tail, l.p, l.len);
	if (journal &&
	    journal_line(ctx, level, event, fields, l.p + level_len, l.len - level_len - 1))
		return;
	n = write(STDERR_FILENO, l.p, l.len);
	(void)n; /* there is nowhere left to report it */
}

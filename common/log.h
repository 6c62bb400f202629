/*
 * common/log.h - one line per event: "event key=value ..."
 *
 * Fields are typed, so text from outside is quoted in one place. There is no field type for a
 * secret: tokens, keys, QR text, phone numbers and message bodies reach no log at any level.
 */
#ifndef LOG_H
#define LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <syslog.h> /* LOG_ERR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG */

/* What every line of one object carries; either pointer may be NULL. Borrowed by log_event(). */
struct log_ctx {
	const char *instance;
	const char *request_id;
};

enum log_field_type { LOG_F_INT, LOG_F_STR, LOG_F_ERR, LOG_F_ID, LOG_F_BOOL };

struct log_field {
	const char *key;
	enum log_field_type type;
	int64_t i;
	const char *s;
};

#define LF_INT(k, v) \
	(struct log_field) \
	{ \
		.key = (k), .type = LOG_F_INT, .i = (int64_t)(v) \
	}
#define LF_STR(k, v) \
	(struct log_field) \
	{ \
		.key = (k), .type = LOG_F_STR, .s = (v) \
	}
#define LF_BOOL(k, v) \
	(struct log_field) \
	{ \
		.key = (k), .type = LOG_F_BOOL, .i = (v) ? 1 : 0 \
	}
/* A return code, written as its name. */
#define LF_ERR(k, rc) \
	(struct log_field) \
	{ \
		.key = (k), .type = LOG_F_ERR, .i = (rc) \
	}
/* A short hash, salted once per process: two lines can be matched, the text can't be read back. */
#define LF_ID(k, v) \
	(struct log_field) \
	{ \
		.key = (k), .type = LOG_F_ID, .s = (v) \
	}

/*
 * LOG(ctx, level, event, fields...): ctx is a const struct log_ctx * or NULL. Arguments are not
 * evaluated when the level is not wanted.
 */
#define LOG(ctx, level, ...) \
	do { \
		if (log_wants(level)) \
			LOG_EVENT_(ctx, level, __VA_ARGS__, (struct log_field){ .key = NULL }); \
	} while (0)
#define LOG_EVENT_(ctx, level, event, ...) \
	log_event(ctx, level, event, (const struct log_field[]){ __VA_ARGS__ })

enum log_format { LOG_FMT_AUTO, LOG_FMT_TEXT, LOG_FMT_JSON, LOG_FMT_JOURNAL };

/*
 * program   written on every line; static storage
 * max_level LOG_ERR .. LOG_DEBUG
 * LOG_FMT_AUTO picks JOURNAL when stderr is systemd's journal, else TEXT. Lines go to stderr, each
 * in one write(2); those of JOURNAL with a "<N>" level prefix, until log_open_journal().
 */
void log_init(const char *program, int max_level, enum log_format format);

/* Every line goes into this ring as well, NULL: into none. Borrowed for good; kept by log_init().
 */
struct log_tail;
void log_set_tail(struct log_tail *tail);

/*
 * Where the format is JOURNAL, connect to the journal: lines become entries with fields of their
 * own (log_journal.h). To be called once a process, before a sandbox forbids sockets; the
 * connection is kept when log_init() is called again. Where it can't be had lines stay what they
 * are.
 */
void log_open_journal(void);

bool log_wants(int level);

/* Is stderr a stream to systemd's journal (JOURNAL_STREAM names it, or journald has its other end)?
 */
bool log_stderr_is_journal(void);

/*
 * fields ends with an entry whose key is NULL. Never fails; from any thread, once log_init() and
 * log_set_tail() are done (a tail takes lines of one thread only). Of a line over 2048 bytes the
 * first text without room is cut between two characters, and cut=true is the last field.
 */
void log_event(const struct log_ctx *ctx, int level, const char *event,
               const struct log_field *fields);

/* "auto" | "text" | "json" | "journal". 0 or -EINVAL (then *format_out is untouched). */
int log_format_parse(const char *word, enum log_format *format_out);

/* "err" | "warning" | "notice" | "info" | "debug" to a syslog level, or -EINVAL. */
int log_level_parse(const char *word);

#endif

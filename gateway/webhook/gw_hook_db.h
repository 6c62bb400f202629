/*
 * gateway/webhook/gw_hook_db.h - how far each webhook is, and its dead letters: two tables of events.db
 *
 * Jobs of gw_events_job(), worked on by its thread in the order they are given.
 */
#ifndef GW_HOOK_DB_H
#define GW_HOOK_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "gateway/events/gw_event.h"
#include "gateway/registry/gw_registry.h"
#include "gateway/webhook/gw_hook_config.h"
#include "gateway/webhook/gw_hook_schedule.h"

struct gw_events;

/* One step of the schema of events.db. */
#define GW_HOOK_DB_SCHEMA \
	"CREATE TABLE hook (" \
	"  instance TEXT NOT NULL," \
	"  label TEXT NOT NULL," \
	"  cursor INTEGER NOT NULL," /* sequence up to which nothing is left to do */ \
	"  tries INTEGER NOT NULL,"  /* of what comes next */ \
	"  refused INTEGER NOT NULL," \
	"  next_unix_ms INTEGER NOT NULL," \
	"  PRIMARY KEY (instance, label)" \
	") STRICT, WITHOUT ROWID;" \
	"CREATE TABLE hook_dead (" \
	"  instance TEXT NOT NULL," \
	"  label TEXT NOT NULL," \
	"  seq INTEGER NOT NULL," \
	"  kind INTEGER NOT NULL," \
	"  id TEXT NOT NULL," \
	"  dead_unix_ms INTEGER NOT NULL," \
	"  tries INTEGER NOT NULL," \
	"  status INTEGER NOT NULL," /* of the last answer; 0: none */ \
	"  why TEXT NOT NULL," \
	"  again INTEGER NOT NULL," /* 1: it is to be sent again */ \
	"  PRIMARY KEY (instance, label, seq)" \
	") STRICT, WITHOUT ROWID;" \
	"CREATE INDEX hook_dead_at ON hook_dead (dead_unix_ms);"

#define GW_HOOK_WHY_CAP 24
#define GW_HOOK_DEAD_LISTED 500

enum gw_hook_op {
	GW_HOOK_DB_NEW, /* a label is made: place.cursor is the newest known; begin after what there
	                   is */
	GW_HOOK_DB_LOAD,  /* place, again */
	GW_HOOK_DB_SAVE,  /* place; and, where they are set, bury and unbury */
	GW_HOOK_DB_AGAIN, /* seq: the oldest dead letter to be sent again; 0: there is none */
	GW_HOOK_DB_MARK, /* all dead letters (of label, or of every one: "") are to be sent again; n
	                  */
	GW_HOOK_DB_LIST, /* dead, n: the newest of label, or of every one: "" */
	GW_HOOK_DB_DROP, /* all of label */
	GW_HOOK_DB_ERASE, /* all of the instance */
	GW_HOOK_DB_TIDY,  /* dead letters from before unix_ms, and what is of no instance */
};

/* How far a webhook is. */
struct gw_hook_place {
	uint64_t cursor;
	struct gw_hook_tries tries;
	int64_t next_unix_ms; /* when what comes next is due; 0: now */
};

struct gw_hook_dead {
	char label[GW_WEBHOOK_LABEL_MAX + 1];
	uint64_t seq; /* 0: none */
	unsigned kind;
	char id[GW_EVENT_ID_LEN + 1];
	int64_t dead_unix_ms;
	uint32_t tries;
	int status;
	char why[GW_HOOK_WHY_CAP];
	bool again;
};

struct gw_hook_job;
/* rc: 0, or why nothing has changed. From the loop; j is freed afterwards. */
typedef void gw_hook_job_done(int rc, struct gw_hook_job *j, void *arg);

struct gw_hook_job {
	enum gw_hook_op op;
	char instance[GW_ID_LEN + 1];
	char label[GW_WEBHOOK_LABEL_MAX + 1];
	struct gw_hook_place place;
	bool again;                /* LOAD: dead letters are to be sent again */
	struct gw_hook_dead bury;  /* SAVE */
	uint64_t unbury;           /* SAVE: it is one no longer; 0: none */
	uint64_t seq;              /* AGAIN */
	int64_t unix_ms;           /* TIDY */
	struct gw_hook_dead *dead; /* LIST; owned */
	size_t n;
	gw_hook_job_done *done; /* NULL: nobody waits */
	void *arg;
};

/* NULL without memory. label: NULL for "". */
struct gw_hook_job *gw_hook_job_new(enum gw_hook_op op, const char *instance_id, const char *label);
/* takes j. 0 (done will be called) or -ENOMEM. */
ATTR_NODISCARD int gw_hook_job_give(struct gw_events *ev, struct gw_hook_job *j,
                                    gw_hook_job_done *done, void *arg);

#endif

/*
 * gateway/supervision/gw_survey.h - every worker looked at in turn, a few a loop pass
 *
 * What a worker takes is read from /proc, some 0.1 to 0.3 ms each: with two thousand of them up to
 * half a second, for which nobody else is to wait. Workers may come and go meanwhile.
 */
#ifndef GW_SURVEY_H
#define GW_SURVEY_H

#include <sys/queue.h>

#include "common/attr.h"

struct event;
struct gw;
struct gw_supervisor;
struct gw_survey;
struct gw_worker;

struct gw_survey_ops {
	void (*on_worker)(struct gw_worker *w, void *arg); /* may not free the survey */
	void (*on_done)(void *arg);                        /* once; frees it */
};

/* Begins with the next loop pass. ops and arg are borrowed for its life. 0 or -ENOMEM. */
ATTR_NODISCARD int gw_survey_new(struct gw *gw, const struct gw_survey_ops *ops, void *arg,
                                 struct gw_survey **s_out);
/* At any time; NULL is fine. */
void gw_survey_free(struct gw_survey *s);

/* ---- for the supervisor, which has the list ---------------------------------- */

struct gw_survey {
	TAILQ_ENTRY(gw_survey) link;
	struct gw_supervisor *sup;
	const struct gw_survey_ops *ops;
	void *arg;
	struct gw_worker *next; /* NULL: all were looked at */
	struct event *ev;
};
TAILQ_HEAD(gw_survey_list, gw_survey);

/* This worker is about to go. */
void gw_survey_skip(struct gw_survey *s, const struct gw_worker *w);

#endif

/*
 * tests/unit/receive_world.h - phones, a server's queue, our receive path and a gateway's log, in
 * one process
 *
 * For tests of what survives: the server keeps a message until it is answered and sends it again
 * after each start; the gateway keeps events; both outlive our process, which is ended at any
 * moment by rworld_die(). What they saw is compared with what there is afterwards. Uses the default
 * VFS.
 */
#ifndef RECEIVE_WORLD_H
#define RECEIVE_WORLD_H

#include <stdbool.h>
#include <stdint.h>

struct rworld;

/* What must never happen, counted. */
struct rworld_harm {
	unsigned acked_lost;     /* answered, but neither stored nor told of */
	unsigned events_doubled; /* one message in two events, or two in one number */
	unsigned keys_reused; /* the phone got two messages under one key of ours, or one it can't
	                         open */
	unsigned unopened;    /* of a sound message: it was not read */
	unsigned broken;      /* the store can't be opened */
};

/* A linked session in dir, which is empty. Ends the program where it can't be made. */
struct rworld *rworld_new(const char *dir, uint64_t seed);
/* The dead too. */
void rworld_free(struct rworld *w);

/* A process begins: everything that is unanswered comes again. pragma: NULL, or SQL for its
 * connection. False: it can't open its store (harm.broken, or the power is off). */
bool rworld_start(struct rworld *w, const char *pragma);
/* Something happens: a message comes, or again; one of ours leaves; a commit; an EVENT_COMMIT.
 * False: the process has failed, or was told to end. */
bool rworld_step(struct rworld *w);
/* The process is gone, and what it held in memory. */
void rworld_die(struct rworld *w);
/* Is everything there that was answered? After a start. */
void rworld_check(struct rworld *w);
/* All that is unanswered is worked through, all events go to the gateway; then nothing may be
 * missing. */
void rworld_finish(struct rworld *w);

const struct rworld_harm *rworld_harm(const struct rworld *w);
bool rworld_harmed(const struct rworld *w);
/* Messages answered, events taken, messages of ours that left. */
void rworld_done(const struct rworld *w, uint64_t *answered, uint64_t *events, uint64_t *sent);

#endif

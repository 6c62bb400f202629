/*
 * tests/tools/powercuts.c - power cuts by the thousand in the receive path, and what they did
 *
 * Arguments: how many cuts (1,000), the seed (1), and "normal" for synchronous=NORMAL, the control
 * that loses data. A world has 50 lives, each ended by a cut; every message that was answered has
 * to be there in the next one. Exit 1 when anything was lost, doubled, used twice, or not read.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "powercut_vfs.h"
#include "receive_world.h"

#define LIVES 50
#define STEPS_MAX 60

static struct rworld_harm all;
static unsigned cuts, worlds, harmed, mid;
static uint64_t answered, events, sent;

static void live(struct rworld *w, const char *pragma, uint64_t at)
{
	bool up = rworld_start(w, pragma);

	if (up)
		rworld_check(w);
	powercut_after(at);
	for (unsigned i = 0; up && i < STEPS_MAX; i++)
		up = rworld_step(w);
	mid += powercut_is_off();
	powercut_now();
	rworld_die(w);
	powercut_power_on();
	cuts++;
}

static void note(const struct rworld *w)
{
	const struct rworld_harm *h = rworld_harm(w);
	uint64_t a, e, s;

	all.acked_lost += h->acked_lost;
	all.events_doubled += h->events_doubled;
	all.keys_reused += h->keys_reused;
	all.unopened += h->unopened;
	all.broken += h->broken;
	harmed += rworld_harmed(w);
	rworld_done(w, &a, &e, &s);
	answered += a;
	events += e;
	sent += s;
}

static void world(const char *dir, const char *pragma, unsigned seed)
{
	struct rworld *w;

	powercut_reset(seed);
	w = rworld_new(dir, seed);
	rworld_die(w);
	for (unsigned i = 0; i < LIVES && !rworld_harmed(w); i++)
		live(w, pragma, 1 + (seed * 31u + i * 7919u) % 120);
	if (!rworld_harmed(w) && rworld_start(w, pragma))
		rworld_finish(w);
	note(w);
	if (rworld_harmed(w) && pragma == NULL)
		printf("seed %u: harm\n", seed);
	rworld_free(w);
	worlds++;
}

int main(int argc, char **argv)
{
	unsigned wanted = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 1000;
	unsigned seed = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 1;
	bool normal = argc > 3 && strcmp(argv[3], "normal") == 0;
	char dir[] = "/tmp/warden-powercuts-XXXXXX", path[sizeof(dir) + 16];
	time_t began = time(NULL);

	log_init("powercuts", LOG_CRIT, LOG_FMT_TEXT);
	if (mkdtemp(dir) == NULL)
		return 2;
	snprintf(path, sizeof(path), "%s/session.db", dir);
	powercut_install();
	while (cuts < wanted)
		world(dir, normal ? "PRAGMA synchronous=NORMAL" : NULL, seed++);
	unlink(path);
	rmdir(dir);
	printf("%u power cuts in %u sessions, synchronous=%s, %ld s\n", cuts, worlds,
	       normal ? "NORMAL" : "FULL", (long)(time(NULL) - began));
	printf("%u of them in the middle of a write\n", mid);
	printf("%llu messages answered, %llu events at the gateway, %llu messages of ours sent\n",
	       (unsigned long long)answered, (unsigned long long)events, (unsigned long long)sent);
	printf(
	    "sessions harmed: %u (answered and lost %u, doubled %u, keys used twice %u, unread %u, "
	    "store broken %u)\n",
	    harmed, all.acked_lost, all.events_doubled, all.keys_reused, all.unopened, all.broken);
	return harmed > 0;
}

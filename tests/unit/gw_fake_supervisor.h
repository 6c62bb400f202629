/* tests/unit/gw_fake_supervisor.h - a supervisor that starts nothing and remembers what was asked
 */
#ifndef GW_FAKE_SUPERVISOR_H
#define GW_FAKE_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

struct gw_instance;

/* Of the tests: one instance's worker at a time is enough. */
struct fake_supervisor {
	int start_rc; /* what the next start answers */
	unsigned starts_n;
	int mode;              /* enum gw_mode of the last start */
	char number[16];       /* of the last start; "": by QR */
	uint32_t history_days; /* of the last start */
	char request_id[65];
	unsigned stops_n;
	int stop_reason; /* enum gw_stop_reason of the last stop */
	unsigned expects_n;
	unsigned saved_n;
	unsigned resumes_n, logouts_n, settings_n, proxies_n;
	unsigned answers_n, confirms_n;
	char credential[64]; /* of the last passkey answer, cut */
};
extern struct fake_supervisor fake;

struct gw_worker;
/* The one worker there is, for what is handed one. */
struct gw_worker *fake_worker(void);
/* A worker in the fake's hands leaves: the events of a real one's end. */
void fake_worker_gone(struct gw_instance *inst);

#endif

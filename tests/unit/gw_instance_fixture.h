/* tests/unit/gw_instance_fixture.h - one instance with a fake supervisor and a clock that stands
 * still */
#ifndef GW_INSTANCE_FIXTURE_H
#define GW_INSTANCE_FIXTURE_H

#include "gw_test.h"

#include "common/clock.h"
#include "common/err.h"
#include "common/log.h"
#include "gateway/gw.h"
#include "gateway/instance/gw_instance_act.h"
#include "gateway/supervision/gw_worker.h"
#include "gw_fake_clock.h"
#include "gw_fake_supervisor.h"

#define TEST_JID "5511999999999:7@s.whatsapp.net"

struct watcher {
	struct gw_watch *w;
	unsigned qr_n, passkey_n, connecting_n, connected_n, timeout_n, failed_n;
	struct gw_reason reason;
	char code[1024]; /* the last one seen */
};

struct fixture {
	struct gw gw;
	struct gw_account acc;
	struct gw_instance *inst;
	char dir[TEST_DIR_CAP]; /* data_dir */
};

/* What is told from here on is for watchers of a test that is over. */
extern bool test_is_over;

int setup(void **state);
int teardown(void **state);
/* Instead of the one that setup() made: as the registry would load it. */
void make_instance_from(struct fixture *f, bool linked, bool has_session);

void on_watch(struct gw_instance *inst, enum gw_watch_event ev, const struct gw_reason *reason,
              void *arg);
unsigned told_n(const struct watcher *wr);
/* Must work, and tells nothing from inside. number: NULL for a QR code. */
void connect_ok(struct fixture *f, struct watcher *wr, uint32_t history_days);
void connect_number_ok(struct fixture *f, struct watcher *wr, const char *number);

int event(struct fixture *f, enum gw_inst_event ev);
int event_reason(struct fixture *f, enum gw_inst_event ev, int rc, const char *detail);
int event_step(struct fixture *f, const char *step);
int event_login(struct fixture *f);
int event_code(struct fixture *f, const char *text, uint32_t valid_ms);
int event_pairing_code(struct fixture *f, const char *text, uint32_t valid_ms);
int event_passkey(struct fixture *f, enum gw_passkey_status st, const char *code);
int event_linked(struct fixture *f);
int event_online(struct fixture *f);
int event_down(struct fixture *f, int rc, uint64_t retry_ms);
void run_due(struct fixture *f);
/* As the registry does with a change that is on disk. */
void change_setting(struct fixture *f, const char *partial, int64_t unix_ms);

/* A worker that is ready, asked for by one watcher. */
void begin(struct fixture *f, struct watcher *wr);
/* Linked and online, by the QR code that wr has seen. */
void link_up(struct fixture *f, struct watcher *wr);

#endif

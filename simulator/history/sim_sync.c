/* simulator/history/sim_sync.c - history from a phone to a companion, part after part */
#include "simulator/history/sim_sync.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "common/secret.h"
#include "simulator/appstate/sim_appstate_live.h"
#include "simulator/history/sim_sync_priv.h"
#include "simulator/server/sim_queue.h"
#include "worker/wa/node/wa_node.h"

#define DAY_S 86400
#define CHUNK_MESSAGES 1000
#define RECENT_DAYS 90
#define AHEAD 1
#define INLINE_MAX 65536

static const enum sim_history_type order_of_types[] = {
	SIM_HISTORY_BOOTSTRAP,    SIM_HISTORY_STATUS, SIM_HISTORY_PUSH_NAME,
	SIM_HISTORY_NON_BLOCKING, SIM_HISTORY_RECENT, SIM_HISTORY_FULL,
};

static uint32_t option(uint32_t value, uint32_t usual)
{
	return value != 0 ? value : usual;
}

/* ---- life --------------------------------------------------------------------------------------
 */

int sim_sync_get(const struct sim_phone *phone, struct sim_device *device,
                 struct sim_sync **sync_out)
{
	struct sim_sync *sync = device->sync;
	int rc;

	if (sync == NULL) {
		sync = calloc(1, sizeof(*sync));
		if (sync == NULL)
			return -ENOMEM;
		rc = sim_history_init(&sync->history, phone, phone->made_unix_s);
		if (rc < 0) {
			free(sync);
			return rc;
		}
		device->sync = sync;
	}
	*sync_out = sync;
	return 0;
}

void sim_sync_free(struct sim_sync *sync)
{
	if (sync == NULL)
		return;
	free(sync->notes);
	secret_wipe(sync, sizeof(*sync));
	free(sync);
}

size_t sim_sync_count(const struct sim_sync *sync)
{
	return sync == NULL ? 0 : sync->notes_n;
}

const struct sim_sync_note *sim_sync_at(const struct sim_sync *sync, size_t index)
{
	return &sync->notes[index];
}

uint32_t sim_sync_bad_receipts(const struct sim_sync *sync)
{
	return sync == NULL ? 0 : sync->bad_receipts;
}

struct sim_sync_note *sim_sync_find(struct sim_sync *sync, const char *id)
{
	for (size_t i = sync == NULL ? 0 : sync->notes_n; i > 0; i--) {
		if (strcmp(sync->notes[i - 1].id, id) == 0)
			return &sync->notes[i - 1];
	}
	return NULL;
}

static bool is_open(const struct sim_sync_note *n)
{
	return n->state == SIM_SYNC_SENT || n->state == SIM_SYNC_DELIVERED;
}

/* Parts of the usual order that are on their way. */
static uint32_t open_parts(const struct sim_sync *sync)
{
	uint32_t n = 0;

	for (size_t i = 0; i < sync->notes_n; i++)
		n += is_open(&sync->notes[i]) && !sync->notes[i].hostile &&
		     sync->notes[i].part.type != SIM_HISTORY_ON_DEMAND;
	return n;
}

bool sim_sync_is_done(const struct sim_sync *sync)
{
	return sync != NULL && sync->all_sent && open_parts(sync) == 0;
}

/* ---- parts in turn -----------------------------------------------------------------------------
 */

static int64_t days_before(const struct sim_history *h, uint32_t days)
{
	return h->until_unix_s - (int64_t)days * DAY_S;
}

/* Which times are RECENT and FULL, after what was asked for and what the phone makes of it. */
static void plan(struct sim_sync *sync, const struct sim_history_options *o,
                 const struct sim_history_ask *ask)
{
	uint32_t recent = option(o->recent_days, RECENT_DAYS);

	if (o->honour && ask->recent_days != 0 && ask->recent_days < recent)
		recent = ask->recent_days;
	sync->recent_from = days_before(&sync->history, recent);
	sync->full_from = INT64_MAX;
	if (ask->full)
		sync->full_from = o->honour && ask->full_days != 0
		                      ? days_before(&sync->history, ask->full_days)
		                      : INT64_MIN;
}

/* The first part of the present stage. */
static int enter(struct sim_sync *sync, const struct sim_history_options *o)
{
	struct sim_history_part p = { .type = order_of_types[sync->stage],
		                      .order = 1,
		                      .max = option(o->chunk_messages, CHUNK_MESSAGES) };
	int rc = 0;

	if (p.type == SIM_HISTORY_RECENT) {
		p.from_unix_s = sync->recent_from;
		p.to_unix_s = INT64_MAX;
	} else if (p.type == SIM_HISTORY_FULL) {
		p.from_unix_s = sync->full_from;
		p.to_unix_s = sync->recent_from;
	}
	if (p.type == SIM_HISTORY_RECENT || p.type == SIM_HISTORY_FULL)
		rc = sim_history_count(&sync->history, p.from_unix_s, p.to_unix_s, &p.total);
	sync->next = p;
	return rc;
}

/* The part was written: on to the next, or to the next type. */
static int advance(struct sim_sync *sync, const struct sim_history_options *o,
                   const struct sim_history_written *w)
{
	enum sim_history_type type = sync->next.type;

	if ((type == SIM_HISTORY_RECENT || type == SIM_HISTORY_FULL) &&
	    w->chat < sync->history.chats) {
		sync->next.sent += w->messages;
		sync->next.chat = w->chat;
		sync->next.done = w->done;
		sync->next.order++;
		return 0;
	}
	sync->stage++;
	sync->all_sent =
	    sync->stage == ARRAY_LEN(order_of_types) ||
	    (order_of_types[sync->stage] == SIM_HISTORY_FULL && sync->full_from == INT64_MAX);
	return sync->all_sent ? 0 : enter(sync, o);
}

static int send_next(struct sim *s, struct sim_phone *phone, struct sim_device *device)
{
	struct sim_sync *sync = device->sync;
	struct sim_sync_note n = { .part = sync->next };
	struct sim_sync_blob blob = { .type = n.part.type };
	struct buf zlib = { 0 };
	int rc = sim_history_write(&sync->history, &n.part, &zlib, &n.written);

	if (rc == 0)
		rc = advance(sync, &phone->history, &n.written);
	blob.zlib = zlib.p;
	blob.zlib_len = zlib.len;
	blob.progress = n.written.progress;
	blob.is_inline = n.part.type == SIM_HISTORY_BOOTSTRAP && device->history.inline_payload &&
	                 zlib.len <= option(phone->history.inline_max, INLINE_MAX);
	if (rc == 0)
		rc = sim_sync_tell(s, phone, device, &n, &blob);
	buf_free(&zlib);
	return rc;
}

/* As many parts as may be on their way. */
static void go_on(struct sim *s, struct sim_phone *phone, struct sim_device *device)
{
	struct sim_sync *sync = device->sync;
	uint32_t ahead = option(phone->history.ahead, AHEAD);

	while (sync->begun && !sync->all_sent && open_parts(sync) < ahead) {
		if (send_next(s, phone, device) < 0) {
			sync->all_sent = true; /* logged; better none than a gap */
			return;
		}
	}
}

int sim_sync_begin(struct sim *s, struct sim_phone *phone, struct sim_device *device)
{
	struct sim_sync *sync;
	int rc = sim_sync_get(phone, device, &sync);

	if (rc < 0)
		return rc;
	sync->begun = true;
	sync->all_sent = false;
	sync->stage = 0;
	plan(sync, &phone->history, &device->history);
	rc = enter(sync, &phone->history);
	if (rc == 0)
		go_on(s, phone, device);
	return rc;
}

int sim_sync_send(struct sim *s, struct sim_phone *phone, struct sim_device *device,
                  const struct sim_history_part *part, const char *request,
                  char id_out[SIM_MSG_ID_CAP])
{
	struct sim_sync_note n = { .part = *part };
	struct sim_sync_blob blob = { .type = part->type };
	struct buf zlib = { 0 };
	struct sim_sync *sync;
	int rc = sim_sync_get(phone, device, &sync);

	if (request != NULL && strlen(request) < sizeof(n.request))
		memcpy(n.request, request, strlen(request) + 1);
	if (rc == 0)
		rc = sim_history_write(&sync->history, part, &zlib, &n.written);
	blob.zlib = zlib.p;
	blob.zlib_len = zlib.len;
	blob.progress = n.written.progress;
	if (rc == 0)
		rc = sim_sync_tell(s, phone, device, &n, &blob);
	if (rc == 0)
		memcpy(id_out, n.id, sizeof(n.id));
	buf_free(&zlib);
	return rc;
}

int sim_sync_send_blob(struct sim *s, struct sim_phone *phone, struct sim_device *device,
                       const struct sim_sync_blob *blob, char id_out[SIM_MSG_ID_CAP])
{
	struct sim_sync_note n = { .part = { .type = blob->type, .order = blob->order },
		                   .hostile = true };
	struct sim_sync *sync;
	int rc = sim_sync_get(phone, device, &sync);

	if (rc == 0)
		rc = sim_sync_tell(s, phone, device, &n, blob);
	if (rc == 0)
		memcpy(id_out, n.id, sizeof(n.id));
	return rc;
}

/* ---- what the companion does -------------------------------------------------------------------
 */

/* What it had taken from the server and not acknowledged to the phone is told again. */
static void tell_open_again(struct sim *s, struct sim_phone *phone, struct sim_device *device)
{
	struct sim_sync *sync = device->sync;

	for (size_t i = 0, n = sync->notes_n; i < n; i++) {
		if (sync->notes[i].state == SIM_SYNC_DELIVERED && !sync->notes[i].hostile &&
		    sim_sync_tell_again(s, phone, device, i) < 0)
			return;
	}
}

/* Once, before any history: it may be read with it. */
static void share_keys(struct sim *s, struct sim_phone *phone, struct sim_device *device)
{
	if (device->keys_shared || (phone->chats == 0 && phone->appstate == NULL))
		return;
	device->keys_shared = sim_appstate_share(s, phone, device) == 0;
	if (!device->keys_shared)
		LOG(NULL, LOG_WARNING, "keys_not_shared", LF_STR("device", device->jid));
}

void sim_sync_online(struct sim *s, struct sim_device *device)
{
	struct sim_phone *phone = sim_phones_find(s->phones, device->account->number);

	if (phone == NULL)
		return;
	share_keys(s, phone, device);
	if (device->sync != NULL && device->sync->begun) {
		tell_open_again(s, phone, device);
		go_on(s, phone, device);
	} else if (!phone->history.manual && (phone->chats > 0 || phone->history.wanted)) {
		if (sim_sync_begin(s, phone, device) < 0)
			LOG(NULL, LOG_WARNING, "history_not_begun", LF_STR("device", device->jid));
	}
}

bool sim_sync_receipt(struct sim *s, struct sim_device *device, const struct wa_node *receipt)
{
	const char *id = wa_node_attr(receipt, "id"), *type = wa_node_attr(receipt, "type");
	struct sim_phone *phone = sim_phones_find(s->phones, device->account->number);
	struct sim_sync_note *n;

	if (type == NULL || phone == NULL)
		return false;
	if (strcmp(type, "server-error") == 0) {
		sim_sync_server_error(s, phone, device, receipt);
		return true;
	}
	if (strcmp(type, "peer_msg") != 0 && strcmp(type, "hist_sync") != 0)
		return false;
	n = sim_sync_find(device->sync, id);
	if (n == NULL || !is_open(n))
		return true;
	if (strcmp(type, "peer_msg") == 0) {
		n->state = SIM_SYNC_DELIVERED;
		return true;
	}
	n->state = SIM_SYNC_DONE;
	sim_sync_spare_file(s, n);
	go_on(s, phone, device);
	return true;
}

/* ---- files -------------------------------------------------------------------------------------
 */

/* The media of a message: the same bytes each time. */
static int make_file(const char *path, struct buf *out, void *arg)
{
	const struct sim *s = arg;
	char number[SIM_NUMBER_CAP];
	const struct sim_phone *phone;
	struct sim_history_msg m;
	struct sim_media_file f;
	struct sim_history h;
	struct sim_chat c;
	uint32_t chat, msg;
	int rc;

	if (!sim_history_path(path, number, &chat, &msg))
		return -ENOENT;
	phone = sim_phones_find(s->phones, number);
	if (phone == NULL)
		return -ENOENT;
	rc = sim_history_init(&h, phone, phone->made_unix_s);
	if (rc < 0)
		return rc;
	if (chat >= h.chats || sim_history_chat(&h, chat, &c) < 0 || msg >= c.messages)
		return -ENOENT;
	rc = sim_history_msg(&h, &c, msg, &m);
	if (rc < 0 || !m.has_media)
		return rc < 0 ? rc : -ENOENT;
	return sim_history_file(&h, &c, &m, out, &f);
}

void sim_sync_start(struct sim *s)
{
	s->on_own = sim_sync_own;
	sim_media_set_source(s->media, make_file, s);
}

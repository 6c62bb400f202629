/* common/ipc_frame.c - the header of the control channel and the table of what may be sent */
#include "common/ipc.h"

#include "common/err.h"
#include "common/rd.h"
#include "common/wr.h"
#include "proto/ipc.pb-c.h"

static const struct ipc_type_info ipc_types[] = {
	/* type, sender, body_max, fd, schema, name */
	{ IPC_HELLO, IPC_FROM_GATEWAY, 256, false, &ipc__hello__descriptor, "hello" },
	{ IPC_HELLO_REPLY, IPC_FROM_WORKER, 256, true, &ipc__hello_reply__descriptor,
	  "hello_reply" },
	{ IPC_PING, IPC_FROM_GATEWAY, 16, false, &ipc__ping__descriptor, "ping" },
	{ IPC_PONG, IPC_FROM_WORKER, 16, false, &ipc__pong__descriptor, "pong" },
	{ IPC_CONNECT, IPC_FROM_GATEWAY, 16384, true, &ipc__connect__descriptor, "connect" },
	{ IPC_STOP, IPC_FROM_GATEWAY, 64, false, &ipc__stop__descriptor, "stop" },
	{ IPC_STEP, IPC_FROM_WORKER, 64, false, &ipc__step__descriptor, "step" },
	{ IPC_QR, IPC_FROM_WORKER, 2048, false, &ipc__qr__descriptor, "qr" },
	{ IPC_FAILED, IPC_FROM_WORKER, 1024, false, &ipc__failed__descriptor, "failed" },
	{ IPC_BYE, IPC_FROM_WORKER, 1024, false, &ipc__bye__descriptor, "bye" },
	{ IPC_PAIRING_CODE, IPC_FROM_WORKER, 256, false, &ipc__pairing_code__descriptor,
	  "pairing_code" },
	{ IPC_PASSKEY, IPC_FROM_WORKER, 8192, false, &ipc__passkey__descriptor, "passkey" },
	{ IPC_LINKED, IPC_FROM_WORKER, 4096, false, &ipc__account__descriptor, "linked" },
	{ IPC_ONLINE, IPC_FROM_WORKER, 4096, false, &ipc__online__descriptor, "online" },
	{ IPC_DOWN, IPC_FROM_WORKER, 1024, false, &ipc__down__descriptor, "down" },
	{ IPC_PROFILE, IPC_FROM_WORKER, 4096, false, &ipc__account__descriptor, "profile" },
	{ IPC_LOGOUT_DONE, IPC_FROM_WORKER, 1024, false, &ipc__logout_done__descriptor,
	  "logout_done" },
	{ IPC_DIAL_ASK, IPC_FROM_WORKER, 16, false, &ipc__dial_ask__descriptor, "dial_ask" },
	{ IPC_DIAL_GO, IPC_FROM_GATEWAY, 16, false, &ipc__dial_go__descriptor, "dial_go" },
	{ IPC_VERSION_ASK, IPC_FROM_WORKER, 16, false, &ipc__version_ask__descriptor,
	  "version_ask" },
	{ IPC_VERSION_TELL, IPC_FROM_GATEWAY, 16, false, &ipc__version_tell__descriptor,
	  "version_tell" },
	{ IPC_VERSION_FOUND, IPC_FROM_WORKER, 1024, false, &ipc__version_found__descriptor,
	  "version_found" },
	{ IPC_RESUME, IPC_FROM_GATEWAY, 256, false, &ipc__resume__descriptor, "resume" },
	{ IPC_LOGOUT, IPC_FROM_GATEWAY, 256, false, &ipc__logout__descriptor, "logout" },
	{ IPC_PASSKEY_ANSWER, IPC_FROM_GATEWAY, 32768, false, &ipc__passkey_answer__descriptor,
	  "passkey_answer" },
	{ IPC_PASSKEY_CONFIRM, IPC_FROM_GATEWAY, 256, false, &ipc__passkey_confirm__descriptor,
	  "passkey_confirm" },
	{ IPC_SETTINGS, IPC_FROM_GATEWAY, 8192, false, &ipc__session_settings__descriptor,
	  "settings" },
	{ IPC_ROUTE, IPC_FROM_GATEWAY, 2048, false, &ipc__route__descriptor, "route" },
	{ IPC_PROBE_DONE, IPC_FROM_WORKER, 1024, false, &ipc__probe_done__descriptor,
	  "probe_done" },
	{ IPC_LOG_TAIL, IPC_FROM_WORKER, 16, true, &ipc__log_tail__descriptor, "log_tail" },
	{ IPC_ASK, IPC_FROM_GATEWAY, 1024, false, &ipc__ask__descriptor, "ask" },
	{ IPC_ANSWER, IPC_FROM_WORKER, 2048, true, &ipc__answer__descriptor, "answer" },
	{ IPC_HISTORY_STATE, IPC_FROM_WORKER, 64, false, &ipc__history_state__descriptor,
	  "history_state" },
	{ IPC_SPAWN, IPC_FROM_GATEWAY, 8192, true, &ipc__spawn__descriptor, "spawn" },
	/* the pidfd comes only with success, so its presence is checked by the handler */
	{ IPC_SPAWN_REPLY, IPC_FROM_ZYGOTE, 64, true, &ipc__spawn_reply__descriptor,
	  "spawn_reply" },
	{ IPC_EVENT, IPC_FROM_WORKER, IPC_EVENT_INLINE_MAX + 256, true, &ipc__event__descriptor,
	  "event" },
	{ IPC_EVENTS, IPC_FROM_WORKER, IPC_EVENT_INLINE_MAX + IPC_EVENTS_MAX_N * 128, false,
	  &ipc__events__descriptor, "events" },
	{ IPC_EVENT_COMMIT, IPC_FROM_GATEWAY, 64, false, &ipc__event_commit__descriptor,
	  "event_commit" },
};

const struct ipc_type_info *ipc_type_find(uint16_t type)
{
	for (size_t i = 0; i < ARRAY_LEN(ipc_types); i++)
		if (ipc_types[i].type == type)
			return &ipc_types[i];
	return NULL;
}

void ipc_header_encode(const struct ipc_header *h, uint8_t out[IPC_HDR_LEN])
{
	struct wr w;

	wr_init(&w, out, IPC_HDR_LEN);
	wr_le16(&w, IPC_VERSION);
	wr_le16(&w, h->type);
	wr_le32(&w, h->req_id);
	wr_le32(&w, h->body_len);
	wr_le16(&w, h->flags);
	wr_le16(&w, 0);
}

/* Of the types that may carry a descriptor, those that may come without: see proto/ipc.proto. */
static bool fd_may_be_missing(enum ipc_type type)
{
	return type == IPC_CONNECT || type == IPC_HELLO_REPLY || type == IPC_SPAWN_REPLY ||
	       type == IPC_ANSWER || type == IPC_EVENT;
}

static int check_against_type(const struct ipc_header *h, unsigned from, bool has_fd,
                              const struct ipc_type_info **info_out)
{
	const struct ipc_type_info *info = ipc_type_find(h->type);

	if (info == NULL || ((unsigned)info->sender & from) == 0)
		return WA_EPROTO;
	if (h->body_len > info->body_max)
		return WA_ELIMIT;
	if (has_fd && !info->fd)
		return WA_EPROTO;
	if (!has_fd && info->fd && !fd_may_be_missing(info->type))
		return WA_EPROTO;
	*info_out = info;
	return 0;
}

int ipc_frame_check(const uint8_t *packet, size_t packet_len, unsigned from, bool has_fd,
                    struct ipc_header *hdr_out, const struct ipc_type_info **info_out)
{
	const struct ipc_type_info *info = NULL;
	struct ipc_header h;
	uint16_t version, zero;
	struct rd r;
	int rc;

	rd_init(&r, packet, packet_len);
	version = rd_le16(&r);
	h.type = rd_le16(&r);
	h.req_id = rd_le32(&r);
	h.body_len = rd_le32(&r);
	h.flags = rd_le16(&r);
	zero = rd_le16(&r);
	if (r.err != 0)
		return r.err;
	if (version != IPC_VERSION || h.flags != 0 || zero != 0)
		return WA_EPROTO;
	rc = check_against_type(&h, from, has_fd, &info);
	if (rc < 0)
		return rc;
	if (h.body_len != r.left)
		return WA_EPROTO;
	*hdr_out = h;
	*info_out = info;
	return 0;
}

/* gateway/http/gw_req_priv.h - the inside of a request, for the two files that share it */
#ifndef GW_REQ_PRIV_H
#define GW_REQ_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/buf.h"
#include "common/log.h"
#include "gateway/http/gw_req.h"

#define GW_REQ_METHOD_CAP 32
#define GW_REQ_PATH_CAP 256 /* for the log; longer ones are cut there */

struct gw_req {
	const struct gw_req_env *env;
	struct gw_conn *conn; /* NULL once the caller is gone */
	const struct gw_route *route;
	struct gw_auth auth;
	enum gw_media media;
	struct gw_addr client;
	uint64_t began_ms;
	struct log_ctx log;
	struct buf headers; /* of the answer */
	bool headers_lost;  /* no memory for one of them */
	void (*on_hangup)(void *arg);
	void (*on_room)(void *arg);
	void (*on_data)(const uint8_t *data, size_t data_len, void *arg);
	void (*on_token_end)(void *arg); /* upgraded */
	void *on_hangup_arg;             /* of all of these */
	TAILQ_ENTRY(gw_req) in_waiting;
	bool is_waiting; /* in env->waiting */
	bool streaming;  /* its answer has begun */
	bool noted;      /* in the metrics */
	char id[GW_REQ_ID_MAX + 1];
	char name[GW_NAME_MAX + 1];
	char method[GW_REQ_METHOD_CAP];
	char path[GW_REQ_PATH_CAP];
};

/* The line of log of an answer. */
void gw_req_log(const struct gw_req *req, int status, size_t body_len);
/* The answer's beginning, or (499) that nobody is there for it: counted once for each request. */
void gw_req_note(struct gw_req *req, int status);
void gw_req_free(struct gw_req *req);

#endif

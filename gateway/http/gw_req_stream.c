/* gateway/http/gw_req_stream.c - an answer that goes on: pieces, another protocol, a token's end */
#include <stdlib.h>

#include "common/json_text.h"
#include "common/secret.h"
#include "gateway/http/gw_conn.h"
#include "gateway/http/gw_req.h"
#include "gateway/http/gw_req_priv.h"

int gw_req_stream_start(struct gw_req *req, const char *content_type)
{
	gw_req_add_header(req, "Content-Type", "%s", content_type);
	req->streaming = true;
	gw_req_note(req, 200);
	return gw_conn_stream_start(req->conn, 200, &req->headers);
}

int gw_req_stream_piece(struct gw_req *req, const void *data, size_t data_len)
{
	return gw_conn_stream_piece(req->conn, data, data_len);
}

void gw_req_stream_cork(struct gw_req *req)
{
	gw_conn_stream_cork(req->conn);
}

int gw_req_stream_flush(struct gw_req *req)
{
	return gw_conn_stream_flush(req->conn);
}

void gw_req_stream_end(struct gw_req *req)
{
	gw_req_log(req, 200, 0);
	gw_conn_stream_end(req->conn);
	gw_req_free(req);
}

/* ---- at the client's pace, and another protocol -----------------------------------------------
 */

static void on_conn_room(void *arg)
{
	struct gw_req *req = arg;

	if (req->on_hangup != NULL)
		req->on_room(req->on_hangup_arg);
}

static void on_conn_data(const uint8_t *data, size_t data_len, void *arg)
{
	struct gw_req *req = arg;

	req->on_data(data, data_len, req->on_hangup_arg);
}

void gw_req_stream_pace(struct gw_req *req, void (*on_room)(void *arg))
{
	req->on_room = on_room;
	gw_conn_pace(req->conn, on_conn_room);
}

bool gw_req_has_room(const struct gw_req *req)
{
	return gw_conn_has_room(req->conn);
}

int gw_req_upgrade(struct gw_req *req,
                   void (*on_data)(const uint8_t *data, size_t data_len, void *arg),
                   void (*on_token_end)(void *arg))
{
	req->on_data = on_data;
	req->on_token_end = on_token_end;
	req->streaming = true;
	gw_req_note(req, 101);
	return gw_conn_upgrade(req->conn, &req->headers, on_conn_data);
}

int gw_req_write(struct gw_req *req, const void *data, size_t data_len)
{
	return gw_conn_write(req->conn, data, data_len);
}

void gw_req_upgrade_end(struct gw_req *req)
{
	gw_req_log(req, 101, 0);
	gw_conn_upgrade_end(req->conn);
	gw_req_free(req);
}

/* ---- a token that ends ----------------------------------------------------------------------- */

static const char token_ended[] = "the token was replaced by a new one meanwhile";

/* The stream's last event. */
static void end_stream(struct gw_req *req)
{
	json_t *json =
	    gw_error_json(gw_error_message(GW_ERR_TOKEN), gw_error_code(GW_ERR_TOKEN), token_ended);
	char *text = json_text(json);
	struct buf piece = { 0 };
	int rc = 0;

	if (text != NULL && buf_appendf(&piece, "event: failed\ndata: %s\n\n", text) == 0)
		rc = gw_conn_stream_piece(req->conn, piece.p, piece.len);
	buf_free(&piece);
	free(text);
	json_decref(json);
	if (rc < 0)
		gw_req_free(req); /* the caller left just now */
	else
		gw_req_stream_end(req);
}

static struct gw_req *find_let_in(const struct gw_req_list *list, const uint8_t *hash)
{
	struct gw_req *req;

	for (req = TAILQ_FIRST(list); req != NULL; req = TAILQ_NEXT(req, in_waiting))
		if (secret_eq(req->auth.hash, hash, GW_TOKEN_HASH_LEN))
			return req;
	return NULL;
}

/* From the front each time: what an answer sets off may end others of the list. */
void gw_req_token_ended(struct gw_req_list *list, const uint8_t *hash)
{
	struct gw_req *req;

	while ((req = find_let_in(list, hash)) != NULL) {
		void (*let_go)(void *arg) = req->on_hangup;
		void *arg = req->on_hangup_arg;

		if (req->on_token_end != NULL) {
			req->on_token_end(arg);
			continue;
		}
		gw_req_resume(req);
		let_go(arg);
		if (req->streaming)
			end_stream(req);
		else
			gw_req_fail(req, GW_ERR_TOKEN, token_ended);
	}
}

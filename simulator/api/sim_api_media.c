/* simulator/api/sim_api_media.c - the routes of the control API: files of the media host, and what goes
 * wrong with them
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/codec.h"
#include "common/err.h"
#include "simulator/api/sim_api.h"
#include "simulator/api/sim_api_media.h"
#include "simulator/media/sim_media_fault.h"
#include "simulator/sim.h"

static json_t *b64_json(const void *data, size_t len)
{
	char *text = malloc(B64_CAP(len));
	json_t *j;

	if (text == NULL)
		return NULL;
	b64_encode(data, len, text);
	j = json_string(text);
	free(text);
	return j;
}

json_t *sim_api_media_json(const struct sim_media_file *f)
{
	return json_pack(
	    "{s:I, s:s, s:s, s:o, s:o, s:o, s:I}", "file", (json_int_t)f->number, "url", f->url,
	    "directPath", f->direct_path, "mediaKey", b64_json(f->key, sizeof(f->key)),
	    "fileSha256", b64_json(f->sha256, sizeof(f->sha256)), "fileEncSha256",
	    b64_json(f->enc_sha256, sizeof(f->enc_sha256)), "fileLength", (json_int_t)f->len);
}

static void add_blob(struct sim_media_blob *b, void *arg)
{
	json_array_append_new(arg, json_pack("{s:I, s:s, s:s, s:o, s:I, s:I, s:I}", "file",
	                                     (json_int_t)b->number, "kind", sim_media_word(b->kind),
	                                     "path", b->path, "fileEncSha256",
	                                     b64_json(b->enc_sha256, sizeof(b->enc_sha256)), "size",
	                                     (json_int_t)b->data.len, "gets", (json_int_t)b->gets,
	                                     "puts", (json_int_t)b->puts));
}

void sim_api_list_media(struct sim_call *call)
{
	const struct sim_media *m = call->sim->media;
	json_t *files = json_array();

	sim_media_each(m, add_blob, files);
	sim_call_reply(call, 200,
	               json_pack("{s:I, s:I, s:o}", "bytes", (json_int_t)sim_media_bytes(m),
	                         "limit", (json_int_t)SIM_MEDIA_LIMIT, "files", files));
}

/* Base64 of a body, or noise of that size. False after an error answer. */
static bool make_content(struct sim_call *call, enum sim_media_kind kind, const char *bytes,
                         json_int_t size, json_int_t seed, struct buf *out)
{
	size_t n = bytes == NULL ? 0 : strlen(bytes);
	int rc;

	if (bytes == NULL && (size < 0 || size > SIM_MEDIA_FILE_MAX)) {
		sim_call_error(call, 400, "bad_request", "size must be between 0 and %u",
		               SIM_MEDIA_FILE_MAX);
		return false;
	}
	if (bytes == NULL) {
		rc = sim_media_make(kind, (uint64_t)seed, (size_t)size, out);
	} else {
		rc = buf_reserve(out, n);
		if (rc == 0)
			rc = b64_decode(bytes, n, out->p, out->cap, &out->len);
	}
	if (rc < 0)
		sim_call_error(call, rc == -EINVAL ? 400 : 500, "bad_request", "bytes: %s",
		               rc == -EINVAL ? "not base64" : wa_err_name(rc));
	return rc == 0;
}

bool sim_api_take_media(struct sim_call *call, const json_t *body, enum sim_media_kind *kind_out,
                        struct sim_media_file *file_out)
{
	const char *kind = "", *bytes = NULL, *flaw = "none";
	enum sim_media_flaw f = SIM_FLAW_FILE_NONE;
	json_int_t size = 1024, seed = 1;
	struct buf content = { 0 };
	json_error_t e;
	int rc;

	if (json_unpack_ex((json_t *)body, &e, 0, "{s:s, s?s, s?I, s?I, s?s}", "kind", &kind,
	                   "bytes", &bytes, "size", &size, "seed", &seed, "flaw", &flaw) < 0) {
		sim_call_error(call, 400, "bad_request", "%s", e.text);
		return false;
	}
	if (!sim_media_kind_find(kind, kind_out) || !sim_media_flaw_find(flaw, &f)) {
		sim_call_error(call, 400, "bad_request", "unknown kind or flaw");
		return false;
	}
	if (!make_content(call, *kind_out, bytes, size, seed, &content)) {
		buf_free(&content);
		return false;
	}
	rc = sim_media_put(call->sim->media, *kind_out, f, content.p, content.len, file_out);
	buf_free(&content);
	if (rc < 0)
		sim_call_error(call, 500, "internal", "%s", wa_err_name(rc));
	return rc == 0;
}

void sim_api_put_media(struct sim_call *call)
{
	struct sim_media_file f;
	enum sim_media_kind kind;

	if (sim_api_take_media(call, call->body, &kind, &f))
		sim_call_reply(call, 201, sim_api_media_json(&f));
}

void sim_api_drop_media(struct sim_call *call)
{
	struct sim_media *m = call->sim->media;
	struct sim_media_blob *b;
	uint64_t number;

	b = dec_decode(call->params[0], INT64_MAX, &number) < 0 ? NULL
	                                                        : sim_media_find_number(m, number);
	if (b == NULL) {
		sim_call_error(call, 404, "not_found", "no file with this number");
		return;
	}
	sim_media_drop(m, b);
	sim_call_reply(call, 200, json_pack("{s:I}", "deleted", (json_int_t)number));
}

void sim_api_revoke_media_auth(struct sim_call *call)
{
	sim_media_auth_revoke(call->sim->media);
	sim_call_reply(call, 200, json_object());
}

/* ---- faults ------------------------------------------------------------------------------------
 */

static bool take_method(const char *text, int *out)
{
	static const char *const names[] = { "GET", "HEAD", "POST", "DELETE" };

	*out = -1;
	for (int i = 0; i < (int)ARRAY_LEN(names); i++) {
		if (strcmp(names[i], text) == 0)
			*out = i;
	}
	return *out >= 0 || text[0] == '\0';
}

static bool take_fault(struct sim_call *call, struct sim_media_match *m, struct sim_media_fault *f)
{
	const char *kind = "", *part = "", *method = "", *location = "";
	json_int_t nth = 0, times = 0, code = 0, rate = 0, offset = -1, bytes = 0;
	json_error_t e;

	if (json_unpack_ex(call->body, &e, 0,
	                   "{s?{s?s, s?s, s?I, s?I !}, s:{s:s, s?I, s?I, s?I, s?I, s?s !} !}",
	                   "match", "part", &part, "method", &method, "nth", &nth, "times", &times,
	                   "fault", "kind", &kind, "code", &code, "bytesPerSecond", &rate, "offset",
	                   &offset, "bytes", &bytes, "location", &location) < 0) {
		sim_call_error(call, 400, "bad_request", "%s", e.text);
		return false;
	}
	if (!sim_media_fault_find(kind, &f->kind) || !take_method(method, &m->method) ||
	    strlen(part) >= sizeof(m->part) || strlen(location) >= sizeof(f->location) || nth < 0 ||
	    times < 0 || code < 0 || code > 999 || rate < 0 || rate > INT32_MAX || bytes < 0 ||
	    nth > INT32_MAX || times > INT32_MAX) {
		sim_call_error(call, 400, "bad_request", "a member is out of range");
		return false;
	}
	snprintf(m->part, sizeof(m->part), "%s", part);
	snprintf(f->location, sizeof(f->location), "%s", location);
	m->nth = (uint32_t)nth;
	m->times = (uint32_t)times;
	f->code = (uint32_t)code;
	f->rate = (uint32_t)rate;
	f->has_offset = offset >= 0;
	f->offset = offset >= 0 ? (uint64_t)offset : 0;
	f->bytes = (uint64_t)bytes;
	return true;
}

void sim_api_add_media_fault(struct sim_call *call)
{
	struct sim_media_match match = { .method = -1 };
	struct sim_media_fault fault = { .kind = SIM_MF_NONE };
	uint32_t id;
	int rc;

	if (!take_fault(call, &match, &fault))
		return;
	rc = sim_media_faults_add(call->sim->media_faults, &match, &fault, &id);
	if (rc < 0)
		sim_call_error(call, 400, "too_many", "%s", wa_err_name(rc));
	else
		sim_call_reply(call, 201, json_pack("{s:I}", "id", (json_int_t)id));
}

void sim_api_clear_media_faults(struct sim_call *call)
{
	sim_media_faults_clear(call->sim->media_faults);
	sim_call_reply(call, 200, json_object());
}

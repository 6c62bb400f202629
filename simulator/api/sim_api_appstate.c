/* simulator/api/sim_api_appstate.c - the routes of the control API: app state of a phone */
#include <errno.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/err.h"
#include "simulator/api/sim_api.h"
#include "simulator/api/sim_json.h"
#include "simulator/appstate/sim_appstate_live.h"
#include "simulator/sim.h"

static void add_record(const char *index, const struct buf *value, void *arg)
{
	json_t *parts = json_loads(index, 0, NULL);

	json_array_append_new(arg, json_pack("{s:o, s:o}", "index",
	                                     parts == NULL ? json_string(index) : parts, "value",
	                                     sim_json_hex(value->p, value->len)));
}

static json_t *state_json(const struct sim_appstate *as)
{
	json_t *all = json_object(), *keys = json_array();
	uint32_t refused, uploads, asked, answered;
	const char *why;

	for (unsigned i = 0; i < SIM_AS_COLLECTIONS_N; i++) {
		enum sim_as_collection c = (enum sim_as_collection)i;
		json_t *records = json_array();

		sim_as_each(as, c, add_record, records);
		json_object_set_new(all, sim_as_name(c),
		                    json_pack("{s:I, s:o}", "version",
		                              (json_int_t)sim_as_version(as, c), "records",
		                              records));
	}
	for (size_t i = 0; i < sim_as_keys_count(as); i++)
		json_array_append_new(keys,
		                      sim_json_hex(sim_as_key_at(as, i)->id, SIM_AS_KEY_ID_LEN));
	uploads = sim_as_uploads(as, &refused, &why);
	sim_as_asked(as, &asked, &answered);
	return json_pack("{s:o, s:o, s:I, s:I, s:s?, s:I, s:I}", "collections", all, "keys", keys,
	                 "uploads", (json_int_t)uploads, "refused", (json_int_t)refused, "why", why,
	                 "asked", (json_int_t)asked, "answered", (json_int_t)answered);
}

void sim_api_show_appstate(struct sim_call *call)
{
	struct sim_phone *phone = sim_api_phone(call);
	struct sim_appstate *as;
	int rc;

	if (phone == NULL)
		return;
	rc = sim_appstate_get(call->sim, phone, &as);
	if (rc < 0)
		sim_call_error(call, 500, "internal", "%s", wa_err_name(rc));
	else
		sim_call_reply(call, 200, state_json(as));
}

static void tell_all(struct sim *s, struct sim_phone *phone, unsigned touched)
{
	for (unsigned i = 0; i < SIM_AS_COLLECTIONS_N; i++) {
		if (touched & 1u << i)
			sim_appstate_tell(s, phone, (enum sim_as_collection)i, NULL);
	}
}

static int rotate(struct sim *s, struct sim_phone *phone, struct sim_appstate *as, bool share)
{
	int rc = sim_as_rotate(as, clock_unix_ms());

	for (struct sim_device *d = sim_device_first(s->devices, phone->number);
	     rc == 0 && share && d != NULL; d = d->next)
		rc = sim_appstate_share(s, phone, d);
	return rc;
}

void sim_api_change_appstate(struct sim_call *call)
{
	struct sim_phone *phone = sim_api_phone(call);
	int external = 0, quiet = 0, rotate_key = 0, share = 1, rc;
	enum sim_as_flaw flaw = SIM_AS_FLAW_NONE;
	const char *flaw_word = "none", *why = "", *answer_word = NULL;
	enum sim_as_answer answer = SIM_AS_ANSWER_GZIP;
	struct sim_appstate *as;
	json_t *changes = NULL;
	unsigned touched = 0;
	json_error_t e;

	if (phone == NULL)
		return;
	if (json_unpack_ex(call->body, &e, 0, "{s?o, s?b, s?b, s?b, s?b, s?s, s?s !}", "changes",
	                   &changes, "external", &external, "quiet", &quiet, "rotateKey",
	                   &rotate_key, "share", &share, "flaw", &flaw_word, "answer",
	                   &answer_word) < 0 ||
	    !sim_as_flaw_find(flaw_word, &flaw) ||
	    (answer_word != NULL && !sim_as_answer_find(answer_word, &answer))) {
		sim_call_error(call, 400, "bad_request", "%s",
		               e.text[0] ? e.text : "unknown flaw, or answer");
		return;
	}
	rc = sim_appstate_get(call->sim, phone, &as);
	if (rc == 0 && answer_word != NULL)
		sim_as_answer_with(as, answer);
	if (rc == 0)
		sim_appstate_share_late(call->sim, phone);
	if (rc == 0 && rotate_key)
		rc = rotate(call->sim, phone, as, share != 0);
	if (rc == 0 && changes != NULL)
		rc = sim_appstate_make(as, changes, clock_unix_ms(), external != 0, flaw, &touched,
		                       &why);
	if (rc < 0) {
		sim_call_error(call, rc == -EINVAL ? 400 : 500, "bad_request", "%s",
		               rc == -EINVAL ? why : wa_err_name(rc));
		return;
	}
	if (!quiet)
		tell_all(call->sim, phone, touched);
	sim_call_reply(call, 200, state_json(as));
}

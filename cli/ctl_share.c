/* cli/ctl_share.c - wardenctl link NAME --share: a one-time link for somebody without a token */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/ctl_instance.h"
#include "cli/ctl_link.h"
#include "cli/ctl_text.h"
#include "common/clock.h"

#define EXPIRES_S_MAX 86400

static enum ctl_exit read_expires(const struct ctl_call *call, int64_t *expires_s)
{
	const char *text = call->args->opt[CTL_OPT_EXPIRES];

	*expires_s = 0;
	if (text == NULL || ctl_args_number(text, 1, EXPIRES_S_MAX, expires_s) == 0)
		return CTL_EXIT_OK;
	fputs("wardenctl: --expires has to be a whole number of seconds, 1 to 86400\n", stderr);
	return CTL_EXIT_USAGE;
}

static json_t *body_of(const struct ctl_link_terms *t, int64_t expires_s)
{
	json_t *body = json_object();
	int rc = body == NULL ? -1 : 0;

	if (rc == 0 && expires_s > 0)
		rc = json_object_set_new(body, "expiresIn", json_integer(expires_s));
	if (rc == 0 && t->history_days > 0)
		rc = json_object_set_new(body, "history", json_integer(t->history_days));
	if (rc == 0 && t->number[0] != '\0')
		rc = json_object_set_new(body, "number", json_string(t->number));
	if (rc == 0)
		return body;
	json_decref(body);
	return NULL;
}

static enum ctl_exit print(const struct ctl_call *call, const json_t *answer)
{
	const char *url = ctl_json_str(answer, "url"), *at = ctl_json_str(answer, "expiresAt");
	char until[RFC3339_CAP];

	if (!ctl_is_secret(url)) {
		fputs("wardenctl: the gateway's answer holds no url\n", stderr);
		return CTL_EXIT_FAILED;
	}
	if (ctl_wants_json(call))
		return ctl_json_print(json_pack("{s:s, s:s}", "url", url, "expiresAt", at));
	ctl_text_copy(until, sizeof(until), at);
	fprintf(stderr,
	        "Whoever opens this can link %s once, until %s; it takes the place of the one "
	        "before:\n",
	        call->name, until);
	return ctl_print_secret(url);
}

enum ctl_exit ctl_link_share(const struct ctl_call *call)
{
	struct ctl_link_terms terms;
	int64_t expires_s = 0;
	json_t *answer = NULL, *body;
	enum ctl_exit rc = ctl_link_terms(call, &terms);

	if (rc == CTL_EXIT_OK)
		rc = read_expires(call, &expires_s);
	if (rc != CTL_EXIT_OK)
		return rc;
	body = body_of(&terms, expires_s);
	if (body == NULL)
		return ctl_no_memory();
	rc = ctl_instance_call(call, "POST", "link", body, &answer);
	if (rc == CTL_EXIT_OK)
		rc = print(call, answer);
	json_decref(answer);
	return rc;
}

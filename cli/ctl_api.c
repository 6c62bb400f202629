/* cli/ctl_api.c - calls to the gateway: where it is, with which token, what its errors mean */
#include "cli/ctl_api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/ctl_text.h"
#include "common/err.h"
#include "common/json_text.h"
#include "common/secret.h"

#define DEFAULT_URL "http://127.0.0.1:8080"
#define DEFAULT_RUN_DIR "/run/warden"
/* a logout may have to log in first, a delete waits for its worker */
#define CALL_TIMEOUT_MS 60000

enum ctl_exit ctl_no_memory(void)
{
	fputs("wardenctl: out of memory\n", stderr);
	return CTL_EXIT_FAILED;
}

static const char *env_or(const char *name, const char *fallback)
{
	const char *value = getenv(name);

	return value != NULL && value[0] != '\0' ? value : fallback;
}

/* ---- where, and with which token ------------------------------------------------------------- */

enum ctl_exit ctl_api_open_admin(struct ctl_api *api)
{
	const char *run_dir = env_or("WARDEN_RUN_DIR", DEFAULT_RUN_DIR);

	memset(api, 0, sizeof(*api));
	if (ctl_url_unix(run_dir, "admin.sock", &api->target) < 0) {
		fprintf(stderr, "wardenctl: WARDEN_RUN_DIR is too long for a socket's path: %s\n",
		        run_dir);
		return CTL_EXIT_USAGE;
	}
	return CTL_EXIT_OK;
}

/* Without the white space around it; only characters that can stand in a header field. */
static bool take_token(struct ctl_api *api, const char *text)
{
	size_t len;

	text += strspn(text, " \t\r\n");
	len = strcspn(text, " \t\r\n");
	if (len == 0 || len > CTL_TOKEN_MAX || text[len + strspn(text + len, " \t\r\n")] != '\0')
		return false;
	for (size_t i = 0; i < len; i++)
		if (text[i] < '!' || text[i] > '~')
			return false;
	memcpy(api->token, text, len);
	api->token[len] = '\0';
	return true;
}

static enum ctl_exit token_from_file(struct ctl_api *api, const char *path)
{
	char text[CTL_TOKEN_MAX + 64];
	FILE *f = fopen(path, "re");
	size_t n;
	bool ok;

	if (f == NULL) {
		fprintf(stderr, "wardenctl: can't read the token from %s: %s\n", path,
		        strerror(errno));
		return CTL_EXIT_USAGE;
	}
	setvbuf(f, NULL, _IONBF, 0); /* no copy of it in a buffer that nobody wipes */
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	ok = !ferror(f) && strlen(text) == n && take_token(api, text);
	fclose(f);
	secret_wipe(text, sizeof(text));
	if (ok)
		return CTL_EXIT_OK;
	fprintf(stderr, "wardenctl: %s has to hold one token and nothing else\n", path);
	return CTL_EXIT_USAGE;
}

/* Taken out of the environment: /proc/PID/environ shows it for as long as we run. */
static enum ctl_exit token_from_env(struct ctl_api *api)
{
	char *text = getenv("WARDEN_TOKEN");
	bool ok;

	if (text == NULL || *text == '\0') {
		fputs(
		    "wardenctl: no token. Put one into WARDEN_TOKEN, or into a file and name that "
		    "with --token-file.\n"
		    "On the gateway's machine \"wardenctl account create NAME\" makes one.\n",
		    stderr);
		return CTL_EXIT_USAGE;
	}
	ok = take_token(api, text);
	secret_wipe(text, strlen(text));
	unsetenv("WARDEN_TOKEN");
	if (!ok) {
		fputs("wardenctl: WARDEN_TOKEN does not hold a token\n", stderr);
		return CTL_EXIT_USAGE;
	}
	return CTL_EXIT_OK;
}

enum ctl_exit ctl_api_open(struct ctl_api *api, const char *token_file)
{
	const char *url = env_or("WARDEN_URL", DEFAULT_URL), *why;

	memset(api, 0, sizeof(*api));
	if (ctl_url_parse(url, &api->target, &why) < 0) {
		fprintf(stderr, "wardenctl: WARDEN_URL is no address of a gateway: %s\n", why);
		return CTL_EXIT_USAGE;
	}
	return token_file != NULL ? token_from_file(api, token_file) : token_from_env(api);
}

void ctl_api_clear(struct ctl_api *api)
{
	secret_wipe(api, sizeof(*api));
}

/* ---- what went wrong ------------------------------------------------------------------------- */

enum ctl_exit ctl_api_unreachable(const struct ctl_api *api, int rc, const char *why)
{
	bool is_socket = api->target.transport == CTL_UNIX;

	if (rc == -ENOMEM)
		return ctl_no_memory();
	fprintf(stderr, "wardenctl: can't reach the gateway at %s: %s\n", api->target.shown, why);
	if (is_socket && rc == -EACCES)
		fputs("Run this as root, or as the user that wardend runs as.\n", stderr);
	else if (is_socket)
		fputs(
		    "Is wardend running on this machine? If its run_dir is another one, name that "
		    "in WARDEN_RUN_DIR.\n",
		    stderr);
	else if (rc == WA_ETLS)
		fputs(
		    "This machine has to trust its certificate, and that has to be for the host in "
		    "WARDEN_URL.\n",
		    stderr);
	else
		fputs("Is wardend running there? WARDEN_URL says where it is, for instance "
		      "WARDEN_URL=" DEFAULT_URL ".\n",
		      stderr);
	return CTL_EXIT_UNREACHABLE;
}

/* What to do about an error, by its code. */
static const struct hint {
	const char *code;
	const char *text;
} hints[] = {
	{ "invalid_token",
	  "This gateway does not know the token. On the gateway's machine \"wardenctl "
	  "account rotate NAME\" gives the account a new one." },
	{ "wrong_instance", "The token belongs to one other instance. Use its account's token." },
	{ "instance_not_found", "\"wardenctl instance list\" shows the instances there are; "
	                        "\"wardenctl instance create NAME\" makes one." },
	{ "instance_exists", "\"wardenctl link NAME\" links it." },
	{ "quota_exceeded",
	  "Delete an instance; or, on the gateway's machine, \"wardenctl account quota NAME N\" "
	  "allows more." },
	{ "account_exists", "\"wardenctl account rotate NAME\" gives it a new token." },
	{ "account_not_found", "\"wardenctl account list\" shows the accounts there are." },
	{ "ambiguous_name", "--account NAME says which." },
	{ "account_not_empty", "\"wardenctl instance delete NAME\", with its token, deletes one." },
	{ "at_capacity", "Try again later, or raise the gateway's limits." },
	{ "shutting_down", "Try again when it has started." },
	{ "not_implemented", "This version of the gateway can't do that." },
	{ "no_session", "It is not linked: \"wardenctl link NAME\" links it." },
	{ "whatsapp_throttled", "WhatsApp gives this number no more codes for now." },
	{ "pairing_refused", "WhatsApp or the phone refused this link; try again." },
	{ "proxy_unreachable",
	  "\"wardenctl instance proxy NAME\" shows the proxy it goes through." },
	{ "proxy_auth", "\"wardenctl instance proxy NAME URL --password-file FILE\" sets user and "
	                "password." },
	{ "logged_out", "It was unlinked: \"wardenctl link NAME\" links it again." },
	{ "banned", "WhatsApp has locked or banned this account; its app on the phone says more." },
	{ "temp_banned", "WhatsApp keeps this account out for some time." },
	{ "stream_replaced", "Another client uses the same session. End it before you reconnect." },
	{ "worker_crashed", "The gateway's log says more." },
	{ "store_corrupt",
	  "The instance's stored session can't be read; the gateway's log says more." },
	{ "network", "The gateway could not reach WhatsApp." },
	{ "dns", "The gateway could not find WhatsApp's address." },
	{ "tls", "The gateway does not trust the certificate of the server it reached." },
	{ "client_outdated",
	  "WhatsApp wants a newer client version: update Warden, or set wa_version." },
	{ "superseded", "Somebody else began to link this instance in another way." },
};

static void print_hint(const char *code)
{
	for (size_t i = 0; i < ARRAY_LEN(hints); i++)
		if (strcmp(hints[i].code, code) == 0)
			fprintf(stderr, "%s\n", hints[i].text);
}

enum ctl_exit ctl_api_refused(const struct ctl_api *api, int status, uint32_t retry_after_s,
                              const json_t *answer)
{
	const json_t *error = json_object_get(answer, "error");
	const char *message = ctl_json_str(error, "message");
	const char *code = ctl_json_str(error, "code"), *detail = ctl_json_str(error, "detail");
	struct buf line = { 0 };

	if (message[0] == '\0') {
		fprintf(stderr,
		        "wardenctl: %s answers (HTTP %d), but not as a Warden gateway does\n",
		        api->target.shown, status);
		return CTL_EXIT_UNREACHABLE;
	}
	if (ctl_text_clean(&line, message) == 0 &&
	    (detail[0] == '\0' ||
	     (buf_append_str(&line, ": ") == 0 && ctl_text_clean(&line, detail) == 0)))
		fprintf(stderr, "wardenctl: %.*s\n", (int)line.len, (const char *)line.p);
	buf_free(&line);
	if (retry_after_s > 0)
		fprintf(stderr, "It will be taken again in %u s.\n", retry_after_s);
	print_hint(code);
	return CTL_EXIT_FAILED;
}

/* ---- calls ----------------------------------------------------------------------------------- */

void ctl_fail_clear(struct ctl_fail *fail)
{
	json_decref(fail->answer);
	*fail = (struct ctl_fail){ 0 };
}

bool ctl_fail_may_pass(const struct ctl_fail *fail)
{
	if (fail->rc < 0)
		return fail->rc != WA_ETLS && fail->rc != -ENOMEM;
	return fail->status == 429 || (fail->status >= 500 && fail->status != 501);
}

enum ctl_exit ctl_api_tell(const struct ctl_api *api, const struct ctl_fail *fail)
{
	if (fail->rc < 0)
		return ctl_api_unreachable(api, fail->rc, fail->why);
	return ctl_api_refused(api, fail->status, fail->retry_after_s, fail->answer);
}

static bool read_answer(const struct ctl_http_resp *resp, json_t **answer_out,
                        struct ctl_fail *fail_out)
{
	json_t *answer =
	    json_text_read((const char *)resp->body.p, resp->body.len, JSON_REJECT_DUPLICATES);

	if (json_is_object(answer) && resp->status >= 200 && resp->status <= 299) {
		*answer_out = answer;
		return true;
	}
	fail_out->status = resp->status;
	fail_out->retry_after_s = resp->retry_after_s;
	fail_out->answer = answer;
	return false;
}

bool ctl_api_try(const struct ctl_api *api, const char *method, const char *path, json_t *body,
                 json_t **answer_out, struct ctl_fail *fail_out)
{
	struct ctl_http_req req = {
		.method = method,
		.path = path,
		.token = api->token[0] != '\0' ? api->token : NULL,
		.timeout_ms = CALL_TIMEOUT_MS,
	};
	struct ctl_http_resp resp = { 0 };
	char *text = NULL;
	bool ok = false;

	*fail_out = (struct ctl_fail){ .rc = -ENOMEM };
	if (body != NULL) {
		text = json_text(body);
		json_decref(body);
		if (text == NULL)
			return false;
		req.body = text;
	}
	fail_out->rc = ctl_http_call(&api->target, &req, &resp, fail_out->why);
	if (fail_out->rc == 0)
		ok = read_answer(&resp, answer_out, fail_out);
	ctl_http_resp_clear(&resp);
	if (text != NULL)
		secret_wipe(text, strlen(text)); /* may hold a password */
	free(text);
	return ok;
}

enum ctl_exit ctl_api_call(const struct ctl_api *api, const char *method, const char *path,
                           json_t *body, json_t **answer_out)
{
	struct ctl_fail fail;
	enum ctl_exit rc = CTL_EXIT_OK;

	if (!ctl_api_try(api, method, path, body, answer_out, &fail)) {
		rc = ctl_api_tell(api, &fail);
		ctl_fail_clear(&fail);
	}
	return rc;
}

/* opened: what opening api came to. */
static enum ctl_exit call_and_clear(struct ctl_api *api, enum ctl_exit opened, const char *method,
                                    const char *path, json_t *body, json_t **answer_out)
{
	enum ctl_exit rc = opened;

	if (rc == CTL_EXIT_OK)
		rc = ctl_api_call(api, method, path, body, answer_out);
	else
		json_decref(body);
	ctl_api_clear(api);
	return rc;
}

enum ctl_exit ctl_api_once(const char *token_file, const char *method, const char *path,
                           json_t *body, json_t **answer_out)
{
	struct ctl_api api;
	enum ctl_exit opened = ctl_api_open(&api, token_file);

	return call_and_clear(&api, opened, method, path, body, answer_out);
}

enum ctl_exit ctl_api_admin(const char *method, const char *path, json_t *body, json_t **answer_out)
{
	struct ctl_api api;
	enum ctl_exit opened = ctl_api_open_admin(&api);

	return call_and_clear(&api, opened, method, path, body, answer_out);
}

enum ctl_exit ctl_api_array(const json_t *answer, const char *key, json_t **array_out)
{
	json_t *array = json_object_get(answer, key);

	if (!json_is_array(array)) {
		fprintf(stderr, "wardenctl: the gateway's answer holds no list of %s\n", key);
		return CTL_EXIT_FAILED;
	}
	*array_out = array;
	return CTL_EXIT_OK;
}

const char *ctl_json_str(const json_t *obj, const char *key)
{
	const char *text = json_string_value(json_object_get(obj, key));

	return text != NULL ? text : "";
}

enum ctl_exit ctl_json_print(json_t *value)
{
	char *text = json_text(value);
	struct buf line = { 0 };
	enum ctl_exit rc;

	json_decref(value);
	if (text == NULL || ctl_text_json(&line, text) < 0 || buf_append_u8(&line, '\n') < 0)
		rc = ctl_no_memory();
	else
		rc = ctl_print((const char *)line.p, line.len);
	if (text != NULL)
		secret_wipe(text, strlen(text)); /* may hold a token or a code */
	free(text);
	buf_wipe(&line);
	return rc;
}

enum ctl_exit ctl_print(const char *text, size_t text_len)
{
	if (fwrite(text, 1, text_len, stdout) == text_len && fflush(stdout) == 0)
		return CTL_EXIT_OK;
	fputs("wardenctl: can't write to stdout\n", stderr);
	return CTL_EXIT_FAILED;
}

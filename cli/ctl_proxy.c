/* cli/ctl_proxy.c - wardenctl instance proxy: shown, or changed by a URL */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/ctl_command.h"
#include "cli/ctl_instance.h"
#include "cli/ctl_text.h"
#include "common/attr.h"
#include "common/secret.h"

#define PASSWORD_MAX 255

/* ---- the password ---------------------------------------------------------------------------- */

static enum ctl_exit read_password(FILE *f, const char *path, char out[PASSWORD_MAX + 2])
{
	size_t n;

	setvbuf(f, NULL, _IONBF, 0); /* no copy of it in a buffer that nobody wipes */
	n = fread(out, 1, PASSWORD_MAX + 1, f);
	if (ferror(f)) {
		fprintf(stderr, "wardenctl: can't read the password from %s\n", path);
		return CTL_EXIT_USAGE;
	}
	if (n > 0 && out[n - 1] == '\n')
		n--;
	if (n > 0 && out[n - 1] == '\r')
		n--;
	out[n] = '\0';
	if (n <= PASSWORD_MAX && strlen(out) == n && strpbrk(out, "\r\n") == NULL)
		return CTL_EXIT_OK;
	fprintf(stderr, "wardenctl: %s has to hold one password of at most %d bytes\n", path,
	        PASSWORD_MAX);
	return CTL_EXIT_USAGE;
}

/* Into body. path: a file, or "-" for stdin where that is no terminal, which would show it. */
static enum ctl_exit take_password(const char *path, json_t *body)
{
	char password[PASSWORD_MAX + 2];
	bool from_stdin = strcmp(path, "-") == 0;
	FILE *f = from_stdin ? stdin : fopen(path, "re");
	enum ctl_exit rc = CTL_EXIT_USAGE;

	if (f == NULL) {
		fprintf(stderr, "wardenctl: can't read the password from %s: %s\n", path,
		        strerror(errno));
	} else if (from_stdin && isatty(STDIN_FILENO)) {
		fputs("wardenctl: the terminal would show the password: pipe it in, or put it into "
		      "a file\n",
		      stderr);
	} else {
		rc = read_password(f, from_stdin ? "stdin" : path, password);
		if (rc == CTL_EXIT_OK &&
		    json_object_set_new(body, "password", json_string(password)) < 0) {
			fputs("wardenctl: the password has to be UTF-8\n", stderr);
			rc = CTL_EXIT_USAGE;
		}
	}
	if (f != NULL && !from_stdin)
		fclose(f);
	secret_wipe(password, sizeof(password));
	return rc;
}

/* ---- the URL --------------------------------------------------------------------------------- */

static const char url_rule[] =
    "a proxy is written http://[USER@]HOST:PORT, https://... or socks5://...";

static enum ctl_exit refuse_url(const char *why)
{
	fprintf(stderr, "wardenctl: %s\n", why);
	return CTL_EXIT_USAGE;
}

/* The end of the host in "HOST:PORT" or "[IPv6]:PORT", or NULL. */
static const char *host_end(const char *host)
{
	const char *end = host[0] == '[' ? strchr(host, ']') : NULL;

	if (host[0] == '[')
		return end != NULL && end[1] == ':' ? end + 1 : NULL;
	end = strchr(host, ':');
	return end != NULL && end != host && strchr(end + 1, ':') == NULL ? end : NULL;
}

/* The gateway checks the parts; here they are only told apart. */
static enum ctl_exit take_url(const char *url, json_t *body)
{
	const char *sep = strstr(url, "://"), *rest = sep == NULL ? "" : sep + 3;
	const char *at = strrchr(rest, '@'), *host = at == NULL ? rest : at + 1;
	const char *colon = host_end(host), *bad = strpbrk(host, "/?#");
	int64_t port;

	if (sep == NULL || colon == NULL)
		return refuse_url(url_rule);
	if (bad != NULL && bad[0] == '/' && bad[1] == '\0')
		return refuse_url("leave out the / at the proxy's end");
	if (at != NULL && memchr(rest, ':', (size_t)(at - rest)) != NULL)
		return refuse_url(ctl_args_no_password);
	if (ctl_args_number(colon + 1, 1, 65535, &port) < 0)
		return refuse_url("the proxy's port has to be a number from 1 to 65535");
	if (json_object_set_new(body, "enabled", json_true()) < 0 ||
	    json_object_set_new(body, "protocol", json_stringn(url, (size_t)(sep - url))) < 0 ||
	    json_object_set_new(body, "host", json_stringn(host, (size_t)(colon - host))) < 0 ||
	    json_object_set_new(body, "port", json_integer(port)) < 0 ||
	    json_object_set_new(body, "username",
	                        json_stringn(rest, at == NULL ? 0 : (size_t)(at - rest))) < 0)
		return refuse_url("the proxy's address has to be UTF-8");
	/* without a user, the password of the last one has nothing to do here */
	if (at == NULL && json_object_set_new(body, "password", json_string("")) < 0)
		return ctl_no_memory();
	return CTL_EXIT_OK;
}

static enum ctl_exit take_word(const char *word, json_t *body)
{
	if (strcmp(word, "on") != 0 && strcmp(word, "off") != 0)
		return take_url(word, body);
	if (json_object_set_new(body, "enabled", json_boolean(strcmp(word, "on") == 0)) < 0)
		return ctl_no_memory();
	return CTL_EXIT_OK;
}

/* ---- the command ----------------------------------------------------------------------------- */

static enum ctl_exit print_proxy(const json_t *p)
{
	const char *host = ctl_json_str(p, "host"), *user = ctl_json_str(p, "username");
	bool v6 = strchr(host, ':') != NULL;
	struct buf line = { 0 };
	enum ctl_exit rc;

	if (host[0] == '\0')
		return ctl_print("off\n", 4);
	if (buf_append_str(&line, json_is_true(json_object_get(p, "enabled")) ? "on " : "off ") <
	        0 ||
	    ctl_text_clean(&line, ctl_json_str(p, "protocol")) < 0 ||
	    buf_append_str(&line, "://") < 0 || ctl_text_clean(&line, user) < 0 ||
	    buf_append_str(&line, user[0] != '\0' ? "@" : "") < 0 ||
	    buf_append_str(&line, v6 ? "[" : "") < 0 || ctl_text_clean(&line, host) < 0 ||
	    buf_appendf(&line, "%s:%" JSON_INTEGER_FORMAT "\n", v6 ? "]" : "",
	                json_integer_value(json_object_get(p, "port"))) < 0)
		rc = ctl_no_memory();
	else
		rc = ctl_print((const char *)line.p, line.len);
	buf_free(&line);
	return rc;
}

static enum ctl_exit change_body(const struct ctl_call *call, json_t *body)
{
	const char *file = call->args->opt[CTL_OPT_PASSWORD_FILE];
	enum ctl_exit rc = call->rest_n > 0 ? take_word(call->rest[0], body) : CTL_EXIT_OK;

	return rc == CTL_EXIT_OK && file != NULL ? take_password(file, body) : rc;
}

enum ctl_exit ctl_instance_proxy(const struct ctl_call *call)
{
	bool changes = call->rest_n > 0 || call->args->opt[CTL_OPT_PASSWORD_FILE] != NULL;
	json_t *answer = NULL, *body = changes ? json_object() : NULL;
	enum ctl_exit rc = changes ? change_body(call, body) : CTL_EXIT_OK;

	if (rc != CTL_EXIT_OK) {
		json_decref(body);
		return rc;
	}
	rc = ctl_instance_call(call, changes ? "POST" : "GET", changes ? "proxy" : "getProxy", body,
	                       &answer);
	if (rc != CTL_EXIT_OK)
		return rc;
	rc = ctl_instance_show(call, answer, "proxy", print_proxy);
	json_decref(answer);
	return rc;
}

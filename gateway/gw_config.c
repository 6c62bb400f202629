/* gateway/gw_config.c - wardend's settings: one table, and what is derived from it */
#include "gateway/gw_config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "common/codec.h"
#include "common/log.h"
#include "gateway/gw.h"
#include "gateway/http/gw_addr.h"
#include "gateway/limit/gw_redis_url.h"
#include "gateway/process/gw_sandbox.h"

#define WHATSAPP_ROOT_KEY "142375574d0a587166aae71ebe516437c4a28b73e3695c6ce1f7f9545da8ee6b"
#define DEVICE_NAME_MAX 50
/* A socket's path has 107 bytes; the longest of ours adds "/w-", an instance id and ".sock". */
#define RUN_DIR_MAX (GW_LISTEN_PATH_CAP - 1 - 3 - 16 - 5)

/* Order of log_level's choices. */
static const struct {
	const char *word;
	int level;
} log_levels[] = {
	{ "err", LOG_ERR },   { "warning", LOG_WARNING }, { "notice", LOG_NOTICE },
	{ "info", LOG_INFO }, { "debug", LOG_DEBUG },
};
static const char *const log_formats[] = { "auto", "text", "json" };

/* ---- checks of single values -------------------------------------------------------------------
 */

static int parse_port(const char *text, uint16_t *port_out)
{
	uint64_t v;

	if (dec_decode(text, UINT16_MAX, &v) < 0)
		return -EINVAL;
	*port_out = (uint16_t)v;
	return 0;
}

static int parse_unix(const char *path, struct gw_listen *l)
{
	if (path[0] != '/' || strlen(path) >= sizeof(l->path))
		return -EINVAL;
	l->is_unix = true;
	memcpy(l->path, path, strlen(path) + 1);
	return 0;
}

int gw_listen_parse(const char *text, struct gw_listen *out)
{
	struct gw_listen l = { 0 };
	const char *colon = strrchr(text, ':');
	const char *host = text;
	uint8_t addr[sizeof(struct in6_addr)];
	size_t host_len;
	int family = AF_INET;

	if (strcmp(text, "systemd") == 0) {
		l.is_systemd = true;
		*out = l;
		return 0;
	}
	if (strncmp(text, "unix:", 5) == 0) {
		if (parse_unix(text + 5, &l) < 0)
			return -EINVAL;
		*out = l;
		return 0;
	}
	if (colon == NULL)
		return -EINVAL;
	host_len = (size_t)(colon - text);
	if (text[0] == '[') {
		if (host_len < 2 || colon[-1] != ']')
			return -EINVAL;
		family = AF_INET6;
		host++;
		host_len -= 2;
	}
	if (host_len == 0 || host_len >= sizeof(l.host))
		return -EINVAL;
	memcpy(l.host, host, host_len);
	if (inet_pton(family, l.host, addr) != 1)
		return -EINVAL;
	if (parse_port(colon + 1, &l.port) < 0)
		return -EINVAL;
	*out = l;
	return 0;
}

void gw_listen_url(const struct gw_listen *l, uint16_t port, char *out, size_t out_cap)
{
	if (l->is_unix)
		snprintf(out, out_cap, "http://localhost");
	else if (strcmp(l->host, "0.0.0.0") == 0 || strcmp(l->host, "::") == 0)
		snprintf(out, out_cap, "http://localhost:%u", port);
	else if (strchr(l->host, ':') != NULL)
		snprintf(out, out_cap, "http://[%s]:%u", l->host, port);
	else
		snprintf(out, out_cap, "http://%s:%u", l->host, port);
}

static bool check_listen(const char *text, const char **expected_out)
{
	struct gw_listen l;

	*expected_out = "an address and port (127.0.0.1:8080, [::1]:8080), unix:/path or systemd";
	return gw_listen_parse(text, &l) == 0;
}

/* scheme://host..., printable ASCII without spaces */
static bool is_url(const char *text, const char *scheme)
{
	size_t n = strlen(scheme);

	if (strncmp(text, scheme, n) != 0 || text[n] == '\0' || text[n] == '/' || text[n] == ':')
		return false;
	for (const char *p = text; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~' || *p == '"')
			return false;
	return strlen(text) <= 1024;
}

static bool check_http_url(const char *text, const char **expected_out)
{
	*expected_out = "a URL that begins with http:// or https://";
	return is_url(text, "http://") || is_url(text, "https://");
}

static bool check_wa_url(const char *text, const char **expected_out)
{
	*expected_out = "a URL that begins with ws:// or wss://";
	return is_url(text, "ws://") || is_url(text, "wss://");
}

static bool check_root_key(const char *text, const char **expected_out)
{
	uint8_t key[32];

	*expected_out = "64 hex digits";
	return hex_decode(text, key, sizeof(key)) == 0;
}

static bool check_wa_version(const char *text, const char **expected_out)
{
	static const char prefix[] = "2.3000.";
	const char *n = text + sizeof(prefix) - 1;
	uint64_t ignored;

	*expected_out = "auto or 2.3000.N";
	if (strcmp(text, "auto") == 0)
		return true;
	if (strncmp(text, prefix, sizeof(prefix) - 1) != 0)
		return false;
	return dec_decode(n, UINT32_MAX, &ignored) == 0;
}

static bool check_device_name(const char *text, const char **expected_out)
{
	*expected_out = "1 to 50 bytes without control characters";
	for (const char *p = text; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return false;
	return *text != '\0' && strlen(text) <= DEVICE_NAME_MAX;
}

static bool check_runner(const char *text, const char **expected_out)
{
#ifdef HAVE_LIBSYSTEMD
	*expected_out = "zygote, exec or systemd";
	return *text != '\0';
#else
	*expected_out = "zygote or exec (this build has no libsystemd)";
	return strcmp(text, "systemd") != 0;
#endif
}

static bool check_path(const char *text, const char **expected_out)
{
	*expected_out = "a path";
	return *text != '\0' && strlen(text) < PATH_MAX / 2;
}

static bool check_file(const char *text, const char **expected_out)
{
	*expected_out = "a file that can be read";
	return access(text, R_OK) == 0;
}

/* Every item of a comma-separated list is right; no empty items. */
static bool check_list(const char *text, bool (*item_ok)(const char *item))
{
	char item[256];

	for (;;) {
		size_t n;

		text += strspn(text, " ");
		n = strcspn(text, ",");
		if (n == 0 || n >= sizeof(item))
			return false;
		memcpy(item, text, n);
		while (n > 0 && item[n - 1] == ' ')
			n--;
		item[n] = '\0';
		if (!item_ok(item))
			return false;
		text += strcspn(text, ",");
		if (*text++ == '\0')
			return true;
	}
}

static bool is_origin(const char *item)
{
	const char *host = strstr(item, "://");

	return (is_url(item, "http://") || is_url(item, "https://")) &&
	       strchr(host + 3, '/') == NULL;
}

static bool check_origins(const char *text, const char **expected_out)
{
	*expected_out = "origins such as https://app.example, separated by commas";
	return check_list(text, is_origin);
}

static bool check_addresses(const char *text, const char **expected_out)
{
	struct gw_addr_list *list = NULL;

	*expected_out = "addresses or networks such as 10.0.0.0/8, separated by commas";
	if (gw_addr_list_parse(text, &list) < 0)
		return false;
	gw_addr_list_free(list);
	return true;
}

static bool check_redis_url(const char *text, const char **expected_out)
{
	struct gw_redis_target target;
	bool ok = *text == '\0' || gw_redis_url_parse(text, &target) == 0;

	*expected_out = "redis://[user][:password]@host[:port][/db] or unix:/path[?db=N]";
	gw_redis_target_wipe(&target);
	return ok;
}

/* ---- the table ----------------------------------------------------------------------------------
 */

#define AT(member) .offset = offsetof(struct gw_config, member)
#define STR(id, text, placeholder, words) \
	.name = #id, .type = SETTING_STR, AT(id), .def = text, .arg = placeholder, .help = words
#define INT(id, text, lo, hi, words) \
	.name = #id, .type = SETTING_INT, AT(id), .def = text, .min = lo, .max = hi, .arg = "N", \
	.help = words

static const struct setting table[] = {
	{ STR(listen, "127.0.0.1:8080", "ADDR:PORT",
	      "where HTTP is served; unix:/path for a socket; systemd: the socket handed over"),
	  .check = check_listen },
	{ STR(data_dir, "/var/lib/warden", "DIR", "registry and one directory per instance"),
	  .check = check_path },
	{ STR(run_dir, "/run/warden", "DIR", "control sockets and the admin socket"),
	  .check = check_path },
	{ STR(public_url, NULL, "URL",
	      "how clients reach this gateway; made from listen if not set"),
	  .check = check_http_url },
	{ STR(redis_url, NULL, "URL",
	      "the Redis that gateways share their limits in; in memory if not set"),
	  .secret = true, .check = check_redis_url },
	{ STR(redis_password_file, NULL, "FILE",
	      "its password, in one line; CREDENTIALS_DIRECTORY/redis_password if not set"),
	  .check = check_file },
	{ INT(limit_per_minute, "100", 1, 1000000, "requests a minute of one token") },
	{ INT(limit_create_per_minute, "20", 1, 1000000,
	      "of these, instances created a minute by one token") },
	{ STR(cors_origins, NULL, "LIST", "origins whose pages may call, separated by commas"),
	  .check = check_origins },
	{ STR(trusted_proxies, NULL, "LIST",
	      "addresses and networks whose X-Forwarded-For is believed"),
	  .check = check_addresses },
	{ INT(connect_timeout_s, "60", 1, 60, "the longest that connect blocks, in seconds") },
	{ INT(worker_memory_max_mb, "64", 8, 65536, "memory of one worker, in MB") },
	{ STR(worker_path, WARDEN_WORKER_PATH, "FILE", "the worker's binary"),
	  .check = check_path },
	{ INT(event_retention_days, "7", 1, 3650, "how long events are kept, in days") },
	{ INT(message_retention_days, "90", 0, 3650,
	      "how long an instance keeps its messages, in days; 0: for ever") },
	{ INT(max_connections, "10000", 1, 1000000, "HTTP connections at once") },
	{ INT(max_connections_per_address, "256", 1, 1000000,
	      "HTTP connections at once from one address") },
	{ STR(metrics_allow, "127.0.0.0/8,::1", "LIST",
	      "addresses and networks that may read /metrics"),
	  .check = check_addresses },
	{ .name = "webhook_allow_private",
	  .type = SETTING_BOOL,
	  AT(webhook_allow_private),
	  .def = "0",
	  .help = "webhooks may reach private and local addresses" },
	{ INT(max_workers, "0", 0, 1000000, "workers at once; 0: no limit") },
	{ .name = "worker_runner",
	  .type = SETTING_ENUM,
	  AT(worker_runner),
	  .def = "zygote",
	  .choices = "zygote|exec|systemd",
	  .help = "how workers are started",
	  .check = check_runner },
	{ STR(master_key_file, NULL, "FILE",
	      "32 bytes that wrap every secret at rest; DATA_DIR/master.key if not set"),
	  .check = check_file },
	{ STR(wa_url, "wss://web.whatsapp.com/ws/chat", "URL",
	      "WhatsApp's chat endpoint, or a test server's"),
	  .check = check_wa_url },
	{ STR(wa_origin, "https://web.whatsapp.com", "URL", "the Origin sent to it"),
	  .check = check_http_url },
	{ STR(wa_root_key, WHATSAPP_ROOT_KEY, "HEX",
	      "key that signs the server's Noise certificate chain"),
	  .check = check_root_key },
	{ STR(wa_ca_file, NULL, "FILE",
	      "PEM file to check TLS with; the system's authorities if not set"),
	  .check = check_file },
	{ STR(wa_version, "auto", "VERSION", "WhatsApp Web version to be: auto or 2.3000.N"),
	  .check = check_wa_version },
	{ STR(wa_device_name, "Warden", "NAME", "shown on the phone under Linked devices"),
	  .check = check_device_name },
	{ .name = "log_level",
	  .type = SETTING_ENUM,
	  AT(log_level_index),
	  .def = "info",
	  .choices = "err|warning|notice|info|debug",
	  .help = "how much is logged" },
	{ .name = "log_format",
	  .type = SETTING_ENUM,
	  AT(log_format),
	  .def = "auto",
	  .choices = "auto|text|json",
	  .help = "auto: for the journal under systemd, else text" },
};

/* Not ours, but no mistakes either. */
static const char *const other_env[] = {
	"WARDEN_URL",
	"WARDEN_TOKEN",
	GW_SANDBOX_ENV,
#ifdef WARDEN_TEST_HOOKS
	"WARDEN_TEST_FAULTS",
	"WARDEN_TEST_FORK",
	"WARDEN_TEST_OUTBOX",
	"WARDEN_TEST_SANDBOX",
	"WARDEN_TEST_SPEED",
	"WARDEN_TEST_HOOK_SPEED",
#endif
	NULL,
};

static bool finish(void *values);

static const struct settings_program program = {
	.name = "wardend",
	.synopsis = "usage: wardend [--SETTING VALUE]...\n"
	            "\n"
	            "The gateway of Warden: serves the HTTP API and runs one worker per instance.",
	.table = table,
	.table_n = ARRAY_LEN(table),
	.finish = finish,
	.other_env = other_env,
};

/* ---- after loading ---------------------------------------------------------- */

/* Relative paths are the caller's: make them mean the same in every process. */
static bool make_absolute(char **path)
{
	char cwd[PATH_MAX];
	char *full;

	if ((*path)[0] == '/')
		return true;
	if (getcwd(cwd, sizeof(cwd)) == NULL)
		return false;
	while ((*path)[0] == '.' && (*path)[1] == '/')
		memmove(*path, *path + 2, strlen(*path) - 1);
	if (asprintf(&full, "%s/%s", cwd, *path) < 0)
		return false;
	free(*path);
	*path = full;
	return true;
}

static bool derive_paths(struct gw_config *cfg)
{
	if (!make_absolute(&cfg->data_dir) || !make_absolute(&cfg->run_dir) ||
	    !make_absolute(&cfg->worker_path)) {
		fprintf(stderr, "wardend: can't tell the current directory\n");
		return false;
	}
	if (strlen(cfg->run_dir) > RUN_DIR_MAX) {
		fprintf(stderr,
		        "wardend: run_dir is \"%s\"; expected a path of at most %d bytes, because "
		        "a socket's path has little room\n",
		        cfg->run_dir, RUN_DIR_MAX);
		return false;
	}
	return true;
}

static bool derive_public_url(struct gw_config *cfg)
{
	struct gw_listen l;
	char url[GW_LISTEN_HOST_CAP + 32];

	if (cfg->public_url != NULL || gw_listen_parse(cfg->listen, &l) < 0 ||
	    (!l.is_unix && l.port == 0)) /* also: systemd's choice */
		return true;
	gw_listen_url(&l, l.port, url, sizeof(url));
	cfg->public_url = strdup(url);
	return cfg->public_url != NULL;
}

/* A setting without value (an empty variable) where one is needed. */
static bool need(const char *value, const char *name)
{
	if (value != NULL)
		return true;
	fprintf(stderr, "wardend: %s is empty; expected a value\n", name);
	return false;
}

/* What follows from the values, and what must hold between them. */
static bool finish(void *values)
{
	struct gw_config *cfg = values;

	if (!need(cfg->listen, "listen") || !need(cfg->data_dir, "data_dir") ||
	    !need(cfg->run_dir, "run_dir") || !need(cfg->worker_path, "worker_path") ||
	    !need(cfg->wa_url, "wa_url") || !need(cfg->wa_origin, "wa_origin") ||
	    !need(cfg->wa_root_key, "wa_root_key") || !need(cfg->wa_version, "wa_version") ||
	    !need(cfg->wa_device_name, "wa_device_name"))
		return false;
	cfg->log_level = log_levels[cfg->log_level_index].level;
	return hex_decode(cfg->wa_root_key, cfg->wa_root_key_bytes,
	                  sizeof(cfg->wa_root_key_bytes)) == 0 &&
	       derive_paths(cfg) && derive_public_url(cfg);
}

enum settings_result gw_config_load(int argc, char **argv, struct gw_config *cfg)
{
	return settings_load(&program, argc, argv, cfg);
}

bool gw_config_worker_usable(const struct gw_config *cfg)
{
	if (access(cfg->worker_path, X_OK) == 0)
		return true;
	fprintf(stderr, "wardend: worker_path is \"%s\" (%s); expected the warden-worker program\n",
	        cfg->worker_path, strerror(errno));
	return false;
}

void gw_config_clear(struct gw_config *cfg)
{
	settings_clear(&program, cfg);
}

bool gw_config_root_key_is_whatsapps(const struct gw_config *cfg)
{
	return strcasecmp(cfg->wa_root_key, WHATSAPP_ROOT_KEY) == 0;
}

const char *gw_config_log_level_word(const struct gw_config *cfg)
{
	return log_levels[cfg->log_level_index].word;
}

/* A worker shares our stderr but not our environment, which says what stderr is. */
const char *gw_config_log_format_word(const struct gw_config *cfg)
{
	if (cfg->log_format == LOG_FMT_AUTO && log_stderr_is_journal())
		return "journal";
	return log_formats[cfg->log_format];
}

int gw_config_secret_env(const struct gw_config *cfg, char **env)
{
	return settings_secret_env(&program, cfg, env);
}

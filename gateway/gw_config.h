/* gateway/gw_config.h - wardend's settings: one table, and what is derived from it */
#ifndef GW_CONFIG_H
#define GW_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/settings.h"

struct gw_config;

#define GW_CONFIG_SECRETS_MAX 8 /* secret settings that there may be */

/* Order of the choices of worker_runner. */
enum gw_runner_kind { GW_RUNNER_ZYGOTE, GW_RUNNER_EXEC, GW_RUNNER_SYSTEMD };

#define GW_LISTEN_HOST_CAP 64
#define GW_LISTEN_PATH_CAP 108 /* of struct sockaddr_un */

/* The setting listen, taken apart. */
struct gw_listen {
	bool is_systemd; /* sockets that are handed over (gw_activation.h) */
	bool is_unix;
	char host[GW_LISTEN_HOST_CAP]; /* IPv4 or IPv6 address, without brackets */
	uint16_t port;                 /* 0: the kernel picks one */
	char path[GW_LISTEN_PATH_CAP]; /* is_unix */
};

/*
 * "127.0.0.1:8080", "[::1]:8080", "unix:/path" or "systemd"; addresses only, no names.
 * 0 or -EINVAL.
 */
ATTR_NODISCARD int gw_listen_parse(const char *text, struct gw_listen *out);

/*
 * The base of links when public_url is not set: "http://127.0.0.1:8080" ("localhost" for a wildcard
 * address or a Unix socket). port: the one really bound.
 */
void gw_listen_url(const struct gw_listen *l, uint16_t port, char *out, size_t out_cap);

/* Can the worker's binary be run? Otherwise false, after one line on stderr. */
bool gw_config_worker_usable(const struct gw_config *cfg);

/*
 * Fill cfg (zeroed) from defaults, environment and argv, then derive: log_level, wa_root_key_bytes,
 * absolute data_dir and run_dir, public_url (unless listen leaves the port to the kernel).
 * Errors and warnings are lines on stderr. Anything but SETTINGS_RUN: leave with 0 or 2.
 */
ATTR_NODISCARD enum settings_result gw_config_load(int argc, char **argv, struct gw_config *cfg);
void gw_config_clear(struct gw_config *cfg);

/* The Noise certificate chain is checked against WhatsApp's own key, not a test server's. */
bool gw_config_root_key_is_whatsapps(const struct gw_config *cfg);

/* The words of the settings, as a worker is given them. */
const char *gw_config_log_level_word(const struct gw_config *cfg);
const char *gw_config_log_format_word(const struct gw_config *cfg);

/* settings_secret_env() of these; env has room for GW_CONFIG_SECRETS_MAX + 1. */
int gw_config_secret_env(const struct gw_config *cfg, char **env);

#endif

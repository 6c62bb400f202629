/* gateway/gw.h - the gateway's one context, passed down everywhere; no other mutable globals */
#ifndef GW_H
#define GW_H

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct gw_activation;
struct gw_dials;
struct gw_events;
struct gw_hooks;
struct gw_http;
struct gw_limit;
struct gw_master_key;
struct gw_metrics;
struct gw_notify;
struct gw_numbers;
struct gw_prober;
struct gw_registry;
struct gw_reload;
struct gw_store;
struct gw_supervisor;
struct gw_upgrade;
struct gw_version;

/* Values of the settings table (gw_config.c); strings are owned by it. */
struct gw_config {
	char *listen;
	char *data_dir;
	char *run_dir;
	char *public_url;          /* NULL: made from listen */
	char *redis_url;           /* NULL: limits in memory; may hold a password */
	char *redis_password_file; /* NULL: the credential redis_password, if there is one */
	int64_t limit_per_minute;
	int64_t limit_create_per_minute;
	char *cors_origins;    /* NULL: none */
	char *trusted_proxies; /* NULL: none */
	int64_t event_retention_days;
	int64_t message_retention_days;
	int64_t connect_timeout_s;
	int64_t worker_memory_max_mb;
	char *worker_path;
	int worker_runner; /* enum gw_runner_kind */
	int64_t max_connections;
	int64_t max_connections_per_address;
	char *metrics_allow;        /* who may read /metrics; NULL: nobody */
	bool webhook_allow_private; /* webhooks may reach addresses that are not public */
	int64_t max_workers;        /* 0: no limit */
	char *master_key_file;      /* NULL: where gw_master_key.h says */
	char *wa_url;
	char *wa_origin;
	char *wa_root_key; /* hex; NULL: WhatsApp's */
	uint8_t wa_root_key_bytes[32];
	char *wa_ca_file; /* NULL: the system's */
	char *wa_version;
	char *wa_device_name;
	int log_level; /* syslog level */
	int log_level_index;
	int log_format; /* enum log_format */
};

struct gw {
	struct event_base *base;
	struct gw_config cfg;
	struct gw_store *store; /* registry.db behind its writer thread */
	struct gw_master_key *master_key;
	struct gw_numbers *numbers;   /* pairing codes given, by phone number */
	struct gw_dials *dials;       /* admission of dials */
	struct gw_version *version;   /* the client version to be */
	struct gw_registry *registry; /* accounts and instances in memory */
	struct gw_events *events;     /* of all instances; NULL: none are kept */
	struct gw_hooks *hooks;       /* webhooks; NULL: nothing is delivered */
	struct gw_supervisor *sup;    /* zygote and workers */
	struct gw_prober *prober;     /* is WhatsApp reached? */
	struct gw_limit *limit;
	struct gw_metrics *metrics;       /* NULL: nobody counts */
	struct gw_http *http;             /* public listener and admin socket */
	struct gw_activation *activation; /* sockets handed over; NULL: none */
	struct gw_notify *notify;         /* what systemd hears; NULL: it does not listen */
	struct gw_upgrade *upgrade;
	struct gw_reload *reload;  /* NULL: SIGHUP does nothing */
	uint64_t start_ms;         /* monotonic */
	bool stopping;             /* set once; new work is refused with 503 */
	uint64_t answers_until_ms; /* monotonic; once stopping and without workers */
};

/* Ask the loop to end in order: waiting callers get 503, workers are told to leave. Safe twice. */
void gw_stop(struct gw *gw);

#endif

/* simulator/sim.c - the parts, started in order and stopped in reverse */
#include "simulator/sim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/codec.h"
#include "common/err.h"
#include "simulator/api/sim_api.h"
#include "simulator/api/sim_control.h"
#include "simulator/base/sim_log.h"
#include "simulator/base/sim_state.h"
#include "simulator/history/sim_sync.h"
#include "simulator/media/sim_media.h"
#include "simulator/media/sim_media_fault.h"
#include "simulator/pair/sim_pair.h"
#include "simulator/phone/sim_group.h"
#include "simulator/phone/sim_phone.h"
#include "simulator/server/sim_device.h"
#include "simulator/server/sim_fault.h"
#include "simulator/server/sim_server.h"
#include "simulator/wire/sim_tls.h"
#include "worker/wa/link/wa_device.h"

static int explain(const char *what, int rc)
{
	if (rc < 0)
		fprintf(stderr, "warden-sim: %s: %s\n", what,
		        rc > -4096 ? strerror(-rc) : wa_err_name(rc));
	return rc;
}

/* The static key of that generation and its chain; s is changed only when both are there. */
static int make_identity(struct sim *s, uint32_t generation)
{
	struct sim_rand own;
	struct wa_keypair identity;
	struct sim_chain chain;
	int rc = sim_rand_fork(&s->rnd, "server", generation, &own);

	if (rc == 0)
		rc = sim_rand_keypair(&own, &identity);
	if (rc == 0)
		rc = sim_chain_make(&s->root, identity.pub, &own, clock_unix_s(), SIM_FLAW_NONE,
		                    &chain);
	if (rc == 0) {
		s->identity = identity;
		s->chain = chain;
	}
	wa_keypair_wipe(&identity);
	return rc;
}

int sim_rotate_identity(struct sim *s)
{
	int rc = make_identity(s, s->keys_made + 1);

	if (rc == 0)
		s->keys_made++;
	return rc;
}

static int start_keys(struct sim *s)
{
	int rc;

	rc = wa_keys_init();
	if (rc == 0)
		rc = sim_rand_init(&s->rnd, s->options->seeded ? &s->options->seed : NULL);
	if (rc == 0)
		rc = sim_rand_fork(&s->rnd, "fault", 0, &s->fault_rnd);
	if (rc == 0)
		rc = sim_state_root_key(s->state, &s->rnd, &s->root);
	if (rc == 0)
		rc = make_identity(s, 0);
	return rc;
}

static int start_stores(struct sim *s)
{
	int rc = sim_log_new(&s->log);

	if (rc == 0)
		rc = sim_faults_new(&s->faults);
	if (rc == 0)
		rc = sim_media_new(&s->rnd, &s->media);
	if (rc == 0)
		rc = sim_media_faults_new(&s->media_faults);
	if (rc == 0)
		rc = sim_phones_new(&s->phones);
	if (rc == 0)
		rc = sim_devices_new(&s->rnd, &s->devices);
	if (rc == 0)
		rc = sim_groups_new(&s->rnd, &s->groups);
	if (rc == 0)
		sim_pair_start(s);
	if (rc == 0)
		sim_sync_start(s);
	return rc;
}

int sim_start(struct sim *s, struct event_base *base, const struct sim_options *options)
{
	int rc;

	memset(s, 0, sizeof(*s));
	s->base = base;
	s->options = options;
	s->revision = WA_VERSION_BUILTIN;
	s->no_ik = options->no_ik;
	rc = explain("state directory", sim_state_open(options->state_dir, &s->state));
	if (rc == 0)
		rc = explain("keys", start_keys(s));
	if (rc == 0 && options->tls)
		rc = explain("TLS authority", sim_tls_new(sim_state_dir(s->state), &s->tls));
	if (rc == 0)
		rc = explain("start", start_stores(s));
	if (rc == 0)
		rc = explain("--listen", sim_server_new(s, &s->server));
	if (rc == 0)
		rc = explain("--control", sim_control_new(s, &s->control));
	return rc;
}

void sim_stop(struct sim *s)
{
	sim_control_free(s->control);
	sim_bulks_free(s);
	sim_server_free(s->server);
	sim_groups_free(s->groups);
	sim_devices_free(s->devices);
	sim_phones_free(s->phones);
	sim_media_faults_free(s->media_faults);
	sim_media_free(s->media);
	sim_faults_free(s->faults);
	sim_log_free(s->log);
	sim_tls_free(s->tls);
	wa_keypair_wipe(&s->root);
	wa_keypair_wipe(&s->identity);
	sim_state_free(s->state);
}

/* "127.0.0.1:7443", or what reaches the wildcard address from here. */
static void host_port(const struct sockaddr_storage *ss, uint16_t port, char *out, size_t cap)
{
	char text[INET6_ADDRSTRLEN] = "";

	if (ss->ss_family == AF_INET) {
		struct in_addr a = ((const struct sockaddr_in *)ss)->sin_addr;

		if (a.s_addr == htonl(INADDR_ANY))
			a.s_addr = htonl(INADDR_LOOPBACK);
		inet_ntop(AF_INET, &a, text, sizeof(text));
		snprintf(out, cap, "%s:%u", text, port);
		return;
	}
	if (IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)ss)->sin6_addr))
		snprintf(text, sizeof(text), "::1");
	else
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)ss)->sin6_addr, text,
		          sizeof(text));
	snprintf(out, cap, "[%s]:%u", text, port);
}

void sim_host_port(const struct sim *s, char out[SIM_HOST_PORT_CAP])
{
	host_port(&s->options->listen, sim_server_port(s->server), out, SIM_HOST_PORT_CAP);
}

int sim_print_ready(const struct sim *s)
{
	char listen[SIM_HOST_PORT_CAP], control[SIM_HOST_PORT_CAP], url[96], control_url[96],
	    root[HEX_CAP(WA_KEY_LEN)], ca[4200];
	json_t *j;
	int rc;

	sim_host_port(s, listen);
	host_port(&s->options->control, sim_control_port(s->control), control, sizeof(control));
	snprintf(url, sizeof(url), "%s://%s/ws/chat", s->tls != NULL ? "wss" : "ws", listen);
	snprintf(control_url, sizeof(control_url), "http://%s", control);
	snprintf(ca, sizeof(ca), "%s/ca.pem", sim_state_dir(s->state));
	hex_encode(s->root.pub, WA_KEY_LEN, root);
	j = json_pack("{s:s, s:s, s:s, s:s?}", "url", url, "control", control_url, "rootKey", root,
	              "ca", s->tls != NULL ? ca : NULL);
	if (j == NULL)
		return -ENOMEM;
	rc = json_dumpf(j, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
	json_decref(j);
	return rc < 0 || putchar('\n') == EOF || fflush(stdout) == EOF ? -EIO : 0;
}

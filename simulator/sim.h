/*
 * simulator/sim.h - the context of the process: everything has a place here, nothing is global
 *
 * Order of life: sim_start() makes the parts from top to bottom, sim_stop() ends them in reverse.
 */
#ifndef SIM_H
#define SIM_H

#include <event2/event.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "simulator/base/sim_rand.h"
#include "simulator/phone/sim_send.h"
#include "simulator/sim_options.h"
#include "simulator/wire/sim_cert.h"
#include "worker/wa/crypto/wa_keys.h"

struct sim {
	struct event_base *base;           /* borrowed */
	const struct sim_options *options; /* borrowed */
	struct sim_rand rnd;               /* parent of every other stream */
	struct sim_rand fault_rnd;         /* garbage and wrong certificates */
	struct sim_state *state;           /* files */
	struct wa_keypair root;            /* signs the Noise chain */
	struct wa_keypair identity;        /* the server's static Noise key */
	struct sim_chain chain;            /* the right one */
	struct sim_tls *tls;               /* NULL without --tls */
	struct sim_log *log;
	struct sim_faults *faults;
	struct sim_phones *phones;
	struct sim_media *media; /* files of the media host */
	struct sim_media_faults *media_faults;
	struct sim_devices *devices;
	struct sim_groups *groups;
	struct sim_bulk *bulks; /* messages that are sent in a row (sim_api_send.c) */
	sim_on_own *on_own;     /* peer messages of companions; NULL: nobody listens */
	bool no_ik;             /* every IK ClientHello gets XXfallback */
	uint64_t ids_made;      /* of stanzas */
	uint32_t keys_made;     /* static Noise keys before the present one */
	uint32_t revision;      /* what /sw.js tells */
	uint32_t lookups;       /* how often /sw.js was served */
	uint32_t revision_min;  /* older clients are outdated */
	struct sim_server *server;
	struct sim_control *control;
};

/* 0; otherwise a code, after one line on stderr that says what failed. */
ATTR_NODISCARD int sim_start(struct sim *s, struct event_base *base,
                             const struct sim_options *options);
void sim_stop(struct sim *s); /* also after a failed start */

/*
 * Forget the server's static Noise key and make another: clients that resume with the old one get
 * XXfallback. 0 or WA_ECRYPTO, -ENOMEM (the old key then stays).
 */
ATTR_NODISCARD int sim_rotate_identity(struct sim *s);

/* Host and port of the WhatsApp side as others reach it: "127.0.0.1:7443", "[::1]:7443". */
#define SIM_HOST_PORT_CAP 64
void sim_host_port(const struct sim *s, char out[SIM_HOST_PORT_CAP]);

/* The JSON line of the start on stdout, then flushed. 0 or -ENOMEM, -EIO. */
ATTR_NODISCARD int sim_print_ready(const struct sim *s);

#endif

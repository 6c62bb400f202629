/* simulator/sim_options.h - the command line */
#ifndef SIM_OPTIONS_H
#define SIM_OPTIONS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/attr.h"

struct sim_options {
	struct sockaddr_storage listen, control;
	socklen_t listen_len, control_len;
	bool tls;
	bool strict; /* about what clients say of themselves */
	bool no_ik;  /* answer Noise IK with XXfallback */
	bool seeded;
	uint64_t seed;
	const char *state_dir; /* NULL: a temporary one; borrowed from argv */
};

enum sim_options_result { SIM_RUN, SIM_EXIT_0, SIM_EXIT_2 };

/* Prints help, version, or one line on stderr with what is wrong. */
ATTR_NODISCARD enum sim_options_result sim_options_parse(struct sim_options *o, int argc,
                                                         char **argv);

#endif

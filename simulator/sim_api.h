/* simulator/sim_api.h - the routes of the control API */
#ifndef SIM_API_H
#define SIM_API_H

#include "simulator/sim_control.h"

struct sim_route {
	const char *method;
	const char *path; /* ':' stands for one segment */
	void (*run)(struct sim_call *call);
};

extern const struct sim_route sim_routes[]; /* ends with a NULL method */

/* Faults (sim_api_fault.c) */
void sim_api_add_fault(struct sim_call *call);
void sim_api_list_faults(struct sim_call *call);
void sim_api_clear_faults(struct sim_call *call);

#endif

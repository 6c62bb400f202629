/* gateway/api/gw_api_connect.h - a caller of connect, whoever let it in */
#ifndef GW_API_CONNECT_H
#define GW_API_CONNECT_H

#include <stdbool.h>

struct gw_connect_params;
struct gw_instance;
struct gw_req;

#define GW_CONNECT_NUMBER_CAP 16 /* 15 digits */

/* Seven to fifteen digits, not starting with 0, out of "+55 (11) 99999-9999". False: it is none. */
bool gw_connect_number(const char *text, char digits_out[GW_CONNECT_NUMBER_CAP]);

/* Start or join the attempt, and answer req in the form that its Accept wants. */
void gw_connect_answer(struct gw_req *req, struct gw_instance *inst,
                       const struct gw_connect_params *params);

#endif

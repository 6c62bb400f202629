/*
 * gateway/doctor/gw_doctor.h - everything that wardenctl doctor asks, gathered
 *
 * The checks run where the truth is: in the gateway, as its user. None of them makes the loop wait;
 * what takes long is cut off.
 */
#ifndef GW_DOCTOR_H
#define GW_DOCTOR_H

#include "common/attr.h"
#include "gateway/doctor/gw_finding.h"

struct gw;
struct gw_doctor;
struct gw_instance;

#define GW_DOCTOR_MS 30000 /* what has not answered by then has failed */

/*
 * inst: WhatsApp is reached the way this instance does; NULL: directly. on_done: once, from the
 * loop, fs borrowed; then only gw_doctor_free() is left. 0 or -ENOMEM.
 */
ATTR_NODISCARD int gw_doctor_start(struct gw *gw, const struct gw_instance *inst,
                                   void (*on_done)(const struct gw_findings *fs, void *arg),
                                   void *arg, struct gw_doctor **doctor_out);
/* NULL is fine; ends one that still looks. */
void gw_doctor_free(struct gw_doctor *d);

#endif

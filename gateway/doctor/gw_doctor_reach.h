/* gateway/doctor/gw_doctor_reach.h - WhatsApp, the way there, and the time there, as a finding */
#ifndef GW_DOCTOR_REACH_H
#define GW_DOCTOR_REACH_H

#include "gateway/doctor/gw_finding.h"
#include "gateway/doctor/gw_probe.h"
#include "gateway/instance/gw_instance.h"

/* SANDBOX. uid: the gateway's. */
void gw_doctor_judge_sandbox(const struct gw_probe_result *r, uid_t uid, struct gw_findings *fs);

/*
 * WHATSAPP and CLOCK. proxy: the one that was gone through; NULL or not enabled: directly.
 * wa_url: whom was asked.
 */
void gw_doctor_judge_reach(const struct gw_probe_result *r, const struct gw_proxy *proxy,
                           const char *wa_url, struct gw_findings *fs);

#endif

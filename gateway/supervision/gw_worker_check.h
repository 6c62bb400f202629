/* gateway/supervision/gw_worker_check.h - texts from a worker: sound, or refused. No I/O. */
#ifndef GW_WORKER_CHECK_H
#define GW_WORKER_CHECK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* A sentence for clients and logs: printable ASCII ('?' for what is not), cut. NULL gives "". */
void gw_check_detail(const char *text, char *out, size_t out_cap);
/* 1 to max printable ASCII characters. */
bool gw_check_printable(const char *text, size_t max);
/* A phone number as pairing by code takes it: 7 to 15 digits. */
bool gw_check_number(const char *text);
/* "ABCD-EFGH": letters and digits. */
bool gw_check_pairing_code(const char *text);
/* USER@SERVER or USER:DEVICE@SERVER, both digits. */
bool gw_check_jid(const char *text, const char *server);
/*
 * A person's or business's name: UTF-8 that fits; control characters become spaces. NULL is fine
 * and gives "".
 */
bool gw_check_name(const char *text, char *out, size_t out_cap);
/* PublicKeyCredentialRequestOptions: a JSON object of modest size and depth, else NULL. */
json_t *gw_check_passkey_options(const char *text);

#endif

/*
 * common/err.h - one number for every failure
 *
 * A function that can fail returns 0 or a negative code: -errno for a system error, enum wa_err for
 * ours. The number travels unchanged from the line that failed, through IPC, to the one switch that
 * picks the HTTP status. The names of the second block are the codes of the HTTP contract
 * (error.code, reason.code and lastError.code share one list).
 */
#ifndef ERR_H
#define ERR_H

#define WA_ERR_LIST(X)                                                                             \
	/* what a parser or a local call says */                                                   \
	X(WA_ETRUNC, -10001, "truncated")                                                          \
	X(WA_EPROTO, -10002, "protocol_error")                                                     \
	X(WA_ESTATE, -10003, "wrong_state")                                                        \
	X(WA_ELIMIT, -10004, "limit_exceeded")                                                     \
	X(WA_EAUTH, -10005, "authentication_failed")                                               \
	X(WA_ECERT, -10006, "bad_certificate")                                                     \
	X(WA_ECRYPTO, -10007, "crypto_failed")                                                     \
	/* how an attempt or a session ended: the contract's words */                              \
	X(WA_ETIMEOUT, -10101, "timeout")                                                          \
	X(WA_ENETWORK, -10102, "network")                                                          \
	X(WA_EDNS, -10103, "dns")                                                                  \
	X(WA_ETLS, -10104, "tls")                                                                  \
	X(WA_EPROXY_UNREACHABLE, -10105, "proxy_unreachable")                                      \
	X(WA_EPROXY_AUTH, -10106, "proxy_auth")                                                    \
	X(WA_EHANDSHAKE, -10107, "handshake")                                                      \
	X(WA_ECLIENT_OUTDATED, -10108, "client_outdated")                                          \
	X(WA_EBANNED, -10109, "banned")                                                            \
	X(WA_ESTORE_CORRUPT, -10110, "store_corrupt")                                              \
	X(WA_EWORKER_CRASHED, -10111, "worker_crashed")                                            \
	X(WA_EWORKER_START, -10112, "worker_start")                                                \
	X(WA_EPAIRING_REFUSED, -10113, "pairing_refused")                                          \
	X(WA_ESUPERSEDED, -10114, "superseded")                                                    \
	X(WA_ELOGGED_OUT, -10115, "logged_out")                                                    \
	X(WA_EDELETED, -10116, "deleted")                                                          \
	X(WA_ESTORAGE, -10117, "storage")                                                          \
	X(WA_EALREADY_RUNNING, -10118, "already_running")                                          \
	X(WA_ECONNECT_FAILURE, -10119, "connect_failure") /* shown as connect_failure_<reason> */  \
	X(WA_ECODE_TIMEOUT, -10120, "code_timeout")                                                \
	X(WA_ESTREAM_REPLACED, -10121, "stream_replaced")                                          \
	X(WA_ETEMP_BANNED, -10122, "temp_banned")                                                  \
	X(WA_ETHROTTLED, -10123, "whatsapp_throttled")                                             \
	/* the gateway's own answers */                                                            \
	X(WA_EAT_CAPACITY, -10201, "at_capacity")                                                  \
	X(WA_ESHUTTING_DOWN, -10202, "shutting_down")                                              \
	X(WA_ENOT_IMPLEMENTED, -10203, "not_implemented")                                          \
	X(WA_ENO_SESSION, -10204, "no_session")                                                    \
	X(WA_ERATE_LIMITED, -10205, "rate_limited")                                                \
	X(WA_EMEDIA_GONE, -10206, "media_gone")

enum wa_err {
#define X(id, num, name) id = (num),
	WA_ERR_LIST(X)
#undef X
};

/*
 * The word for a code: "timeout" for WA_ETIMEOUT, "ECONNREFUSED" for -ECONNREFUSED, "ok" for 0,
 * "unknown" for anything else. Static storage.
 */
const char *wa_err_name(int rc);

/* True for one of the contract's words (the second block and WA_EPROTO): may be shown to a client. */
_Bool wa_err_is_outcome(int rc);

#endif

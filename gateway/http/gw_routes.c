/* gateway/http/gw_routes.c - the tables of all routes */
#include "gateway/http/gw_route.h"

#include <stddef.h>

#include "gateway/api/gw_api.h"
#include "gateway/api/gw_web.h"

#define I "/api/instance/"
#define E "/api/events/"
#define M "/api/message/"
#define C "/api/chat/"
#define G "/api/group/"

/* A route of one instance that either token opens. */
#define EITHER(method, pattern, handler, flags) \
	{ \
		pattern, method, handler, GW_ROUTE_EITHER, GW_LIMIT_MINUTE, flags \
	}
/* A route of the contract that is not built yet: checked like any other, then 501. */
#define LATER(method, pattern, flags) \
	{ \
		pattern, method, NULL, GW_ROUTE_EITHER, GW_LIMIT_MINUTE, flags \
	}

#define ONE_TIME(method, rest, handler, flags) \
	{ \
		"/l/:name" rest, method, handler, GW_ROUTE_OPEN, GW_LIMIT_MINUTE, flags \
	}

const struct gw_route gw_routes_public[] = {
	/* contract section 2 */
	EITHER("GET", I "connect/:instance", gw_api_connect, GW_ROUTE_MEDIA | GW_ROUTE_QUERY_TOKEN),
	EITHER("POST", I "reconnect/:instance", gw_api_reconnect, 0),
	EITHER("GET", I "passkey/:instance", gw_api_passkey_get, 0),
	EITHER("POST", I "passkey/:instance", gw_api_passkey_answer, GW_ROUTE_BODY),
	EITHER("POST", I "passkey/:instance/confirm", gw_api_passkey_confirm, 0),
	/* section 3 */
	{ I "new", "POST", gw_api_instance_new, GW_ROUTE_ACCOUNT, GW_LIMIT_CREATE, GW_ROUTE_BODY },
	{ I "list", "GET", gw_api_instance_list, GW_ROUTE_EITHER, GW_LIMIT_MINUTE, 0 },
	EITHER("DELETE", I "logout/:instance", gw_api_logout, 0),
	{ I "delete/:instance", "DELETE", gw_api_instance_delete, GW_ROUTE_ACCOUNT, GW_LIMIT_MINUTE,
	  0 },
	{ I "token/:instance", "POST", gw_api_instance_token, GW_ROUTE_ACCOUNT, GW_LIMIT_MINUTE,
	  GW_ROUTE_BODY },
	EITHER("GET", I "getSettings/:instance", gw_api_settings_get, 0),
	EITHER("POST", I "settings/:instance", gw_api_settings_set, GW_ROUTE_BODY),
	EITHER("POST", I "proxy/:instance", gw_api_proxy_set, GW_ROUTE_BODY),
	EITHER("GET", I "getProxy/:instance", gw_api_proxy_get, 0),
	/* section 4 */
	EITHER("POST", E "webhook/:instance", gw_api_webhook_set, GW_ROUTE_BODY),
	EITHER("DELETE", E "webhook/:instance", gw_api_webhook_delete, 0),
	EITHER("GET", E "getWebhook/:instance", gw_api_webhook_get, 0),
	EITHER("GET", E "dead/:instance", gw_api_dead_list, 0),
	EITHER("POST", E "replay/:instance", gw_api_replay, GW_ROUTE_BODY),
	EITHER("POST", E "websocket/:instance", gw_api_websocket_set, GW_ROUTE_BODY),
	EITHER("GET", E "getWebsocket/:instance", gw_api_websocket_get, 0),
	EITHER("GET", E "stream/:instance", gw_api_events_stream, GW_ROUTE_QUERY_TOKEN),
	EITHER("GET", C "base64/:instance", gw_api_chat_base64, 0),
	EITHER("GET", "/ws/:instance", gw_api_ws, GW_ROUTE_QUERY_TOKEN),
	/* section 5 */
	{ "/health", "GET", gw_api_health, GW_ROUTE_OPEN, GW_LIMIT_NONE, GW_ROUTE_ALWAYS },
	{ "/health", "HEAD", gw_api_health, GW_ROUTE_OPEN, GW_LIMIT_NONE, GW_ROUTE_ALWAYS },
	{ "/metrics", "GET", gw_api_metrics, GW_ROUTE_OPEN, GW_LIMIT_NONE, 0 },
	{ "/", "GET", gw_api_root, GW_ROUTE_OPEN, GW_LIMIT_NONE, 0 },
	{ "/", "HEAD", gw_api_root, GW_ROUTE_OPEN, GW_LIMIT_NONE, 0 },
	{ "/openapi.json", "GET", gw_web_answer_openapi, GW_ROUTE_OPEN, GW_LIMIT_MINUTE, 0 },
	EITHER("POST", I "link/:instance", gw_api_link_new, GW_ROUTE_BODY),
	/* what a one-time link opens: counted by address, since there is no token */
	ONE_TIME("GET", "", gw_api_link_page, 0),
	ONE_TIME("HEAD", "", gw_api_link_page, 0),
	ONE_TIME("GET", "/status", gw_api_link_status, 0),
	ONE_TIME("GET", "/connect", gw_api_link_connect, GW_ROUTE_MEDIA),
	ONE_TIME("GET", "/passkey", gw_api_link_passkey_get, 0),
	ONE_TIME("POST", "/passkey", gw_api_link_passkey_answer, GW_ROUTE_BODY),
	ONE_TIME("POST", "/passkey/confirm", gw_api_link_passkey_confirm, 0),
	/* section 6 */
	LATER("POST", M "text/:instance", 0),
	LATER("POST", M "media/:instance", GW_ROUTE_LARGE),
	LATER("POST", M "sticker/:instance", GW_ROUTE_LARGE),
	LATER("POST", M "contact/:instance", 0),
	LATER("POST", M "location/:instance", 0),
	LATER("POST", M "reaction/:instance", 0),
	LATER("POST", M "poll/:instance", 0),
	LATER("POST", M "status/:instance", GW_ROUTE_LARGE),
	EITHER("POST", C "history/:instance", gw_api_chat_history, GW_ROUTE_BODY),
	LATER("POST", C "markRead/:instance", 0),
	LATER("POST", C "archive/:instance", 0),
	LATER("POST", C "pin/:instance", 0),
	LATER("POST", C "mute/:instance", 0),
	LATER("POST", C "block/:instance", 0),
	LATER("POST", C "presence/:instance", 0),
	LATER("POST", C "edit/:instance", 0),
	LATER("POST", C "delete/:instance", 0),
	LATER("POST", C "forward/:instance", 0),
	LATER("GET", C "contacts/:instance", 0),
	LATER("POST", G "create/:instance", 0),
	LATER("GET", G "list/:instance", 0),
	LATER("GET", G "info/:instance", 0),
	LATER("POST", G "update/:instance", 0),
	LATER("POST", G "participants/:instance", 0),
	LATER("POST", G "join/:instance", 0),
	LATER("POST", G "resetLink/:instance", 0),
	LATER("POST", G "leave/:instance", 0),
	{ .pattern = NULL },
};

/* On the admin socket: whoever may open it has been checked when it connected. */
const struct gw_route gw_routes_admin[] = {
	{ "/admin/accounts", "GET", gw_api_admin_accounts, GW_ROUTE_OPEN, GW_LIMIT_NONE, 0 },
	{ "/admin/accounts", "POST", gw_api_admin_account_create, GW_ROUTE_OPEN, GW_LIMIT_NONE,
	  GW_ROUTE_BODY },
	{ "/admin/accounts/:name", "DELETE", gw_api_admin_account_delete, GW_ROUTE_OPEN,
	  GW_LIMIT_NONE, 0 },
	{ "/admin/accounts/:name/rotate", "POST", gw_api_admin_account_rotate, GW_ROUTE_OPEN,
	  GW_LIMIT_NONE, 0 },
	{ "/admin/accounts/:name/quota", "POST", gw_api_admin_account_quota, GW_ROUTE_OPEN,
	  GW_LIMIT_NONE, GW_ROUTE_BODY },
	{ "/admin/workers", "GET", gw_api_admin_workers, GW_ROUTE_OPEN, GW_LIMIT_NONE, 0 },
	{ "/admin/workers/log", "GET", gw_api_admin_worker_log, GW_ROUTE_OPEN, GW_LIMIT_NONE, 0 },
	{ "/admin/workers/upgrade", "POST", gw_api_admin_worker_upgrade, GW_ROUTE_OPEN,
	  GW_LIMIT_NONE, 0 },
	{ "/admin/doctor", "POST", gw_api_admin_doctor, GW_ROUTE_OPEN, GW_LIMIT_NONE,
	  GW_ROUTE_BODY },
	{ "/health", "GET", gw_api_health, GW_ROUTE_OPEN, GW_LIMIT_NONE, GW_ROUTE_ALWAYS },
	{ .pattern = NULL },
};

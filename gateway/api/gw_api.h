/* gateway/api/gw_api.h - the handlers of the routes; each owes its request one answer */
#ifndef GW_API_H
#define GW_API_H

struct gw_instance;
struct gw_req;

/* gw_api_connect.c */
void gw_api_connect(struct gw_req *req);

/* gw_api_link.c */
void gw_api_link_new(struct gw_req *req);
void gw_api_link_page(struct gw_req *req);
void gw_api_link_status(struct gw_req *req);
void gw_api_link_connect(struct gw_req *req);
void gw_api_link_passkey_get(struct gw_req *req);
void gw_api_link_passkey_answer(struct gw_req *req);
void gw_api_link_passkey_confirm(struct gw_req *req);

/* gw_api_instance.c */
void gw_api_instance_new(struct gw_req *req);
void gw_api_instance_token(struct gw_req *req);

/* gw_api_list.c */
void gw_api_instance_list(struct gw_req *req);
void gw_api_instance_delete(struct gw_req *req);

/* gw_api_session.c */
void gw_api_reconnect(struct gw_req *req);
void gw_api_logout(struct gw_req *req);
void gw_api_passkey_get(struct gw_req *req);
void gw_api_passkey_answer(struct gw_req *req);
void gw_api_passkey_confirm(struct gw_req *req);

/* gw_api_settings.c */
void gw_api_settings_get(struct gw_req *req);
void gw_api_settings_set(struct gw_req *req);
void gw_api_proxy_get(struct gw_req *req);
void gw_api_proxy_set(struct gw_req *req);

/* gw_api_webhook.c */
void gw_api_webhook_set(struct gw_req *req);
void gw_api_webhook_get(struct gw_req *req);
void gw_api_webhook_delete(struct gw_req *req);
void gw_api_websocket_set(struct gw_req *req);
void gw_api_websocket_get(struct gw_req *req);

/* gw_api_replay.c */
void gw_api_dead_list(struct gw_req *req);
void gw_api_replay(struct gw_req *req);

/* gw_api_events.c */
void gw_api_events_stream(struct gw_req *req);
void gw_api_ws(struct gw_req *req);

/* gw_api_chat.c */
void gw_api_chat_base64(struct gw_req *req);
void gw_api_chat_history(struct gw_req *req);

/* gw_api_ops.c */
void gw_api_health(struct gw_req *req);
void gw_api_root(struct gw_req *req);

/* gw_api_metrics.c */
void gw_api_metrics(struct gw_req *req);

/* gw_api_admin.c */
void gw_api_admin_accounts(struct gw_req *req);
void gw_api_admin_account_create(struct gw_req *req);
void gw_api_admin_account_rotate(struct gw_req *req);
void gw_api_admin_account_quota(struct gw_req *req);
void gw_api_admin_account_delete(struct gw_req *req);
/* gw_api_workers.c */
void gw_api_admin_workers(struct gw_req *req);
void gw_api_admin_worker_log(struct gw_req *req);
void gw_api_admin_worker_upgrade(struct gw_req *req);

/* gw_api_doctor.c */
void gw_api_admin_doctor(struct gw_req *req);
/*
 * The instance that somebody with the admin socket means. account NULL: the only one of that name.
 * NULL: the request has been answered.
 */
struct gw_instance *gw_api_admin_instance(struct gw_req *req, const char *account,
                                          const char *name);

#endif

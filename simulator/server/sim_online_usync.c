/* simulator/server/sim_online_usync.c - requests of xmlns "usync": who is there, with which devices */
#include <stdio.h>
#include <string.h>

#include "simulator/server/sim_client_priv.h"
#include "simulator/server/sim_online.h"
#include "worker/wa/node/wa_jid.h"

#define USERS_MAX 4096

static void add_devices(const struct sim *s, const struct sim_phone *phone, struct wa_node *user)
{
	const struct sim_account *a = sim_account_find(s->devices, phone->number);
	struct wa_node *devices = wa_node_add(user, "devices");
	struct wa_node *list = wa_node_add(devices, "device-list");
	struct wa_node *n = wa_node_add(list, "device");

	wa_node_set_int(n, "id", 0);
	if (a == NULL)
		return;
	for (const struct sim_device *d = a->first; d != NULL; d = d->next) {
		n = wa_node_add(list, "device");
		wa_node_set_int(n, "id", d->id);
		wa_node_set_int(n, "key-index", d->key_index);
	}
	sim_online_add_key_index_list(s, a, devices);
}

/* contact: the number as text; the server says whether it has WhatsApp. */
static void add_contact(const struct sim_phone *phone, const struct wa_node *asked,
                        struct wa_node *user)
{
	const struct wa_node *from = wa_node_child(asked, "contact");
	struct wa_node *contact = wa_node_add(user, "contact");

	wa_node_set(contact, "type", phone == NULL ? "out" : "in");
	if (from != NULL && from->content == WA_CONTENT_BYTES)
		wa_node_set_bytes(contact, from->bytes, from->bytes_len);
}

static void add_user(const struct sim *s, const struct wa_node *query, const struct wa_node *asked,
                     struct wa_node *list)
{
	const struct wa_node *contact = wa_node_child(asked, "contact");
	const char *jid_text = wa_node_attr(asked, "jid");
	const struct sim_phone *phone = NULL;
	char number[SIM_NUMBER_CAP + 1] = "";
	struct wa_jid jid;
	struct wa_node *user;

	if (jid_text != NULL && wa_jid_parse(jid_text, strlen(jid_text), &jid) == 0) {
		phone = sim_phones_find_user(s->phones, jid.user);
	} else if (contact != NULL && contact->content == WA_CONTENT_BYTES &&
	           contact->bytes_len > 1 && contact->bytes_len < sizeof(number)) {
		memcpy(number, contact->bytes, contact->bytes_len);
		phone = sim_phones_find_user(s->phones, number[0] == '+' ? number + 1 : number);
	}
	user = wa_node_add(list, "user");
	if (jid_text != NULL)
		wa_node_set_jid(user, "jid", jid_text);
	else if (phone != NULL)
		wa_node_set_jid(user, "jid", phone->jid);
	if (wa_node_child(query, "contact") != NULL)
		add_contact(phone, asked, user);
	if (phone != NULL && wa_node_child(query, "devices") != NULL)
		add_devices(s, phone, user);
	if (phone != NULL && wa_node_child(query, "lid") != NULL)
		wa_node_set_jid(wa_node_add(user, "lid"), "val", phone->lid);
}

static void copy_attr(struct wa_node *to, const struct wa_node *from, const char *name)
{
	wa_node_set(to, name, wa_node_attr(from, name));
}

void sim_online_usync(struct sim_client *c, const struct wa_node *iq)
{
	const struct wa_node *usync = wa_node_child(iq, "usync");
	const struct wa_node *query = usync == NULL ? NULL : wa_node_child(usync, "query");
	const struct wa_node *list = usync == NULL ? NULL : wa_node_child(usync, "list");
	struct wa_node *n, *answer, *users;
	size_t count = 0;

	if (query == NULL || list == NULL) {
		sim_online_error(c, iq, 400, "bad-request");
		return;
	}
	n = sim_online_answer(iq, "result");
	answer = wa_node_add(n, "usync");
	copy_attr(answer, usync, "sid");
	copy_attr(answer, usync, "mode");
	copy_attr(answer, usync, "last");
	copy_attr(answer, usync, "index");
	copy_attr(answer, usync, "context");
	users = wa_node_add(answer, "list");
	for (const struct wa_node *u = wa_node_child(list, "user"); u != NULL && count < USERS_MAX;
	     u = wa_node_next(u, "user"), count++)
		add_user(c->sim, query, u, users);
	sim_client_send(c, n);
}

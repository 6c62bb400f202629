/* simulator/phone/sim_phone.c - the phones that tests have made */
#include "simulator/phone/sim_phone.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/secret.h"
#include "simulator/appstate/sim_appstate.h"
#include "simulator/phone/sim_chains.h"
#include "simulator/phone/sim_keep.h"
#include "simulator/phone/sim_mail.h"
#include "simulator/phone/sim_peer.h"

#define LID_DIGITS 15
#define REGISTRATION_ID_MAX 16380

struct sim_phones {
	struct sim_phone **list; /* owned, each phone too: pointers to phones stay valid */
	size_t n, cap;
	size_t mail_bytes;
	struct sim_keep index; /* "n NUMBER" and "l LID-USER" to a pointer to the phone */
};

int sim_phones_new(struct sim_phones **phones_out)
{
	struct sim_phones *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return -ENOMEM;
	*phones_out = p;
	return 0;
}

void sim_phones_free(struct sim_phones *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->n; i++) {
		sim_peer_free(p->list[i]->peer);
		sim_mail_free(p->list[i]->mail);
		sim_chains_free(p->list[i]->chains);
		sim_as_free(p->list[i]->appstate);
		secret_wipe(p->list[i], sizeof(*p->list[i]));
		free(p->list[i]);
	}
	sim_keep_clear(&p->index);
	free(p->list);
	free(p);
}

bool sim_number_is_valid(const char *number)
{
	size_t len = strlen(number);

	return len >= 7 && len < SIM_NUMBER_CAP && number[0] != '0' &&
	       strspn(number, "0123456789") == len;
}

static struct sim_phone *look_up(const struct sim_phones *p, char kind, const char *user)
{
	char name[SIM_JID_CAP + 2];
	struct sim_phone *phone = NULL;
	const uint8_t *data;
	size_t len;

	snprintf(name, sizeof(name), "%c %.*s", kind, SIM_JID_CAP - 1, user);
	if (sim_keep_get(&p->index, name, &data, &len) == 0)
		memcpy(&phone, data, sizeof(phone));
	return phone;
}

static int put_index(struct sim_phones *p, struct sim_phone *phone)
{
	char number[SIM_JID_CAP + 2], lid[SIM_JID_CAP + 2];
	int rc;

	snprintf(number, sizeof(number), "n %s", phone->number);
	snprintf(lid, sizeof(lid), "l %.*s", (int)strcspn(phone->lid, "@"), phone->lid);
	rc = sim_keep_put(&p->index, number, &phone, sizeof(phone));
	if (rc == 0)
		rc = sim_keep_put(&p->index, lid, &phone, sizeof(phone));
	if (rc < 0)
		(void)sim_keep_drop(&p->index, number);
	return rc;
}

struct sim_phone *sim_phones_find(const struct sim_phones *p, const char *number)
{
	return look_up(p, 'n', number);
}

struct sim_phone *sim_phones_find_user(const struct sim_phones *p, const char *user)
{
	struct sim_phone *phone = look_up(p, 'n', user);

	return phone != NULL ? phone : look_up(p, 'l', user);
}

static bool is_lid_taken(const struct sim_phones *p, const char *lid)
{
	char user[SIM_JID_CAP];

	snprintf(user, sizeof(user), "%.*s", (int)strcspn(lid, "@"), lid);
	return look_up(p, 'l', user) != NULL;
}

/* The number decides the stream, so that a seed gives each number the same lid in any order. */
static int make_lid(const struct sim_phones *p, struct sim_phone *phone, const struct sim_rand *rnd)
{
	struct sim_rand own;
	char digits[LID_DIGITS + 1];
	int rc;

	rc = sim_rand_fork(rnd, "lid", strtoull(phone->number, NULL, 10), &own);
	if (rc < 0)
		return rc;
	do {
		rc = sim_rand_digits(&own, digits, LID_DIGITS);
		if (rc < 0)
			return rc;
		snprintf(phone->lid, sizeof(phone->lid), "%s@lid", digits);
	} while (is_lid_taken(p, phone->lid));
	return 0;
}

int sim_phone_rekey(struct sim_phone *phone)
{
	uint8_t raw[8], key[1 + WA_KEY_LEN] = { 5 }, random[SIM_ADV_RANDOM_LEN];
	int rc;

	rc = sim_rand_keypair(&phone->rnd, &phone->account.identity);
	if (rc == 0)
		rc = sim_rand_keypair(&phone->rnd, &phone->signed_prekey);
	if (rc == 0)
		rc = sim_rand_bytes(&phone->rnd, raw, sizeof(raw));
	if (rc == 0)
		rc = sim_rand_bytes(&phone->rnd, random, sizeof(random));
	if (rc < 0)
		return rc;
	phone->account.raw_id =
	    ((uint32_t)raw[0] << 24 | (uint32_t)raw[1] << 16 | (uint32_t)raw[2] << 8 | raw[3]) &
	    INT32_MAX;
	phone->account.hosted = phone->hosted;
	phone->registration_id = 1 + ((uint32_t)raw[4] << 8 | raw[5]) % REGISTRATION_ID_MAX;
	memcpy(key + 1, phone->signed_prekey.pub, WA_KEY_LEN);
	return wa_xeddsa_sign(phone->account.identity.priv, key, sizeof(key), random,
	                      phone->signed_prekey_sig);
}

/* Everything the phone will ever draw comes from a stream of its number. */
static int make_keys(struct sim_phone *phone, const struct sim_rand *rnd)
{
	int rc = sim_rand_fork(rnd, "phone", strtoull(phone->number, NULL, 10), &phone->rnd);

	return rc < 0 ? rc : sim_phone_rekey(phone);
}

static int grow(struct sim_phones *p)
{
	size_t cap = p->cap == 0 ? 16 : p->cap * 2;
	struct sim_phone **list = realloc(p->list, cap * sizeof(*list));

	if (list == NULL)
		return -ENOMEM;
	p->list = list;
	p->cap = cap;
	return 0;
}

int sim_phones_add(struct sim_phones *p, const struct sim_phone *phone, const struct sim_rand *rnd,
                   struct sim_phone **phone_out)
{
	struct sim_phone *copy;
	int rc = 0;

	if (sim_phones_find(p, phone->number) != NULL ||
	    (phone->lid[0] != '\0' && is_lid_taken(p, phone->lid)))
		return -EEXIST;
	if (p->n == p->cap)
		rc = grow(p);
	if (rc < 0)
		return rc;
	copy = malloc(sizeof(*copy));
	if (copy == NULL)
		return -ENOMEM;
	*copy = *phone;
	copy->mail_bytes = &p->mail_bytes;
	snprintf(copy->jid, sizeof(copy->jid), "%s@s.whatsapp.net", copy->number);
	if (copy->lid[0] == '\0')
		rc = make_lid(p, copy, rnd);
	if (rc == 0)
		rc = make_keys(copy, rnd);
	if (rc == 0)
		rc = put_index(p, copy);
	if (rc < 0) {
		free(copy);
		return rc;
	}
	p->list[p->n++] = copy;
	*phone_out = copy;
	return 0;
}

size_t sim_phones_count(const struct sim_phones *p)
{
	return p->n;
}

const struct sim_phone *sim_phones_at(const struct sim_phones *p, size_t index)
{
	return p->list[index];
}

/* simulator/history/sim_history.c - chats, people and messages of a history, by number */
#include "simulator/history/sim_history.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "worker/wa/crypto/wa_keys.h"

#define DAY_S 86400
#define DAYS_DEFAULT 30
#define SELF_CHAT 7
#define MEMBERS_MIN 3
#define MEMBERS_MORE 9

int sim_history_init(struct sim_history *h, const struct sim_phone *phone, int64_t until_unix_s)
{
	struct sim_rand own;
	int rc = sim_rand_fork(&phone->rnd, "history", 0, &own);

	if (rc < 0)
		return rc;
	memset(h, 0, sizeof(*h));
	memcpy(h->key, own.key, sizeof(h->key));
	snprintf(h->number, sizeof(h->number), "%s", phone->number);
	snprintf(h->jid, sizeof(h->jid), "%s", phone->jid);
	snprintf(h->lid, sizeof(h->lid), "%s", phone->lid);
	snprintf(h->name, sizeof(h->name), "%s", phone->name);
	h->messages = phone->messages;
	h->chats = phone->chats == 0 && phone->messages > 0 ? 1 : phone->chats;
	h->days = phone->days_of_history == 0 ? DAYS_DEFAULT : phone->days_of_history;
	if (h->days > SIM_HISTORY_DAYS_MAX)
		h->days = SIM_HISTORY_DAYS_MAX;
	h->until_unix_s = until_unix_s;
	return 0;
}

int sim_history_draw(const struct sim_history *h, const char *label, uint32_t a, uint32_t b,
                     uint8_t out[32])
{
	uint8_t input[40] = { 0 };

	snprintf((char *)input, 24, "%s", label);
	for (int i = 0; i < 4; i++) {
		input[24 + i] = (uint8_t)(a >> 8 * i);
		input[28 + i] = (uint8_t)(b >> 8 * i);
	}
	return wa_hmac_sha256(h->key, sizeof(h->key), input, sizeof(input), out);
}

static uint64_t number_of(const uint8_t p[8])
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

/* ---- people ------------------------------------------------------------------------------------
 */

static const char *const first_names[] = { "Ada",  "Ben",     "Chloé", "Дмитрий", "Elif",
	                                   "Femi", "Günther", "花子",  "Inés",    "José" };

int sim_history_person(const struct sim_history *h, uint32_t number, struct sim_person *p)
{
	uint8_t random[32];
	uint64_t digits;
	int rc = sim_history_draw(h, "person", number, 0, random);

	if (rc < 0)
		return rc;
	/* Country code 999 is given to nobody; the last digits are the person's number. */
	digits = number_of(random);
	snprintf(p->pn, sizeof(p->pn), "999%02" PRIu64 "%07" PRIu32 "@s.whatsapp.net", digits % 100,
	         number % 10000000);
	snprintf(p->lid, sizeof(p->lid), "%" PRIu64 "@lid",
	         UINT64_C(100000000000000) + digits % UINT64_C(899999999999999));
	snprintf(p->name, sizeof(p->name), "%s %" PRIu32, first_names[random[8] % 10], number);
	return 0;
}

int sim_history_member(const struct sim_history *h, const struct sim_chat *chat, uint32_t member,
                       struct sim_person *p)
{
	return sim_history_person(h, (chat->number * 7 + member * 3) % (h->chats + 20), p);
}

/* ---- chats -------------------------------------------------------------------------------------
 */

static const char *const form_words[] = {
#define X(id, word) [id] = word,
	SIM_CHAT_LIST(X)
#undef X
};

const char *sim_chat_word(enum sim_chat_form form)
{
	return form_words[form];
}

static int fill_group(struct sim_chat *c, uint64_t random)
{
	snprintf(c->id, sizeof(c->id), "120363%012" PRIu64 "@g.us",
	         random % UINT64_C(1000000000000));
	snprintf(c->name, sizeof(c->name), "Group %" PRIu32 " ✓", c->number);
	c->by_lid = c->form == SIM_CHAT_GROUP_LID;
	c->members = MEMBERS_MIN + (uint32_t)(random >> 40) % MEMBERS_MORE;
	return 0;
}

static int fill_private(const struct sim_history *h, struct sim_chat *c)
{
	struct sim_person p;
	int rc = sim_history_person(h, c->number, &p);

	if (rc < 0)
		return rc;
	c->by_lid =
	    c->form == SIM_CHAT_LID || c->form == SIM_CHAT_LID_2 || c->form == SIM_CHAT_LID_MAPPED;
	memcpy(c->pn, p.pn, sizeof(c->pn));
	if (c->form != SIM_CHAT_PN)
		memcpy(c->lid, p.lid, sizeof(c->lid));
	memcpy(c->id, c->by_lid ? p.lid : p.pn, sizeof(c->id));
	memcpy(c->name, p.name, sizeof(c->name));
	return 0;
}

static void fill_self(const struct sim_history *h, struct sim_chat *c)
{
	memcpy(c->id, h->jid, sizeof(c->id));
	memcpy(c->pn, h->jid, sizeof(c->pn));
	memcpy(c->lid, h->lid, sizeof(c->lid));
	memcpy(c->name, h->name, sizeof(c->name));
}

int sim_history_chat(const struct sim_history *h, uint32_t chat, struct sim_chat *c)
{
	uint8_t random[32];
	int rc = sim_history_draw(h, "chat", chat, 0, random);

	if (rc < 0)
		return rc;
	memset(c, 0, sizeof(*c));
	c->number = chat;
	c->form = (enum sim_chat_form)(chat % SIM_CHAT_FORMS_N);
	if (c->form == SIM_CHAT_SELF && chat != SELF_CHAT)
		c->form = SIM_CHAT_LID;
	c->group = c->form == SIM_CHAT_GROUP_LID || c->form == SIM_CHAT_GROUP_PN;
	c->messages = h->messages / h->chats + (chat < h->messages % h->chats);
	c->archived = random[16] % 8 == 0;
	c->pinned = random[17] % 16 == 0;
	c->muted = random[18] % 8 == 0;
	c->unread = random[19] % 4 == 0 ? random[20] % 20 : 0;
	if (c->group)
		return fill_group(c, number_of(random));
	if (c->form == SIM_CHAT_SELF) {
		fill_self(h, c);
		return 0;
	}
	return fill_private(h, c);
}

/* ---- messages ----------------------------------------------------------------------------------
 */

/* The kinds in turn; more than half are texts, as in life. */
static const struct slot {
	const char *type;
	enum sim_media_kind media;
	bool has_media, has_text;
} slots[] = {
	{ "text", 0, false, true },
	{ "text", 0, false, true }, /* an answer to another */
	{ "text", 0, false, true },
	{ "image", SIM_MEDIA_IMAGE, true, true },
	{ "text", 0, false, true },
	{ "audio", SIM_MEDIA_AUDIO, true, false }, /* a voice note */
	{ "text", 0, false, true },                /* emoji and other scripts */
	{ "text", 0, false, true },                /* with a link's preview */
	{ "image", SIM_MEDIA_IMAGE, true, false },
	{ "text", 0, false, true },                     /* a long one */
	{ "document", SIM_MEDIA_DOCUMENT, true, true }, /* wrapped for its caption */
	{ "video", SIM_MEDIA_VIDEO, true, true },
	{ "text", 0, false, true }, /* wrapped: it disappears */
	{ "sticker", SIM_MEDIA_STICKER, true, false },
	{ "location", 0, false, false },
	{ "contact", 0, false, false },
	{ "poll", 0, false, false },
	{ "text", 0, false, true },                /* mentions somebody */
	{ "image", SIM_MEDIA_IMAGE, true, false }, /* view once */
	{ "contact", 0, false, false },            /* two of them */
	{ "event", 0, false, false },
	{ "list", 0, false, false },
	{ "stub", 0, false, false },
	{ "text", 0, false, true },                /* with reactions */
	{ "audio", SIM_MEDIA_AUDIO, true, false }, /* no voice note */
	{ "location", 0, false, false },           /* live */
	{ "group_invite", 0, false, false },
	{ "document", SIM_MEDIA_DOCUMENT, true, false },
	{ "video", SIM_MEDIA_VIDEO, true, false }, /* plays as a GIF */
};

int64_t sim_history_time(const struct sim_history *h, uint32_t chat, uint32_t number)
{
	uint64_t span = (uint64_t)h->days * DAY_S;
	uint64_t ordinal = (uint64_t)number * h->chats + chat;
	double at = ((double)ordinal + 0.5) / (double)h->messages;

	return h->until_unix_s - (int64_t)span + (int64_t)(at * (double)span);
}

uint32_t sim_history_before(const struct sim_history *h, const struct sim_chat *chat,
                            int64_t unix_s)
{
	uint32_t low = 0, high = chat->messages;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (sim_history_time(h, chat->number, mid) < unix_s)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Each client makes ids of its own kind; chat and message are in all of them. */
static void make_id(struct sim_history_msg *m, uint32_t chat, bool from_me, uint64_t random)
{
	if (from_me)
		snprintf(m->id, sizeof(m->id), "3EB0%08" PRIX32 "%08" PRIX32 "%02X", chat,
		         m->number, (unsigned)(random >> 56));
	else if (random & 1)
		snprintf(m->id, sizeof(m->id), "3A%08" PRIX32 "%08" PRIX32 "%02X", chat, m->number,
		         (unsigned)(random >> 56));
	else
		snprintf(m->id, sizeof(m->id), "AC%08" PRIX32 "%08" PRIX32 "%014" PRIX64, chat,
		         m->number, random >> 8);
}

bool sim_history_find(const struct sim_history *h, const char *id, uint32_t *chat_out,
                      uint32_t *number_out)
{
	struct sim_history_msg m;
	struct sim_chat c;
	char digits[9] = "", *end;
	const char *p = id;
	uint32_t chat, number;

	if (strncmp(p, "3EB0", 4) == 0)
		p += 4;
	else if (strncmp(p, "3A", 2) == 0 || strncmp(p, "AC", 2) == 0)
		p += 2;
	else
		return false;
	if (strlen(p) < 16)
		return false;
	memcpy(digits, p, 8);
	chat = (uint32_t)strtoul(digits, &end, 16);
	if (*end != '\0' || chat >= h->chats || sim_history_chat(h, chat, &c) < 0)
		return false;
	memcpy(digits, p + 8, 8);
	number = (uint32_t)strtoul(digits, &end, 16);
	if (*end != '\0' || number >= c.messages || sim_history_msg(h, &c, number, &m) < 0 ||
	    strcmp(m.id, id) != 0)
		return false;
	*chat_out = chat;
	*number_out = number;
	return true;
}

static void make_text(struct sim_history_msg *m, uint32_t chat)
{
	static const char *const words[] = { "tomorrow", "at the station",
		                             "ok then",  "call me",
		                             "🙂🙂", "grüße",
		                             "再见",     "see \"this\" & <that>" };
	size_t n;

	n = (size_t)snprintf(m->text, sizeof(m->text),
	                     "message %" PRIu32 " of chat %" PRIu32 ": %s", m->number, chat,
	                     words[m->random >> 13 & 7]);
	if (m->slot != 9)
		return;
	while (n + 48 < sizeof(m->text)) /* the long one */
		n += (size_t)snprintf(m->text + n, sizeof(m->text) - n, " and %s",
		                      words[(m->random >> n % 40) & 7]);
}

static int fill_sender(const struct sim_history *h, const struct sim_chat *chat,
                       struct sim_history_msg *m)
{
	struct sim_person p;
	int rc;

	if (m->from_me) {
		snprintf(m->push_name, sizeof(m->push_name), "%s", h->name);
		return 0;
	}
	if (!chat->group) {
		snprintf(m->push_name, sizeof(m->push_name), "%s", chat->name);
		return 0;
	}
	rc = sim_history_member(h, chat, (uint32_t)(m->random >> 20) % chat->members, &p);
	if (rc < 0)
		return rc;
	memcpy(m->sender, chat->by_lid ? p.lid : p.pn, sizeof(m->sender));
	memcpy(m->push_name, p.name, sizeof(m->push_name));
	return 0;
}

/* REVOKE, E2E_IDENTITY_CHANGED, CALL_MISSED_VOICE; in groups subject, add, leave. */
static uint32_t pick_stub(const struct sim_chat *chat, uint64_t random)
{
	static const uint32_t alone[] = { 1, 38, 40 }, group[] = { 1, 21, 27, 32 };

	return chat->group ? group[random % 4] : alone[random % 3];
}

int sim_history_msg(const struct sim_history *h, const struct sim_chat *chat, uint32_t number,
                    struct sim_history_msg *m)
{
	uint8_t random[32];
	const struct slot *slot;
	int rc = sim_history_draw(h, "message", chat->number, number, random);

	if (rc < 0)
		return rc;
	memset(m, 0, sizeof(*m));
	m->number = number;
	m->random = number_of(random);
	m->slot =
	    (unsigned)((5 * (uint64_t)number + 7 * (uint64_t)chat->number) % ARRAY_LEN(slots));
	slot = &slots[m->slot];
	m->from_me = chat->form == SIM_CHAT_SELF || random[8] % 3 == 0;
	m->unix_s = sim_history_time(h, chat->number, number);
	m->order = (uint64_t)number * h->chats + chat->number + 1;
	m->type = slot->type;
	m->has_media = slot->has_media;
	m->media_kind = slot->media;
	if (strcmp(slot->type, "stub") == 0)
		m->stub = pick_stub(chat, m->random >> 3);
	make_id(m, chat->number, m->from_me, m->random);
	if (slot->has_text)
		make_text(m, chat->number);
	return fill_sender(h, chat, m);
}

/* ---- files -------------------------------------------------------------------------------------
 */

int sim_history_file(const struct sim_history *h, const struct sim_chat *chat,
                     const struct sim_history_msg *m, struct buf *stored_out,
                     struct sim_media_file *f)
{
	struct buf content = { 0 };
	char path[SIM_MEDIA_PATH_CAP];
	size_t from = stored_out->len;
	int rc = sim_history_draw(h, "file", chat->number, m->number, f->key);

	f->number = 0;
	f->len = 200 + (m->random >> 30) % 2000;
	if (rc == 0)
		rc = sim_media_make(m->media_kind, m->random, (size_t)f->len, &content);
	if (rc == 0)
		rc = wa_sha256(content.p, content.len, f->sha256);
	if (rc == 0)
		rc = sim_media_seal(f->key, m->media_kind, SIM_FLAW_FILE_NONE, content.p,
		                    content.len, stored_out);
	if (rc == 0)
		rc = wa_sha256(stored_out->p + from, stored_out->len - from, f->enc_sha256);
	buf_free(&content);
	if (rc < 0)
		return rc;
	snprintf(path, sizeof(path), SIM_MEDIA_SOURCE_PREFIX "%s-%" PRIu32 "-%" PRIu32, h->number,
	         chat->number, m->number);
	sim_media_sign_path(path, f->enc_sha256, f->direct_path);
	sim_media_url(f->direct_path, f->url);
	return 0;
}

bool sim_history_path(const char *path, char number_out[SIM_NUMBER_CAP], uint32_t *chat_out,
                      uint32_t *msg_out)
{
	int used = 0;

	if (strncmp(path, SIM_MEDIA_SOURCE_PREFIX, strlen(SIM_MEDIA_SOURCE_PREFIX)) != 0)
		return false;
	path += strlen(SIM_MEDIA_SOURCE_PREFIX);
	return sscanf(path, "%15[0-9]-%" SCNu32 "-%" SCNu32 "%n", number_out, chat_out, msg_out,
	              &used) == 3 &&
	       path[used] == '\0';
}

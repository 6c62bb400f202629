/* worker/wa/stanza/wa_privacy_token.c - tokens that say: this person lets me write to him */
#include "worker/wa/stanza/wa_privacy_token.h"

#include <errno.h>
#include <string.h>

#include "common/err.h"
#include "worker/wa/stanza/wa_stanza.h"

#define BUCKET_S 604800
#define BUCKETS 4

static int user_of(const struct wa_node *n, const char *name, struct wa_jid *out)
{
	const char *text = n == NULL ? NULL : wa_node_attr(n, name);
	int rc = text == NULL ? WA_EPROTO : wa_jid_parse(text, strlen(text), out);

	if (rc == 0 && (out->user[0] == '\0' || (strcmp(out->server, "lid") != 0 &&
	                                         strcmp(out->server, WA_SERVER_JID) != 0)))
		rc = WA_EPROTO;
	if (rc == 0)
		out->device = 0;
	return rc;
}

static const struct wa_node *find(const struct wa_node *n)
{
	const struct wa_node *list = wa_node_child(n, "tokens");
	const struct wa_node *t = list == NULL ? NULL : wa_node_child(list, "token");

	while (t != NULL && !wa_node_attr_is(t, "type", "trusted_contact"))
		t = wa_node_next(t, "token");
	return t;
}

int wa_privacy_token_read(const struct wa_node *n, struct wa_privacy_token *out)
{
	const struct wa_node *t = find(n);
	uint64_t unix_s = 0;
	int rc;

	if (t == NULL || t->content != WA_CONTENT_BYTES || t->bytes_len == 0 ||
	    t->bytes_len > WA_PRIVACY_TOKEN_MAX ||
	    wa_node_attr_u64(t, "t", INT32_MAX * 4LL, &unix_s) < 0)
		return -ENOENT;
	rc = user_of(n, "sender_lid", &out->user);
	if (rc < 0)
		rc = user_of(t, "jid", &out->user);
	if (rc < 0)
		rc = user_of(n, "from", &out->user);
	if (rc < 0)
		return rc;
	out->token = t->bytes;
	out->token_len = t->bytes_len;
	out->unix_s = (int64_t)unix_s;
	return 0;
}

struct wa_node *wa_privacy_token_issue(const char *id, const char *user_jid, int64_t now_unix_s)
{
	struct wa_node *iq = wa_iq("set", "privacy", id);
	struct wa_node *t = wa_node_add(wa_node_add(iq, "tokens"), "token");

	wa_node_set_jid(t, "jid", user_jid);
	wa_node_set_int(t, "t", now_unix_s);
	wa_node_set(t, "type", "trusted_contact");
	return iq;
}

bool wa_privacy_token_is_good(int64_t token_unix_s, int64_t now_unix_s)
{
	return token_unix_s >= (now_unix_s / BUCKET_S - (BUCKETS - 1)) * BUCKET_S;
}

int64_t wa_privacy_token_since(int64_t now_unix_s)
{
	return now_unix_s / BUCKET_S * BUCKET_S;
}

/* gateway/registry/gw_secrets.c - the master key at start: found, or made, and known to be the right one */
#include "gateway/registry/gw_secrets.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "common/err.h"
#include "common/log.h"
#include "common/secret.h"
#include "gateway/gw.h"
#include "gateway/registry/gw_master_key.h"
#include "gateway/registry/gw_store.h"

#define CHECK_NAME "master_key_check"
#define CHECK_MAX 256

static const char check_text[] = "this is the master key of this registry";
static const struct sealed_place check_place = { "registry", "meta", CHECK_NAME, 0, 0 };

static int check_make(struct gw *gw, const struct sealed_key *key)
{
	struct buf envelope = { 0 };
	int rc = sealed_seal(key, &check_place, check_text, sizeof(check_text), &envelope);

	if (rc == 0)
		rc = gw_store_meta_put(gw->store, CHECK_NAME, envelope.p, envelope.len);
	buf_free(&envelope);
	return rc;
}

static int check_open(const struct sealed_key *key, const uint8_t *envelope, size_t envelope_len)
{
	struct buf text = { 0 };
	int rc = sealed_open(key, &check_place, envelope, envelope_len, &text);

	if (rc == 0 &&
	    (text.len != sizeof(check_text) || memcmp(text.p, check_text, text.len) != 0))
		rc = WA_EAUTH;
	buf_free(&text);
	return rc;
}

static void complain(int rc)
{
	LOG(NULL, LOG_ERR, "master_key_wrong",
	    LF_STR("why", rc == WA_EAUTH ? "data_dir was written with another master key"
	                                 : "it can't be checked"),
	    LF_STR("hint", "master_key_file, or data_dir/master.key, must be the key that data_dir "
	                   "was made with"),
	    LF_ERR("err", rc));
}

int gw_secrets_start(struct gw *gw)
{
	uint8_t envelope[CHECK_MAX];
	size_t envelope_len = 0;
	struct sealed_key key;
	int there =
	    gw_store_meta_get(gw->store, CHECK_NAME, envelope, sizeof(envelope), &envelope_len);
	int rc = there < 0 ? there : 0;

	if (rc == 0)
		rc = gw_master_key_load(gw->cfg.master_key_file, gw->cfg.data_dir, there == 0,
		                        &gw->master_key);
	if (rc < 0)
		return rc;
	rc = gw_master_key_derive(gw->master_key, "registry", 1, &key);
	if (rc == 0)
		rc = there == 0 ? check_make(gw, &key) : check_open(&key, envelope, envelope_len);
	secret_wipe(&key, sizeof(key));
	if (rc < 0)
		complain(rc);
	return rc;
}

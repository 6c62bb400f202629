/* tests/unit/test_wk_event_msg.c - messages of every kind as event data */
#include "test.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "proto/wa_msg.pb-c.h"
#include "worker/control/wk_settings.h"
#include "worker/events/wk_event_msg.h"
#include "worker/wa/crypto/wa_keys.h"
#include "worker/wa/message/wa_msg_secret.h"

#define STR(s) ((char *)(uintptr_t)(s))
#define BIN(field, s) .has_##field = 1, .field = { sizeof(s) - 1, (uint8_t *)(uintptr_t)(s) }
#define NUM(field, v) .has_##field = 1, .field = (v)
#define SHA "0123456789abcdef0123456789abcdef"
#define SHA_HEX "3031323334353637383961626364656630313233343536373839616263646566"

static struct wa_pool *pool;

static int setup(void **state)
{
	(void)state;
	pool = wa_pool_new(WA_MSG_POOL_FIRST, WA_MSG_MEMORY_MAX);
	return pool == NULL ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	wa_pool_free(pool);
	return 0;
}

/* ---- a little world -----------------------------------------------------------------------------
 */

static struct wk_event_stored kept; /* what the store has under the id "TARGET" */
static bool has_kept;
static char kept_asked[WA_JID_TEXT_CAP];

static const char *name_of(void *arg, const struct wa_jid *jid, const struct wa_jid *alt)
{
	(void)arg;
	if (strcmp(jid->user, "551199") == 0 || strcmp(alt->user, "551199") == 0)
		return "Ana Book";
	return strcmp(jid->server, "g.us") == 0 ? "The group" : NULL;
}

static bool other_of(void *arg, const struct wa_jid *jid, struct wa_jid *out)
{
	(void)arg;
	if (strcmp(jid->user, "551199") == 0)
		return wa_jid_parse("99@lid", 6, out) == 0;
	if (strcmp(jid->user, "99") == 0)
		return wa_jid_parse("551199@s.whatsapp.net", 21, out) == 0;
	return false;
}

static bool stored_of(void *arg, const struct wa_jid *chat, const char *id,
                      const struct wa_jid *author, struct wk_event_stored *out)
{
	(void)arg;
	(void)chat;
	wa_jid_format(author, kept_asked);
	if (!has_kept || strcmp(id, "TARGET") != 0)
		return false;
	*out = kept;
	return true;
}

static const struct wk_event_lookup look = {
	.own = { .pn = "5500", .lid = "77" },
	.own_name = "Shop",
	.name = name_of,
	.other = other_of,
	.stored = stored_of,
};

static struct wa_jid jid(const char *text)
{
	struct wa_jid j;

	assert_int_equal(wa_jid_parse(text, strlen(text), &j), 0);
	return j;
}

/* A message of a contact's to us. */
static struct wk_event_msg private_msg(const struct wa_msg_view *v)
{
	return (struct wk_event_msg){
		.id = "3EB0AABB",
		.kind = WA_CHAT_PRIVATE,
		.chat = jid("99@lid"),
		.sender = jid("99:3@lid"),
		.sender_alt = jid("551199:3@s.whatsapp.net"),
		.chat_alt = jid("551199@s.whatsapp.net"),
		.unix_s = 1700000000,
		.push_name = "ana",
		.view = v,
	};
}

static struct wa_msg_view view_of(const Wa__Message *m)
{
	struct wa_msg_view v;
	struct buf b = { 0 };
	Wa__Message *got;

	wa_pool_reset(pool);
	assert_int_equal(buf_reserve(&b, wa__message__get_packed_size(m) + 1), 0);
	b.len = wa__message__pack(m, b.p);
	assert_int_equal(wa_msg_parse(pool, b.p, b.len, &got), 0);
	assert_int_equal(wa_msg_view(got, &v), 0);
	buf_free(&b);
	return v;
}

static json_t *render_with(const struct wk_event_msg *m, const struct wk_event_lookup *l)
{
	struct buf out = { 0 };
	json_error_t err;
	json_t *v;

	assert_int_equal(wk_event_message(m, l, pool, &out), 0);
	assert_true(out.len <= WK_EVENT_DATA_MAX);
	v = json_loadb((const char *)out.p, out.len, JSON_REJECT_DUPLICATES, &err);
	if (v == NULL)
		fail_msg("%s at %d of %.*s", err.text, err.position, (int)out.len, out.p);
	buf_free(&out);
	return v;
}

static void assert_json(json_t *takes, const json_t *got, const char *wanted)
{
	json_t *w = json_loads(wanted, JSON_DECODE_ANY, NULL);
	char *text = json_dumps(got, JSON_ENCODE_ANY);

	assert_non_null(w);
	if (!json_equal(got, w))
		fail_msg("got %s", text);
	free(text);
	json_decref(w);
	json_decref(takes);
}

/* The "message" of m, when it comes from a contact. */
static void assert_message(const Wa__Message *m, const char *wanted)
{
	struct wa_msg_view v = view_of(m);
	struct wk_event_msg in = private_msg(&v);
	json_t *got = render_with(&in, &look);

	assert_json(got, json_object_get(got, "message"), wanted);
}

/* ---- around the message -------------------------------------------------------------------------
 */

static void test_event_private(void **state)
{
	Wa__Message m = WA__MESSAGE__INIT;
	struct wa_msg_view v;
	struct wk_event_msg in;
	json_t *got;

	(void)state;
	m.conversation = STR("hi");
	v = view_of(&m);
	in = private_msg(&v);
	got = render_with(&in, &look);
	assert_json(got, got,
	            "{\"id\":\"3EB0AABB\",\"direction\":\"incoming\","
	            "\"timestamp\":\"2023-11-14T22:13:20.000Z\","
	            "\"chat\":{\"jid\":\"551199@s.whatsapp.net\",\"lid\":\"99@lid\","
	            "\"name\":\"Ana Book\",\"type\":\"private\"},"
	            "\"sender\":{\"jid\":\"551199@s.whatsapp.net\",\"lid\":\"99@lid\","
	            "\"name\":\"Ana Book\"},"
	            "\"message\":{\"type\":\"text\",\"content\":\"hi\",\"source\":\"web\"},"
	            "\"fromHistory\":false}");
}

/* Nothing known but the LID: it stands in for the number, and the push name for the name. */
static void test_event_of_a_stranger(void **state)
{
	Wa__Message m = WA__MESSAGE__INIT;
	struct wa_msg_view v;
	struct wk_event_msg in;
	json_t *got;

	(void)state;
	m.conversation = STR("hi");
	v = view_of(&m);
	in = (struct wk_event_msg){ .id = "X",
		                    .chat = jid("42@lid"),
		                    .sender = jid("42:1@lid"),
		                    .push_name = "who",
		                    .view = &v };
	got = render_with(&in, NULL);
	assert_json(
	    got, json_object_get(got, "chat"),
	    "{\"jid\":\"42@lid\",\"lid\":\"42@lid\",\"name\":\"who\",\"type\":\"private\"}");
	got = render_with(&in, &look);
	assert_json(got, json_object_get(got, "sender"),
	            "{\"jid\":\"42@lid\",\"lid\":\"42@lid\",\"name\":\"who\"}");
}

static void test_event_in_a_group(void **state)
{
	Wa__Message m = WA__MESSAGE__INIT;
	struct wa_msg_view v;
	struct wk_event_msg in;
	json_t *got;

	(void)state;
	m.conversation = STR("hi");
	v = view_of(&m);
	in = private_msg(&v);
	in.kind = WA_CHAT_GROUP;
	in.chat = jid("120363@g.us");
	memset(&in.chat_alt, 0, sizeof(in.chat_alt));
	got = render_with(&in, &look);
	assert_json(json_incref(got), json_object_get(got, "chat"),
	            "{\"jid\":\"120363@g.us\",\"name\":\"The group\",\"type\":\"group\"}");
	assert_json(got, json_object_get(got, "sender"),
	            "{\"jid\":\"551199@s.whatsapp.net\",\"lid\":\"99@lid\",\"name\":\"Ana Book\"}");
}

/* Sent with the phone: the partner's name is not the sender's. */
static void test_event_outgoing(void **state)
{
	Wa__Message m = WA__MESSAGE__INIT;
	struct wa_msg_view v;
	struct wk_event_msg in;
	json_t *got;

	(void)state;
	m.conversation = STR("hi");
	v = view_of(&m);
	in = private_msg(&v);
	in.from_me = true;
	in.sender = jid("5500:0@s.whatsapp.net");
	in.sender_alt = jid("77@lid");
	in.push_name = NULL;
	got = render_with(&in, &look);
	assert_string_equal(json_string_value(json_object_get(got, "direction")), "outgoing");
	assert_json(json_incref(got), json_object_get(got, "sender"),
	            "{\"jid\":\"5500@s.whatsapp.net\",\"lid\":\"77@lid\",\"name\":\"Shop\"}");
	assert_json(got, json_object_get(json_object_get(got, "chat"), "name"), "\"Ana Book\"");
}

/* A broadcast list of a contact's is no chat of ours; a status is. */
static void test_event_broadcasts(void **state)
{
	Wa__Message m = WA__MESSAGE__INIT;
	struct wa_msg_view v;
	struct wk_event_msg in;
	json_t *got;

	(void)state;
	m.conversation = STR("hi");
	v = view_of(&m);
	in = private_msg(&v);
	in.kind = WA_CHAT_BROADCAST;
	in.chat = jid("1234@broadcast");
	memset(&in.chat_alt, 0, sizeof(in.chat_alt));
	got = render_with(&in, &look);
	assert_json(json_incref(got), json_object_get(got, "broadcast"), "true");
	assert_json(got, json_object_get(got, "chat"),
	            "{\"jid\":\"551199@s.whatsapp.net\",\"lid\":\"99@lid\",\"name\":\"Ana Book\","
	            "\"type\":\"private\"}");
	in.chat = jid("status@broadcast");
	in.is_status = true;
	got = render_with(&in, &look);
	assert_json(got, json_object_get(got, "chat"),
	            "{\"jid\":\"status@broadcast\",\"type\":\"status\"}");
}

static void test_event_undecryptable(void **state)
{
	struct wk_event_msg in = private_msg(NULL);
	json_t *got;

	(void)state;
	assert_true(wk_event_msg_shows(&in, NULL));
	got = render_with(&in, &look);
	assert_json(got, json_object_get(got, "message"),
	            "{\"type\":\"undecryptable\",\"content\":\"\",\"source\":\"web\"}");
}

static void test_event_settings(void **state)
{
	struct wk_settings s = { 0 };
	Wa__Message m = WA__MESSAGE__INIT;
	struct wa_msg_view v;
	struct wk_event_msg in;

	(void)state;
	v = view_of(&m);
	in = private_msg(&v);
	assert_false(wk_event_msg_shows(&in, &s)); /* nothing to show */
	m.conversation = STR("hi");
	v = view_of(&m);
	in = private_msg(&v);
	in.kind = WA_CHAT_GROUP;
	assert_true(wk_event_msg_shows(&in, &s));
	s.ignore_group_messages = true;
	assert_false(wk_event_msg_shows(&in, &s));
	in.kind = WA_CHAT_BROADCAST;
	in.is_status = true;
	assert_true(wk_event_msg_shows(&in, &s));
	s.ignore_status = true;
	assert_false(wk_event_msg_shows(&in, &s));
	in.kind = WA_CHAT_PRIVATE;
	in.is_status = false;
	assert_true(wk_event_msg_shows(&in, &s));
}

/* ---- stored and historic ------------------------------------------------------------------------
 */

static void test_event_of_a_row(void **state)
{
	Wa__Message m = WA__MESSAGE__INIT;
	struct wa_msg_view v;
	struct wk_event_msg in;
	json_t *got;

	(void)state;
	m.conversation = STR("hi");
	v = view_of(&m);
	assert_int_equal(wk_event_msg_of_row(&in, "99@lid", NULL, false, "AC", 1700000000, &v), 0);
	got = render_with(&in, &look);
	assert_json(got, json_object_get(got, "sender"),
	            "{\"jid\":\"551199@s.whatsapp.net\",\"lid\":\"99@lid\",\"name\":\"Ana Book\"}");
	assert_int_equal(wk_event_msg_of_row(&in, "99@lid", "", true, "AC", 1700000000, &v), 0);
	got = render_with(&in, &look);
	assert_json(got, json_object_get(got, "sender"),
	            "{\"jid\":\"5500@s.whatsapp.net\",\"name\":\"Shop\"}");
	assert_int_equal(wk_event_msg_of_row(&in, "", NULL, true, "AC", 0, &v), WA_EPROTO);
}

static void test_event_of_history(void **state)
{
	Wa__MessageKey key = WA__MESSAGE_KEY__INIT, rkey = WA__MESSAGE_KEY__INIT;
	Wa__Reaction r = WA__REACTION__INIT, *rs[] = { &r };
	Wa__WebMessageInfo info = WA__WEB_MESSAGE_INFO__INIT;
	Wa__Message m = WA__MESSAGE__INIT;
	struct wa_msg_view v;
	struct wk_event_msg in;
	json_t *got;

	(void)state;
	m.conversation = STR("hi");
	v = view_of(&m);
	assert_int_equal(wk_event_msg_of_info(&in, "1@g.us", &info, &v, &look.own), WA_EPROTO);
	info.key = &key;
	key.id = STR("AC01");
	key.participant = STR("99@lid");
	info.has_message_timestamp = 1;
	info.message_timestamp = 1700000000;
	info.push_name = STR("-");
	info.has_status = 1;
	info.status = 4;
	info.has_starred = info.starred = 1;
	info.reactions = rs;
	info.n_reactions = 1;
	r.text = STR("+");
	r.key = &rkey;
	rkey.participant = STR("99@lid");
	assert_int_equal(wk_event_msg_of_info(&in, "1@g.us", &info, &v, &look.own), 0);
	assert_true(wk_event_msg_shows(&in, NULL));
	got = render_with(&in, &look);
	assert_json(json_incref(got), json_object_get(got, "fromHistory"), "true");
	assert_json(json_incref(got), json_object_get(got, "starred"), "true");
	assert_null(json_object_get(got, "status")); /* of our own messages only */
	assert_json(got, json_object_get(json_object_get(got, "message"), "reactions"),
	            "[{\"emoji\":\"+\",\"fromMe\":false,\"sender\":{\"jid\":"
	            "\"551199@s.whatsapp.net\",\"lid\":\"99@lid\",\"name\":\"Ana Book\"}}]");

	/* an own one in a group whose flag is missing */
	key.participant = STR("77@lid");
	assert_int_equal(wk_event_msg_of_info(&in, "1@g.us", &info, &v, &look.own), 0);
	assert_true(in.from_me);
	got = render_with(&in, &look);
	assert_json(got, json_object_get(got, "status"), "\"read\"");

	/* nothing but a stub */
	assert_int_equal(wk_event_msg_of_info(&in, "1@g.us", &info, NULL, &look.own), 0);
	assert_false(wk_event_msg_shows(&in, NULL));
	info.has_message_stub_type = info.message_stub_type = 1;
	assert_true(wk_event_msg_shows(&in, NULL));
	got = render_with(&in, &look);
	assert_json(got, json_object_get(json_object_get(got, "message"), "type"), "\"revoked\"");
}

/* ---- kinds --------------------------------------------------------------------------------------
 */

static void test_event_text_with_context(void **state)
{
	char *mentions[] = { STR("99@lid"), STR("nonsense"), STR("@lid") };
	Wa__ContextInfo c = WA__CONTEXT_INFO__INIT;
	Wa__ExtendedTextMessage t = WA__EXTENDED_TEXT_MESSAGE__INIT;
	Wa__Message m = WA__MESSAGE__INIT;

	(void)state;
	m.extended_text_message = &t;
	t.text = STR("see @99");
	t.title = STR("a title");
	t.context_info = &c;
	c.stanza_id = STR("3EB0Q");
	c.participant = STR("77:2@lid");
	c.has_quoted_message = 1;
	c.quoted_message.data = (uint8_t *)STR("\x0a\x01x");
	c.quoted_message.len = 3;
	c.mentioned_jid = mentions;
	c.n_mentioned_jid = 3;
	c.has_is_forwarded = c.is_forwarded = 1;
	c.has_forwarding_score = 1;
	c.forwarding_score = 5;
	c.has_expiration = 1;
	c.expiration = 86400;
	assert_message(&m,
	               "{\"type\":\"text\",\"content\":\"see @99\",\"source\":\"web\","
	               "\"title\":\"a title\",\"quoted\":{\"messageId\":\"3EB0Q\",\"fromMe\":true,"
	               "\"sender\":{\"jid\":\"77@lid\",\"lid\":\"77@lid\",\"name\":\"Shop\"},"
	               "\"type\":\"text\",\"content\":\"x\"},"
	               "\"mentions\":[{\"jid\":\"551199@s.whatsapp.net\",\"lid\":\"99@lid\","
	               "\"name\":\"Ana Book\"}],\"forwarded\":true,\"forwardingScore\":5,"
	               "\"expiresIn\":86400}");
}

static void test_event_media(void **state)
{
	Wa__ImageMessage image = { PROTOBUF_C_MESSAGE_INIT(&wa__image_message__descriptor),
		                   .url = STR("https://mmg.whatsapp.net/x"),
		                   .mimetype = STR("image/jpeg"),
		                   .caption = STR("look"),
		                   .direct_path = STR("/v/x"),
		                   BIN(media_key, "key"),
		                   BIN(file_sha256, SHA),
		                   BIN(file_enc_sha256, "enc"),
		                   BIN(jpeg_thumbnail, "\xff\xd8"),
		                   NUM(file_length, 1000),
		                   NUM(width, 640),
		                   NUM(height, 480),
		                   NUM(view_once, 1) };
	Wa__AudioMessage audio = { PROTOBUF_C_MESSAGE_INIT(&wa__audio_message__descriptor),
		                   .mimetype = STR("audio/ogg; codecs=opus"), NUM(seconds, 7),
		                   NUM(ptt, 1), BIN(waveform, "\x01\x02") };
	Wa__DocumentMessage doc = { PROTOBUF_C_MESSAGE_INIT(&wa__document_message__descriptor),
		                    .file_name = STR("a.pdf"),
		                    .mimetype = STR("application/pdf"),
		                    .caption = STR("read"),
		                    NUM(page_count, 3),
		                    NUM(file_length, UINT64_MAX) };
	Wa__VideoMessage video = { PROTOBUF_C_MESSAGE_INIT(&wa__video_message__descriptor),
		                   NUM(seconds, 9), NUM(gif_playback, 1) };
	Wa__StickerMessage sticker = { PROTOBUF_C_MESSAGE_INIT(&wa__sticker_message__descriptor),
		                       NUM(is_animated, 1) };
	Wa__Message m = WA__MESSAGE__INIT;

	(void)state;
	m.image_message = &image;
	assert_message(&m, "{\"type\":\"image\",\"content\":\"look\",\"source\":\"web\","
	                   "\"media\":{\"mimeType\":\"image/jpeg\",\"size\":1000,\"width\":640,"
	                   "\"height\":480,\"sha256\":\"" SHA_HEX "\",\"caption\":\"look\","
	                   "\"thumbnail\":\"/9g=\"},\"viewOnce\":true}");
	m.image_message = NULL;
	m.audio_message = &audio;
	assert_message(&m, "{\"type\":\"audio\",\"content\":\"\",\"source\":\"web\","
	                   "\"media\":{\"mimeType\":\"audio/ogg; codecs=opus\",\"seconds\":7,"
	                   "\"voiceNote\":true,\"waveform\":\"AQI=\"}}");
	m.audio_message = NULL;
	m.document_message = &doc;
	assert_message(&m, "{\"type\":\"document\",\"content\":\"read\",\"source\":\"web\","
	                   "\"media\":{\"mimeType\":\"application/pdf\",\"fileName\":\"a.pdf\","
	                   "\"size\":9223372036854775807,\"pages\":3,\"caption\":\"read\"}}");
	m.document_message = NULL;
	m.video_message = &video;
	assert_message(&m, "{\"type\":\"video\",\"content\":\"\",\"source\":\"web\","
	                   "\"media\":{\"seconds\":9,\"gif\":true}}");
	m.video_message = NULL;
	m.ptv_message = &video;
	assert_message(&m, "{\"type\":\"video\",\"content\":\"\",\"source\":\"web\","
	                   "\"media\":{\"seconds\":9,\"gif\":true,\"videoNote\":true}}");
	m.ptv_message = NULL;
	m.sticker_message = &sticker;
	assert_message(&m, "{\"type\":\"sticker\",\"content\":\"\",\"source\":\"web\","
	                   "\"media\":{\"animated\":true}}");
}

static void test_event_places(void **state)
{
	Wa__LocationMessage l = { PROTOBUF_C_MESSAGE_INIT(&wa__location_message__descriptor),
		                  NUM(degrees_latitude, 52.5), NUM(degrees_longitude, -13.25),
		                  .name = STR("Cafe"), .address = STR("Street 1") };
	Wa__LiveLocationMessage live = {
		PROTOBUF_C_MESSAGE_INIT(&wa__live_location_message__descriptor),
		NUM(degrees_latitude, 1), NUM(degrees_longitude, 2), NUM(sequence_number, 4)
	};
	Wa__Message m = WA__MESSAGE__INIT;

	(void)state;
	m.location_message = &l;
	assert_message(&m, "{\"type\":\"location\",\"content\":\"Cafe\",\"source\":\"web\","
	                   "\"location\":{\"latitude\":52.5,\"longitude\":-13.25,\"name\":\"Cafe\","
	                   "\"address\":\"Street 1\"}}");
	m.location_message = NULL;
	m.live_location_message = &live;
	assert_message(&m, "{\"type\":\"location\",\"content\":\"\",\"source\":\"web\","
	                   "\"location\":{\"latitude\":1,\"longitude\":2,\"live\":true,"
	                   "\"sequence\":4}}");
}

static void test_event_contacts(void **state)
{
	Wa__ContactMessage a = WA__CONTACT_MESSAGE__INIT, b = WA__CONTACT_MESSAGE__INIT;
	Wa__ContactMessage *both[] = { &a, &b };
	Wa__ContactsArrayMessage all = WA__CONTACTS_ARRAY_MESSAGE__INIT;
	Wa__Message m = WA__MESSAGE__INIT;

	(void)state;
	a.display_name = STR("Bo");
	a.vcard = STR("BEGIN:VCARD\r\nFN:Bo\r\nTEL;type=CELL;waid=4912:+49 12\r\n"
	              "item1.TEL:+49 34\r\nNOTE.X:TEL\r\nTELEX:1\r\nEND:VCARD");
	m.contact_message = &a;
	assert_message(&m, "{\"type\":\"contact\",\"content\":\"Bo\",\"source\":\"web\","
	                   "\"contact\":{\"name\":\"Bo\",\"phones\":[{\"number\":\"+49 12\","
	                   "\"waId\":\"4912\"},{\"number\":\"+49 34\"}],\"vcard\":"
	                   "\"BEGIN:VCARD\\r\\nFN:Bo\\r\\nTEL;type=CELL;waid=4912:+49 12\\r\\n"
	                   "item1.TEL:+49 34\\r\\nNOTE.X:TEL\\r\\nTELEX:1\\r\\nEND:VCARD\"}}");
	a.vcard = NULL;
	b.vcard = STR("");
	m.contact_message = NULL;
	m.contacts_array_message = &all;
	all.contacts = both;
	all.n_contacts = 2;
	all.display_name = STR("2 contacts");
	assert_message(&m, "{\"type\":\"contact\",\"content\":\"2 contacts\",\"source\":\"web\","
	                   "\"contact\":{\"name\":\"Bo\"},\"contacts\":[{\"name\":\"Bo\"},"
	                   "{\"name\":\"\",\"phones\":[],\"vcard\":\"\"}]}");
}

/* A key's fromMe is from the viewpoint of who sent it. */
static void test_event_reaction(void **state)
{
	Wa__MessageKey key = WA__MESSAGE_KEY__INIT;
	Wa__ReactionMessage r = WA__REACTION_MESSAGE__INIT;
	Wa__Message m = WA__MESSAGE__INIT;

	(void)state;
	m.reaction_message = &r;
	r.key = &key;
	r.text = STR("\xf0\x9f\x91\x8d");
	key.id = STR("T1");
	assert_message(&m, "{\"type\":\"reaction\",\"content\":\"\xf0\x9f\x91\x8d\","
	                   "\"source\":\"web\",\"reaction\":{\"emoji\":\"\xf0\x9f\x91\x8d\","
	                   "\"removed\":false,\"messageId\":\"T1\",\"fromMe\":true}}");
	key.has_from_me = key.from_me = 1;
	r.text = NULL;
	assert_message(&m, "{\"type\":\"reaction\",\"content\":\"\",\"source\":\"web\","
	                   "\"reaction\":{\"emoji\":\"\",\"removed\":true,\"messageId\":\"T1\","
	                   "\"fromMe\":false,\"sender\":{\"jid\":\"551199@s.whatsapp.net\","
	                   "\"lid\":\"99@lid\",\"name\":\"Ana Book\"}}}");
	key.has_from_me = 0;
	key.participant = STR("77@lid");
	assert_message(&m, "{\"type\":\"reaction\",\"content\":\"\",\"source\":\"web\","
	                   "\"reaction\":{\"emoji\":\"\",\"removed\":true,\"messageId\":\"T1\","
	                   "\"fromMe\":true,\"sender\":{\"jid\":\"77@lid\",\"lid\":\"77@lid\","
	                   "\"name\":\"Shop\"}}}");
}

static void test_event_revoke_pin_keep(void **state)
{
	Wa__MessageKey key = WA__MESSAGE_KEY__INIT;
	Wa__ProtocolMessage p = WA__PROTOCOL_MESSAGE__INIT;
	Wa__PinInChatMessage pin = WA__PIN_IN_CHAT_MESSAGE__INIT;
	Wa__KeepInChatMessage keep = WA__KEEP_IN_CHAT_MESSAGE__INIT;
	Wa__Message m = WA__MESSAGE__INIT;

#define TARGET \
	"\"messageId\":\"T1\",\"fromMe\":false,\"sender\":{\"jid\":\"551199@s.whatsapp.net\"," \
	"\"lid\":\"99@lid\",\"name\":\"Ana Book\"}"
	(void)state;
	key.id = STR("T1");
	key.has_from_me = key.from_me = 1;
	m.protocol_message = &p;
	p.key = &key;
	p.has_type = 1;
	assert_message(&m, "{\"type\":\"revoke\",\"content\":\"\",\"source\":\"web\","
	                   "\"revoke\":{" TARGET "}}");
	p.type = WA_PROTO_EPHEMERAL_SETTING;
	p.has_ephemeral_expiration = 1;
	p.ephemeral_expiration = 604800;
	assert_message(&m, "{\"type\":\"disappearing\",\"content\":\"\",\"source\":\"web\","
	                   "\"disappearing\":{\"seconds\":604800}}");
	m.protocol_message = NULL;
	m.pin_in_chat_message = &pin;
	pin.key = &key;
	pin.has_type = 1;
	pin.type = 2;
	assert_message(&m, "{\"type\":\"pin\",\"content\":\"\",\"source\":\"web\","
	                   "\"pin\":{" TARGET ",\"pinned\":false}}");
	m.pin_in_chat_message = NULL;
	m.keep_in_chat_message = &keep;
	keep.key = &key;
	assert_message(&m, "{\"type\":\"keep\",\"content\":\"\",\"source\":\"web\","
	                   "\"keep\":{" TARGET ",\"kept\":true}}");
}

static void test_event_edit(void **state)
{
	Wa__MessageKey key = WA__MESSAGE_KEY__INIT;
	Wa__ProtocolMessage p = WA__PROTOCOL_MESSAGE__INIT;
	Wa__Message m = WA__MESSAGE__INIT, inner = WA__MESSAGE__INIT;

	(void)state;
	key.id = STR("T1");
	key.has_from_me = key.from_me = 1;
	m.protocol_message = &p;
	p.key = &key;
	p.has_type = 1;
	p.type = WA_PROTO_MESSAGE_EDIT;
	p.edited_message = &inner;
	p.has_timestamp_ms = 1;
	p.timestamp_ms = 1700000000123;
	inner.conversation = STR("better");
	assert_message(&m, "{\"type\":\"text\",\"content\":\"better\",\"source\":\"web\","
	                   "\"edit\":{" TARGET ",\"timestamp\":\"2023-11-14T22:13:20.123Z\"}}");
}

static void test_event_other_kinds(void **state)
{
	Wa__GroupInviteMessage invite = WA__GROUP_INVITE_MESSAGE__INIT;
	Wa__EventMessage event = WA__EVENT_MESSAGE__INIT;
	Wa__ListMessage list = WA__LIST_MESSAGE__INIT;
	Wa__ButtonsResponseMessage reply = WA__BUTTONS_RESPONSE_MESSAGE__INIT;
	Wa__Message m = WA__MESSAGE__INIT;

	(void)state;
	m.group_invite_message = &invite;
	invite.group_jid = STR("1@g.us");
	invite.invite_code = STR("CODE");
	invite.group_name = STR("G");
	invite.caption = STR("join");
	invite.has_invite_expiration = 1;
	invite.invite_expiration = 1700000000;
	assert_message(&m, "{\"type\":\"group_invite\",\"content\":\"join\",\"source\":\"web\","
	                   "\"invite\":{\"group\":\"1@g.us\",\"name\":\"G\",\"code\":\"CODE\","
	                   "\"expiresAt\":\"2023-11-14T22:13:20.000Z\"}}");
	m.group_invite_message = NULL;
	m.event_message = &event;
	event.name = STR("Party");
	event.has_start_time = 1;
	event.start_time = 1700000000;
	assert_message(&m, "{\"type\":\"event\",\"content\":\"Party\",\"source\":\"web\","
	                   "\"event\":{\"name\":\"Party\",\"start\":\"2023-11-14T22:13:20.000Z\","
	                   "\"cancelled\":false}}");
	m.event_message = NULL;
	m.list_message = &list;
	list.title = STR("T");
	list.description = STR("D");
	list.footer_text = STR("F");
	assert_message(&m, "{\"type\":\"list\",\"content\":\"D\",\"source\":\"web\","
	                   "\"title\":\"T\",\"footer\":\"F\"}");
	m.list_message = NULL;
	m.buttons_response_message = &reply;
	reply.selected_button_id = STR("b1");
	reply.selected_display_text = STR("Yes");
	assert_message(&m, "{\"type\":\"button_reply\",\"content\":\"Yes\",\"source\":\"web\","
	                   "\"choiceId\":\"b1\"}");
}

/* ---- polls and other sealed parts ---------------------------------------------------------------
 */

static const uint8_t secret[WA_MSG_SECRET_LEN] = "the secret of one poll, 32 bytes";

/* Keep a poll under "TARGET", with its secret beside or inside. */
static struct buf keep_poll(bool inside)
{
	static Wa__PollOption yes = WA__POLL_OPTION__INIT, no = WA__POLL_OPTION__INIT;
	static Wa__PollOption *options[] = { &yes, &no };
	Wa__PollCreationMessage poll = WA__POLL_CREATION_MESSAGE__INIT;
	Wa__MessageContextInfo c = WA__MESSAGE_CONTEXT_INFO__INIT;
	Wa__Message m = WA__MESSAGE__INIT;
	struct buf b = { 0 };

	yes.option_name = STR("yes");
	no.option_name = STR("no");
	poll.name = STR("Lunch?");
	poll.options = options;
	poll.n_options = 2;
	m.poll_creation_message_v3 = &poll;
	if (inside) {
		m.message_context_info = &c;
		c.has_message_secret = 1;
		c.message_secret.data = (uint8_t *)(uintptr_t)secret;
		c.message_secret.len = sizeof(secret);
	}
	assert_int_equal(buf_reserve(&b, wa__message__get_packed_size(&m) + 1), 0);
	b.len = wa__message__pack(&m, b.p);
	has_kept = true;
	kept = (struct wk_event_stored){ .message = b.p,
		                         .message_len = b.len,
		                         .secret = inside ? NULL : secret };
	return b;
}

static void seal(const char *use_case, const char *author, const char *modifier, const void *plain,
                 size_t plain_len, struct buf *out)
{
	static const uint8_t iv[WA_IV_LEN] = "twelve bytes";
	const struct wa_msg_secret s = { .secret = secret,
		                         .id = "TARGET",
		                         .author = author,
		                         .modifier = modifier,
		                         .use_case = use_case };

	buf_reset(out);
	assert_int_equal(wa_msg_secret_seal(&s, iv, plain, plain_len, out), 0);
}

static void test_event_poll(void **state)
{
	struct buf b = keep_poll(false);
	Wa__Message *m;

	(void)state;
	m = wa__message__unpack(NULL, b.len, b.p);
	assert_non_null(m);
	assert_message(m, "{\"type\":\"poll\",\"content\":\"Lunch?\",\"source\":\"web\","
	                  "\"poll\":{\"question\":\"Lunch?\",\"options\":[\"yes\",\"no\"],"
	                  "\"selectableCount\":0}}");
	wa__message__free_unpacked(m, NULL);
	buf_free(&b);
}

static void vote(const char *author, const char *modifier, const char *wanted)
{
	Wa__MessageKey key = WA__MESSAGE_KEY__INIT;
	Wa__PollUpdateMessage u = WA__POLL_UPDATE_MESSAGE__INIT;
	Wa__PollEncValue enc = WA__POLL_ENC_VALUE__INIT;
	Wa__Message m = WA__MESSAGE__INIT;
	uint8_t plain[34] = { 0x0a, 32 };
	struct buf sealed = { 0 };

	assert_int_equal(wa_sha256("no", 2, plain + 2), 0);
	seal("Poll Vote", author, modifier, plain, sizeof(plain), &sealed);
	m.poll_update_message = &u;
	u.poll_creation_message_key = &key;
	u.vote = &enc;
	key.id = STR("TARGET"); /* fromMe false: the other side's, ours */
	enc.has_enc_payload = enc.has_enc_iv = 1;
	enc.enc_payload = (ProtobufCBinaryData){ sealed.len, sealed.p };
	enc.enc_iv = (ProtobufCBinaryData){ WA_IV_LEN, (uint8_t *)STR("twelve bytes") };
	assert_message(&m, wanted);
	buf_free(&sealed);
}

/* Whichever identities were used, and wherever the secret is. */
static void test_event_votes_are_opened(void **state)
{
	static const char opened[] =
	    "{\"type\":\"poll_vote\",\"content\":\"\",\"source\":\"web\","
	    "\"poll\":{\"messageId\":\"TARGET\",\"fromMe\":true,\"question\":\"Lunch?\","
	    "\"selected\":[\"no\"]}}";
	struct buf b = keep_poll(false);

	(void)state;
	vote("77@lid", "99@lid", opened);
	vote("5500@s.whatsapp.net", "551199@s.whatsapp.net", opened);
	vote("5500@s.whatsapp.net", "99@lid", opened);
	buf_free(&b);
	b = keep_poll(true);
	vote("77@lid", "99@lid", opened);
	/* somebody else's vote is not taken for this one */
	vote("77@lid", "98@lid",
	     "{\"type\":\"poll_vote\",\"content\":\"\",\"source\":\"web\","
	     "\"poll\":{\"messageId\":\"TARGET\",\"fromMe\":true,"
	     "\"question\":\"Lunch?\",\"sealed\":true}}");
	has_kept = false;
	vote("77@lid", "99@lid",
	     "{\"type\":\"poll_vote\",\"content\":\"\",\"source\":\"web\","
	     "\"poll\":{\"messageId\":\"TARGET\",\"fromMe\":true,"
	     "\"sealed\":true}}");
	buf_free(&b);
}

static void sealed_message(Wa__EncPayloadMessage *e, Wa__MessageKey *key, struct buf *sealed)
{
	wa__enc_payload_message__init(e);
	wa__message_key__init(key);
	key->id = STR("TARGET");
	key->has_from_me = key->from_me = 1;
	e->target_message_key = key;
	e->has_enc_payload = e->has_enc_iv = 1;
	e->enc_payload = (ProtobufCBinaryData){ sealed->len, sealed->p };
	e->enc_iv = (ProtobufCBinaryData){ WA_IV_LEN, (uint8_t *)STR("twelve bytes") };
}

#define OWN_TARGET \
	"\"messageId\":\"TARGET\",\"fromMe\":false,\"sender\":{\"jid\":" \
	"\"551199@s.whatsapp.net\",\"lid\":\"99@lid\",\"name\":\"Ana Book\"}"

static void test_event_sealed_edit_reaction_comment(void **state)
{
	Wa__EncPayloadMessage e;
	Wa__MessageKey key;
	Wa__Message m = WA__MESSAGE__INIT;
	struct buf b = keep_poll(false), sealed = { 0 };

	(void)state;
	seal("Message Edit", "99@lid", "99@lid", "\x0a\x03new", 5, &sealed);
	sealed_message(&e, &key, &sealed);
	e.has_secret_enc_type = 1;
	e.secret_enc_type = 2;
	m.secret_encrypted_message = &e;
	assert_message(&m, "{\"type\":\"text\",\"content\":\"new\",\"source\":\"web\","
	                   "\"edit\":{" OWN_TARGET "}}");
	has_kept = false;
	assert_message(&m, "{\"type\":\"encrypted_edit\",\"content\":\"\",\"source\":\"web\","
	                   "\"edit\":{" OWN_TARGET ",\"sealed\":true}}");
	has_kept = true;

	/* a new option of a poll: both ways */
	e.secret_enc_type = 5;
	for (unsigned i = 0; i < 2; i++) {
		seal(i == 0 ? "Poll Add Option" : "Poll Edit", "99@lid", "99@lid", "\x0a\x03new", 5,
		     &sealed);
		e.enc_payload = (ProtobufCBinaryData){ sealed.len, sealed.p };
		assert_message(&m, "{\"type\":\"text\",\"content\":\"new\",\"source\":\"web\","
		                   "\"edit\":{" OWN_TARGET "}}");
	}
	e.secret_enc_type = 4; /* an edit is sealed as one */
	seal("Poll Add Option", "99@lid", "99@lid", "\x0a\x03new", 5, &sealed);
	e.enc_payload = (ProtobufCBinaryData){ sealed.len, sealed.p };
	assert_message(&m, "{\"type\":\"encrypted_edit\",\"content\":\"\",\"source\":\"web\","
	                   "\"edit\":{" OWN_TARGET ",\"sealed\":true}}");
	m.secret_encrypted_message = NULL;

	seal("Enc Reaction", "99@lid", "99@lid", "\x12\x01+", 3, &sealed);
	sealed_message(&e, &key, &sealed);
	m.enc_reaction_message = &e;
	assert_message(&m, "{\"type\":\"reaction\",\"content\":\"+\",\"source\":\"web\","
	                   "\"reaction\":{\"emoji\":\"+\",\"removed\":false," OWN_TARGET "}}");
	has_kept = false;
	assert_message(&m, "{\"type\":\"reaction\",\"content\":\"\",\"source\":\"web\","
	                   "\"reaction\":{" OWN_TARGET ",\"sealed\":true}}");
	has_kept = true;
	m.enc_reaction_message = NULL;

	seal("Enc Comment", "99@lid", "99@lid", "\x0a\x03yes", 5, &sealed);
	sealed_message(&e, &key, &sealed);
	m.enc_comment_message = &e;
	assert_message(&m, "{\"type\":\"comment\",\"content\":\"yes\",\"source\":\"web\","
	                   "\"comment\":{" OWN_TARGET "}}");
	m.enc_comment_message = NULL;

	seal("Event Response", "99@lid", "99@lid", "\x08\x03", 2, &sealed);
	sealed_message(&e, &key, &sealed);
	m.enc_event_response_message = &e;
	assert_message(&m, "{\"type\":\"event_response\",\"content\":\"\",\"source\":\"web\","
	                   "\"event\":{" OWN_TARGET ",\"response\":\"maybe\"}}");
	buf_free(&sealed);
	buf_free(&b);
}

/* ---- what is hostile ----------------------------------------------------------------------------
 */

/* Control characters grow to six bytes each: what would pass the limit is cut, and says so. */
static void test_event_is_bounded(void **state)
{
	const size_t n = 3u * 1024 * 1024;
	char *text = malloc(n + 1);
	Wa__ContactMessage c = WA__CONTACT_MESSAGE__INIT;
	Wa__Message m = WA__MESSAGE__INIT;
	struct wa_msg_view v;
	struct wk_event_msg in;
	json_t *got;

	(void)state;
	assert_non_null(text);
	memset(text, 1, n);
	text[n] = '\0';
	c.display_name = c.vcard = text;
	m.contact_message = &c;
	wa_pool_reset(pool);
	assert_int_equal(wa_msg_view(&m, &v), 0);
	in = private_msg(&v);
	got = render_with(&in, &look);
	assert_json(got, json_object_get(json_object_get(got, "message"), "truncated"), "true");

	/* a long text is kept as far as it may be, up to a whole character */
	memset(text, 'a', n);
	memcpy(text + 1024 * 1024 - 1, "\xc3\xa9", 2);
	m.contact_message = NULL;
	m.conversation = text;
	assert_int_equal(wa_msg_view(&m, &v), 0);
	got = render_with(&in, &look);
	assert_int_equal(
	    json_string_length(json_object_get(json_object_get(got, "message"), "content")),
	    1024 * 1024 - 1);
	json_decref(got);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_event_private),
		cmocka_unit_test(test_event_of_a_stranger),
		cmocka_unit_test(test_event_in_a_group),
		cmocka_unit_test(test_event_outgoing),
		cmocka_unit_test(test_event_broadcasts),
		cmocka_unit_test(test_event_undecryptable),
		cmocka_unit_test(test_event_settings),
		cmocka_unit_test(test_event_of_a_row),
		cmocka_unit_test(test_event_of_history),
		cmocka_unit_test(test_event_text_with_context),
		cmocka_unit_test(test_event_media),
		cmocka_unit_test(test_event_places),
		cmocka_unit_test(test_event_contacts),
		cmocka_unit_test(test_event_reaction),
		cmocka_unit_test(test_event_revoke_pin_keep),
		cmocka_unit_test(test_event_edit),
		cmocka_unit_test(test_event_other_kinds),
		cmocka_unit_test(test_event_poll),
		cmocka_unit_test(test_event_votes_are_opened),
		cmocka_unit_test(test_event_sealed_edit_reaction_comment),
		cmocka_unit_test(test_event_is_bounded),
	};

	return cmocka_run_group_tests_name("wk_event_msg", tests, setup, teardown);
}

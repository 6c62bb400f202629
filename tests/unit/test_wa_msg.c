/* tests/unit/test_wa_msg.c - messages of every kind: decoded, unwrapped, classified, limited */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/err.h"
#include "proto/wa_msg.pb-c.h"
#include "wa_vectors.h"
#include "worker/wa/message/wa_msg.h"
#include "worker/wa/message/wa_msg_secret.h"

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

static void pack(const Wa__Message *m, struct buf *out)
{
	buf_reset(out);
	assert_int_equal(buf_reserve(out, wa__message__get_packed_size(m) + 1), 0);
	out->len = wa__message__pack(m, out->p);
}

/* Over the wire and back, as a view; valid until the next call. */
static struct wa_msg_view view_of(const Wa__Message *m)
{
	struct wa_msg_view v;
	struct buf b = { 0 };
	Wa__Message *got;

	wa_pool_reset(pool);
	pack(m, &b);
	assert_int_equal(wa_msg_parse(pool, b.p, b.len, &got), 0);
	assert_int_equal(wa_msg_view(got, &v), 0);
	buf_free(&b);
	return v;
}

#define STR(s) ((char *)(uintptr_t)(s))
#define BIN(field, s) .has_##field = 1, .field = { sizeof(s) - 1, (uint8_t *)(uintptr_t)(s) }
#define NUM(field, v) .has_##field = 1, .field = (v)

static void assert_bytes(struct wa_bytes b, const char *text)
{
	assert_non_null(b.p);
	assert_int_equal(b.len, strlen(text));
	assert_memory_equal(b.p, text, b.len);
}

/* ---- kinds --------------------------------------------------------------------------------------
 */

static void test_texts(void **state)
{
	char *mentions[] = { STR("1@lid"), STR("2@lid") };
	Wa__ContextInfo c = WA__CONTEXT_INFO__INIT;
	Wa__ExtendedTextMessage t = WA__EXTENDED_TEXT_MESSAGE__INIT;
	Wa__Message m = WA__MESSAGE__INIT;
	struct wa_msg_view v;

	(void)state;
	m.conversation = STR("hi");
	v = view_of(&m);
	assert_int_equal(v.type, WA_MSG_TEXT);
	assert_string_equal(v.text, "hi");
	assert_null(v.quoted.id);
	assert_false(v.forwarded);

	m.conversation = NULL;
	m.extended_text_message = &t;
	t.text = STR("see @1");
	t.title = STR("a title");
	t.context_info = &c;
	c.stanza_id = STR("3EB0");
	c.participant = STR("3@lid");
	c.has_quoted_message = 1;
	c.quoted_message.data = (uint8_t *)STR("\x0a\x01x");
	c.quoted_message.len = 3;
	c.mentioned_jid = mentions;
	c.n_mentioned_jid = 2;
	c.has_is_forwarded = c.is_forwarded = 1;
	c.has_forwarding_score = 1;
	c.forwarding_score = 5;
	c.has_expiration = 1;
	c.expiration = 86400;
	v = view_of(&m);
	assert_int_equal(v.type, WA_MSG_TEXT);
	assert_string_equal(v.text, "see @1");
	assert_string_equal(v.title, "a title");
	assert_string_equal(v.quoted.id, "3EB0");
	assert_string_equal(v.quoted.participant, "3@lid");
	assert_bytes(v.quoted_message, "\x0a\x01x");
	assert_int_equal(v.mentions_n, 2);
	assert_string_equal(v.mentions[1], "2@lid");
	assert_true(v.forwarded);
	assert_int_equal(v.forwarding_score, 5);
	assert_int_equal(v.expiration_s, 86400);
}

static void test_media(void **state)
{
	Wa__ImageMessage image = { PROTOBUF_C_MESSAGE_INIT(&wa__image_message__descriptor),
		                   .url = STR("https://mmg.whatsapp.net/x"),
		                   .mimetype = STR("image/jpeg"),
		                   .caption = STR("look"),
		                   .direct_path = STR("/v/x"),
		                   BIN(media_key, "key"),
		                   BIN(file_sha256, "sha"),
		                   BIN(file_enc_sha256, "enc"),
		                   BIN(jpeg_thumbnail, "jpg"),
		                   NUM(file_length, 77),
		                   NUM(width, 640),
		                   NUM(height, 480),
		                   NUM(view_once, 1),
		                   NUM(media_key_timestamp, 1700000000) };
	Wa__VideoMessage video = { PROTOBUF_C_MESSAGE_INIT(&wa__video_message__descriptor),
		                   NUM(seconds, 12), NUM(gif_playback, 1) };
	Wa__AudioMessage audio = { PROTOBUF_C_MESSAGE_INIT(&wa__audio_message__descriptor),
		                   NUM(seconds, 3), NUM(ptt, 1), BIN(waveform, "wave") };
	Wa__DocumentMessage document = { PROTOBUF_C_MESSAGE_INIT(&wa__document_message__descriptor),
		                         .file_name = STR("a.pdf"), .title = STR("A"),
		                         .caption = STR("read"), NUM(page_count, 2) };
	Wa__StickerMessage sticker = { PROTOBUF_C_MESSAGE_INIT(&wa__sticker_message__descriptor),
		                       NUM(is_animated, 1), BIN(png_thumbnail, "png") };
	Wa__Message m = WA__MESSAGE__INIT;
	struct wa_msg_view v;

	(void)state;
	m.image_message = &image;
	v = view_of(&m);
	assert_int_equal(v.type, WA_MSG_IMAGE);
	assert_true(v.has_media && v.view_once);
	assert_string_equal(v.text, "look");
	assert_string_equal(v.media.direct_path, "/v/x");
	assert_string_equal(v.media.mimetype, "image/jpeg");
	assert_bytes(v.media.media_key, "key");
	assert_bytes(v.media.sha256, "sha");
	assert_bytes(v.media.enc_sha256, "enc");
	assert_bytes(v.media.thumbnail, "jpg");
	assert_int_equal(v.media.file_len, 77);
	assert_int_equal(v.media.width, 640);
	assert_int_equal(v.media.height, 480);
	assert_int_equal(v.media.key_unix_s, 1700000000);

	m.image_message = NULL;
	m.video_message = &video;
	v = view_of(&m);
	assert_int_equal(v.type, WA_MSG_VIDEO);
	assert_true(v.media.gif && !v.media.video_note);
	assert_int_equal(v.media.seconds, 12);
	m.video_message = NULL;
	m.ptv_message = &video;
	v = view_of(&m);
	assert_true(v.media.video_note);

	m.ptv_message = NULL;
	m.audio_message = &audio;
	v = view_of(&m);
	assert_int_equal(v.type, WA_MSG_AUDIO);
	assert_true(v.media.voice_note);
	assert_bytes(v.media.waveform, "wave");

	m.audio_message = NULL;
	m.document_message = &document;
	v = view_of(&m);
	assert_int_equal(v.type, WA_MSG_DOCUMENT);
	assert_string_equal(v.text, "read");
	assert_string_equal(v.media.file_name, "a.pdf");
	assert_int_equal(v.media.pages, 2);

	m.document_message = NULL;
	m.sticker_message = &sticker;
	v = view_of(&m);
	assert_int_equal(v.type, WA_MSG_STICKER);
	assert_true(v.media.animated);
	assert_bytes(v.media.thumbnail, "png");
}

static void test_places_and_people(void **state)
{
	Wa__LocationMessage place = { PROTOBUF_C_MESSAGE_INIT(&wa__location_message__descriptor),
		                      NUM(degrees_latitude, 48.5), NUM(degrees_longitude, -9.25),
		                      .name = STR("Tower"), .address = STR("Road 1") };
	Wa__LiveLocationMessage live = {
		PROTOBUF_C_MESSAGE_INIT(&wa__live_location_message__descriptor),
		NUM(degrees_latitude, 1), NUM(sequence_number, 9), .caption = STR("coming")
	};
	Wa__ContactMessage ann = { PROTOBUF_C_MESSAGE_INIT(&wa__contact_message__descriptor),
		                   .display_name = STR("Ann"), .vcard = STR("BEGIN:VCARD") };
	Wa__ContactMessage bob = { PROTOBUF_C_MESSAGE_INIT(&wa__contact_message__descriptor),
		                   .display_name = STR("Bob") };
	Wa__ContactMessage *both[] = { &ann, &bob };
	Wa__ContactsArrayMessage list = {
		PROTOBUF_C_MESSAGE_INIT(&wa__contacts_array_message__descriptor),
		.display_name = STR("2 contacts"), .contacts = both, .n_contacts = 2
	};
	Wa__Message m = WA__MESSAGE__INIT;
	struct wa_msg_view v;

	(void)state;
	m.location_message = &place;
	v = view_of(&m);
	assert_int_equal(v.type, WA_MSG_LOCATION);
	assert_true(v.has_location && !v.location.live);
	assert_true(v.location.latitude == 48.5 && v.location.longitude == -9.25);
	assert_string_equal(v.location.name, "Tower");
	m.location_message = NULL;
	m.live_location_message = &live;
	v = view_of(&m);
	assert_true(v.location.live);
	assert_int_equal(v.location.sequence, 9);
	assert_string_equal(v.text, "coming");

	m.live_location_message = NULL;
	m.contact_message = &ann;
	v = view_of(&m);
	assert_int_equal(v.type, WA_MSG_CONTACT);
	assert_int_equal(v.contacts_n, 1);
	assert_string_equal(wa_msg_contact(&v, 0).vcard, "BEGIN:VCARD");
	m.contact_message = NULL;
	m.contacts_array_message = &list;
	v = view_of(&m);
	assert_int_equal(v.contacts_n, 2);
	assert_string_equal(wa_msg_contact(&v, 1).name, "Bob");
	assert_null(wa_msg_contact(&v, 1).vcard);
}

static void test_addons(void **state)
{
	Wa__MessageKey key = { PROTOBUF_C_MESSAGE_INIT(&wa__message_key__descriptor),
		               .remote_jid = STR("1@lid"), .id = STR("AB"),
		               .participant = STR("2@lid"), NUM(from_me, 1) };
	Wa__ReactionMessage reaction = { PROTOBUF_C_MESSAGE_INIT(&wa__reaction_message__descriptor),
		                         .key = &key, .text = STR("\xf0\x9f\x91\x8d"),
		                         NUM(sender_timestamp_ms, 1700000000123) };
	Wa__PollEncValue vote = { PROTOBUF_C_MESSAGE_INIT(&wa__poll_enc_value__descriptor),
		                  BIN(enc_payload, "sealed"), BIN(enc_iv, "123456789012") };
	Wa__PollUpdateMessage update = { PROTOBUF_C_MESSAGE_INIT(
		                             &wa__poll_update_message__descriptor),
		                         .poll_creation_message_key = &key, .vote = &vote };
	Wa__EncPayloadMessage sealed = { PROTOBUF_C_MESSAGE_INIT(
		                             &wa__enc_payload_message__descriptor),
		                         .target_message_key = &key, BIN(enc_payload, "p"),
		                         BIN(enc_iv, "i"), NUM(secret_enc_type, 2) };
	Wa__PinInChatMessage pin = { PROTOBUF_C_MESSAGE_INIT(&wa__pin_in_chat_message__descriptor),
		                     .key = &key, NUM(type, 2) };
	Wa__Message m = WA__MESSAGE__INIT;
	struct wa_msg_view v;

	(void)state;
	m.reaction_message = &reaction;
	v = view_of(&m);
	assert_int_equal(v.type, WA_MSG_REACTION);
	assert_string_equal(v.target.id, "AB");
	assert_string_equal(v.target.chat, "1@lid");
	assert_string_equal(v.target.participant, "2@lid");
	assert_true(v.target.from_me);
	assert_string_equal(v.text, "\xf0\x9f\x91\x8d");
	assert_int_equal(v.sender_unix_ms, 1700000000123);
	reaction.text = NULL;
	reaction.key = NULL;
	v = view_of(&m);
	assert_string_equal(v.text, ""); /* taken back */
	assert_null(v.target.id);

	m.reaction_message = NULL;
	m.poll_update_message = &update;
	v = view_of(&m);
	assert_int_equal(v.type, WA_MSG_POLL_VOTE);
	assert_string_equal(v.enc.use_case, "Poll Vote");
	assert_bytes(v.enc.payload, "sealed");
	update.vote = NULL;
	v = view_of(&m);
	assert_null(v.enc.payload.p);

	m.poll_update_message = NULL;
	m.secret_encrypted_message = &sealed;
	v = view_of(&m);
	assert_int_equal(v.type, WA_MSG_SECRET_EDIT);
	assert_string_equal(v.enc.use_case, "Message Edit");
	m.secret_encrypted_message = NULL;
	m.enc_event_response_message = &sealed;
	assert_int_equal(view_of(&m).type, WA_MSG_EVENT_RESPONSE);
	m.enc_event_response_message = NULL;
	m.enc_reaction_message = &sealed;
	v = view_of(&m);
	assert_int_equal(v.type, WA_MSG_REACTION);
	assert_null(v.text); /* sealed */

	m.enc_reaction_message = NULL;
	m.pin_in_chat_message = &pin;
	v = view_of(&m);
	assert_int_equal(v.type, WA_MSG_PIN);
	assert_true(v.undone);
}

static void test_polls_of_every_version(void **state)
{
	Wa__PollOption yes = { PROTOBUF_C_MESSAGE_INIT(&wa__poll_option__descriptor),
		               .option_name = STR("Yes") };
	Wa__PollOption none = WA__POLL_OPTION__INIT;
	Wa__PollOption *options[] = { &yes, &none };
	Wa__PollCreationMessage poll = { PROTOBUF_C_MESSAGE_INIT(
		                             &wa__poll_creation_message__descriptor),
		                         .name = STR("Lunch?"), .options = options, .n_options = 2,
		                         NUM(selectable_options_count, 1) };
	Wa__FutureProofMessage wrap = WA__FUTURE_PROOF_MESSAGE__INIT;
	Wa__Message inner = WA__MESSAGE__INIT;

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		Wa__Message m = WA__MESSAGE__INIT;
		Wa__PollCreationMessage **slots[] = {
			&m.poll_creation_message,    &m.poll_creation_message_v2,
			&m.poll_creation_message_v3, &m.poll_creation_message_v5,
			&m.poll_creation_message_v6, &inner.poll_creation_message,
		};
		struct wa_msg_view v;

		*slots[i] = &poll;
		wrap.message = &inner;
		if (i == 5)
			m.poll_creation_message_v4 = &wrap;
		v = view_of(&m);
		assert_int_equal(v.type, WA_MSG_POLL);
		assert_string_equal(v.text, "Lunch?");
		assert_int_equal(v.options_n, 2);
		assert_string_equal(wa_msg_option(&v, 0), "Yes");
		assert_string_equal(wa_msg_option(&v, 1), "");
		assert_int_equal(v.selectable_n, 1);
	}
}

static void test_revoke_edit_and_timer(void **state)
{
	Wa__MessageKey key = { PROTOBUF_C_MESSAGE_INIT(&wa__message_key__descriptor),
		               .id = STR("AB") };
	Wa__ProtocolMessage p = { PROTOBUF_C_MESSAGE_INIT(&wa__protocol_message__descriptor),
		                  .key = &key, NUM(type, 0) };
	Wa__Message text = WA__MESSAGE__INIT, m = WA__MESSAGE__INIT, outer = WA__MESSAGE__INIT;
	Wa__FutureProofMessage wrap = WA__FUTURE_PROOF_MESSAGE__INIT;
	struct wa_msg_view v;

	(void)state;
	m.protocol_message = &p;
	v = view_of(&m);
	assert_int_equal(v.type, WA_MSG_REVOKE);
	assert_string_equal(v.target.id, "AB");
	p.has_type = 0; /* some leave the zero out */
	assert_int_equal(view_of(&m).type, WA_MSG_REVOKE);
	p.key = NULL;
	assert_int_equal(view_of(&m).type, WA_MSG_PROTOCOL);

	p.key = &key;
	p.has_type = 1;
	p.type = 14;
	p.has_timestamp_ms = 1;
	p.timestamp_ms = 5;
	text.conversation = STR("corrected");
	p.edited_message = &text;
	for (unsigned i = 0; i < 2; i++) { /* bare, and in its wrapper */
		v = view_of(i == 0 ? &m : &outer);
		assert_int_equal(v.type, WA_MSG_TEXT);
		assert_true(v.is_edit);
		assert_string_equal(v.edited.id, "AB");
		assert_string_equal(v.text, "corrected");
		assert_int_equal(v.sender_unix_ms, 5);
		wrap.message = &m;
		outer.edited_message = &wrap;
	}

	p.edited_message = NULL;
	p.type = 3;
	p.has_ephemeral_expiration = 1;
	p.ephemeral_expiration = 604800;
	v = view_of(&m);
	assert_int_equal(v.type, WA_MSG_DISAPPEARING);
	assert_int_equal(v.expiration_s, 604800);
	p.type = 6;
	v = view_of(&m);
	assert_int_equal(v.type, WA_MSG_PROTOCOL);
	assert_non_null(v.protocol);
	assert_int_equal(v.protocol->type, WA_PROTO_APP_STATE_SYNC_KEY_SHARE);
}

static void test_business_messages(void **state)
{
	Wa__ImageMessage image = { PROTOBUF_C_MESSAGE_INIT(&wa__image_message__descriptor),
		                   .caption = STR("not this"), .direct_path = STR("/v") };
	Wa__InteractiveText body = { PROTOBUF_C_MESSAGE_INIT(&wa__interactive_text__descriptor),
		                     .text = STR("body") };
	Wa__InteractiveHeader header = { PROTOBUF_C_MESSAGE_INIT(
		                             &wa__interactive_header__descriptor),
		                         .title = STR("title"), .image_message = &image };
	Wa__InteractiveMessage interactive = { PROTOBUF_C_MESSAGE_INIT(
		                                   &wa__interactive_message__descriptor),
		                               .header = &header, .body = &body, .footer = &body };
	Wa__ListMessage list = { PROTOBUF_C_MESSAGE_INIT(&wa__list_message__descriptor),
		                 .title = STR("t"), .description = STR("d") };
	Wa__SingleSelectReply row = { PROTOBUF_C_MESSAGE_INIT(&wa__single_select_reply__descriptor),
		                      .selected_row_id = STR("row-1") };
	Wa__ListResponseMessage reply = { PROTOBUF_C_MESSAGE_INIT(
		                              &wa__list_response_message__descriptor),
		                          .title = STR("One"), .single_select_reply = &row };
	Wa__Message m = WA__MESSAGE__INIT;
	struct wa_msg_view v;

	(void)state;
	m.interactive_message = &interactive;
	v = view_of(&m);
	assert_int_equal(v.type, WA_MSG_INTERACTIVE);
	assert_string_equal(v.text, "body");
	assert_string_equal(v.title, "title");
	assert_string_equal(v.footer, "body");
	assert_true(v.has_media);
	assert_string_equal(v.media.direct_path, "/v");
	m.interactive_message = NULL;
	m.list_message = &list;
	assert_int_equal(view_of(&m).type, WA_MSG_LIST);
	m.list_message = NULL;
	m.list_response_message = &reply;
	v = view_of(&m);
	assert_int_equal(v.type, WA_MSG_REPLY);
	assert_string_equal(v.choice_id, "row-1");
	assert_string_equal(v.text, "One");
}

static void test_nothing_and_unknown(void **state)
{
	static const uint8_t future[] = { 0xba, 0x3e, 0x02, 0x08, 0x01 }; /* field 999 */
	Wa__Message m = WA__MESSAGE__INIT, *got;
	struct wa_msg_view v;

	(void)state;
	assert_int_equal(view_of(&m).type, WA_MSG_NONE);
	wa_pool_reset(pool);
	assert_int_equal(wa_msg_parse(pool, future, sizeof(future), &got), 0);
	assert_int_equal(wa_msg_view(got, &v), 0);
	assert_int_equal(v.type, WA_MSG_UNSUPPORTED);
	assert_string_equal(wa_msg_type_name(v.type), "unsupported");
}

static void test_sources_of_ids(void **state)
{
	(void)state;
	assert_string_equal(wa_msg_source("3EB0C0FFEE0000000002"), "web");
	assert_string_equal(wa_msg_source("3A0000000000000000A1"), "ios");
	assert_string_equal(wa_msg_source("AC0123456789ABCDEF0123456789ABCD"), "android");
	assert_string_equal(wa_msg_source("hello"), "unknown");
	assert_string_equal(wa_msg_source(""), "unknown");
}

/* ---- wrappers -----------------------------------------------------------------------------------
 */

static void test_own_device_and_wrappers(void **state)
{
	Wa__MessageContextInfo out_info = { PROTOBUF_C_MESSAGE_INIT(
		                                &wa__message_context_info__descriptor),
		                            BIN(message_secret, "outer") };
	Wa__MessageContextInfo in_info = { PROTOBUF_C_MESSAGE_INIT(
		                               &wa__message_context_info__descriptor),
		                           BIN(message_secret, "inner") };
	Wa__Message text = WA__MESSAGE__INIT, once = WA__MESSAGE__INIT, sent = WA__MESSAGE__INIT;
	Wa__FutureProofMessage ephemeral = WA__FUTURE_PROOF_MESSAGE__INIT;
	Wa__DeviceSentMessage dsm = WA__DEVICE_SENT_MESSAGE__INIT;
	struct wa_msg_view v;

	(void)state;
	text.conversation = STR("mine");
	ephemeral.message = &text;
	once.ephemeral_message = &ephemeral;
	dsm.message = &once;
	dsm.destination_jid = STR("9@lid");
	sent.device_sent_message = &dsm;
	sent.message_context_info = &out_info;
	v = view_of(&sent);
	assert_int_equal(v.type, WA_MSG_TEXT);
	assert_true(v.from_own_device && v.ephemeral && !v.view_once);
	assert_string_equal(v.destination, "9@lid");
	assert_bytes(v.message_secret, "outer");
	text.message_context_info = &in_info;
	assert_bytes(view_of(&sent).message_secret, "inner");
	once.ephemeral_message = NULL;
	once.view_once_message_v2 = &ephemeral;
	assert_true(view_of(&sent).view_once);
}

/* n wrappers around a text. */
static int view_wrapped(unsigned n)
{
	static Wa__Message m[64];
	static Wa__FutureProofMessage w[64];
	struct wa_msg_view v;
	struct buf b = { 0 };
	Wa__Message *got;
	int rc;

	wa__message__init(&m[0]);
	m[0].conversation = STR("x");
	for (unsigned i = 1; i <= n; i++) {
		wa__future_proof_message__init(&w[i]);
		wa__message__init(&m[i]);
		w[i].message = &m[i - 1];
		m[i].ephemeral_message = &w[i];
	}
	wa_pool_reset(pool);
	pack(&m[n], &b);
	rc = wa_msg_parse(pool, b.p, b.len, &got);
	if (rc == 0)
		rc = wa_msg_view(got, &v);
	buf_free(&b);
	return rc;
}

static void test_depth_is_limited(void **state)
{
	(void)state;
	assert_int_equal(view_wrapped(WA_MSG_WRAP_MAX), 0);
	assert_int_equal(view_wrapped(WA_MSG_WRAP_MAX + 1), WA_ELIMIT); /* by the view */
	assert_int_equal(view_wrapped(40), WA_ELIMIT);                  /* by the scan */
}

/* Many small fields that each cost much memory when decoded. */
static void test_memory_is_limited(void **state)
{
	struct wa_pool *small = wa_pool_new(1024, 65536);
	struct buf b = { 0 }, inner = { 0 };
	Wa__Message *got;

	(void)state;
	assert_non_null(small);
	/* contactsArrayMessage with 4000 empty contacts: two bytes each, some 70 decoded */
	for (unsigned i = 0; i < 4000; i++)
		assert_int_equal(buf_append(&inner, "\x12\x00", 2), 0);
	assert_int_equal(buf_append(&b, "\x6a\xc0\x3e", 3), 0);
	assert_int_equal(buf_append(&b, inner.p, inner.len), 0);
	assert_int_equal(wa_msg_parse(small, b.p, b.len, &got), WA_ELIMIT);
	wa_pool_reset(small);
	assert_int_equal(wa_msg_parse(pool, b.p, b.len, &got), 0);
	assert_int_equal(got->contacts_array_message->n_contacts, 4000);
	assert_int_equal(wa_msg_parse(pool, b.p, (size_t)WA_MSG_MAX_LEN + 1, &got), WA_ELIMIT);
	wa_pool_free(small);
	buf_free(&b);
	buf_free(&inner);
}

static void test_pool(void **state)
{
	struct wa_pool *a = wa_pool_new(64, 1000);
	uint8_t *p, *q;

	(void)state;
	assert_non_null(a);
	p = wa_pool_alloc(a, 10);
	q = wa_pool_alloc(a, 100); /* a chunk of its own */
	assert_non_null(p);
	assert_non_null(q);
	assert_int_equal((uintptr_t)q % 16, 0);
	assert_int_equal(q[99], 0);
	assert_null(wa_pool_alloc(a, 900));
	assert_null(wa_pool_alloc(a, SIZE_MAX));
	wa_pool_reset(a);
	assert_ptr_equal(wa_pool_alloc(a, 16), p);
	assert_non_null(wa_pool_alloc(a, 900));
	wa_pool_free(a);
}

/* ---- published messages -------------------------------------------------------------------------
 */

static struct wa_msg_view view_hex(const json_t *o, const char *key)
{
	struct wa_msg_view v;
	struct buf b = { 0 };
	Wa__Message *m;

	wa_pool_reset(pool);
	vec_hex(o, key, &b);
	assert_int_equal(wa_msg_parse(pool, b.p, b.len, &m), 0);
	assert_int_equal(wa_msg_view(m, &v), 0);
	for (size_t n = 1; n < b.len; n++) { /* cut anywhere: an error or another message */
		wa_pool_reset(pool);
		if (wa_msg_parse(pool, b.p, n, &m) == 0)
			assert_int_equal(wa_msg_view(m, &v), 0);
	}
	wa_pool_reset(pool);
	assert_int_equal(wa_msg_parse(pool, b.p, b.len, &m), 0);
	assert_int_equal(wa_msg_view(m, &v), 0);
	buf_free(&b);
	return v;
}

static void test_published_messages(void **state)
{
	json_t *root = vec_load("messaging.json");
	const json_t *group = vec_get(root, "sender_key"), *report;
	struct wa_msg_view v;

	(void)state;
	v = view_hex(group, "skdm_message_proto");
	assert_int_equal(v.type, WA_MSG_NONE);
	vec_assert_hex(group, "skdm", v.sender_key_distribution.p, v.sender_key_distribution.len);
	report = vec_get(root, "reporting_token");
	v = view_hex(report, "message_proto");
	assert_int_equal(v.type, WA_MSG_TEXT);
	assert_string_equal(v.text, "report me");
	assert_int_equal(v.forwarding_score, 2);
	assert_true(v.forwarded);
	vec_assert_hex(report, "message_secret", v.message_secret.p, v.message_secret.len);
	v = view_hex(vec_get(vec_get(root, "history_sync"), "external"), "notification_message");
	assert_int_equal(v.type, WA_MSG_PROTOCOL);
	assert_int_equal(v.protocol->type, WA_PROTO_HISTORY_SYNC_NOTIFICATION);
	json_decref(root);
}

/* ---- secrets and hashes -------------------------------------------------------------------------
 */

static void check_secret(const json_t *all, const char *name, const char *use_case)
{
	const json_t *v = vec_get(all, name);
	struct buf sealed = { 0 }, out = { 0 };
	uint8_t secret[WA_MSG_SECRET_LEN], iv[WA_IV_LEN];
	struct wa_msg_secret s = {
		.secret = secret,
		.id = vec_str(all, "original_message_id"),
		.author = vec_str(all, "original_sender"),
		.modifier = vec_str(all, "modification_sender"),
		.use_case = use_case,
	};

	vec_fixed(all, "message_secret", secret, sizeof(secret));
	vec_fixed(v, "iv", iv, sizeof(iv));
	vec_hex(v, "enc_payload", &sealed);
	assert_int_equal(wa_msg_secret_open(&s, iv, sizeof(iv), sealed.p, sealed.len, &out), 0);
	vec_assert_hex(v, "plaintext", out.p, out.len);
	buf_reset(&sealed);
	assert_int_equal(wa_msg_secret_seal(&s, iv, out.p, out.len, &sealed), 0);
	vec_assert_hex(v, "enc_payload", sealed.p, sealed.len);
	buf_reset(&out);
	for (size_t i = 0; i < sealed.len; i++) {
		sealed.p[i] ^= 1;
		assert_int_equal(wa_msg_secret_open(&s, iv, sizeof(iv), sealed.p, sealed.len, &out),
		                 WA_EAUTH);
		sealed.p[i] ^= 1;
	}
	assert_int_equal(wa_msg_secret_open(&s, iv, 11, sealed.p, sealed.len, &out), WA_EPROTO);
	assert_int_equal(wa_msg_secret_open(&s, iv, 12, sealed.p, 15, &out), WA_ETRUNC);
	s.modifier = s.author;
	assert_int_equal(wa_msg_secret_open(&s, iv, sizeof(iv), sealed.p, sealed.len, &out),
	                 WA_EAUTH);
	assert_int_equal(out.len, 0);
	buf_free(&sealed);
	buf_free(&out);
}

static void test_message_secrets(void **state)
{
	json_t *root = vec_load("messaging.json");
	const json_t *all = vec_get(root, "message_secret");

	(void)state;
	check_secret(all, "poll_vote", "Poll Vote");
	check_secret(all, "event_response", "Event Response");
	check_secret(all, "enc_reaction", "Enc Reaction");
	json_decref(root);
}

static void test_reporting_token(void **state)
{
	json_t *root = vec_load("messaging.json");
	const json_t *v = vec_get(root, "reporting_token");
	uint8_t secret[WA_MSG_SECRET_LEN], token[32];
	struct wa_msg_secret s = { .secret = secret,
		                   .id = vec_str(v, "message_id"),
		                   .author = vec_str(v, "sender"),
		                   .modifier = vec_str(v, "remote"),
		                   .use_case = "Report Token" };
	struct buf content = { 0 };

	(void)state;
	vec_fixed(v, "message_secret", secret, sizeof(secret));
	vec_hex(v, "filtered_content", &content);
	assert_int_equal(wa_msg_secret_token(&s, content.p, content.len, token), 0);
	vec_assert_hex(v, "reporting_token", token, 16);
	buf_free(&content);
	json_decref(root);
}

static void test_hashes(void **state)
{
	json_t *root = vec_load("messaging.json");
	const json_t *h = vec_get(root, "hashes"), *p = vec_get(h, "phash_v2"), *d;
	const json_t *c = vec_get(h, "cstoken");
	struct buf salt = { 0 };
	const char *devices[16];
	char out[WA_PHASH_CAP];
	uint8_t token[32];
	size_t i, n = 0;

	(void)state;
	json_array_foreach(vec_get(p, "devices"), i, d) devices[n++] = json_string_value(d);
	assert_int_equal(wa_phash(devices, n, out), 0);
	assert_string_equal(out, vec_str(p, "phash"));
	for (i = 0; i < n / 2; i++) { /* the order they come in does not matter */
		const char *t = devices[i];

		devices[i] = devices[n - 1 - i];
		devices[n - 1 - i] = t;
	}
	assert_int_equal(wa_phash(devices, n, out), 0);
	assert_string_equal(out, vec_str(p, "phash"));
	devices[0] = "lid";
	assert_int_equal(wa_phash(devices, n, out), WA_EPROTO);
	vec_hex(c, "nct_salt", &salt);
	assert_int_equal(wa_cstoken(salt.p, salt.len, vec_str(c, "recipient_lid"), token), 0);
	vec_assert_hex(c, "cstoken", token, sizeof(token));
	buf_free(&salt);
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_media),
		cmocka_unit_test(test_places_and_people),
		cmocka_unit_test(test_addons),
		cmocka_unit_test(test_polls_of_every_version),
		cmocka_unit_test(test_revoke_edit_and_timer),
		cmocka_unit_test(test_business_messages),
		cmocka_unit_test(test_nothing_and_unknown),
		cmocka_unit_test(test_sources_of_ids),
		cmocka_unit_test(test_own_device_and_wrappers),
		cmocka_unit_test(test_depth_is_limited),
		cmocka_unit_test(test_memory_is_limited),
		cmocka_unit_test(test_pool),
		cmocka_unit_test(test_published_messages),
		cmocka_unit_test(test_message_secrets),
		cmocka_unit_test(test_reporting_token),
		cmocka_unit_test(test_hashes),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

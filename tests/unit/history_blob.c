/* tests/unit/history_blob.c - history of known content */
#include "history_blob.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "proto/wa_history.pb-c.h"
#include "proto/wa_msg.pb-c.h"

static void must(int ok)
{
	if (!ok)
		abort();
}

static void put_varint(struct buf *b, uint64_t v)
{
	while (v > 0x7f) {
		must(buf_append_u8(b, (uint8_t)(v | 0x80)) == 0);
		v >>= 7;
	}
	must(buf_append_u8(b, (uint8_t)v) == 0);
}

static void put_bytes(struct buf *b, unsigned number, const void *p, size_t n)
{
	put_varint(b, number << 3 | 2);
	put_varint(b, n);
	must(buf_append(b, p, n) == 0);
}

static void put_msg(struct buf *b, unsigned number, const ProtobufCMessage *m)
{
	size_t n = protobuf_c_message_get_packed_size(m);

	put_varint(b, number << 3 | 2);
	put_varint(b, n);
	must(buf_reserve(b, n + 1) == 0);
	b->len += protobuf_c_message_pack(m, b->p + b->len);
}

/* A little of everything; random-looking keys so that it does not compress away. */
static void put_content(unsigned chat, unsigned i, struct buf *b)
{
	static uint8_t bytes[3][32];
	static uint8_t thumbnail[700];
	Wa__ContextInfo context = WA__CONTEXT_INFO__INIT;
	Wa__ExtendedTextMessage text = WA__EXTENDED_TEXT_MESSAGE__INIT;
	Wa__ImageMessage image = WA__IMAGE_MESSAGE__INIT;
	Wa__MessageContextInfo info = WA__MESSAGE_CONTEXT_INFO__INIT;
	Wa__HistorySyncMsg m = WA__HISTORY_SYNC_MSG__INIT;
	Wa__WebMessageInfo w = WA__WEB_MESSAGE_INFO__INIT;
	Wa__MessageKey key = WA__MESSAGE_KEY__INIT;
	Wa__Message message = WA__MESSAGE__INIT;
	Wa__UserReceipt receipt = WA__USER_RECEIPT__INIT;
	Wa__UserReceipt *receipts[] = { &receipt };
	char id[24], jid[40], line[120];
	uint32_t x = chat * 2654435761u + i * 40503u + 1;

	snprintf(id, sizeof(id), "3EB0%08X%08X", chat, i);
	snprintf(jid, sizeof(jid), "1000000000000%02u@lid", chat);
	snprintf(line, sizeof(line), "message %u of chat %u, see you at %u:%02u on day %u", i, chat,
	         x % 24, x % 60, x % 31);
	for (size_t k = 0; k < sizeof(bytes); k++) {
		x = x * 1664525u + 1013904223u;
		((uint8_t *)bytes)[k] = (uint8_t)(x >> 24);
	}
	info.has_message_secret = 1;
	info.message_secret.data = bytes[0];
	info.message_secret.len = 32;
	message.message_context_info = &info;
	if (i % 8 == 7) {
		image.url = (char *)(uintptr_t) "https://mmg.whatsapp.net/v/t62.7118-24/"
		                                "x?ccb=11-4&oh=01&oe=66&mms3=true";
		image.direct_path = (char *)(uintptr_t) "/v/t62.7118-24/x?ccb=11-4&oh=01&oe=66";
		image.mimetype = (char *)(uintptr_t) "image/jpeg";
		image.caption = line;
		image.has_media_key = image.has_file_sha256 = image.has_file_enc_sha256 = 1;
		image.media_key.data = bytes[1];
		image.file_sha256.data = bytes[2];
		image.file_enc_sha256.data = bytes[0];
		image.media_key.len = image.file_sha256.len = image.file_enc_sha256.len = 32;
		image.has_jpeg_thumbnail = 1;
		for (size_t k = 0; k < sizeof(thumbnail); k++)
			thumbnail[k] = (uint8_t)(k * x >> 9);
		image.jpeg_thumbnail.data = thumbnail;
		image.jpeg_thumbnail.len = sizeof(thumbnail);
		message.image_message = &image;
	} else if (i % 4 == 3) {
		context.stanza_id = (char *)(uintptr_t) "3EB0AABBCCDDEEFF0011";
		context.participant = jid;
		text.text = line;
		text.context_info = &context;
		message.extended_text_message = &text;
	} else {
		message.conversation = line;
	}
	key.remote_jid = jid;
	key.has_from_me = 1;
	key.from_me = i % 2;
	key.id = id;
	w.key = &key;
	w.message = &message;
	w.has_message_timestamp = 1;
	w.message_timestamp = HISTORY_BLOB_FIRST_S + 60u * i;
	w.has_status = 1;
	w.status = 4;
	receipt.user_jid = jid;
	receipt.has_receipt_timestamp = 1;
	receipt.receipt_timestamp = HISTORY_BLOB_FIRST_S + 60 * (int64_t)i + 1;
	if (key.from_me) {
		w.user_receipt = receipts;
		w.n_user_receipt = 1;
	}
	m.message = &w;
	m.has_msg_order_id = 1;
	m.msg_order_id = i + 1;
	put_msg(b, 2, &m.base);
}

static void put_chat(unsigned chat, unsigned messages, struct buf *out)
{
	struct buf b = { 0 };
	char jid[40];

	snprintf(jid, sizeof(jid), "1000000000000%02u@lid", chat);
	put_bytes(&b, 1, jid, strlen(jid));
	for (unsigned i = messages; i > 0; i--)
		put_content(chat, i - 1, &b);
	put_varint(&b, 6 << 3); /* unreadCount */
	put_varint(&b, chat);
	put_bytes(&b, 13, "A chat", 6);
	put_bytes(out, 2, b.p, b.len);
	buf_free(&b);
}

void history_blob(unsigned chats, unsigned messages, struct buf *out)
{
	put_varint(out, 1 << 3);
	put_varint(out, 3); /* RECENT */
	for (unsigned c = 0; c < chats; c++)
		put_chat(c, messages, out);
	put_varint(out, 6 << 3);
	put_varint(out, 100);
	for (unsigned c = 0; c < chats; c++) {
		Wa__Pushname name = WA__PUSHNAME__INIT;
		char jid[40];

		snprintf(jid, sizeof(jid), "1000000000000%02u@lid", c);
		name.id = jid;
		name.pushname = (char *)(uintptr_t) "Somebody";
		put_msg(out, 7, &name.base);
	}
	for (unsigned c = 0; c < chats; c++) {
		Wa__PhoneNumberToLidMapping m = WA__PHONE_NUMBER_TO_LID_MAPPING__INIT;
		char pn[40], lid[40];

		snprintf(pn, sizeof(pn), "1555000%04u@s.whatsapp.net", c);
		snprintf(lid, sizeof(lid), "1000000000000%02u@lid", c);
		m.pn_jid = pn;
		m.lid_jid = lid;
		put_msg(out, 15, &m.base);
	}
}

void history_deflate(const struct buf *in, struct buf *out)
{
	uLongf n = compressBound(in->len);

	must(buf_reserve(out, n) == 0);
	must(compress2(out->p + out->len, &n, in->p, in->len, 6) == Z_OK);
	out->len += n;
}

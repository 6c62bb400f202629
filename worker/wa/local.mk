# The protocol without I/O: libwa.a, linked by the worker, the simulator, tests and fuzzers.
noinst_LIBRARIES += libwa.a
libwa_a_SOURCES = \
	worker/wa/crypto/wa_keys.c worker/wa/crypto/wa_keys.h worker/wa/crypto/wa_xeddsa.c \
	worker/wa/transport/wa_cert.c worker/wa/transport/wa_frame.c worker/wa/transport/wa_frame.h \
	worker/wa/transport/wa_noise.c worker/wa/transport/wa_noise.h worker/wa/transport/wa_noise_client.c \
	worker/wa/node/wa_inflate.c worker/wa/node/wa_inflate.h \
	worker/wa/node/wa_jid.c worker/wa/node/wa_jid.h worker/wa/node/wa_node.c worker/wa/node/wa_node.h \
	worker/wa/node/wa_node_decode.c worker/wa/node/wa_node_encode.c worker/wa/node/wa_node_print.c \
	worker/wa/node/wa_node_priv.h worker/wa/node/wa_token.c worker/wa/node/wa_token.h \
	worker/wa/link/wa_adv.c worker/wa/link/wa_adv.h worker/wa/link/wa_device.c worker/wa/link/wa_device.h \
	worker/wa/link/wa_link_code.c worker/wa/link/wa_link_code.h worker/wa/link/wa_login.c worker/wa/link/wa_login.h \
	worker/wa/link/wa_pair.c worker/wa/link/wa_pair.h worker/wa/link/wa_passkey.c worker/wa/link/wa_passkey.h \
	worker/wa/link/wa_payload.c \
	worker/wa/stanza/wa_bundle.c worker/wa/stanza/wa_bundle.h worker/wa/stanza/wa_prekey.c worker/wa/stanza/wa_prekey.h \
	worker/wa/stanza/wa_privacy_token.c worker/wa/stanza/wa_privacy_token.h worker/wa/stanza/wa_receipt.c \
	worker/wa/stanza/wa_receipt.h worker/wa/stanza/wa_source.c worker/wa/stanza/wa_source.h worker/wa/stanza/wa_stanza.c \
	worker/wa/stanza/wa_stanza.h worker/wa/stanza/wa_usync.c worker/wa/stanza/wa_usync.h \
	worker/wa/signal/wa_signal.c worker/wa/signal/wa_signal.h worker/wa/signal/wa_signal_crypto.c \
	worker/wa/signal/wa_signal_crypto.h worker/wa/signal/wa_signal_group.c worker/wa/signal/wa_signal_priv.h \
	worker/wa/signal/wa_signal_store.c worker/wa/signal/wa_signal_wire.c \
	worker/wa/message/wa_msg.c worker/wa/message/wa_msg.h worker/wa/message/wa_msg_business.c \
	worker/wa/message/wa_msg_content.c worker/wa/message/wa_msg_media.c worker/wa/message/wa_msg_priv.h \
	worker/wa/message/wa_msg_secret.c worker/wa/message/wa_msg_secret.h \
	worker/wa/message/wa_pb_walk.h worker/wa/message/wa_pool.c worker/wa/message/wa_pool.h worker/wa/message/wa_send.c \
	worker/wa/message/wa_send.h \
	worker/wa/history/wa_history.c worker/wa/history/wa_history.h worker/wa/history/wa_history_ask.c \
	worker/wa/history/wa_media.c worker/wa/history/wa_media.h worker/wa/history/wa_media_url.c \
	worker/wa/appstate/wa_appstate.c worker/wa/appstate/wa_appstate.h worker/wa/appstate/wa_appstate_iq.c \
	worker/wa/appstate/wa_appstate_plain.c worker/wa/appstate/wa_appstate_priv.h \
	worker/wa/appstate/wa_appstate_record.c
nodist_libwa_a_SOURCES = worker/wa/node/wa_token_table.h
libwa_a_CFLAGS = $(AM_CFLAGS) $(CRYPTO_CFLAGS) $(PROTOBUFC_CFLAGS) $(SIGNAL_CFLAGS) $(ZLIB_CFLAGS)

worker/wa/node/libwa_a-wa_token.$(OBJEXT): worker/wa/node/wa_token_table.h
worker/wa/transport/libwa_a-wa_cert.$(OBJEXT): proto/wa_handshake.pb-c.h
worker/wa/transport/libwa_a-wa_noise_client.$(OBJEXT): proto/wa_handshake.pb-c.h
worker/wa/link/libwa_a-wa_adv.$(OBJEXT): proto/wa_adv.pb-c.h
worker/wa/appstate/libwa_a-wa_appstate.$(OBJEXT): proto/wa_appstate.pb-c.h
worker/wa/appstate/libwa_a-wa_appstate_plain.$(OBJEXT): proto/wa_msg.pb-c.h
worker/wa/appstate/libwa_a-wa_appstate_record.$(OBJEXT): proto/wa_appstate.pb-c.h proto/wa_msg.pb-c.h
worker/wa/history/libwa_a-wa_history.$(OBJEXT): proto/wa_history.pb-c.h proto/wa_msg.pb-c.h
worker/wa/history/libwa_a-wa_history_ask.$(OBJEXT): proto/wa_msg.pb-c.h
worker/wa/history/libwa_a-wa_media_url.$(OBJEXT): proto/wa_media.pb-c.h
worker/wa/message/libwa_a-wa_msg.$(OBJEXT): proto/wa_msg.pb-c.h
worker/wa/message/libwa_a-wa_msg_business.$(OBJEXT): proto/wa_msg.pb-c.h
worker/wa/message/libwa_a-wa_msg_content.$(OBJEXT): proto/wa_msg.pb-c.h
worker/wa/message/libwa_a-wa_msg_media.$(OBJEXT): proto/wa_msg.pb-c.h
worker/wa/link/libwa_a-wa_passkey.$(OBJEXT): proto/wa_passkey.pb-c.h
worker/wa/message/libwa_a-wa_send.$(OBJEXT): proto/wa_msg.pb-c.h
worker/wa/link/libwa_a-wa_payload.$(OBJEXT): proto/wa_payload.pb-c.h

TOKEN_TABLES = worker/wa/node/tokens-single.txt worker/wa/node/tokens-double-0.txt \
	worker/wa/node/tokens-double-1.txt worker/wa/node/tokens-double-2.txt worker/wa/node/tokens-double-3.txt
EXTRA_DIST += $(TOKEN_TABLES) worker/wa/node/gen-tokens.sh worker/wa/README.md
CLEANFILES += worker/wa/node/wa_token_table.h
BUILT_SOURCES += worker/wa/node/wa_token_table.h
worker/wa/node/wa_token_table.h: $(TOKEN_TABLES) worker/wa/node/gen-tokens.sh
	@$(MKDIR_P) worker/wa/node
	$(AM_V_GEN)sh $(top_srcdir)/worker/wa/node/gen-tokens.sh $(top_srcdir)/worker/wa/node > $@.tmp && mv $@.tmp $@

# -lprotobuf-c before libsignal-protocol-c: that library exports an old copy of it.
WA_LIBS = libwa.a libproto_wa.a $(COMMON_LIBS)
WA_EXT_LIBS = $(PROTOBUFC_LIBS) $(SIGNAL_LIBS) $(CRYPTO_LIBS) $(ZLIB_LIBS) $(SQLITE_LIBS) $(EVENT_LIBS)

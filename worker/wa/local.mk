# The protocol without I/O: libwa.a, linked by the worker, the simulator, tests and fuzzers.
noinst_LIBRARIES += libwa.a
libwa_a_SOURCES = \
	worker/wa/wa_adv.c worker/wa/wa_adv.h \
	worker/wa/wa_appstate.c worker/wa/wa_appstate.h worker/wa/wa_appstate_priv.h \
	worker/wa/wa_appstate_iq.c worker/wa/wa_appstate_record.c \
	worker/wa/wa_bundle.c worker/wa/wa_bundle.h \
	worker/wa/wa_cert.c \
	worker/wa/wa_device.c worker/wa/wa_device.h \
	worker/wa/wa_frame.c worker/wa/wa_frame.h \
	worker/wa/wa_history.c worker/wa/wa_history.h worker/wa/wa_history_ask.c \
	worker/wa/wa_jid.c worker/wa/wa_jid.h \
	worker/wa/wa_keys.c worker/wa/wa_keys.h \
	worker/wa/wa_link_code.c worker/wa/wa_link_code.h \
	worker/wa/wa_login.c worker/wa/wa_login.h \
	worker/wa/wa_media.c worker/wa/wa_media.h worker/wa/wa_media_url.c \
	worker/wa/wa_msg.c worker/wa/wa_msg.h worker/wa/wa_msg_business.c worker/wa/wa_msg_content.c \
	worker/wa/wa_msg_media.c worker/wa/wa_msg_priv.h worker/wa/wa_msg_secret.c worker/wa/wa_msg_secret.h \
	worker/wa/wa_msg_stanza.c \
	worker/wa/wa_node.c worker/wa/wa_node.h worker/wa/wa_node_decode.c worker/wa/wa_node_encode.c \
	worker/wa/wa_node_print.c worker/wa/wa_node_priv.h \
	worker/wa/wa_noise.c worker/wa/wa_noise.h worker/wa/wa_noise_client.c \
	worker/wa/wa_pair.c worker/wa/wa_pair.h \
	worker/wa/wa_passkey.c worker/wa/wa_passkey.h \
	worker/wa/wa_payload.c \
	worker/wa/wa_pb_walk.h worker/wa/wa_pool.c worker/wa/wa_pool.h \
	worker/wa/wa_prekey.c worker/wa/wa_prekey.h \
	worker/wa/wa_privacy_token.c worker/wa/wa_privacy_token.h \
	worker/wa/wa_receipt.c worker/wa/wa_receipt.h \
	worker/wa/wa_send.c worker/wa/wa_send.h \
	worker/wa/wa_signal.c worker/wa/wa_signal.h worker/wa/wa_signal_priv.h \
	worker/wa/wa_signal_crypto.c worker/wa/wa_signal_crypto.h worker/wa/wa_signal_group.c \
	worker/wa/wa_signal_store.c worker/wa/wa_signal_wire.c \
	worker/wa/wa_source.c worker/wa/wa_source.h \
	worker/wa/wa_stanza.c worker/wa/wa_stanza.h \
	worker/wa/wa_token.c worker/wa/wa_token.h \
	worker/wa/wa_usync.c worker/wa/wa_usync.h \
	worker/wa/wa_xeddsa.c
nodist_libwa_a_SOURCES = worker/wa/wa_token_table.h
libwa_a_CFLAGS = $(AM_CFLAGS) $(CRYPTO_CFLAGS) $(PROTOBUFC_CFLAGS) $(SIGNAL_CFLAGS) $(ZLIB_CFLAGS)

worker/wa/libwa_a-wa_token.$(OBJEXT): worker/wa/wa_token_table.h
worker/wa/libwa_a-wa_cert.$(OBJEXT): proto/wa_handshake.pb-c.h
worker/wa/libwa_a-wa_noise_client.$(OBJEXT): proto/wa_handshake.pb-c.h
worker/wa/libwa_a-wa_adv.$(OBJEXT): proto/wa_adv.pb-c.h
worker/wa/libwa_a-wa_appstate.$(OBJEXT): proto/wa_appstate.pb-c.h
worker/wa/libwa_a-wa_appstate_record.$(OBJEXT): proto/wa_appstate.pb-c.h proto/wa_msg.pb-c.h
worker/wa/libwa_a-wa_history.$(OBJEXT): proto/wa_history.pb-c.h proto/wa_msg.pb-c.h
worker/wa/libwa_a-wa_history_ask.$(OBJEXT): proto/wa_msg.pb-c.h
worker/wa/libwa_a-wa_media_url.$(OBJEXT): proto/wa_media.pb-c.h
worker/wa/libwa_a-wa_msg.$(OBJEXT): proto/wa_msg.pb-c.h
worker/wa/libwa_a-wa_msg_business.$(OBJEXT): proto/wa_msg.pb-c.h
worker/wa/libwa_a-wa_msg_content.$(OBJEXT): proto/wa_msg.pb-c.h
worker/wa/libwa_a-wa_msg_media.$(OBJEXT): proto/wa_msg.pb-c.h
worker/wa/libwa_a-wa_msg_stanza.$(OBJEXT): proto/wa_msg.pb-c.h
worker/wa/libwa_a-wa_passkey.$(OBJEXT): proto/wa_passkey.pb-c.h
worker/wa/libwa_a-wa_send.$(OBJEXT): proto/wa_msg.pb-c.h
worker/wa/libwa_a-wa_payload.$(OBJEXT): proto/wa_payload.pb-c.h

TOKEN_TABLES = worker/wa/tokens-single.txt worker/wa/tokens-double-0.txt \
	worker/wa/tokens-double-1.txt worker/wa/tokens-double-2.txt worker/wa/tokens-double-3.txt
EXTRA_DIST += $(TOKEN_TABLES) worker/wa/gen-tokens.sh worker/wa/README.md
CLEANFILES += worker/wa/wa_token_table.h
BUILT_SOURCES += worker/wa/wa_token_table.h
worker/wa/wa_token_table.h: $(TOKEN_TABLES) worker/wa/gen-tokens.sh
	@$(MKDIR_P) worker/wa
	$(AM_V_GEN)sh $(top_srcdir)/worker/wa/gen-tokens.sh $(top_srcdir)/worker/wa > $@.tmp && mv $@.tmp $@

# -lprotobuf-c before libsignal-protocol-c: that library exports an old copy of it.
WA_LIBS = libwa.a libproto_wa.a $(COMMON_LIBS)
WA_EXT_LIBS = $(PROTOBUFC_LIBS) $(SIGNAL_LIBS) $(CRYPTO_LIBS) $(ZLIB_LIBS) $(SQLITE_LIBS) $(EVENT_LIBS)

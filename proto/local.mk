# Schemas: our own minimal ones. Generated code is built without the extra warnings.
PROTO_WA_C = proto/wa_adv.pb-c.c proto/wa_appstate.pb-c.c proto/wa_handshake.pb-c.c \
	proto/wa_history.pb-c.c proto/wa_media.pb-c.c proto/wa_msg.pb-c.c \
	proto/wa_passkey.pb-c.c proto/wa_payload.pb-c.c
PROTO_WA_H = proto/wa_adv.pb-c.h proto/wa_appstate.pb-c.h proto/wa_handshake.pb-c.h \
	proto/wa_history.pb-c.h proto/wa_media.pb-c.h proto/wa_msg.pb-c.h \
	proto/wa_passkey.pb-c.h proto/wa_payload.pb-c.h
PROTO_FILES = proto/ipc.proto proto/wa_adv.proto proto/wa_appstate.proto proto/wa_handshake.proto \
	proto/wa_history.proto proto/wa_media.proto proto/wa_msg.proto \
	proto/wa_passkey.proto proto/wa_payload.proto
PROTO_GEN_C = proto/ipc.pb-c.c $(PROTO_WA_C)
PROTO_GEN_H = proto/ipc.pb-c.h $(PROTO_WA_H)

EXTRA_DIST += $(PROTO_FILES) proto/README.md
BUILT_SOURCES += $(PROTO_GEN_H)
CLEANFILES += $(PROTO_GEN_C) $(PROTO_GEN_H)

proto/%.pb-c.c proto/%.pb-c.h: $(top_srcdir)/proto/%.proto
	@$(MKDIR_P) proto
	$(AM_V_GEN)$(PROTOC_C) --proto_path=$(top_srcdir)/proto --c_out=proto $(notdir $<)

noinst_LIBRARIES += libproto_ipc.a libproto_wa.a
nodist_libproto_ipc_a_SOURCES = proto/ipc.pb-c.c proto/ipc.pb-c.h
libproto_ipc_a_CFLAGS = -std=gnu17 -Wall $(HARDEN_CFLAGS) $(PATH_CFLAGS) $(PROTOBUFC_CFLAGS)
nodist_libproto_wa_a_SOURCES = $(PROTO_WA_C) $(PROTO_WA_H)
libproto_wa_a_CFLAGS = -std=gnu17 -Wall $(HARDEN_CFLAGS) $(PATH_CFLAGS) $(PROTOBUFC_CFLAGS)

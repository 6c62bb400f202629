# warden-sim: a WhatsApp look-alike (server and phone). libsim.a is everything but main.c.
noinst_LIBRARIES += libsim.a
libsim_a_SOURCES = \
	simulator/sim.c simulator/sim.h simulator/sim_options.c simulator/sim_options.h \
	simulator/api/sim_api.c simulator/api/sim_api.h simulator/api/sim_api_act.c \
	simulator/api/sim_api_appstate.c simulator/api/sim_api_bulk.c simulator/api/sim_api_fault.c \
	simulator/api/sim_api_group.c simulator/api/sim_api_history.c simulator/api/sim_api_media.c \
	simulator/api/sim_api_media.h simulator/api/sim_api_msg.c simulator/api/sim_api_phone.c \
	simulator/api/sim_api_send.c simulator/api/sim_api_send.h simulator/api/sim_build.c \
	simulator/api/sim_build.h simulator/api/sim_build_act.c simulator/api/sim_build_bad.c \
	simulator/api/sim_build_media.c simulator/api/sim_control.c simulator/api/sim_control.h \
	simulator/api/sim_json.c simulator/api/sim_json.h \
	simulator/appstate/sim_appstate.c simulator/appstate/sim_appstate.h \
	simulator/appstate/sim_appstate_keys.c simulator/appstate/sim_appstate_live.c \
	simulator/appstate/sim_appstate_live.h simulator/appstate/sim_appstate_make.c \
	simulator/appstate/sim_appstate_plain.c simulator/appstate/sim_appstate_priv.h simulator/appstate/sim_appstate_server.c \
	simulator/base/sim_log.c simulator/base/sim_log.h simulator/base/sim_pb.c simulator/base/sim_pb.h \
	simulator/base/sim_pbw.c simulator/base/sim_pbw.h simulator/base/sim_rand.c \
	simulator/base/sim_rand.h simulator/base/sim_state.c simulator/base/sim_state.h \
	simulator/base/sim_zip.c simulator/base/sim_zip.h \
	simulator/history/sim_history.c simulator/history/sim_history.h simulator/history/sim_history_msg.c \
	simulator/history/sim_history_part.c simulator/history/sim_history_part.h \
	simulator/history/sim_hostile.c simulator/history/sim_hostile.h simulator/history/sim_sync.c \
	simulator/history/sim_sync.h simulator/history/sim_sync_note.c simulator/history/sim_sync_own.c \
	simulator/history/sim_sync_priv.h \
	simulator/media/sim_media.c simulator/media/sim_media.h simulator/media/sim_media_crypt.c \
	simulator/media/sim_media_crypt.h simulator/media/sim_media_fault.c \
	simulator/media/sim_media_fault.h simulator/media/sim_media_http.c simulator/media/sim_media_http.h \
	simulator/media/sim_media_target.c simulator/media/sim_media_target.h \
	simulator/pair/sim_adv.c simulator/pair/sim_adv.h simulator/pair/sim_link.c \
	simulator/pair/sim_link.h simulator/pair/sim_pair.c simulator/pair/sim_pair.h \
	simulator/pair/sim_pair_code.c simulator/pair/sim_pair_passkey.c simulator/pair/sim_pair_priv.h \
	simulator/pair/sim_pair_success.c simulator/pair/sim_passkey.c simulator/pair/sim_passkey.h \
	simulator/pair/sim_qr.c simulator/pair/sim_qr.h \
	simulator/phone/sim_chains.c simulator/phone/sim_chains.h simulator/phone/sim_group.c \
	simulator/phone/sim_group.h simulator/phone/sim_group_change.c simulator/phone/sim_group_iq.c \
	simulator/phone/sim_group_priv.h simulator/phone/sim_group_send.c simulator/phone/sim_keep.c \
	simulator/phone/sim_keep.h simulator/phone/sim_mail.c simulator/phone/sim_mail.h \
	simulator/phone/sim_msg.c simulator/phone/sim_msg.h simulator/phone/sim_peer.c \
	simulator/phone/sim_peer.h simulator/phone/sim_peer_group.c simulator/phone/sim_peer_priv.h \
	simulator/phone/sim_peer_store.c simulator/phone/sim_phone.c simulator/phone/sim_phone.h \
	simulator/phone/sim_send.c simulator/phone/sim_send.h simulator/phone/sim_send_again.c \
	simulator/server/sim_client.c simulator/server/sim_client.h simulator/server/sim_client_error.c \
	simulator/server/sim_client_send.c \
	simulator/server/sim_client_fault.c simulator/server/sim_client_fault.h \
	simulator/server/sim_client_priv.h simulator/server/sim_device.c simulator/server/sim_device.h \
	simulator/server/sim_fault.c simulator/server/sim_fault.h simulator/server/sim_online.c \
	simulator/server/sim_online.h simulator/server/sim_online_iq.c simulator/server/sim_online_keys.c \
	simulator/server/sim_online_link.c simulator/server/sim_online_msg.c \
	simulator/server/sim_online_receipt.c simulator/server/sim_online_usync.c \
	simulator/server/sim_prekey.c simulator/server/sim_prekey.h simulator/server/sim_prekey_priv.h \
	simulator/server/sim_prekey_write.c simulator/server/sim_queue.c \
	simulator/server/sim_queue.h simulator/server/sim_server.c simulator/server/sim_server.h \
	simulator/wire/sim_cert.c simulator/wire/sim_cert.h simulator/wire/sim_http.c \
	simulator/wire/sim_http.h simulator/wire/sim_noise.c simulator/wire/sim_noise.h \
	simulator/wire/sim_reg.c simulator/wire/sim_reg.h simulator/wire/sim_stream.c \
	simulator/wire/sim_stream.h simulator/wire/sim_tls.c simulator/wire/sim_tls.h \
	simulator/wire/sim_wire.c simulator/wire/sim_wire.h
libsim_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(SSL_CFLAGS) $(JANSSON_CFLAGS) $(PROTOBUFC_CFLAGS)
SIM_LIBS = libsim.a $(WA_LIBS) $(WSLAY_LIBS) $(SSL_LIBS) $(JANSSON_LIBS) $(WA_EXT_LIBS)

bin_PROGRAMS += warden-sim
warden_sim_SOURCES = simulator/main.c
warden_sim_CFLAGS = $(libsim_a_CFLAGS)
warden_sim_LDADD = $(SIM_LIBS)
EXTRA_DIST += simulator/README.md

# warden-sim: a WhatsApp look-alike (server and phone). libsim.a is everything but main.c.
noinst_LIBRARIES += libsim.a
libsim_a_SOURCES = \
	simulator/sim.c simulator/sim.h \
	simulator/sim_adv.c simulator/sim_adv.h \
	simulator/sim_link.c simulator/sim_link.h \
	simulator/sim_passkey.c simulator/sim_passkey.h \
	simulator/sim_pb.c simulator/sim_pb.h \
	simulator/sim_api.c simulator/sim_api_fault.c simulator/sim_api_phone.c simulator/sim_api_msg.c simulator/sim_api_send.c simulator/sim_api_send.h simulator/sim_api_bulk.c simulator/sim_api_act.c simulator/sim_api_group.c simulator/sim_api.h \
	simulator/sim_build.c simulator/sim_build.h simulator/sim_build_act.c \
	simulator/sim_build_bad.c simulator/sim_build_media.c \
	simulator/sim_appstate.c simulator/sim_appstate.h simulator/sim_appstate_priv.h \
	simulator/sim_appstate_live.c simulator/sim_appstate_live.h simulator/sim_appstate_make.c \
	simulator/sim_appstate_keys.c simulator/sim_appstate_server.c simulator/sim_api_appstate.c \
	simulator/sim_cert.c simulator/sim_cert.h \
	simulator/sim_chains.c simulator/sim_chains.h \
	simulator/sim_client.c simulator/sim_client.h simulator/sim_client_priv.h \
	simulator/sim_client_error.c simulator/sim_client_fault.c simulator/sim_client_fault.h \
	simulator/sim_control.c simulator/sim_control.h \
	simulator/sim_device.c simulator/sim_device.h \
	simulator/sim_fault.c simulator/sim_fault.h \
	simulator/sim_group.c simulator/sim_group.h simulator/sim_group_priv.h \
	simulator/sim_group_change.c simulator/sim_group_iq.c simulator/sim_group_send.c \
	simulator/sim_history.c simulator/sim_history.h simulator/sim_history_msg.c \
	simulator/sim_history_part.c simulator/sim_history_part.h \
	simulator/sim_hostile.c simulator/sim_hostile.h \
	simulator/sim_http.c simulator/sim_http.h \
	simulator/sim_json.c simulator/sim_json.h \
	simulator/sim_keep.c simulator/sim_keep.h \
	simulator/sim_log.c simulator/sim_log.h \
	simulator/sim_media.c simulator/sim_media.h \
	simulator/sim_media_crypt.c simulator/sim_media_crypt.h \
	simulator/sim_media_target.c simulator/sim_media_target.h \
	simulator/sim_media_fault.c simulator/sim_media_fault.h \
	simulator/sim_media_http.c simulator/sim_media_http.h simulator/sim_api_media.c \
	simulator/sim_api_media.h \
	simulator/sim_mail.c simulator/sim_mail.h \
	simulator/sim_msg.c simulator/sim_msg.h \
	simulator/sim_noise.c simulator/sim_noise.h \
	simulator/sim_online.c simulator/sim_online.h \
	simulator/sim_online_iq.c simulator/sim_online_keys.c \
	simulator/sim_online_link.c simulator/sim_online_msg.c simulator/sim_online_receipt.c simulator/sim_online_usync.c \
	simulator/sim_options.c simulator/sim_options.h \
	simulator/sim_pair.c simulator/sim_pair.h simulator/sim_pair_priv.h \
	simulator/sim_pair_code.c simulator/sim_pair_passkey.c simulator/sim_pair_success.c \
	simulator/sim_peer.c simulator/sim_peer.h simulator/sim_peer_priv.h simulator/sim_peer_group.c \
	simulator/sim_peer_store.c \
	simulator/sim_pbw.c simulator/sim_pbw.h \
	simulator/sim_phone.c simulator/sim_phone.h \
	simulator/sim_prekey.c simulator/sim_prekey.h \
	simulator/sim_qr.c simulator/sim_qr.h \
	simulator/sim_queue.c simulator/sim_queue.h \
	simulator/sim_rand.c simulator/sim_rand.h \
	simulator/sim_reg.c simulator/sim_reg.h \
	simulator/sim_send.c simulator/sim_send.h simulator/sim_send_again.c \
	simulator/sim_server.c simulator/sim_server.h \
	simulator/sim_state.c simulator/sim_state.h \
	simulator/sim_stream.c simulator/sim_stream.h \
	simulator/sim_sync.c simulator/sim_sync.h simulator/sim_sync_priv.h \
	simulator/sim_sync_note.c simulator/sim_sync_own.c simulator/sim_api_history.c \
	simulator/sim_tls.c simulator/sim_tls.h \
	simulator/sim_wire.c simulator/sim_wire.h \
	simulator/sim_zip.c simulator/sim_zip.h
libsim_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(SSL_CFLAGS) $(JANSSON_CFLAGS) $(PROTOBUFC_CFLAGS)
SIM_LIBS = libsim.a $(WA_LIBS) $(WSLAY_LIBS) $(SSL_LIBS) $(JANSSON_LIBS) $(WA_EXT_LIBS)

bin_PROGRAMS += warden-sim
warden_sim_SOURCES = simulator/main.c
warden_sim_CFLAGS = $(libsim_a_CFLAGS)
warden_sim_LDADD = $(SIM_LIBS)
EXTRA_DIST += simulator/README.md

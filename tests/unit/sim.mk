# libsim.a: what of the simulator needs no socket
SIM_TESTS = tests/unit/test_sim_mail tests/unit/test_sim_peer tests/unit/test_sim_adv tests/unit/test_sim_device tests/unit/test_sim_link \
	tests/unit/test_sim_appstate \
	tests/unit/test_sim_prekey \
	tests/unit/test_sim_cert tests/unit/test_sim_fault tests/unit/test_sim_history \
	tests/unit/test_sim_http tests/unit/test_sim_media \
	tests/unit/test_sim_noise tests/unit/test_sim_qr tests/unit/test_sim_rand tests/unit/test_sim_reg
check_PROGRAMS += $(SIM_TESTS)
TESTS += $(SIM_TESTS)
SIM_LDADD = $(SIM_LIBS) $(UNIT_LIBS)

tests_unit_test_sim_adv_SOURCES = tests/unit/test_sim_adv.c $(WALIB_VECTORS)
tests_unit_test_sim_adv_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_sim_adv_LDADD = $(SIM_LDADD)
tests_unit_test_sim_appstate_SOURCES = tests/unit/test_sim_appstate.c $(WALIB_VECTORS)
tests_unit_test_sim_appstate_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_sim_appstate_LDADD = $(SIM_LDADD)
tests_unit_test_sim_link_SOURCES = tests/unit/test_sim_link.c $(WALIB_VECTORS)
tests_unit_test_sim_link_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_sim_link_LDADD = $(SIM_LDADD)
tests_unit_test_sim_cert_SOURCES = tests/unit/test_sim_cert.c
tests_unit_test_sim_cert_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_sim_cert_LDADD = $(SIM_LDADD)
tests_unit_test_sim_device_SOURCES = tests/unit/test_sim_device.c
tests_unit_test_sim_device_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_sim_device_LDADD = $(SIM_LDADD)
tests_unit_test_sim_fault_SOURCES = tests/unit/test_sim_fault.c
tests_unit_test_sim_fault_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_sim_fault_LDADD = $(SIM_LDADD)
tests_unit_test_sim_history_SOURCES = tests/unit/test_sim_history.c
tests_unit_test_sim_history_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_sim_history_LDADD = $(SIM_LDADD)
tests_unit_test_sim_http_SOURCES = tests/unit/test_sim_http.c
tests_unit_test_sim_http_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_sim_http_LDADD = $(SIM_LDADD)
tests_unit_test_sim_media_SOURCES = tests/unit/test_sim_media.c $(WALIB_VECTORS)
tests_unit_test_sim_media_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_sim_media_LDADD = $(SIM_LDADD)
tests_unit_test_sim_mail_SOURCES = tests/unit/test_sim_mail.c
tests_unit_test_sim_mail_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_sim_mail_LDADD = $(SIM_LDADD)
tests_unit_test_sim_peer_SOURCES = tests/unit/test_sim_peer.c $(WALIB_SIGNAL)
tests_unit_test_sim_peer_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_sim_peer_LDADD = $(SIM_LDADD)
tests_unit_test_sim_noise_SOURCES = tests/unit/test_sim_noise.c $(WALIB_VECTORS)
tests_unit_test_sim_noise_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_sim_noise_LDADD = $(SIM_LDADD)
tests_unit_test_sim_prekey_SOURCES = tests/unit/test_sim_prekey.c $(WALIB_VECTORS)
tests_unit_test_sim_prekey_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_sim_prekey_LDADD = $(SIM_LDADD)
tests_unit_test_sim_qr_SOURCES = tests/unit/test_sim_qr.c $(WALIB_VECTORS)
tests_unit_test_sim_qr_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_sim_qr_LDADD = $(SIM_LDADD)
tests_unit_test_sim_rand_SOURCES = tests/unit/test_sim_rand.c
tests_unit_test_sim_rand_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_sim_rand_LDADD = $(SIM_LDADD)
tests_unit_test_sim_reg_SOURCES = tests/unit/test_sim_reg.c $(WALIB_VECTORS)
tests_unit_test_sim_reg_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_sim_reg_LDADD = $(SIM_LDADD)

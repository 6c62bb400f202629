CORE_TESTS = tests/unit/test_buf tests/unit/test_codec tests/unit/test_db tests/unit/test_ipc_chan \
	tests/unit/test_ipc_frame tests/unit/test_log tests/unit/test_pb_guard tests/unit/test_qr \
	tests/unit/test_rd_wr tests/unit/test_sealed tests/unit/test_secret tests/unit/test_settings
check_PROGRAMS += $(CORE_TESTS)
TESTS += $(CORE_TESTS)
CORE_TEST_LIBS = $(COMMON_LIBS) libproto_wa.a $(UNIT_LIBS) $(EVENT_LIBS) $(PROTOBUFC_LIBS) $(CRYPTO_LIBS) \
	$(SQLITE_LIBS) $(QRENCODE_LIBS)

tests_unit_test_buf_SOURCES = tests/unit/test_buf.c
tests_unit_test_buf_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_buf_LDADD = $(CORE_TEST_LIBS)
tests_unit_test_codec_SOURCES = tests/unit/test_codec.c
tests_unit_test_codec_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_codec_LDADD = $(CORE_TEST_LIBS)
tests_unit_test_db_SOURCES = tests/unit/test_db.c
tests_unit_test_db_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_db_LDADD = $(CORE_TEST_LIBS)
tests_unit_test_ipc_chan_SOURCES = tests/unit/test_ipc_chan.c
tests_unit_test_ipc_chan_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_ipc_chan_LDADD = $(CORE_TEST_LIBS)
tests_unit_test_ipc_frame_SOURCES = tests/unit/test_ipc_frame.c
tests_unit_test_ipc_frame_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_ipc_frame_LDADD = $(CORE_TEST_LIBS)
tests_unit_test_log_SOURCES = tests/unit/test_log.c
tests_unit_test_log_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_log_LDADD = $(CORE_TEST_LIBS)
tests_unit_test_pb_guard_SOURCES = tests/unit/test_pb_guard.c
tests_unit_test_pb_guard_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_pb_guard_LDADD = $(CORE_TEST_LIBS)
tests_unit_test_qr_SOURCES = tests/unit/test_qr.c
tests_unit_test_qr_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_qr_LDADD = $(CORE_TEST_LIBS)
tests_unit_test_rd_wr_SOURCES = tests/unit/test_rd_wr.c
tests_unit_test_rd_wr_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_rd_wr_LDADD = $(CORE_TEST_LIBS)
tests_unit_test_sealed_SOURCES = tests/unit/test_sealed.c
tests_unit_test_sealed_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_sealed_LDADD = $(CORE_TEST_LIBS)
tests_unit_test_secret_SOURCES = tests/unit/test_secret.c
tests_unit_test_secret_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_secret_LDADD = $(CORE_TEST_LIBS)
tests_unit_test_settings_SOURCES = tests/unit/test_settings.c
tests_unit_test_settings_CFLAGS = $(UNIT_CFLAGS)
tests_unit_test_settings_LDADD = $(CORE_TEST_LIBS)
EXTRA_DIST += tests/unit/test.h

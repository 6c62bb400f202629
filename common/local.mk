# Used by every program: libcommon.a
noinst_LIBRARIES += libcommon.a
libcommon_a_SOURCES = \
	common/attr.h \
	common/binary_id.c common/binary_id.h \
	common/buf.c common/buf.h \
	common/clock.c common/clock.h \
	common/codec.c common/codec.h \
	common/db.c common/db.h common/db_vfs.c common/db_vfs.h \
	common/err.c common/err.h \
	common/heap.c common/io.c common/io.h \
	common/ipc.h common/ipc_frame.c common/ipc_chan.c common/ipc_memfd.c common/ipc_memfd.h \
	common/json_check.c common/json_check.h common/json_out.c common/json_out.h common/json_text.c common/json_text.h \
	common/landlock.c common/landlock.h \
	common/log.c common/log.h common/log_tail.c common/log_tail.h \
	common/log_journal.c common/log_journal.h \
	common/qr.c common/qr.h \
	common/pb_guard.c common/pb_guard.h \
	common/proc_stat.c common/proc_stat.h \
	common/rd.h common/wr.h \
	common/resolve.c common/resolve.h \
	common/sealed.c common/sealed.h \
	common/secret.c common/secret.h \
	common/settings.c common/settings.h \
	common/syscall_filter.c common/syscall_filter.h \
	common/ws_accept.c common/ws_accept.h
libcommon_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(CRYPTO_CFLAGS) $(PROTOBUFC_CFLAGS) $(SQLITE_CFLAGS) $(QRENCODE_CFLAGS) \
	$(JANSSON_CFLAGS) $(SECCOMP_CFLAGS)
common/libcommon_a-ipc_frame.$(OBJEXT): proto/ipc.pb-c.h
common/libcommon_a-ipc_chan.$(OBJEXT): proto/ipc.pb-c.h

COMMON_LIBS = libcommon.a libproto_ipc.a
EXTRA_DIST += common/README.md

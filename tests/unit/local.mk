# cmocka programs, one per module. Each part lists its own in a fragment.
UNIT_CFLAGS = $(AM_CFLAGS) -I$(top_srcdir)/tests/unit $(CMOCKA_CFLAGS) $(EVENT_CFLAGS) $(EVENT_SSL_CFLAGS) \
	$(SSL_CFLAGS) $(JANSSON_CFLAGS) $(SQLITE_CFLAGS) $(PROTOBUFC_CFLAGS) $(SIGNAL_CFLAGS) $(ZLIB_CFLAGS) \
	$(QRENCODE_CFLAGS) $(PNG_CFLAGS) -DTEST_SRCDIR='"$(abs_top_srcdir)"'
UNIT_LIBS = $(CMOCKA_LIBS) $(JANSSON_LIBS)
UNIT_STARVE = tests/unit/starve.c tests/unit/starve.h

include $(top_srcdir)/tests/unit/core.mk
include $(top_srcdir)/tests/unit/walib.mk
include $(top_srcdir)/tests/unit/worker.mk
include $(top_srcdir)/tests/unit/gwcore.mk
include $(top_srcdir)/tests/unit/gwhttp.mk
include $(top_srcdir)/tests/unit/sim.mk
include $(top_srcdir)/tests/unit/cli.mk
EXTRA_DIST += tests/vectors/binary-nodes.json tests/vectors/crypto.json tests/vectors/http-requests.json \
	tests/vectors/messaging.json tests/vectors/README.md

# Fuzz targets. Without --enable-fuzz each is linked with replay.c and runs its corpus in make check.
if FUZZ_ENGINE
FUZZ_MAIN =
else
FUZZ_MAIN = tests/fuzz/replay.c $(UNIT_STARVE)
endif
FUZZ_TARGET_CFLAGS = $(UNIT_CFLAGS) $(FUZZ_CFLAGS)

# Changes that know the shape of an input, for targets that define fuzz_mutate(); linked before what it uses.
check_LIBRARIES = tests/fuzz/libmutate.a
tests_fuzz_libmutate_a_SOURCES = tests/fuzz/mutate.c tests/fuzz/mutate.h tests/fuzz/mutate_http.c \
	tests/fuzz/mutate_node.c tests/fuzz/mutate_pb.c
# without sanitizers: it is not what is tested, and has to be quick
tests_fuzz_libmutate_a_CFLAGS = -std=gnu17 -fPIE $(WARN_CFLAGS) $(FUZZ_CFLAGS) $(PROTOBUFC_CFLAGS) $(ZLIB_CFLAGS)
FUZZ_MUTATE = tests/fuzz/libmutate.a

include $(top_srcdir)/tests/fuzz/core.mk
include $(top_srcdir)/tests/fuzz/walib.mk
include $(top_srcdir)/tests/fuzz/gwhttp.mk
include $(top_srcdir)/tests/fuzz/cli.mk
include $(top_srcdir)/tests/fuzz/worker.mk
include $(top_srcdir)/tests/fuzz/sim.mk
EXTRA_DIST += tests/fuzz/replay.sh tests/fuzz/fuzz.h tests/fuzz/README.md tests/fuzz/coverage.md tests/fuzz/hours.tsv
TESTS += tests/fuzz/replay.sh
CLEANFILES += tests/fuzz/*.replay.log

# For AFL++, which loads them: the changes of one target, without what it tests (--gc-sections) and not instrumented.
MUTATOR_CC = clang
MUTATOR_C = $(tests_fuzz_libmutate_a_SOURCES:%=$(top_srcdir)/%) $(top_srcdir)/worker/wa/node/wa_node.c \
	$(top_srcdir)/worker/wa/node/wa_node_decode.c $(top_srcdir)/worker/wa/node/wa_node_encode.c \
	$(top_srcdir)/worker/wa/node/wa_token.c $(top_srcdir)/worker/wa/node/wa_jid.c $(top_srcdir)/common/buf.c \
	$(top_srcdir)/common/secret.c $(top_srcdir)/common/ipc_frame.c
MUTATOR_CFLAGS = -std=gnu17 -O2 -fPIC -fvisibility=hidden -ffunction-sections -fdata-sections \
	$(PROTOBUFC_CFLAGS) $(EVENT_CFLAGS) $(CRYPTO_CFLAGS) $(SIGNAL_CFLAGS) $(JANSSON_CFLAGS) $(SQLITE_CFLAGS) \
	$(CURL_CFLAGS) $(ZLIB_CFLAGS) $(HIREDIS_CFLAGS) -I$(top_srcdir)/tests/unit -DFUZZ_AFL_LIBRARY
tests/fuzz/mutate_%.so: $(top_srcdir)/tests/fuzz/fuzz_%.c $(MUTATOR_C) $(PROTO_GEN_C) $(PROTO_GEN_H)
	$(AM_V_GEN)$(MUTATOR_CC) $(AM_CPPFLAGS) $(MUTATOR_CFLAGS) -shared -Wl,--gc-sections -Wl,-z,defs -o $@ \
		$(filter %.c,$^) $(PROTOBUFC_LIBS) $(CRYPTO_LIBS) $(ZLIB_LIBS)
CLEANFILES += tests/fuzz/*.so

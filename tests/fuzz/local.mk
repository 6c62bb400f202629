# Fuzz targets. Without --enable-fuzz each is linked with replay.c and runs its corpus in make check.
if FUZZ_ENGINE
FUZZ_MAIN =
else
FUZZ_MAIN = tests/fuzz/replay.c
endif
FUZZ_TARGET_CFLAGS = $(UNIT_CFLAGS) $(FUZZ_CFLAGS)

include $(top_srcdir)/tests/fuzz/core.mk
include $(top_srcdir)/tests/fuzz/walib.mk
include $(top_srcdir)/tests/fuzz/gwhttp.mk
include $(top_srcdir)/tests/fuzz/cli.mk
include $(top_srcdir)/tests/fuzz/worker.mk
include $(top_srcdir)/tests/fuzz/sim.mk
EXTRA_DIST += tests/fuzz/replay.sh tests/fuzz/fuzz.h
TESTS += tests/fuzz/replay.sh
CLEANFILES += tests/fuzz/*.replay.log

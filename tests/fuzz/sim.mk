# The simulator's own readers of what clients send
check_PROGRAMS += tests/fuzz/fuzz_sim tests/fuzz/fuzz_sim_msg
tests_fuzz_fuzz_sim_msg_SOURCES = tests/fuzz/fuzz_sim_msg.c $(FUZZ_MAIN)
tests_fuzz_fuzz_sim_msg_CFLAGS = $(FUZZ_TARGET_CFLAGS)
tests_fuzz_fuzz_sim_msg_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_sim_msg_LDADD = $(FUZZ_MUTATE) $(SIM_LIBS)
tests_fuzz_fuzz_sim_SOURCES = tests/fuzz/fuzz_sim.c $(FUZZ_MAIN)
tests_fuzz_fuzz_sim_CFLAGS = $(FUZZ_TARGET_CFLAGS)
tests_fuzz_fuzz_sim_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_sim_LDADD = $(FUZZ_MUTATE) $(SIM_LIBS)
check_PROGRAMS += tests/fuzz/fuzz_sim_pair
tests_fuzz_fuzz_sim_pair_SOURCES = tests/fuzz/fuzz_sim_pair.c $(WALIB_FIXTURE) $(FUZZ_MAIN)
tests_fuzz_fuzz_sim_pair_CFLAGS = $(FUZZ_TARGET_CFLAGS)
tests_fuzz_fuzz_sim_pair_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
tests_fuzz_fuzz_sim_pair_LDADD = $(FUZZ_MUTATE) $(SIM_LIBS)

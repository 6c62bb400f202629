# The gateway's core. Each test links the library and stands in for what it does not test.
GWCORE_TESTS = tests/unit/test_gw_config tests/unit/test_gw_dir tests/unit/test_gw_table \
	tests/unit/test_gw_events tests/unit/test_gw_instance_events tests/unit/test_gw_store tests/unit/test_gw_registry tests/unit/test_gw_instance \
	tests/unit/test_gw_supervisor tests/unit/test_gw_session tests/unit/test_gw_numbers \
	tests/unit/test_gw_deaths tests/unit/test_gw_dials tests/unit/test_gw_version tests/unit/test_gw_master_key \
	tests/unit/test_gw_proc tests/unit/test_gw_uids tests/unit/test_gw_sandbox tests/unit/test_gw_worker_check tests/unit/test_gw_doctor \
	tests/unit/test_gw_probe tests/unit/test_gw_hook_addr tests/unit/test_gw_hook_sign tests/unit/test_gw_hooks tests/unit/test_gw_hook_http tests/unit/test_gw_hook_config
check_PROGRAMS += $(GWCORE_TESTS) tests/unit/gw_fake_worker
TESTS += $(GWCORE_TESTS)
GWCORE_CFLAGS = $(UNIT_CFLAGS) $(CRYPTO_CFLAGS)
GWCORE_LDADD = $(GATEWAY_LIBS) $(UNIT_LIBS)

tests_unit_test_gw_config_SOURCES = tests/unit/test_gw_config.c tests/unit/gw_test.h
tests_unit_test_gw_config_CFLAGS = $(GWCORE_CFLAGS)
tests_unit_test_gw_config_LDADD = $(GWCORE_LDADD)
tests_unit_test_gw_dir_SOURCES = tests/unit/test_gw_dir.c tests/unit/gw_test.h
tests_unit_test_gw_dir_CFLAGS = $(GWCORE_CFLAGS)
tests_unit_test_gw_dir_LDADD = $(GWCORE_LDADD)
tests_unit_test_gw_sandbox_SOURCES = tests/unit/test_gw_sandbox.c tests/unit/gw_test.h
tests_unit_test_gw_sandbox_CFLAGS = $(GWCORE_CFLAGS)
tests_unit_test_gw_sandbox_LDADD = $(GWCORE_LDADD)
tests_unit_test_gw_hook_addr_SOURCES = tests/unit/test_gw_hook_addr.c
tests_unit_test_gw_hook_addr_CFLAGS = $(GWCORE_CFLAGS)
tests_unit_test_gw_hook_addr_LDADD = $(GWCORE_LDADD)
tests_unit_test_gw_hooks_SOURCES = tests/unit/test_gw_hooks.c tests/unit/gw_test.h \
	tests/unit/faulty_vfs.c tests/unit/faulty_vfs.h
tests_unit_test_gw_hooks_CFLAGS = $(GWCORE_CFLAGS)
tests_unit_test_gw_hooks_LDADD = $(GWCORE_LDADD)
tests_unit_test_gw_hook_http_SOURCES = tests/unit/test_gw_hook_http.c tests/unit/gw_test.h
tests_unit_test_gw_hook_http_CFLAGS = $(GWCORE_CFLAGS)
tests_unit_test_gw_hook_http_LDADD = $(GWCORE_LDADD)
tests_unit_test_gw_hook_sign_SOURCES = tests/unit/test_gw_hook_sign.c
tests_unit_test_gw_hook_sign_CFLAGS = $(GWCORE_CFLAGS)
tests_unit_test_gw_hook_sign_LDADD = $(GWCORE_LDADD)
tests_unit_test_gw_hook_config_SOURCES = tests/unit/test_gw_hook_config.c
tests_unit_test_gw_hook_config_CFLAGS = $(GWCORE_CFLAGS)
tests_unit_test_gw_hook_config_LDADD = $(GWCORE_LDADD)
tests_unit_test_gw_proc_SOURCES = tests/unit/test_gw_proc.c
tests_unit_test_gw_proc_CFLAGS = $(GWCORE_CFLAGS)
tests_unit_test_gw_proc_LDADD = $(GWCORE_LDADD)
tests_unit_test_gw_uids_SOURCES = tests/unit/test_gw_uids.c tests/unit/gw_test.h
tests_unit_test_gw_uids_CFLAGS = $(GWCORE_CFLAGS)
tests_unit_test_gw_uids_LDADD = $(GWCORE_LDADD)
tests_unit_test_gw_table_SOURCES = tests/unit/test_gw_table.c
tests_unit_test_gw_table_CFLAGS = $(GWCORE_CFLAGS)
tests_unit_test_gw_table_LDADD = $(GWCORE_LDADD)
tests_unit_test_gw_events_SOURCES = tests/unit/test_gw_events.c tests/unit/gw_test.h \
	tests/unit/faulty_vfs.c tests/unit/faulty_vfs.h
tests_unit_test_gw_events_CFLAGS = $(GWCORE_CFLAGS)
tests_unit_test_gw_events_LDADD = $(GWCORE_LDADD)
tests_unit_test_gw_store_SOURCES = tests/unit/test_gw_store.c tests/unit/gw_test.h \
	tests/unit/faulty_vfs.c tests/unit/faulty_vfs.h
tests_unit_test_gw_store_CFLAGS = $(GWCORE_CFLAGS)
tests_unit_test_gw_store_LDADD = $(GWCORE_LDADD)
tests_unit_test_gw_registry_SOURCES = tests/unit/test_gw_registry.c tests/unit/gw_test.h \
	tests/unit/gw_fake_supervisor.c tests/unit/gw_fake_supervisor.h
tests_unit_test_gw_registry_CFLAGS = $(GWCORE_CFLAGS)
tests_unit_test_gw_registry_LDADD = $(GWCORE_LDADD)
GW_INSTANCE_FIXTURE = tests/unit/gw_instance_fixture.c tests/unit/gw_instance_fixture.h \
	tests/unit/gw_test.h tests/unit/gw_fake_supervisor.c tests/unit/gw_fake_supervisor.h \
	tests/unit/gw_fake_clock.c tests/unit/gw_fake_clock.h
tests_unit_test_gw_instance_SOURCES = tests/unit/test_gw_instance.c $(GW_INSTANCE_FIXTURE)
tests_unit_test_gw_instance_CFLAGS = $(GWCORE_CFLAGS)
tests_unit_test_gw_instance_LDADD = $(GWCORE_LDADD)
tests_unit_test_gw_instance_events_SOURCES = tests/unit/test_gw_instance_events.c $(GW_INSTANCE_FIXTURE)
tests_unit_test_gw_instance_events_CFLAGS = $(GWCORE_CFLAGS)
tests_unit_test_gw_instance_events_LDADD = $(GWCORE_LDADD)
tests_unit_test_gw_session_SOURCES = tests/unit/test_gw_session.c $(GW_INSTANCE_FIXTURE)
tests_unit_test_gw_session_CFLAGS = $(GWCORE_CFLAGS)
tests_unit_test_gw_session_LDADD = $(GWCORE_LDADD)
tests_unit_test_gw_numbers_SOURCES = tests/unit/test_gw_numbers.c
tests_unit_test_gw_numbers_CFLAGS = $(GWCORE_CFLAGS)
tests_unit_test_gw_numbers_LDADD = $(GWCORE_LDADD)
tests_unit_test_gw_deaths_SOURCES = tests/unit/test_gw_deaths.c
tests_unit_test_gw_deaths_CFLAGS = $(GWCORE_CFLAGS)
tests_unit_test_gw_deaths_LDADD = $(GWCORE_LDADD)
tests_unit_test_gw_dials_SOURCES = tests/unit/test_gw_dials.c tests/unit/gw_test.h \
	tests/unit/gw_fake_clock.c tests/unit/gw_fake_clock.h
tests_unit_test_gw_dials_CFLAGS = $(GWCORE_CFLAGS)
tests_unit_test_gw_dials_LDADD = $(GWCORE_LDADD)
tests_unit_test_gw_version_SOURCES = tests/unit/test_gw_version.c tests/unit/gw_test.h \
	tests/unit/gw_fake_clock.c tests/unit/gw_fake_clock.h
tests_unit_test_gw_version_CFLAGS = $(GWCORE_CFLAGS)
tests_unit_test_gw_version_LDADD = $(GWCORE_LDADD)
tests_unit_test_gw_master_key_SOURCES = tests/unit/test_gw_master_key.c tests/unit/gw_test.h
tests_unit_test_gw_master_key_CFLAGS = $(GWCORE_CFLAGS)
tests_unit_test_gw_master_key_LDADD = $(GWCORE_LDADD)
tests_unit_test_gw_worker_check_SOURCES = tests/unit/test_gw_worker_check.c
tests_unit_test_gw_worker_check_CFLAGS = $(GWCORE_CFLAGS)
tests_unit_test_gw_worker_check_LDADD = $(GWCORE_LDADD)
tests_unit_test_gw_supervisor_SOURCES = tests/unit/test_gw_supervisor.c tests/unit/gw_test.h
tests_unit_test_gw_supervisor_CFLAGS = $(GWCORE_CFLAGS) \
	-DFAKE_WORKER='"$(abs_top_builddir)/tests/unit/gw_fake_worker"'
tests_unit_test_gw_supervisor_LDADD = $(GWCORE_LDADD)
tests_unit_gw_fake_worker_SOURCES = tests/unit/gw_fake_worker.c
tests_unit_gw_fake_worker_CFLAGS = $(GWCORE_CFLAGS)
tests_unit_gw_fake_worker_LDADD = $(COMMON_LIBS) $(EVENT_LIBS) $(PROTOBUFC_LIBS) $(CRYPTO_LIBS)
tests_unit_test_gw_doctor_SOURCES = tests/unit/test_gw_doctor.c tests/unit/gw_test.h
tests_unit_test_gw_doctor_CFLAGS = $(GWCORE_CFLAGS)
tests_unit_test_gw_doctor_LDADD = $(GWCORE_LDADD)
tests_unit_test_gw_probe_SOURCES = tests/unit/test_gw_probe.c tests/unit/gw_test.h
tests_unit_test_gw_probe_CFLAGS = $(GWCORE_CFLAGS) \
	-DFAKE_WORKER='"$(abs_top_builddir)/tests/unit/gw_fake_worker"'
tests_unit_test_gw_probe_LDADD = $(GWCORE_LDADD)
if HAVE_LIBSYSTEMD
check_PROGRAMS += tests/unit/test_gw_runner_systemd
TESTS += tests/unit/test_gw_runner_systemd
endif
tests_unit_test_gw_runner_systemd_SOURCES = tests/unit/test_gw_runner_systemd.c tests/unit/gw_test.h
tests_unit_test_gw_runner_systemd_CFLAGS = $(GWCORE_CFLAGS) $(LIBSYSTEMD_CFLAGS)
tests_unit_test_gw_runner_systemd_LDADD = $(GWCORE_LDADD) $(LIBSYSTEMD_LIBS)

check_PROGRAMS += tests/unit/test_gw_worker_ask
TESTS += tests/unit/test_gw_worker_ask
tests_unit_test_gw_worker_ask_SOURCES = tests/unit/test_gw_worker_ask.c
tests_unit_test_gw_worker_ask_CFLAGS = $(GWCORE_CFLAGS)
tests_unit_test_gw_worker_ask_LDADD = $(GWCORE_LDADD)

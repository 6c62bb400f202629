# wardenctl: the command line. Everything but main.c is a library so that tests can link it.
noinst_LIBRARIES += libctl.a
libctl_a_SOURCES = \
	cli/ctl_account.c \
	cli/ctl_api.c cli/ctl_api.h \
	cli/ctl_args.c cli/ctl_args.h \
	cli/ctl_command.c cli/ctl_command.h \
	cli/ctl_doctor.c \
	cli/ctl_events.c \
	cli/ctl_http.c cli/ctl_http.h \
	cli/ctl_instance.c cli/ctl_instance.h \
	cli/ctl_link.c cli/ctl_link.h cli/ctl_share.c \
	cli/ctl_proxy.c \
	cli/ctl_webhook.c \
	cli/ctl_resp.c cli/ctl_resp.h \
	cli/ctl_settings.c \
	cli/ctl_sse.c cli/ctl_sse.h \
	cli/ctl_status.c cli/ctl_status.h \
	cli/ctl_term.c cli/ctl_term.h \
	cli/ctl_text.c cli/ctl_text.h \
	cli/ctl_tls.c cli/ctl_tls.h \
	cli/ctl_url.c cli/ctl_url.h \
	cli/ctl_watch.c \
	cli/ctl_worker.c
libctl_a_CFLAGS = $(AM_CFLAGS) $(EVENT_CFLAGS) $(EVENT_SSL_CFLAGS) $(SSL_CFLAGS) $(JANSSON_CFLAGS) $(QRENCODE_CFLAGS)
CTL_LIBS = libctl.a $(COMMON_LIBS) $(EVENT_SSL_LIBS) $(EVENT_LIBS) $(SSL_LIBS) $(JANSSON_LIBS) \
	$(PROTOBUFC_LIBS) $(CRYPTO_LIBS) $(SQLITE_LIBS) $(QRENCODE_LIBS)

bin_PROGRAMS += wardenctl
wardenctl_SOURCES = cli/main.c
wardenctl_CFLAGS = $(libctl_a_CFLAGS)
wardenctl_LDADD = $(CTL_LIBS)
bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = cli/wardenctl.bash
EXTRA_DIST += cli/README.md build-deps.sh

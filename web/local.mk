# The linking page: made into one C file that the gateway is linked with.
WEB_FILES = web/index.html web/style.css web/words.js web/number.js web/api.js web/link.js \
	web/dashboard.js web/app.js web/openapi.json
EXTRA_DIST += $(WEB_FILES) web/bundle web/README.md
CLEANFILES += web/page.c
nodist_libgateway_a_SOURCES = web/page.c

web/page.c: $(WEB_FILES) web/bundle
	@$(MKDIR_P) web
	$(AM_V_GEN)$(top_srcdir)/web/bundle $(top_srcdir)/web $@

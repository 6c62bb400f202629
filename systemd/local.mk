# Units, user, folders, rights: where systemd, sysusers, tmpfiles and polkit look for them.
SYSTEMD_UNITS = systemd/wardend.service systemd/wardend.socket systemd/warden-folders.service \
	systemd/warden-worker@.service systemd/warden-worker@.socket
SYSTEMD_MADE = $(SYSTEMD_UNITS) systemd/warden-folder

nodist_systemdsystemunit_DATA = $(SYSTEMD_UNITS)
dist_systemdsystemunit_DATA = systemd/warden.slice systemd/warden-workers.slice
nodist_pkglibexec_SCRIPTS = systemd/warden-folder
CLEANFILES += $(SYSTEMD_MADE)
EXTRA_DIST += systemd/wardend.service.in systemd/wardend.socket.in \
	systemd/warden-folders.service.in systemd/warden-worker@.service.in \
	systemd/warden-worker@.socket.in systemd/warden-folder.in systemd/warden.sysusers \
	systemd/warden.tmpfiles systemd/warden.rules systemd/warden.conf
dist_doc_DATA = README.md ARCHITECTURE.md systemd/warden.conf

SYSTEMD_SUBST = $(SED) -e 's,[@]sbindir[@],$(sbindir),g' \
	-e 's,[@]pkglibexecdir[@],$(pkglibexecdir),g' -e 's,[@]docdir[@],$(docdir),g'

$(SYSTEMD_UNITS): %: %.in Makefile
	$(AM_V_GEN)$(MKDIR_P) systemd && $(SYSTEMD_SUBST) "$(srcdir)/$@.in" >"$@.new" && mv "$@.new" "$@"
systemd/warden-folder: systemd/warden-folder.in Makefile
	$(AM_V_GEN)$(MKDIR_P) systemd && $(SYSTEMD_SUBST) "$(srcdir)/$@.in" >"$@.new" && \
		chmod +x "$@.new" && mv "$@.new" "$@"

install-data-local:
	$(MKDIR_P) "$(DESTDIR)$(sysusersdir)" "$(DESTDIR)$(tmpfilesdir)" "$(DESTDIR)$(polkitrulesdir)"
	$(INSTALL_DATA) "$(srcdir)/systemd/warden.sysusers" "$(DESTDIR)$(sysusersdir)/warden.conf"
	$(INSTALL_DATA) "$(srcdir)/systemd/warden.tmpfiles" "$(DESTDIR)$(tmpfilesdir)/warden.conf"
	$(INSTALL_DATA) "$(srcdir)/systemd/warden.rules" "$(DESTDIR)$(polkitrulesdir)/50-warden.rules"

uninstall-local:
	rm -f "$(DESTDIR)$(sysusersdir)/warden.conf" "$(DESTDIR)$(tmpfilesdir)/warden.conf" \
		"$(DESTDIR)$(polkitrulesdir)/50-warden.rules"

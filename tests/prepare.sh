# tests/prepare.sh - what check and bench both do before they run anything; sourced by them
#
# They set TOP (the tree), OUT (where is built), SOURCE (what is built: TOP, or a copy of it), JOBS, and NODE.
#
# shellcheck shell=bash
# shellcheck disable=SC2034 # used by the scripts that source this

# shellcheck source=build-deps.sh
. ./build-deps.sh

WEB_SERVER_PACKAGES=(nginx-light) # what the gate is compared with
# What test hooks do not touch is compiled once for builds with them and without.
CACHED_GCC=(CC="ccache gcc")
# As it is installed: optimized, with the paths of the Debian package, which is packed from this build.
PLAIN_FLAGS=("${CACHED_GCC[@]}" --enable-werror --prefix=/usr --sysconfdir=/etc --localstatedir=/var --libexecdir=/usr/libexec
	--with-systemdsystemunitdir=/lib/systemd/system)

# What the caller's shell sets must not reach the programs under test.
clean_environment() {
	local name
	for name in $(compgen -e WARDEN_ || true); do
		unset "$name"
	done
	unset MAKEFLAGS MAKELEVEL CFLAGS CPPFLAGS LDFLAGS CC NODE_OPTIONS
	export LC_ALL=C.UTF-8
	export CCACHE_DIR=$OUT/ccache CCACHE_NOHASHDIR=1
}

install_packages() {
	local packages=("${BUILD_PACKAGES[@]}" ccache "$@")
	if ! command -v npm >/dev/null; then
		packages+=(npm)
	fi
	need_packages "${packages[@]}"
}

all_installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}\n' "$@" 2>/dev/null | grep -cx installed)" -eq $# ]
}

# Some packages start a service as soon as they are there. The tests start their own; nothing else shall listen.
install_without_starting() {
	local policy=/usr/sbin/policy-rc.d as_root=() rc=0
	if [ "$(id -u)" -ne 0 ]; then
		as_root=(sudo)
	fi
	if [ -e "$policy" ] || ! command -v apt-get >/dev/null ||
		all_installed "$@"; then
		need_packages "$@"
		return
	fi
	printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" sh -c "cat >$policy && chmod 755 $policy" || return 1
	need_packages "$@" || rc=$?
	"${as_root[@]}" rm -f "$policy"
	return "$rc"
}

# Node 22 and the npm packages, as tests/package-lock.json pins them. No package runs a script.
install_node_packages() {
	local stamp=tests/node_modules/.check-lock
	if cmp -s tests/package-lock.json "$stamp" && "$NODE" --version >/dev/null 2>&1; then
		return 0
	fi
	(cd tests && npm ci --ignore-scripts --omit=peer --no-audit --no-fund) &&
		"$NODE" --version && cp tests/package-lock.json "$stamp"
}

# automake refuses to build elsewhere from a tree that was configured in place: then a copy is built.
choose_source() {
	if [ ! -e config.status ]; then
		return 0
	fi
	SOURCE=$OUT/source
	mkdir -p "$SOURCE"
	tar -cf - --exclude=./build --exclude=./build-check --exclude=./build-bench --exclude=./.git --exclude=./var --exclude=node_modules \
		--exclude='*.[oa]' --exclude=.deps --exclude=.dirstamp --exclude=./config.h --exclude=./config.log \
		--exclude=./config.status --exclude=./stamp-h1 --exclude=./Makefile . | tar -xf - -C "$SOURCE"
}

generate_configure() {
	cd "$SOURCE" || return
	if [ ! -e configure ] || [ ! -e Makefile.in ] ||
		[ -n "$(find configure.ac Makefile.am ./*/local.mk ./*/*/local.mk -newer Makefile.in)" ]; then
		autoreconf -i
	fi
}

# build NAME FLAGS...: configure (when the flags or configure changed) and make everything. By a relative path: then the
# compiler is told the same in every build, and ccache need not look twice at the same source.
build() {
	local dir=$OUT/$1 source
	shift
	mkdir -p "$dir" && cd "$dir" && source=$(realpath --relative-to=. "$SOURCE") || return
	if [ "$(cat .flags 2>/dev/null)" != "$*" ] || [ "$SOURCE/configure" -nt config.status ]; then
		# other paths are other flags, which make does not see
		[ ! -e .flags ] || make --no-print-directory clean >/dev/null || true
		rm -f .flags
		"$source/configure" --silent "$@" || return
		echo "$*" >.flags
	fi
	make -j"$JOBS" --no-print-directory all
}

# A process and all that descend from it, by pid.
kill_tree() {
	local child children
	read -ra children < <(cat "/proc/$1/task/"*/children 2>/dev/null) || true
	for child in "${children[@]}"; do
		kill_tree "$child"
	done
	kill -KILL "$1" 2>/dev/null || true
}

# build-deps.sh - the Debian packages that building needs; sourced by quickstart and check
#
# shellcheck shell=bash
# shellcheck disable=SC2034 # used by the scripts that source this

# A bare Debian 12 and these can run autoreconf, configure, make and the programs.
BUILD_PACKAGES=(
	autoconf automake pkgconf make gcc libc6-dev
	libcurl4-openssl-dev libevent-dev libhiredis-dev libjansson-dev libpng-dev libprotobuf-c-dev libqrencode-dev libseccomp-dev
	libsignal-protocol-c-dev libsqlite3-dev libssl-dev libsystemd-dev libwslay-dev zlib1g-dev
	protobuf-c-compiler ca-certificates
)

# Runs apt-get as root, directly or through sudo; it asks nothing and waits for another apt's lock.
# In a subshell: what packages write has to be readable by all, whatever the caller's umask is.
run_apt() (
	umask 022
	as_root=()
	if [ "$(id -u)" -ne 0 ]; then
		as_root=(sudo)
	fi
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get -q -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 "$@" </dev/null
)

# need_packages PACKAGE...: installs those that are missing and says which. Returns 1 if it can't.
need_packages() {
	local package missing=()
	if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
		echo "Not a Debian system: these packages, or what they hold, have to be there: $*" >&2
		return 0
	fi
	for package; do
		if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != installed ]; then
			missing+=("$package")
		fi
	done
	if [ "${#missing[@]}" -eq 0 ]; then
		return 0
	fi
	if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
		echo "Missing packages, and neither root nor sudo to install them. Run as root:" >&2
		echo "    apt-get install --no-install-recommends ${missing[*]}" >&2
		return 1
	fi
	echo "Installing with apt: ${missing[*]}"
	# The package lists may be old or not there at all; an install from old lists may still do.
	run_apt update >/dev/null || echo "apt-get update failed; going on with the lists there are" >&2
	run_apt install -y --no-install-recommends "${missing[@]}" >/dev/null || {
		echo "apt-get could not install: ${missing[*]}" >&2
		return 1
	}
}

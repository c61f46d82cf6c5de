#!/bin/sh
# Makes a small Debian 12 as a directory or tar file: make-root.sh OUT [MORE_PACKAGE...]; needs root and mmdebstrap.
set -eu
out=$1
shift
packages=systemd-sysv,dbus,procps,iproute2,iputils-ping,ca-certificates,python3-venv,nftables,less
for package in "$@"; do packages=$packages,$package; done
mirror=${MIRROR:-http://deb.debian.org}
rm -rf "$out.part"
case $out in *.tar) format=tar ;; *) format=directory ;; esac
mmdebstrap --quiet --variant=minbase --format="$format" --include="$packages" bookworm "$out.part" \
    "deb $mirror/debian bookworm main" "deb $mirror/debian-security bookworm-security main"
mv "$out.part" "$out"

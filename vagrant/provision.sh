#!/bin/sh
# Makes this Debian machine a part of the pair, from the checkout that this file lies in; as root, again whenever you like.
#
#   provision.sh NAME OWN PEER    a node: OWN and PEER are the last numbers of the two nodes' addresses in
#                                 10.88.0.0/24 (the LAN, with the VIP 10.88.0.100) and 10.89.0.0/24 (the second path)
#   provision.sh client           the programs alone: `sipcore phone` calls from here
#
# ADVERT, LEASE and WATCHDOG (the services' WatchdogSec=): machines without hardware support are too slow for the defaults.
set -eu
checkout=$(cd "$(dirname "$0")/.." && pwd)
name=$1
vip=10.88.0.100
domain=example.test

# Debian's part
want=
for package in python3-venv nftables iproute2; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || want="$want $package"
done
if [ -n "$want" ]; then
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $want
fi

# The programs: from the wheels that `make wheels` has gathered, else from the Python package index
[ -x /opt/haagent/bin/pip ] || python3 -m venv /opt/haagent
pip="/opt/haagent/bin/pip -q --disable-pip-version-check --no-input"
if ls "$checkout"/build/wheels/haagent-*.whl >/dev/null 2>&1; then
    $pip install --no-index --find-links "$checkout/build/wheels" -r "$checkout/requirements.lock"
    $pip install --no-deps --force-reinstall "$checkout"/build/wheels/haagent-*.whl
else
    source=$(mktemp -d)
    cp -r "$checkout/pyproject.toml" "$checkout/README.md" "$checkout/LICENSE" "$checkout/haagent" \
        "$checkout/netrules" "$checkout/sipcore" "$source"
    $pip install --require-hashes -r "$checkout/requirements.lock"
    $pip install --no-deps --force-reinstall "$source"
    rm -r "$source"
fi
ln -sf /opt/haagent/bin/haagent /opt/haagent/bin/netrules /opt/haagent/bin/sipcore /usr/local/bin/
if [ "$name" = client ]; then
    echo "provisioned: client"
    exit
fi

own=$2 peer=$3
interface=$(ip -o -4 addr show | awk -v own="10.88.0.$own/24" '$4 == own { print $2 }')
[ -n "$interface" ] || { echo "provision: no interface has 10.88.0.$own/24" >&2; exit 1; }
[ "$own" -lt "$peer" ] && priority=254 || priority=253

# Users, directories, units; then the keys, the same on both nodes: each from the pair's one secret
haagent systemd install >/dev/null
secret=$(cat "$checkout/vagrant/.secret")
key() {
    printf '%s %s' "$1" "$secret" | sha256sum | cut -d' ' -f1 >"$2"
}
umask 027
key peer /etc/haagent/peer.key
key replication /etc/sipcore/replication.key
key nonce /etc/sipcore/nonce.key
while IFS=: read -r user password; do
    printf '%s:%s:%s\n' "$user" "$domain" "$(printf '%s:%s:%s' "$user" "$domain" "$password" | md5sum | cut -d' ' -f1)"
done <"$checkout/vagrant/users" >/etc/sipcore/users

cat >/etc/haagent/haagent.toml <<EOF
node = "$name"

[[virtual_router]]
name = "sip"
vrid = 51
interface = "$interface"
priority = $priority
advert_interval = "${ADVERT:-100ms}"
lease = "${LEASE:-90ms}"
vips = ["$vip"]

[peer]
local = "10.89.0.$own"
address = "10.89.0.$peer"
key_file = "/etc/haagent/peer.key"

[core]
kind = "sipcore"

[api]
listen = "10.88.0.$own:9405"
EOF
cat >/etc/sipcore/sipcore.toml <<EOF
node = "$name"
domains = ["$domain", "$vip"]

[[listen]]
address = "$vip"
port = 5060
transport = "udp"

[auth]
realm = "$domain"
users_file = "/etc/sipcore/users"
secret_file = "/etc/sipcore/nonce.key"

[replication]
listen = "10.89.0.$own:5070"
peers = ["10.89.0.$peer:5070"]
key_file = "/etc/sipcore/replication.key"
EOF
haagent check /etc/haagent/haagent.toml >/dev/null
sipcore check /etc/sipcore/sipcore.toml >/dev/null
for service in haagent sipcore; do
    [ -n "${WATCHDOG:-}" ] || break
    mkdir -p /etc/systemd/system/$service.service.d
    printf '[Service]\nWatchdogSec=%s\nTimeoutStartSec=300s\n' "$WATCHDOG" >/etc/systemd/system/$service.service.d/pace.conf
    systemctl daemon-reload
done
systemctl enable -q sipcore haagent
systemctl restart sipcore haagent
echo "provisioned: $name on $interface, priority $priority"

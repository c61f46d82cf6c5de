#!/bin/sh
# Makes a Vagrant box for libvirt from a root file system with a kernel: make-box.sh ROOT.tar OUT.box [WHEELS]; needs
# root, a loop device, extlinux, syslinux-common, fdisk and qemu-utils. From WHEELS it takes the dependencies and puts
# them where the provisioning looks for them: an emulated machine takes minutes to install them.
set -eu
tar=$1 out=$2
work=$(mktemp -d "$(dirname "$out")/box.XXXXXX")
disk=$work/disk.raw root=$work/root
truncate -s 3G "$disk"
echo '2048,,L,*' | sfdisk -q "$disk"
dd if=/usr/lib/syslinux/mbr/mbr.bin of="$disk" conv=notrunc bs=440 count=1 status=none
loop=$(losetup -f --show -o $((2048 * 512)) "$disk")
trap 'umount "$root" 2>/dev/null || true; losetup -d "$loop" 2>/dev/null || true; rm -rf "$work"' EXIT
mkfs.ext4 -q -L root -O ^64bit,^metadata_csum "$loop" # what extlinux can read
mkdir "$root"
mount "$loop" "$root"
tar -C "$root" --numeric-owner -xf "$tar"

echo 'LABEL=root / ext4 noatime,errors=remount-ro 0 1' >"$root/etc/fstab"
echo debian12 >"$root/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 debian12\n' >"$root/etc/hosts"
printf 'auto lo\niface lo inet loopback\nauto eth0\niface eth0 inet dhcp\nsource /etc/network/interfaces.d/*\n' \
    >"$root/etc/network/interfaces"
# a machine that is slow to boot must not miss its address: dhclient would ask again only after five minutes
printf 'timeout 600;\nretry 10;\n' >>"$root/etc/dhcp/dhclient.conf"

# what Vagrant expects of a box: its user, its well-known key (replaced at the first boot), sudo
chroot "$root" useradd -m -s /bin/bash vagrant
echo 'vagrant ALL=(ALL) NOPASSWD:ALL' >"$root/etc/sudoers.d/vagrant"
chmod 440 "$root/etc/sudoers.d/vagrant"
install -d -m 700 "$root/home/vagrant/.ssh"
install -m 600 "$(find /usr/share/rubygems-integration /opt/vagrant -name vagrant.pub 2>/dev/null | head -1)" \
    "$root/home/vagrant/.ssh/authorized_keys"
chroot "$root" chown -R vagrant: /home/vagrant/.ssh
echo 'UseDNS no' >"$root/etc/ssh/sshd_config.d/vagrant.conf"
chroot "$root" systemctl -q mask apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer

if [ -n "${3:-}" ]; then
    mkdir "$root/wheels"
    cp "$3"/*.whl "$root/wheels"
    cp "$(dirname "$0")/../requirements.lock" "$root/wheels"
    chroot "$root" python3 -m venv /opt/haagent
    chroot "$root" /opt/haagent/bin/pip -q --disable-pip-version-check install --no-index --find-links /wheels \
        -r /wheels/requirements.lock
    rm -r "$root/wheels"
fi

kernel=$(basename "$root"/boot/vmlinuz-*) initrd=$(basename "$root"/boot/initrd.img-*)
cat >"$root/boot/extlinux.conf" <<EOF
DEFAULT debian
PROMPT 0
TIMEOUT 1
LABEL debian
 LINUX /boot/$kernel
 INITRD /boot/$initrd
 APPEND root=LABEL=root ro console=ttyS0 net.ifnames=0 biosdevname=0 mitigations=off quiet
EOF
extlinux --install "$root/boot" >/dev/null 2>&1
umount "$root"
losetup -d "$loop"
qemu-img convert -c -O qcow2 "$disk" "$work/box.img"
echo '{"provider": "libvirt", "format": "qcow2", "virtual_size": 3}' >"$work/metadata.json"
echo 'Vagrant.configure("2") { |config| }' >"$work/Vagrantfile"
tar -C "$work" -czf "$out" metadata.json Vagrantfile box.img

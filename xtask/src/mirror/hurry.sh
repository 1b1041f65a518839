#!/bin/sh
# The lab's machines are emulated and thrown away: no documentation, no waiting for disks, a quickly packed initramfs.
mkdir -p /target/etc/apt/apt.conf.d /target/etc/dpkg/dpkg.cfg.d /target/etc/initramfs-tools/conf.d
printf '%s\n' 'Acquire::Languages "none";' >/target/etc/apt/apt.conf.d/99muster-lab
printf '%s\n' force-unsafe-io 'path-exclude=/usr/share/doc/*' 'path-exclude=/usr/share/man/*' \
	'path-exclude=/usr/share/locale/*' >/target/etc/dpkg/dpkg.cfg.d/muster-lab
printf '%s\n' COMPRESS=gzip COMPRESSLEVEL=1 >/target/etc/initramfs-tools/conf.d/muster-lab

# SPDX-License-Identifier: MIT
# Sourced by init: what an ordinary system does before anybody logs in.

mount_kernel_file_systems() {
	mount -t proc proc /proc
	mount -t sysfs sys /sys
	mount -t devtmpfs dev /dev 2>/dev/null
	mkdir -p /dev/pts /dev/shm
	mount -t devpts devpts /dev/pts
	mount -t tmpfs -o mode=1777 shm /dev/shm
	mount -t tmpfs -o mode=1777 tmp /tmp
	mount -t tmpfs run /run
	mount -t cgroup2 cgroup /sys/fs/cgroup
	mount -t debugfs debug /sys/kernel/debug
	mount -t tracefs trace /sys/kernel/tracing
	ln -sf /proc/self/fd /dev/fd
	ln -sf /proc/self/fd/0 /dev/stdin
	ln -sf /proc/self/fd/1 /dev/stdout
	ln -sf /proc/self/fd/2 /dev/stderr
	mkdir -p /etc && ln -sf /proc/self/mounts /etc/mtab
	chmod 1777 /var/tmp
	ip link set lo up 2>/dev/null
}

load_drivers() {
	for driver in virtio_pci virtio_blk virtio_console; do
		modprobe -q "$driver" || [ -d "/sys/module/$driver" ] || note "no driver $driver"
	done
}

# note TEXT: for the kernel log, where it stands between what the kernel says
note() {
	echo "<5>guest: $*" >/dev/kmsg
}

# The host's ends of the ports, as /dev/virtio-ports/NAME. It tells their names one after the other.
find_ports() {
	mkdir -p /dev/virtio-ports
	for name in out err log verdict; do
		until port=$(grep -lx "$name" /sys/class/virtio-ports/*/name 2>/dev/null); do
			usleep 20000
		done
		port=${port%/name}
		ln -s "../${port##*/}" "/dev/virtio-ports/$name"
	done
}

# From here on the guest is not booted again when QEMU breaks down.
say_begun() {
	echo "begun=yes" >/dev/virtio-ports/verdict
}

# Reading /dev/kmsg misses nothing, whoever clears the log meanwhile.
follow_kernel_log() {
	cat /dev/kmsg >/run/kernel-log &
	kernel_log_reader=$!
}

mount_disks() {
	for disk in /sys/block/vd*; do
		[ -e "$disk/serial" ] || continue
		device=/dev/${disk##*/}
		case $(cat "$disk/serial") in
		share) mount -t ext4 -o ro,noload "$device" /share ;;
		scratch) mount -t ext4 "$device" /scratch ;;
		scratch-xfs) mount -t xfs "$device" /scratch-xfs ;;
		esac || note "cannot mount $device"
	done
	chmod 1777 /scratch /scratch-xfs
}

set_sysctl() {
	[ ! -e "/proc/sys/$1" ] || echo "$2" >"/proc/sys/$1"
}

configure_kernel() {
	hostname guest
	set_sysctl kernel/sysrq 1
	set_sysctl kernel/hung_task_panic 1
	set_sysctl kernel/softlockup_panic 1
	set_sysctl kernel/panic_on_rcu_stall 1
	set_sysctl kernel/numa_balancing 0 # moves pages at times of its own: tests turn it on
	# Controllers are given to groups from the top down; debug kernels do not have all of them.
	for controller in memory cpuset; do
		echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control 2>/dev/null
	done
	[ ! -e /sys/kernel/debug/kmemleak ] || echo clear >/sys/kernel/debug/kmemleak
}

load_module() {
	module=$(cat /guest/module)
	loaded=none
	[ -e "/lib/modules/$(uname -r)/updates/$module.ko" ] || return
	loaded=yes
	modprobe "$module" || {
		note "the module $module cannot be loaded"
		loaded=no
	}
}

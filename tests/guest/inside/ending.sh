# SPDX-License-Identifier: MIT
# Sourced by init: the command, and everything after it up to the verdict.

# Through pipes, so that the command may open /dev/stderr again, which a port does not allow.
run_command() {
	mkfifo /run/out /run/err
	cat /run/out >/dev/virtio-ports/out &
	out_reader=$!
	cat /run/err >/dev/virtio-ports/err &
	err_reader=$!
	note 'the command begins'
	setsid sh /guest/command </dev/null >/run/out 2>/run/err
	status=$?
	note "the command ended with status $status"
}

run_shell() {
	note 'a shell begins'
	cd /root || cd /
	setsid -c sh -l </dev/hvc0 >/dev/hvc0 2>&1
	status=$?
}

# User processes other than this shell and its readers
left_behind() {
	for process in /proc/[0-9]*; do
		[ -e "$process/exe" ] || [ -n "$(cat "$process/cmdline" 2>/dev/null)" ] || continue
		case ${process#/proc/} in
		1 | "$kernel_log_reader" | "$out_reader" | "$err_reader" | $$) ;;
		*) [ "$(cut -d' ' -f4 "$process/stat" 2>/dev/null)" = $$ ] &&
			[ "$(cat "$process/comm" 2>/dev/null)" = init ] || echo "${process#/proc/}" ;;
		esac
	done
}

# Helpers go by themselves soon after their last user. Who does not is told about, and killed.
stop_left_behind() {
	seconds=0
	while pids=$(left_behind) && [ -n "$pids" ] && [ "$seconds" -lt 10 ]; do
		sleep 1
		seconds=$((seconds + 1))
	done
	for pid in $pids; do
		note "left behind: $pid $(tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null)"
		kill -9 "$pid" 2>/dev/null
	done
	[ -z "$pids" ] || sleep 1
	wait ${out_reader:+"$out_reader" "$err_reader"}
}

unload_module() {
	unload=ok
	[ "$loaded" = yes ] && [ -d "/sys/module/$module" ] || return
	rmmod "$module" || {
		unload=no
		note "the module cannot be unloaded, its users: $(cat "/sys/module/$module/refcnt")"
	}
}

unmount_disks() {
	for directory in /scratch-xfs /scratch /share; do
		grep -q " $directory " /proc/mounts || continue
		umount "$directory" || note "cannot unmount $directory"
	done
}

# Twice: a block seen once as unreferenced may just have been on its way. The kernel says in its log
# when it found some.
look_for_leaks() {
	[ -e /sys/kernel/debug/kmemleak ] || return
	sleep 6
	for _ in 1 2; do
		echo scan >/sys/kernel/debug/kmemleak
		sleep 1
	done
	while read -r line; do
		note "leak: $line"
	done </sys/kernel/debug/kmemleak
}

# The reader has everything once it has what was written last.
hand_over_kernel_log() {
	note "end of the log $$"
	until grep -q "guest: end of the log $$" /run/kernel-log; do
		sleep 0.1
	done
	cat /run/kernel-log >/dev/virtio-ports/log
	log=clean
	/guest/check-log /run/kernel-log >/dev/null || log=complaint
}

give_verdict() {
	printf 'status=%s\nloaded=%s\nunload=%s\nlog=%s\nend\n' \
		"$status" "$loaded" "$unload" "$log" \
		>/dev/virtio-ports/verdict
}

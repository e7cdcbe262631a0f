# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# What the checks have in common: sourced by them, before anything else, where systemd runs them as
# root at each boot of the installed system.
exec >/dev/virtio-ports/out 2>&1 </dev/null
export LC_ALL=C

verdict=good

# step SENTENCE COMMAND...: its output is shown if it fails
step() {
	sentence=$1
	shift
	: >/tmp/output
	if "$@" >>/tmp/output 2>&1; then
		echo "ok - $sentence"
	else
		echo "not ok - $sentence"
		tail -n 40 /tmp/output | sed 's/^/# /'
		verdict=bad
	fi
}

not() { ! "$@"; }

no_failed_unit() {
	systemctl list-units --failed --no-legend --plain
	test -z "$(systemctl list-units --failed --no-legend --plain)"
}

# boots FIRST SECOND: one of them, then hands in the verdict and ends this boot
boots() {
	if [ -e /opt/check/again ]; then
		"$2"
	else
		touch /opt/check/again
		"$1"
	fi
	dmesg --raw >/dev/virtio-ports/log
	sync
	echo "$verdict" >/dev/virtio-ports/verdict
	# Without a bus it says so, and does it
	systemctl --no-block poweroff 2>/dev/null
}

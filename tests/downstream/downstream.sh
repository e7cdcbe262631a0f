#!/bin/sh
# SPDX-License-Identifier: MIT
#
# downstream.sh SOURCE_ROOT
#
# Builds and installs the library with a prefix of its own, as a user would, then builds one
# program from the installed files alone, in each way that users build, and runs it. Output is TAP.
set -u

source_root=$1
here=$source_root/tests/downstream
work=$(mktemp -d "${TMPDIR:-/tmp}/mshare-downstream.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
prefix=$work/prefix
count=0

bail() {
	echo "Bail out! $*"
	exit 1
}

need() {
	command -v "$1" >/dev/null || bail "$1 is missing: apt-get install $2"
}

# check NAME COMMAND...: one test; what the command says is shown when it fails.
check() {
	name=$1
	shift
	count=$((count + 1))
	if "$@" >"$work/log" 2>&1; then
		echo "ok $count - $name"
		sed 's/^/# /' "$work/log" | tail -n 3
	else
		echo "not ok $count - $name"
		sed 's/^/# /' "$work/log"
	fi
}

install_library() {
	meson setup "$work/build" "$source_root" --prefix="$prefix" --libdir=lib \
		--wrap-mode=nofallback -Dexamples=false -Dtests=false -Dman=enabled -Dtool=true &&
		meson install -C "$work/build"
} >"$work/install.log" 2>&1

is_installed() {
	test -f "$prefix/$1"
}

# Nothing that is only meant for building may be installed, nor anything outside these folders.
no_strangers() {
	strangers=$(cd "$prefix" && find . -type f -o -type l | grep -Ev \
		'^\./(include/mshare(\.h|/(abi|control|image)\.h)|lib/libmshare\.(a|so(\.[0-9.]+)?)|lib/pkgconfig/(lib)?mshare\.pc|lib/mshare/libmshare-preload\.so|share/bash-completion/completions/mshare|share/zsh/site-functions/_mshare|bin/mshare|libexec/mshare-host|share/man/man[0-9]/mshare[^/]*)$')
	test -z "$strangers" || {
		echo "$strangers"
		return 1
	}
}

# run PROGRAM: with the installed library, and without any hint where the helper is.
run() {
	env -u MSHARE_HOST -u MSHARE_BACKEND LD_LIBRARY_PATH="$prefix/lib" \
		"$1" "$prefix/libexec/mshare-host"
}

uses_shared_library() {
	LD_LIBRARY_PATH="$prefix/lib" ldd "$1" | grep -F "libmshare.so.0 => $prefix/lib/libmshare.so.0"
}

# shellcheck disable=SC2046 # the words of pkg-config are meant to be split
with_cc() {
	cc -Wall -Wextra -Werror "$here/consumer.c" -o "$work/with-cc" \
		$(pkg-config --cflags --libs mshare) &&
		uses_shared_library "$work/with-cc" && run "$work/with-cc"
}

# shellcheck disable=SC2046
with_long_name() {
	cc -Wall -Wextra -Werror "$here/consumer.c" -o "$work/with-long-name" \
		$(pkg-config --cflags --libs libmshare) && run "$work/with-long-name"
}

# shellcheck disable=SC2046
with_cc_static() {
	cc -static -Wall -Wextra -Werror "$here/consumer.c" -o "$work/with-cc-static" \
		$(pkg-config --static --cflags --libs mshare) || return 1
	if ldd "$work/with-cc-static"; then
		echo "not a static program"
		return 1
	fi
	run "$work/with-cc-static"
}

with_meson() {
	meson setup "$work/with-meson" "$here/with-meson" && ninja -C "$work/with-meson" &&
		uses_shared_library "$work/with-meson/consumer" && run "$work/with-meson/consumer"
}

with_cmake() {
	cmake -S "$here/with-cmake" -B "$work/with-cmake" && cmake --build "$work/with-cmake" &&
		uses_shared_library "$work/with-cmake/consumer" && run "$work/with-cmake/consumer"
}

# build_example NAME COMMAND SOURCE...: as examples/README.md says, warnings and all
# shellcheck disable=SC2046
build_example() {
	example=$1
	shift
	"$@" -Wall -Wextra -Werror -o "$work/$example" $(pkg-config --cflags --libs mshare) &&
		uses_shared_library "$work/$example"
}

same_version() {
	test "$(pkg-config --modversion mshare)" = "$(pkg-config --modversion libmshare)" &&
		test "$(pkg-config --variable=prefix mshare)" = "$prefix"
}

tool_runs() {
	LD_LIBRARY_PATH="$prefix/lib" "$prefix/bin/mshare" --version
}

# What the outer build was given must not leak into a user's.
unset DESTDIR CFLAGS LDFLAGS CPPFLAGS CC MSHARE_HOST MSHARE_BACKEND
need cc gcc
need meson meson
need ninja ninja-build
need pkg-config pkg-config
need cmake cmake
need scdoc scdoc

if ! install_library; then
	sed 's/^/# /' "$work/install.log" | tail -n 40
	bail "the library cannot be installed"
fi
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"

for file in include/mshare.h include/mshare/abi.h include/mshare/control.h include/mshare/image.h lib/libmshare.so lib/libmshare.so.0 lib/libmshare.a \
	lib/pkgconfig/libmshare.pc lib/pkgconfig/mshare.pc lib/mshare/libmshare-preload.so bin/mshare libexec/mshare-host \
	share/man/man1/mshare.1 share/man/man3/mshare_create.3 share/man/man3/mshare_attach.3 \
	share/man/man1/mshare-run.1 share/man/man5/mshare-image.5 \
	share/man/man7/mshare.7 share/man/man8/mshare-host.8; do
	check "$file is installed" is_installed "$file"
done
check "nothing else is installed" no_strangers
check "mshare.pc and libmshare.pc agree" same_version
check "the installed tool runs" tool_runs
check "cc, pkg-config mshare" with_cc
check "cc, pkg-config libmshare" with_long_name
check "cc -static, pkg-config --static" with_cc_static
check "Meson, dependency('mshare')" with_meson
check "CMake, pkg_check_modules(mshare)" with_cmake
for source in "$source_root"/examples/*.c; do
	name=$(basename "$source" .c)
	check "example $name, from its source alone" build_example "example-$name" cc "$source"
done
check "example buffer-pool, from its sources alone" \
	build_example example-buffer-pool cc "$source_root"/examples/buffer-pool/*.c
if command -v c++ >/dev/null; then
	check "example plus-plus, from its source alone" \
		build_example example-plus-plus c++ -std=c++17 "$source_root"/examples/plus-plus.cc
else
	count=$((count + 1))
	echo "ok $count - example plus-plus, from its source alone # SKIP no C++ compiler"
fi
echo "1..$count"

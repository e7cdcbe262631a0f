# SPDX-License-Identifier: MIT
# To be sourced with $here set: where the guests' files are, absolute. What was downloaded is in
# $cache, which is only read once it is filled; what is made from it is in $work.
root=$(cd "$here/../.." && pwd)
cache=$(realpath -m "${MSHARE_GUEST_CACHE:-$root/build/guest}")
work=$(realpath -m "${MSHARE_GUEST_WORK:-$root/build/guest}")

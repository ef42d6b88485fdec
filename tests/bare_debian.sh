#!/bin/sh
# The first hour on a bare machine: makes a Debian with nothing but the base system in a temporary folder, puts the
# last commit into it, and runs the quick start (20 steps) and all tests there. Not part of `./weft test`.
#
#   tests/bare_debian.sh [--keep]      --keep leaves the folder and says where it is
#
# Needs: root, debootstrap, unshare (util-linux), git, a network with a Debian mirror, 4 GB in ${TMPDIR:-/tmp}, and an
# hour at most. The mirror, its suite and how it is reached are those of this machine's own apt. Mounts are made in a
# mount namespace of their own and end with it, however the script ends.
# shellcheck disable=SC2016  # apt and the inner shells expand their own variables
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
say() { echo "bare_debian: $*"; }
fail() { say "$*" >&2; exit 4; }

[ "$(id -u)" -eq 0 ] || fail 'it must be run by root (debootstrap, mount, chroot)'
for tool in debootstrap unshare git chroot apt-get apt-config; do
  command -v $tool >/dev/null || fail "$tool is missing"
done
# shellcheck source=/dev/null
suite=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
sources=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' | sort -u)
mirror=$(echo "$sources" | awk -v suite="$suite" '$2 == suite && $3 == "main" { print $1; exit }')
[ -n "$mirror" ] || fail "this machine's apt knows no mirror for the suite '$suite'; is it a Debian?"
[ -z "$(git -C "$root" status --porcelain)" ] || say 'note: what is not committed is not tried'

temp=$(mktemp -d)
bare=$temp/bare
keep=${1-}
leave() {
  if [ "$keep" = --keep ]; then say "kept: $bare"; else rm -rf "$temp"; fi
}
trap leave EXIT
trap 'exit 130' INT TERM HUP

say "making $suite in $bare"
debootstrap --variant=minbase "$suite" "$bare" "$mirror" >"$temp/debootstrap.log" 2>&1 ||
  { tail -n 20 "$temp/debootstrap.log" >&2; fail 'debootstrap failed'; }
echo "$sources" | awk -v suite="$suite" 'index($2, suite) == 1 { print "deb", $1, $2, $3 }' >"$bare/etc/apt/sources.list"
apt-config dump | grep -E '^Acquire::(http|https|ftp|Check|Retries)' >"$bare/etc/apt/apt.conf.d/90host" || :
cp /etc/resolv.conf /etc/hosts "$bare/etc/"
if [ -d /etc/ssl/certs ]; then  # for a mirror behind https
  mkdir -p "$bare/etc/ssl"
  cp -RL /etc/ssl/certs "$bare/etc/ssl/" 2>/dev/null || :
fi
mkdir -p "$bare/home/a person/weft"
git -C "$root" archive HEAD | tar -x -C "$bare/home/a person/weft"

inside() {  # inside COMMAND: in the new root, in the checkout's folder
  unshare --mount --pid --fork sh -euc '
    mount -t proc proc "$1/proc"
    mount --rbind /dev "$1/dev"
    exec chroot "$1" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
      sh -euc "cd \"/home/a person/weft\"; $2"' sh "$bare" "$1" </dev/null
}
say 'the quick start'
inside './weft train examples/quickstart.yaml --set train.steps=20'
say 'the tests'
inside './weft test'
say 'both commands work on a bare Debian'

#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# systemd finds no mistake in the units, no unit is more exposed than it was (docs/security.md), and
# systemd-sysusers makes the users that the units name. Arguments: sysusers file, units.
set -u
command -v systemd-analyze >/dev/null || { echo "skipped: no systemd-analyze"; exit 77; }
status=0
sysusers=$1
shift
root=$(mktemp -d)
trap 'rm -r "$root"' EXIT
mkdir "$root/etc"
if command -v systemd-sysusers >/dev/null && systemd-sysusers --root="$root" "$sysusers" 2>/dev/null; then
	for user in $(sed -n 's/^User=//p' "$@"); do
		grep -q "^$user:" "$root/etc/passwd" && grep "^turnpike-files:" "$root/etc/group" | grep -q "$user" && continue
		echo "$user: not made, or not in the group of the files"
		status=1
	done
	# The keys in the tables are not for the process that reads bytes of strangers.
	if grep "^turnpike-tables:" "$root/etc/group" | grep -q turnpike-edge; then
		echo "turnpike-edge: in the group of the tables"
		status=1
	fi
	for group in $(sed -n 's/^\(Supplementary\)\{0,1\}Groups\{0,1\}=//p' "$@"); do
		grep -q "^$group:" "$root/etc/group" && continue
		echo "$group: group not made"
		status=1
	done
fi
for unit; do
	name=$(basename "$unit" .service)
	# The programs need not be installed.
	mistakes=$(systemd-analyze verify --man=no "$unit" 2>&1 | grep "$name" |
		grep -vE 'is not executable|Failed to connect')
	if [ -n "$mistakes" ]; then
		echo "$mistakes"
		status=1
	fi
	exposure=$(systemd-analyze security --offline=true --no-pager "$unit" 2>/dev/null |
		sed -n 's/.*Overall exposure level.*: \([0-9]*\)\.\([0-9]\).*/\1\2/p')
	case $name in
	turnpike-control) limit=13 ;;
	turnpike-dataplane) limit=37 ;;
	turnpike-directory) limit=27 ;;
	turnpike-edge) limit=19 ;;
	*) limit=46 ;;
	esac
	if [ -n "$exposure" ] && [ "$exposure" -gt $limit ]; then
		echo "$name: exposure $exposure, at most $limit"
		status=1
	fi
done
exit $status

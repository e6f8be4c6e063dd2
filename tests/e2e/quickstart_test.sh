#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# tools/quickstart in a lab of its own: its verdict is right on a good and on a bad network, and
# --undo leaves nothing, after a kill half-way too.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
[ "$(id -u)" = 0 ] || e2e_skip "needs root"
e2e_need ip nft ethtool openssl python3 turnutils_uclient
[ -x "$E2E_BUILD/control/turnpike-control" ] || e2e_skip "no control process built"
[ -x "$E2E_BUILD/dataplane/turnpike-dataplane" ] || e2e_skip "no data plane built"

name=quick-$$
out=$(mktemp)
E2E_LAB=$name

quick_end()
{
	local status=$?

	[ $e2e_failed = 0 ] || { echo "--- what quickstart said"; cat "$out"; }
	quick --undo > /dev/null 2>&1
	rm -f "$out"
	(exit $status)
	e2e_end
}

quick()
{
	TURNPIKE_BUILD=$E2E_BUILD "$E2E_TOP/tools/quickstart" --name $name "$@" 9>&-
}

quick_run()
{
	quick --no-install --seconds 6 > "$out" 2>&1
}

quick_lab_stays()
{
	e2e_lab status > /dev/null
}

# quick_number STREAM COLUMN: of the table at the end; columns sent, arrived, lost, gap.
quick_number()
{
	sed -n "s/^  $1  *//p" "$out" | awk -v k="$2" '{ print $k }'
}

quick_nothing_left()
{
	local left

	left=$(
		exec 2>/dev/null
		ls -d /run/netns/$name-* /etc/netns/$name-* /run/turnpike-$name /dev/shm/turnpike-$name \
			/var/lib/turnpike-quickstart-$name
		grep " /run/turnpike-$name" /proc/mounts
		pgrep -f "/run/turnpike-$name"
		true
	)
	[ -z "$left" ] || echo "$left"
	[ -z "$left" ]
}

quick_gone()
{
	[ ! -d "/proc/$1" ]
}

trap quick_end EXIT
trap 'exit 1' INT TERM

e2e_lab up --no-relay 2>/dev/null
e2e_check "a lab that is not its own is refused" e2e_not quick_run
e2e_check "and stays up" quick_lab_stays
e2e_lab down

e2e_check "a good network: exit 0" quick_run
for stream in undisturbed "control process killed"; do
	e2e_check "$stream: thousands sent, each arrived" \
		[ "$(quick_number "$stream" 1)" -ge 11000 -a \
			"$(quick_number "$stream" 1)" = "$(quick_number "$stream" 2)" ]
	e2e_check "$stream: nothing lost" [ "$(quick_number "$stream" 3)" = 0 ]
done
e2e_check "data plane killed: its gap is told" [ "$(quick_number "data plane killed" 4)" -gt 900 ]
e2e_check "requests of the pause were answered" grep -q '4 of 4 requests' "$out"
e2e_check "what changed is told" grep -q "namespaces .*$name-tp-relay" "$out"
e2e_check "and how to open the call page" grep -q "voicecall open a --lab $name" "$out"
e2e_check "the lab stays up" quick_lab_stays

# Over the lab that is up: one packet in three hundred is lost, and the verdict must say so.
quick_run &
running=$!
e2e_wait 120 grep -q '^ *1 s ' "$out"
ip netns exec $name-tp-net nft 'add table inet loss
	add chain inet loss forward { type filter hook forward priority 10; }
	add rule inet loss forward udp dport 3478 numgen inc mod 300 == 0 drop'
wait $running
e2e_check "a bad network: exit 1" [ $? = 1 ]
e2e_check "and the loss is named" grep -q 'FAILED: .* packets lost, with nothing in their way' "$out"

TURNPIKE_BUILD=$E2E_BUILD "$E2E_TOP/tools/quickstart" --name $name --no-install > "$out" 2>&1 9>&- &
running=$!
e2e_wait 120 grep -q '^ *1 s ' "$out"
call=$(pgrep -P $running -f streams.py)
kill -9 $running
wait $running 2>/dev/null
e2e_check "killed half-way: the streams end" e2e_wait 120 quick_gone "${call:-1}"
e2e_check "--undo after that" quick --undo
e2e_check "nothing is left" quick_nothing_left
e2e_check "--undo with nothing to undo" quick --undo

# Packages go only when somebody says so. The one recorded here is installed nowhere.
state=/var/lib/turnpike-quickstart-$name
quick_records()
{
	mkdir -p "$state" && echo turnpike-test-no-such-package > "$state/packages"
}
quick_answer()
{
	echo "$1" | TURNPIKE_BUILD=$E2E_BUILD script -qec \
		"'$E2E_TOP/tools/quickstart' --name $name --undo --packages" /dev/null 9>&- > "$out"
}
quick_records
e2e_check "--packages without a terminal wants --yes" \
	e2e_not quick --undo --packages < /dev/null 2> "$out"
e2e_check "and says so" grep -q -- '--yes' "$out"
e2e_check "and removes nothing" [ -s "$state/packages" ]
e2e_check "on a terminal it asks" quick_answer n
e2e_check "naming the packages" grep -q turnpike-test-no-such-package "$out"
e2e_check "no is no" [ -s "$state/packages" ]
e2e_check "yes is yes" quick_answer y
e2e_check "and nothing is left" [ ! -e "$state" ]
quick_records
e2e_check "--yes asks nobody" quick --undo --packages --yes < /dev/null
e2e_check "and leaves nothing" [ ! -e "$state" ]
e2e_check "--yes alone is refused" e2e_not quick --yes 2> "$out"

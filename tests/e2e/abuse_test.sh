#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Clients with valid credentials try to reach places closed to them, by UDP, TCP and TLS: with an allow
# list, and with the safe defaults. Listeners at the forbidden addresses hear nothing, nothing leaves
# the relay for them, and each attempt is counted.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_streams.sh"

e2e_need_turnpike
e2e_begin --streams --relay-ports 49152-49407
quota=40
ports=256
abuse=$E2E_TOP/tests/e2e/abuse.py
places=$E2E_TOP/tests/e2e/places.py
ctl="$E2E_BUILD/tools/relayctl/relayctl -s $TP_SOCKET"

reload()
{
	$ctl config reload > "$E2E_TMP/reload" 2>&1 || { cat "$E2E_TMP/reload"; false; }
}

# run PEERS: the lines of the client's checks.
run()
{
	e2e_run a timeout 900 python3 "$abuse" $ways --peers "$1" --server "$TP_RELAY4" \
		--server2 "$TP_RELAY4_2" --server6 "$TP_RELAY6" --server6-2 "$TP_RELAY6_2" --peer "$TP_B4" \
		--peer-netns "$TP_NS_B" --stranger-netns "$TP_NS_NET" \
		--password-file "$TP_PASSWORD_FILE" --ca "$TP_CA" --relayctl "$ctl" --quota $quota \
		--ports $ports \
		> "$E2E_TMP/run.$1" 2>&1
	local status=$?

	e2e_check "$1: each attempt was refused and counted" passed $status "$E2E_TMP/run.$1"
	grep -c '^ok' "$E2E_TMP/run.$1" | sed "s/^/$1: checks of the client: /"
}

passed()
{
	[ "$1" = 0 ] && grep -q '^ok' "$2" && ! grep -q '^not ok' "$2" || { grep -v '^ok' "$2"; false; }
}

# heard WORD: lines of all listeners with the word.
heard()
{
	cat "$E2E_TMP"/heard.* | grep -c "$1"
}

heard_all()
{
	[ "$(heard probe)" -ge "$1" ]
}

watch_from()
{
	e2e_background net "watch.$1" python3 "$places" watch r0 "${@:2}"
	e2e_check "$1: the router watches" e2e_wait 60 grep -q watches "$E2E_TMP/watch.$1"
}

# The router has the forbidden addresses that a host can have; the relay's way to others leads there.
unicast=$(python3 "$places" addresses allow)
for address in $unicast; do
	[[ $address == *:* ]] && length=128 || length=32
	ip -n "$TP_NS_NET" address add "$address/$length" dev lo
done
for side in net b relay; do
	e2e_background $side heard.$side python3 "$places" listen 7000 22 6379
	e2e_check "$side listens" e2e_wait 60 grep -q listens "$E2E_TMP/heard.$side"
done
watch_from allow "$TP_A4" "$TP_A6" "$TP_B4" "$TP_B6"
e2e_run relay python3 "$places" probe 7000 probe $unicast 127.0.0.1 ::1 "$TP_RELAY4" "$TP_RELAY4_2" \
	"$TP_RELAY6" "$TP_RELAY6_2" 10.77.0.255
n=$(wc -w <<< "$unicast")
e2e_check "a packet of the relay's host to each of them is heard" e2e_wait 60 heard_all $((n + 7))
e2e_check "and seen" e2e_wait 60 eval "[ \$(grep -c astray '$E2E_TMP/watch.allow') = $((n + 1)) ]"

sed -i "s|^\( *\)- {name: demo, .*|&\n\1- {name: second, password_file: $TP_PASSWORD_FILE}|" "$TP_CONFIG"
echo "limits: {user_quota: $quota}" >> "$TP_CONFIG"
e2e_check "a second user, and a quota" reload
e2e_check "the edge has found both processes" e2e_wait 60 edge_runs
ways=${ABUSE_WAYS:-}
run allow
e2e_check "no listener heard of it" [ "$(heard abuse)" = 0 ]
e2e_check "no connection came to one" [ "$(heard ^tcp)" = 0 ]
e2e_check "nothing left for a forbidden address" \
	[ "$(grep -c astray "$E2E_TMP/watch.allow")" = $((n + 1)) ]

sed -i '/^ *allow: /d; s/^peers:$/peers: {}/; /^limits: /d' "$TP_CONFIG"
e2e_check "a reload to the safe defaults, without a quota" reload
watch_from default "$TP_A4" "$TP_A6"
run default
e2e_check "no listener heard of that" [ "$(heard abuse)" = 0 ]
e2e_check "no connection came to one of them" [ "$(heard ^tcp)" = 0 ]
e2e_check "nothing left but for the clients" [ "$(grep -c astray "$E2E_TMP/watch.default")" = 0 ]

# Only the policy stood between: opened by name, the same packets arrive.
sed -i 's|^peers: {}$|peers: {allow: ["192.168.1.0/24", "fc00::/7", "64:ff9b::/96", "2002::/16", "2001::/32"]}|' \
	"$TP_CONFIG"
e2e_check "a reload opens two ranges, and those that hold addresses of IPv4" reload
ways=udp run open
heard_both()
{
	[ "$(heard "a word")" = 2 ]
}
e2e_check "their listeners hear the client" e2e_wait 60 heard_both
e2e_check "and the router sees it" e2e_wait 60 grep -q astray "$E2E_TMP/watch.default"
e2e_check "no call was denied" e2e_not grep -h call_denied "$TP_LAB_DIR"/*.log

#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# relaybench load in the lab: allocations, traffic both ways, replacement and floods; and its
# allocations held for the packets of relaybench export.
. "$(dirname "$0")/_init.sh"

RELAYBENCH=$E2E_BUILD/tools/relaybench/relaybench
[ -x "$RELAYBENCH" ] || e2e_skip "no relaybench built"
e2e_begin

# load OPTION...: its JSON in $E2E_TMP/load.json. Boosted, it could take a whole core from the relay:
# these runs judge packets, no speed.
load()
{
	"$RELAYBENCH" load --server "${LOAD_SERVER:-$TP_RELAY4}" --peer "${LOAD_PEER:-$TP_B4}" \
		--client-netns "$TP_NS_A" \
		--peer-netns "$TP_NS_B" --password-file "$TP_PASSWORD_FILE" --no-boost -o "$E2E_TMP/load.json" \
		"$@" > "$E2E_TMP/load.log" 2>&1 || { cat "$E2E_TMP/load.log"; return 1; }
}

# field EXPRESSION: of the last load, as Python sees it
field()
{
	python3 -c 'import json, sys; r = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' \
		"$E2E_TMP/load.json" "$1"
}

is_true()
{
	[ "$(field "$1")" = True ] || {
		tail -n 5 "$E2E_TMP/load.log"
		[ "$E2E_SERVER" != turnpike ] || e2e_run relay \
			"$E2E_BUILD/tools/relayctl/relayctl" -s "$TP_SOCKET" drop show
		return 1
	}
}

all_arrive='all(r["interval"][d]["lost"] == 0 and r["interval"][d]["wrong"] == 0 and
	r["interval"][d]["duplicates"] == 0 and r["interval"][d]["arrived"] > 1000 for d in ("up", "down"))'

e2e_check "50 allocations with 3 channels each" \
	load --allocations 50 --channels 3 --rate 800 --seconds 1.5 --direction both
e2e_check "nothing is lost or wrong in either direction" is_true "$all_arrive"
# nft counts the packets that arrive; the ring that is read beside it may be full on a busy machine.
e2e_check "every packet was read and timed, or counted as one the ring had no room for" is_true \
	'all(s["delay_ns"]["packets"] <= s["sent"] <= s["delay_ns"]["packets"] + s["unread"]
		for s in (r["interval"][d] for d in ("up", "down")))'
e2e_check "every allocation was set up and deleted by signed answers" is_true \
	'r["setup"]["live"] == r["setup"]["deleted"] == 50 and r["setup"]["bad_integrity"] == 0'

# Standard output holds JSON alone, without -o as well.
e2e_check "-j prints JSON and nothing else" bash -c '"$@" -j 2>/dev/null | python3 -m json.tool > /dev/null' - \
	"$RELAYBENCH" load --server "$TP_RELAY4" --peer "$TP_B4" --client-netns "$TP_NS_A" --peer-netns "$TP_NS_B" \
	--password-file "$TP_PASSWORD_FILE" --no-boost --allocations 5 --seconds 0.2

e2e_check "a counting sink" load --allocations 20 --rate 2000 --seconds 1 --sink count
e2e_check "counts every packet and reads some" is_true \
	'r["interval"]["up"]["lost"] == 0 and r["interval"]["up"]["read"] < r["interval"]["up"]["arrived"]'

e2e_check "several client addresses, replacement and floods" load --allocations 60 \
	--client 10.77.1.20 --client-addresses 4 --flood-addresses 2 --rate 1000 --seconds 2 \
	--direction both --churn 10 --flood-binding 200 --flood-allocate 200
e2e_check "nothing is lost beside them" is_true "$all_arrive"
e2e_check "allocations were replaced" is_true 'r["setup"]["replaced"] >= 3'
e2e_check "the floods were answered" is_true 'r["interval"]["flood_answers"] > 100'

load6()
{
	LOAD_SERVER=$TP_RELAY6 LOAD_PEER=$TP_B6 load "$@"
}

e2e_check "IPv6: 20 allocations of several client addresses" load6 --allocations 20 --channels 2 \
	--client fd77:1::20 --client-addresses 3 --rate 1000 --seconds 1.2 --direction both
e2e_check "IPv6: nothing is lost or wrong in either direction" is_true "$all_arrive"
e2e_check "IPv6: allocations were set up and deleted by signed answers" is_true \
	'r["setup"]["live"] == r["setup"]["deleted"] == 20 and r["setup"]["bad_integrity"] == 0'
e2e_check "IPv6: a counting sink" load6 --allocations 20 --rate 2000 --seconds 1 --sink count
e2e_check "IPv6: it counts every packet and reads some" is_true \
	'r["interval"]["up"]["lost"] == 0 and r["interval"]["up"]["read"] < r["interval"]["up"]["arrived"]'
e2e_check "families that do not agree are refused" \
	bash -c '"$@" 2>/dev/null; [ $? = 2 ]' _ "$RELAYBENCH" load --server "$TP_RELAY6" \
	--peer "$TP_B4" --client-netns "$TP_NS_A" --peer-netns "$TP_NS_B"

# One that answers nothing: the judge must say so.
e2e_check "a firewalled server gets no allocation" \
	bash -c '! "$@" 2>/dev/null' _ "$RELAYBENCH" load --server "$TP_RELAY4:9" --peer "$TP_B4" \
	--client-netns "$TP_NS_A" --peer-netns "$TP_NS_B" --setup-limit 2 --allocations 1
e2e_check "no load outside of a lab" \
	bash -c '"$@" 2>/dev/null; [ $? = 2 ]' _ "$RELAYBENCH" load --server 127.0.0.1 --peer 127.0.0.1
e2e_check "nothing stays behind in the namespaces" \
	bash -c '! ip netns exec "$1" nft list tables | grep relaybench &&
		! ip -n "$1" route show table local | grep 10.77.1.20 &&
		! ip -n "$1" -6 addr show dev eth0 | grep fd77:1::20' _ "$TP_NS_A"

if [ "$E2E_SERVER" = turnpike ] && command -v trafgen >/dev/null; then
	same=(--allocations 30 --channels 2 --first-client 0)
	load "${same[@]}" --client "$TP_A4" --hold 120 --map "$E2E_TMP/map" 9>&- &
	hold=$!
	e2e_wait 120 test -s "$E2E_TMP/map"
	mac=$(ip -n "$TP_NS_NET" -br link show a0 | awk '{ print $3 }')
	own=$(ip -n "$TP_NS_A" -br link show eth0 | awk '{ print $3 }')
	"$RELAYBENCH" export --format trafgen --server "$TP_RELAY4" --client "$TP_A4" "${same[@]}" \
		--ethernet "$mac,$own" -o "$E2E_TMP/up.trafgen"
	relayed()
	{
		e2e_run relay "$E2E_BUILD/tools/relayctl/relayctl" -s "$TP_SOCKET" -t counter show |
			awk '$1 == "channel_to_peer" { print $2 }'
	}
	before=$(relayed)
	e2e_run a trafgen -o eth0 -c "$E2E_TMP/up.trafgen" -n 600 --cpus 1 -t 1ms \
		> "$E2E_TMP/trafgen.log" 2>&1
	e2e_check "another generator's packets use the held allocations (from ${before:-?})" \
		e2e_wait 120 eval '[ "$(($(relayed) - before))" = 600 ]'
	kill -TERM $(pgrep -P $hold)
	wait $hold
fi

#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Two browsers whose firewalls let out nothing but TCP to port 443 of the relay: a call with video and
# 20 MB over a data channel both ways, by TCP and by TLS.
#
#   port443_test.sh chromium|firefox [chromium|firefox]
#
# The first browser is side a's, the second (the same one if there is none) side b's.
a=$1 b=${2:-$1}
. "$(dirname "$0")/../_init.sh"
. "$(dirname "$0")/../_streams.sh"

e2e_need turnutils_stunclient certutil
for browser in "$a" "$b"; do
	case $browser in
	chromium) e2e_need chromium ;;
	firefox) command -v firefox-esr > /dev/null || e2e_skip "no firefox-esr (tools/packages install firefox)" ;;
	esac
done
e2e_need_turnpike
e2e_begin --streams

# counter NAME: of the edge.
counter()
{
	relayctl -j edge show > "$E2E_TMP/edge" && e2e_json "$E2E_TMP/edge" \
		"[c['value'] for c in r['counters'] if c['counter'] == '$1'][0]"
}

connects()
{
	e2e_run "$1" timeout 20 bash -c "exec 5<>/dev/tcp/$TP_RELAY4/$2" 2> /dev/null
}

answers_by_udp()
{
	e2e_run "$1" timeout 5 turnutils_stunclient "$TP_RELAY4" > /dev/null 2>&1
}

# call URL OPTION...
call()
{
	python3 "$E2E_TOP/tests/e2e/browser/stream_call.py" --lab "$E2E_LAB" --a "$a" --b "$b" \
		--url "$1" --user demo --password-file "$TP_PASSWORD_FILE" \
		--netns-a "$TP_NS_A" --netns-b "$TP_NS_B" "${@:2}"
}

e2e_check "the edge has found both processes" e2e_wait 60 edge_runs
e2e_check "the relay answers by UDP" answers_by_udp a
for side in a b; do
	e2e_lab firewall tcp443 $side
	e2e_check "side $side: no UDP gets out" e2e_not answers_by_udp $side
	e2e_check "side $side: no other port does" e2e_not connects $side 3478
	e2e_check "side $side: port 443 does" connects $side 443
done
e2e_check "$a and $b by TCP" call "turn:$TP_RELAY_NAME:443?transport=tcp"
before=$(counter handshakes)
e2e_check "$a and $b by TLS" call "turns:$TP_RELAY_NAME:443?transport=tcp"
e2e_check "both sides shook hands" [ "$(counter handshakes)" -ge $((before + 2)) ]
echo "messages of clients: $(counter messages_in), and $(counter messages_full) for which a ring was full;" \
	"for clients: $(counter messages_out), and $(($(counter lost_late) + $(counter lost_full))) read too late"
e2e_check "no call was denied" e2e_not grep -h call_denied "$TP_LAB_DIR"/*.log

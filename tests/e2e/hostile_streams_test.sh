#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A client with valid credentials takes all it can get by TCP, TLS and DTLS: floods of requests over
# many connections, answers and media that it never reads, handshakes without end, garbage. A second
# user at another address goes on by UDP, TCP and TLS: no Refresh, permission or packet of media is
# lost, and a new client sends no request more than twice. Packets that the machine lost before the
# relay saw them are told apart.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_streams.sh"

e2e_need_turnpike
e2e_begin --streams

ctl="$E2E_BUILD/tools/relayctl/relayctl -s $TP_SOCKET"
second=${TP_A4%.*}.77

ip -n "$TP_NS_A" address add "$second/24" dev \
	"$(ip -n "$TP_NS_A" -o -4 address | awk -v a="$TP_A4" 'index($4, a "/") == 1 {print $2}')"
for port in 5000 5001; do
	e2e_background b echo.$port python3 "$E2E_TOP/tests/e2e/hostile.py" echo "$TP_B4" $port
	e2e_check "peer $port sends media back" e2e_wait 120 grep -q listens "$E2E_TMP/echo.$port"
done
e2e_check "the edge has found both processes" e2e_wait 60 edge_runs

e2e_check "the second user goes on beside every attack" \
	e2e_run a python3 "$E2E_TOP/tests/e2e/hostile_streams.py" judge ${HOSTILE_KINDS:-} \
	--server "$TP_RELAY4" --own "$TP_A4" --second "$second" --peer "$TP_B4" --peer-port 5000 \
	--secret-file "$TP_SECRET_FILE" --ca "$TP_CA" --relayctl "$ctl" \
	--netns "$TP_NS_A" --netns "$TP_NS_B" --netns "$TP_NS_NET" --netns "$TP_NS_RELAY"
no_ring_was_full()
{
	relayctl -j drop show all > "$E2E_TMP/drops"
	[ "$(e2e_json "$E2E_TMP/drops" "sum(d['packets'] for d in r if d['reason'] == 'punt_full')")" = 0 ]
}
# Requests lost so are the others', too, and those of streams are sent once.
e2e_check "the hostile client never takes all slots of a ring" no_ring_was_full
relayctl drop show
relayctl -t counter show | grep -E "^(challenge|binding|punt_|rings_)"

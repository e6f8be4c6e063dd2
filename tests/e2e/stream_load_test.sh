#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# relaybench streams in the lab: packets over TCP, TLS and DTLS in both directions, handshakes, full
# and resumed, and connections that are held. Counts alone; no speed.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_streams.sh"

RELAYBENCH=$E2E_BUILD/tools/relaybench/relaybench
[ -x "$RELAYBENCH" ] || e2e_skip "no relaybench built"
e2e_need_turnpike
e2e_begin --streams

# load TRANSPORT PORT OPTION...: its JSON in $E2E_TMP/load.json
load()
{
	"$RELAYBENCH" streams --transport "$1" --server "$TP_RELAY4:$2" --peer "$TP_B4" \
		--client-netns "$TP_NS_A" --peer-netns "$TP_NS_B" --password-file "$TP_PASSWORD_FILE" \
		--no-boost --server-pid "$(e2e_pid_of edge)" -o "$E2E_TMP/load.json" "${@:3}" \
		> "$E2E_TMP/load.log" 2>&1 || { cat "$E2E_TMP/load.log"; return 1; }
}

all_arrive='all(r["measured"][d]["lost"] == 0 and r["measured"][d]["wrong"] == 0 and
	r["measured"][d]["duplicates"] == 0 and r["measured"][d]["arrived"] > 100 for d in ("up", "down"))'

e2e_check "the edge has found both processes" e2e_wait 60 edge_runs
for way in "tcp 3478" "tls 5349" "dtls 5349" "udp 3478"; do
	e2e_check "20 clients by $way" load $way --clients 20 --rate 300 --seconds 1 --direction both
	e2e_holds "$E2E_TMP/load.json" "nothing is lost or wrong by $way" "$all_arrive"
done
e2e_check "large packets, several by one write" load tls 443 --clients 5 --rate 200 --seconds 1 \
	--payload 1200 --burst 8
e2e_holds "$E2E_TMP/load.json" "all arrive" 'r["measured"]["up"]["lost"] == 0'
# The relay allows 200 new connections per second of a source, so many at the beginning.
e2e_check "handshakes" load tls 5349 --measure handshakes --clients 4 --seconds 0.3
e2e_holds "$E2E_TMP/load.json" "are done, and not resumed" \
	'r["measured"]["handshakes"] > 0 and r["measured"]["resumed"] == 0'
sleep 2
e2e_check "resumed handshakes" load tls 5349 --measure handshakes --resume --clients 4 --seconds 0.3
e2e_holds "$E2E_TMP/load.json" "are resumed, all of them" \
	'r["measured"]["resumed"] == r["measured"]["handshakes"] > 0'
sleep 2
e2e_check "connections that are held" load tls 5349 --measure idle --clients 50 --seconds 0.5
e2e_holds "$E2E_TMP/load.json" "all of them, and answered in the end" \
	'r["measured"]["held"] == r["measured"]["answered"] == 50'
e2e_check "no load outside of a lab" \
	bash -c '"$@" 2>/dev/null; [ $? = 2 ]' _ "$RELAYBENCH" streams --server 127.0.0.1:9 --peer 127.0.0.1

#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# While the relay forwards 5,000 packets a second each way on its interface, the host's own traffic
# there goes on as if nothing had happened: TCP, DNS, ping.
. "$(dirname "$0")/_init.sh"

e2e_begin

report=$E2E_TMP/stream.json
e2e_stream "$report" --peer "$TP_B4" --rate 5000 --seconds 20 &
stream=$!
sleep 1

e2e_background b tcp.log python3 "$E2E_TOP/tests/e2e/traffic.py" tcp-server "$TP_B4" 7001
e2e_background net dns.log python3 "$E2E_TOP/tests/e2e/traffic.py" dns-server "$TP_NET4" 53
sleep 0.5
e2e_check "100 MB over TCP arrive unchanged" \
	e2e_run relay python3 "$E2E_TOP/tests/e2e/traffic.py" tcp-client "$TP_B4" 7001 100
e2e_check "500 DNS queries are all answered" \
	e2e_run relay python3 "$E2E_TOP/tests/e2e/traffic.py" dns-client "$TP_NET4" 53 500
for address in "$TP_RELAY4" "$TP_RELAY4_2" "$TP_RELAY6" "$TP_RELAY6_2"; do
	e2e_check "$address answers ping" e2e_run a ping -c 5 -i 0.2 -W 2 -q "$address" > /dev/null
done
e2e_check "the relay's host pings b" e2e_run relay ping -c 5 -i 0.2 -W 2 -q "$TP_B6" > /dev/null
wait $stream
e2e_holds "$report" "the stream went on meanwhile" \
	"r['up']['sent'] > 90000 and r['up']['received'] > 0.8 * r['up']['sent'] and
	r['down']['received'] > 0.8 * r['down']['sent']"
e2e_json "$report" "'lost meanwhile: %d of %d up, %d of %d down' % (r['up']['lost'],
	r['up']['sent'], r['down']['lost'], r['down']['sent'])"

#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# While the relay forwards 5,000 packets a second each way on its interface, the host's own traffic
# there goes on as if nothing had happened: TCP, DNS, ping.
. "$(dirname "$0")/_init.sh"

e2e_begin

report=$E2E_TMP/stream.json
e2e_stream_open "$report" --peer "$TP_B4" --rate 5000
e2e_stream_works "the stream passes"
e2e_background b tcp.log python3 "$E2E_TOP/tests/e2e/traffic.py" tcp-server "$TP_B4" 7001
e2e_background net dns.log python3 "$E2E_TOP/tests/e2e/traffic.py" dns-server "$TP_NET4" 53
e2e_check "100 MB over TCP arrive unchanged" \
	e2e_run relay python3 "$E2E_TOP/tests/e2e/traffic.py" tcp-client "$TP_B4" 7001 100
e2e_check "500 DNS queries are all answered" \
	e2e_run relay python3 "$E2E_TOP/tests/e2e/traffic.py" dns-client "$TP_NET4" 53 500
for address in "$TP_RELAY4" "$TP_RELAY4_2" "$TP_RELAY6" "$TP_RELAY6_2"; do
	e2e_check "$address answers ping" e2e_run a ping -c 5 -i 0.2 -W 20 -q "$address" > /dev/null
done
e2e_check "the relay's host pings b" e2e_run relay ping -c 5 -i 0.2 -W 20 -q "$TP_B6" > /dev/null
e2e_stream_works "and still does"
e2e_stream_close
# How many are lost is the machine's matter, not the test's.
e2e_holds "$report" "the stream went on meanwhile" \
	"all(r[d]['received'] > 10000 and r[d]['corrupt'] == 0 for d in ('up', 'down'))"
e2e_json "$report" "'lost meanwhile: %d of %d up, %d of %d down' % (r['up']['lost'],
	r['up']['sent'], r['down']['lost'], r['down']['sent'])"

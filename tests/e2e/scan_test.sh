#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A scan of a permitted peer's ports by Send indications is cut to limits.port_rate, and calls beside
# it lose nothing.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
e2e_begin

e2e_background b peer python3 "$E2E_TOP/tests/e2e/scan.py" peer 10.77.2.2
e2e_check "the peer listens" e2e_wait 20 grep -q listens "$E2E_TMP/peer"
e2e_run a python3 "$E2E_TOP/tests/e2e/scan.py" --server 10.77.0.1 --peer 10.77.2.2 \
	--secret "$TP_LAB_DIR/lab.secret" --config "$TP_CONFIG" --reached "$E2E_TMP/peer" run -- \
	"$E2E_BUILD/tools/relayctl/relayctl" -s "$TP_SOCKET" > "$E2E_TMP/run" 2>&1
e2e_check "the scans are cut, the calls are whole" [ $? = 0 ]
cat "$E2E_TMP/run"
e2e_check "the log names the user and a port, at most every ten seconds" \
	eval "n=\$(grep -c 'port_scan.*user=.*:scanner .*peer=10.77.2.2:' '$TP_LAB_DIR/control.log'); \
		[ \$n -ge 1 ] && [ \$n -le 6 ]"

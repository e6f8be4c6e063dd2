#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Rules of the peer policy with ports, put into force and under trial while a call goes on.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
e2e_begin

e2e_background b peer python3 "$E2E_TOP/tests/e2e/ports.py" peer 10.77.2.2
e2e_check "the peer listens" e2e_wait 20 grep -q listens "$E2E_TMP/peer"
e2e_run a python3 "$E2E_TOP/tests/e2e/ports.py" --server 10.77.0.1 --peer 10.77.2.2 \
	--secret "$TP_LAB_DIR/lab.secret" --config "$TP_CONFIG" call -- \
	"$E2E_BUILD/tools/relayctl/relayctl" -s "$TP_SOCKET" > "$E2E_TMP/call" 2>&1
e2e_check "every rule holds for the call" [ $? = 0 ]
cat "$E2E_TMP/call"

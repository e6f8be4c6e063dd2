#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The data plane is killed under calls by TLS and by UDP, and `turnpike` starts it again: no connection
# ends, and messages come again by themselves. Options: those of kill_gap.py.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_streams.sh"

e2e_need_turnpike
e2e_begin --streams
kills=${E2E_LONG:+20}

e2e_check "the processes of the lab stop" \
	eval 'for p in edge control dataplane; do e2e_lab kill $p --signal TERM || exit; done'
e2e_background relay turnpike.log "$E2E_BUILD/tools/turnpike/turnpike" --config "$TP_CONFIG"
e2e_check "turnpike starts them" e2e_wait 60 edge_runs
e2e_check "calls go on after each kill" python3 "$E2E_TOP/tests/e2e/kill_gap.py" "$TP_RELAY4" \
	--ca "$TP_CA" --password-file "$TP_PASSWORD_FILE" --netns "$TP_NS_A" --socket "$TP_SOCKET" \
	--relayctl "$E2E_BUILD/tools/relayctl/relayctl" --kills "${kills:-3}" "$@"
e2e_check "no call was denied" e2e_not grep -h call_denied "$E2E_TMP/turnpike.log"

#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# One of two edges is killed while one takes over from the other, at records chosen by hand and by
# chance: new clients are served, others go on or see an end, and nothing is left behind. Arguments go
# to kill_takeover.py: --rows N, --seed N.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_streams.sh"

e2e_need_turnpike
e2e_begin --streams
walk=$E2E_TOP/tests/e2e/kill_takeover.py
sed -i 's/^edge:$/edge:\n    drain: 3600/' "$TP_CONFIG"
e2e_check "the edge has found both processes" e2e_wait 60 edge_runs
e2e_check "the edge of the lab stops" e2e_lab kill edge --signal TERM
e2e_check "every row" python3 "$walk" --edge "$E2E_BUILD/control/edge/turnpike-edge" \
	--lab-dir "$TP_LAB_DIR" --netns "$TP_NS_RELAY" --config "$TP_CONFIG" \
	--relayctl "ip netns exec $TP_NS_RELAY $E2E_BUILD/tools/relayctl/relayctl -s $TP_LAB_DIR/control.sock" \
	--client "ip netns exec $TP_NS_A python3 $walk clients $TP_RELAY4 --ca $TP_CA --password-file $TP_PASSWORD_FILE" \
	${E2E_LONG:+--rows 100} "$@"

#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The restart matrix with turnpike-edge as a third process, under a UDP stream and clients by TCP and
# TLS: no event of the edge loses a UDP call, no event of the others a connection, and an edge that
# ended serves new ones. A selection of the pairs; all of them with the argument --all or
# TURNPIKE_TEST_LONG=1.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
config=$(mktemp)
# The walk adds a listener before the section relay.
e2e_lab --streams config | awk '/^edge:/ {edge = 1} /^relay:/ {edge = 0}
	edge {kept = kept $0 "\n"; next} {print} END {printf "%s", kept}' > "$config"
e2e_begin --streams --config "$config"
rm -f "$config"

matrix=$E2E_TOP/tests/e2e/restart_matrix_edge.py
e2e_check "the processes of the lab stop" \
	eval 'for p in edge control dataplane; do e2e_lab kill $p --signal TERM || exit; done'
e2e_check "calls are kept and packets pass again" \
	python3 "$matrix" --build "$E2E_BUILD" \
	--lab-dir "$TP_LAB_DIR" --netns "$TP_NS_RELAY" --interface nic0 \
	--config "$TP_CONFIG" --segment "$TP_SEGMENT" --socket "$TP_SOCKET" ${E2E_LONG:+--all} "$@" \
	--client ip netns exec "$TP_NS_A" python3 "$matrix" clients "$TP_RELAY4" --ca "$TP_CA" \
	--password-file "$TP_PASSWORD_FILE" -- \
	"$E2E_STREAM" run --server "$TP_RELAY4" --user demo --password-file "$TP_PASSWORD_FILE" \
	--netns "$TP_NS_A" --peer-netns "$TP_NS_B" --peer "$TP_B4" --rate 50 --seconds 3600

#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Pairs of events of the two processes (killed, stopped, started, reloaded, names of files lost,
# workers changed) under a stream: calls are kept, packets pass again. A selection of the pairs;
# all of them with the argument --all or TURNPIKE_TEST_LONG=1.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
e2e_begin

e2e_check "both processes of the lab stop" \
	eval 'e2e_lab kill control --signal TERM && e2e_lab kill dataplane --signal TERM'
e2e_check "calls are kept and packets pass again" \
	python3 "$E2E_TOP/tests/e2e/restart_matrix.py" --build "$E2E_BUILD" \
	--lab-dir "$TP_LAB_DIR" --netns "$TP_NS_RELAY" --interface nic0 \
	--config "$TP_CONFIG" --segment "$TP_SEGMENT" --socket "$TP_SOCKET" ${E2E_LONG:+--all} "$@" -- \
	"$E2E_STREAM" run --server "$TP_RELAY4" --user demo --password-file "$TP_PASSWORD_FILE" \
	--netns "$TP_NS_A" --peer-netns "$TP_NS_B" --peer "$TP_B4" --rate 50 --seconds 3600

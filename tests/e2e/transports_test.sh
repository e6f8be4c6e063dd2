#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Calls from one client of the relay to another, of every pair of transports (UDP, TCP, TLS, DTLS):
# all messages arrive, and nothing stays behind. Likewise while one client moves from each transport to
# each other, and back (RFC 8016).
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_streams.sh"

e2e_need openssl python3
e2e_need_turnpike
e2e_begin --streams

allocations()
{
	relayctl -j allocation list | python3 -c 'import json, sys; print(len(json.load(sys.stdin)))'
}

nothing_stays()
{
	[ "$(allocations)" = 0 ] && relayctl -j edge show | python3 -c 'import json, sys
sys.exit(json.load(sys.stdin)["connections"] != 0)'
}

e2e_check "the edge has found both processes" e2e_wait 60 edge_runs
# pairs OPTION...: of the client, which prints a line for each pair.
pairs()
{
	local line

	e2e_run a timeout 250 python3 "$E2E_TOP/tests/e2e/transports.py" "$TP_RELAY4" \
		--ca "$TP_LAB_DIR/ca.pem" --password-file "$TP_PASSWORD_FILE" "$@" > "$E2E_TMP/pairs" 2>&1
	e2e_check "the client ends well" [ $? = 0 ]
	while read -r line; do
		case $line in
		"ok - "*) e2e_ok "${line#ok - }" ;;
		"not ok - "*) e2e_not_ok "${line#not ok - }" ;;
		*) echo "$line" ;;
		esac
	done < "$E2E_TMP/pairs"
	e2e_check "sixteen pairs" [ "$(grep -c '^ok' "$E2E_TMP/pairs")" = 16 ]
}

pairs
pairs --move --messages 10
e2e_check "no connection and no allocation stays" e2e_wait 60 nothing_stays
e2e_check "no call was denied" e2e_not grep -h call_denied "$TP_LAB_DIR"/*.log

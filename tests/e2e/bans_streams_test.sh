#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A ban of a user reaches calls by UDP, TCP, TLS and DTLS alike, a killed control process forgets none of
# it, and when it is lifted each transport lets the user in.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_streams.sh"

e2e_need openssl python3
e2e_need_turnpike
e2e_begin --streams

coproc CLIENTS { e2e_run a python3 "$E2E_TOP/tests/e2e/banned.py" "$TP_RELAY4" --ca "$TP_LAB_DIR/ca.pem" \
	--password-file "$TP_PASSWORD_FILE" 2> "$E2E_TMP/clients"; }

# all_are STATE [WORD]: of each transport, as banned.py tells it.
all_are()
{
	local state

	echo "${2:-}" >&"${CLIENTS[1]}"
	read -r -t 300 state <&"${CLIENTS[0]}"
	[ "$state" = "udp:$1 tcp:$1 tls:$1 dtls:$1" ] || { echo "got $state"; cat "$E2E_TMP/clients"; return 1; }
}

calls_are()
{
	relayctl -j allocation list > "$E2E_TMP/calls" && [ "$(e2e_json "$E2E_TMP/calls" 'len(r)')" = "$1" ]
}

e2e_check "the edge has found both processes" e2e_wait 60 edge_runs
read -r -t 300 state <&"${CLIENTS[0]}"
e2e_check "four clients call" [ "$state" = ready ]
e2e_check "their packets pass" all_are heard:0:0
relayctl ban add demo --for 1h > /dev/null
e2e_check "a ban ends their calls" e2e_wait 60 calls_are 0
e2e_check "nothing passes, Refresh is 437, Allocate 401" all_are quiet:437:401 banned
e2e_lab kill control --signal KILL > /dev/null
e2e_lab start control > /dev/null
e2e_check "the edge has found control again" e2e_wait 60 edge_runs
e2e_check "it knows the ban" all_are quiet:437:401 banned
relayctl ban remove demo > /dev/null
e2e_check "lifted, new calls are let in, the old ones are over" all_are quiet:437:0 banned
exec {CLIENTS[1]}>&-

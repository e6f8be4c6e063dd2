#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A client with valid credentials, or with spoofed addresses, takes all it can get; a second user
# behind the same address goes on: no Refresh, permission or packet of media is lost, and a new client
# sends no request more than twice. Packets that the machine lost before the relay saw them are told
# apart.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
e2e_begin

relayctl="$E2E_BUILD/tools/relayctl/relayctl -s $TP_SOCKET"
e2e_background b echo.log python3 "$E2E_TOP/tests/e2e/hostile.py" echo "$TP_B4" 5000
e2e_check "a peer sends media back" e2e_wait 120 grep -q listens "$E2E_TMP/echo.log"

# judge SERVER OWN-ADDRESS [KIND...]
judge()
{
	e2e_run a python3 "$E2E_TOP/tests/e2e/hostile.py" judge "${@:3}" \
		--server "$1" --own "$2" --peer "$TP_B4" --peer-port 5000 \
		--secret-file "$TP_SECRET_FILE" --relayctl "$relayctl" \
		--netns "$TP_NS_A" --netns "$TP_NS_B" --netns "$TP_NS_NET" --netns "$TP_NS_RELAY"
}

# shellcheck disable=SC2086
e2e_check "the second user goes on beside every attack" judge "$TP_RELAY4" "$TP_A4" ${HOSTILE_KINDS:-}
e2e_check "and over IPv6 beside spoofed addresses" judge "$TP_RELAY6" "$TP_A6" spoofed spoofed-forged
$relayctl drop show
$relayctl -t counter show | grep -E "^(challenge|binding|punt_|rings_)"

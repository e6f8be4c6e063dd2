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

e2e_check "the second user goes on beside every attack" \
	e2e_run a python3 "$E2E_TOP/tests/e2e/hostile.py" judge ${HOSTILE_KINDS:-} \
	--server "$TP_RELAY4" --own "$TP_A4" --peer "$TP_B4" --peer-port 5000 \
	--secret-file "$TP_SECRET_FILE" --relayctl "$relayctl" \
	--netns "$TP_NS_A" --netns "$TP_NS_B" --netns "$TP_NS_NET" --netns "$TP_NS_RELAY"
$relayctl drop show
$relayctl -t counter show | grep -E "^(challenge|binding|punt_|rings_)"

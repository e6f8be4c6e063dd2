#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Legs narrower than their port, to the client and to the peer, over both families: senders with DF
# are told the number that they can use, and get through with it, also to clients of DTLS; clients
# hear of it by the ICMP attribute, by TCP too, relayctl shows it. Forged ICMP errors do nothing.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
e2e_begin --streams

e2e_check "each sender learns the right length" python3 "$E2E_TOP/tests/e2e/path_mtu.py" \
	--side-a "$TP_NS_A" --side-b "$TP_NS_B" --net "$TP_NS_NET" --a4 "$TP_A4" --a6 "$TP_A6" \
	--b4 "$TP_B4" --b6 "$TP_B6" --relay4 "$TP_RELAY4" --relay6 "$TP_RELAY6" \
	--password-file "$TP_PASSWORD_FILE" --ca "$TP_LAB_DIR/ca.pem" \
	--relayctl "$E2E_BUILD/tools/relayctl/relayctl -s $TP_SOCKET"

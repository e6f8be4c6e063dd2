#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Ports of 3,000 bytes and one leg that takes less, to the client or to the peer: every way through the
# relay, both families, lengths up to 4,000 bytes, DF set and clear. Each datagram arrives whole, or
# its sender is told the right number. TURNPIKE_TEST_LONG=1: all legs and lengths.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
e2e_begin --mtu 3000

some=(--mtu 1400 --length 1228 --length 1372 --length 1452 --length 2960 --length 4000)
[ -z "$E2E_LONG" ] || some=()
e2e_check "everything arrives, or its sender is told" \
	python3 "$E2E_TOP/tests/e2e/mtu_matrix.py" "${some[@]}" \
	--side-a "$TP_NS_A" --side-b "$TP_NS_B" --net "$TP_NS_NET" --a4 "$TP_A4" --a6 "$TP_A6" \
	--b4 "$TP_B4" --b6 "$TP_B6" --relay4 "$TP_RELAY4" --relay6 "$TP_RELAY6" \
	--password-file "$TP_PASSWORD_FILE"
"$E2E_BUILD/tools/relayctl/relayctl" -s "$TP_SOCKET" drop show

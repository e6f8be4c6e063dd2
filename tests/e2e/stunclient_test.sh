#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A Binding request is answered with the sender's own address, on every listener.
. "$(dirname "$0")/_init.sh"

e2e_need turnutils_stunclient
e2e_begin

for side in a b; do
	case $side in
	a) own4=$TP_A4 own6=$TP_A6 ;;
	b) own4=$TP_B4 own6=$TP_B6 ;;
	esac
	for server in "$TP_RELAY4" "$TP_RELAY6"; do
		own=$own4
		[ "$server" = "$TP_RELAY4" ] || own=$own6
		answer=$(e2e_run $side timeout 20 turnutils_stunclient "$server" 2>&1)
		if grep -qE "reflexive addr: \[?$own\]?:[0-9]+" <<< "$answer"; then
			e2e_ok "$side asks $server and is told $own"
		else
			e2e_not_ok "$side asks $server: $answer"
		fi
	done
done

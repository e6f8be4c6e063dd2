#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Legs of 1,280 bytes to client and peer, over both families, whose router tells nobody: senders that
# repeat long datagrams are told by the relay, also peers of clients by DTLS; the log and relayctl say
# so; not with the option off.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
e2e_begin --streams
relayctl=("$E2E_BUILD/tools/relayctl/relayctl" -s "$TP_SOCKET")

black_hole()
{
	python3 "$E2E_TOP/tests/e2e/black_hole.py" "$1" \
		--side-a "$TP_NS_A" --side-b "$TP_NS_B" --a4 "$TP_A4" --a6 "$TP_A6" \
		--b4 "$TP_B4" --b6 "$TP_B6" --relay4 "$TP_RELAY4" --relay6 "$TP_RELAY6" \
		--password-file "$TP_PASSWORD_FILE" --ca "$TP_LAB_DIR/ca.pem" \
		--relayctl "${relayctl[*]}"
}

healed()
{
	"${relayctl[@]}" -t counter show |
		awk '$1 == "mtu_black_hole" { gsub(",", "", $2); n += $2 } END { print n + 0 }'
}

by_black_hole()
{
	"${relayctl[@]}" -j allocation list > "$E2E_TMP/list.json"
	for id in $(e2e_json "$E2E_TMP/list.json" "' '.join(str(a['id']) for a in r)"); do
		"${relayctl[@]}" -j allocation show "$id"
	done | grep -c '"mtu_by": *"black_hole"'
}

for side in a b; do
	for family in -4 -6; do
		case $family in
		-4) to=10.77.$([ $side = a ] && echo 1 || echo 2).0/24 ;;
		-6) to=fd77:$([ $side = a ] && echo 1 || echo 2)::/64 ;;
		esac
		e2e_run net ip $family route replace "$to" dev ${side}0 proto kernel \
			$([ $family = -6 ] && echo metric 256) mtu 1280
	done
done
e2e_run net nft -f - <<-END
	table inet silence {
		chain output {
			type filter hook output priority 0;
			icmp type destination-unreachable icmp code frag-needed counter drop
			icmpv6 type packet-too-big counter drop
		}
	}
END

e2e_check "each sender is told and gets through" black_hole healed
echo "healed: $(healed) legs; shown: $(by_black_hole)"
e2e_check "the counter has them" [ "$(healed)" -ge 22 ]
e2e_check "relayctl shows how they are known" [ "$(by_black_hole)" -ge 20 ]
e2e_check "the log has them" grep -q "mtu_black_hole.*mtu=1280" "$TP_LAB_DIR/control.log"

sed -i 's/^protocol:/&\n    heal_black_holes: false/' "$TP_CONFIG"
e2e_check "the option is taken by a reload" "${relayctl[@]}" config reload
before=$(healed)
e2e_check "with the option off nobody is told" black_hole left
e2e_check "and nothing is counted" [ "$(healed)" = "$before" ]

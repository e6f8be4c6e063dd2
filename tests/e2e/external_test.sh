#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Behind 1:1 NAT, per family: clients are told the external address, peers see it, and two clients
# of the relay reach each other by it.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
public4=10.77.100.1
public6=fd77:100::1
config=$(mktemp)
"$E2E_TOP/tools/lab" --name "$E2E_LAB" config > "$config"
python3 - "$config" <<END
import re, sys
path = sys.argv[1]
text = open(path).read()
text = text.replace("relay:\n", "relay:\n    external:\n"
    "        - {private: 10.77.0.1, public: $public4}\n"
    '        - {private: "fd77::1", public: "$public6"}\n', 1)
open(path, "w").write(text)
END
e2e_begin --config "$config"
rm -f "$config"

ip netns exec "$TP_NS_NET" nft -f - <<END
table inet nat {
	chain in {
		type nat hook prerouting priority dstnat;
		ip daddr $public4 dnat ip to 10.77.0.1
		ip6 daddr $public6 dnat ip6 to fd77::1
	}
	chain out {
		type nat hook postrouting priority srcnat;
		ip saddr 10.77.0.1 oifname { "a0", "b0" } snat ip to $public4
		ip6 saddr fd77::1 oifname { "a0", "b0" } snat ip6 to $public6
	}
}
END

# external NAME SERVER RELAYED OPTION...
external()
{
	local name=$1 relayed=$3

	E2E_STREAM_SERVER=$2 e2e_stream "$E2E_TMP/$name.json" --rate 200 --seconds 3 "${@:4}" ||
		{ e2e_not_ok "$name: set-up"; return; }
	e2e_holds "$E2E_TMP/$name.json" "$name: the client is told the external address" \
		"r['relayed'].startswith('$relayed:')"
	e2e_holds "$E2E_TMP/$name.json" "$name: nothing lost, and the peer sees that address" \
		"r['up']['sent'] > 590 and r['up']['lost'] == 0 and r['down']['lost'] == 0 and
		r['other_source'] == 0"
}

external "4" $public4 $public4 --peer "$TP_B4"
external "6" $public6 "[$public6]" --family 6 --peer "$TP_B6"
external "hairpin 4" $public4 $public4 --peer-relay
external "hairpin 6" $public6 "[$public6]" --family 6 --peer-relay
external "hairpin 4 by indications" $public4 $public4 --peer-relay --data send

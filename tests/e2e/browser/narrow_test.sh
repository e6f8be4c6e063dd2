#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Two browsers, relay-only, over a leg of 1,280 bytes on the first one's side, the second one's or
# both, where the router tells senders of it by ICMP and where it is silent: calls with video, and 20 MB
# over a data channel both ways.
#
#   narrow_test.sh chromium|firefox
#
# NARROW_CALLS=N calls of each kind (default 5); NARROW_LEGS="a b ab" and NARROW_ICMP="told silent"
# choose kinds. Each call of Firefox must agree on the group X25519MLKEM768; NARROW_POST_QUANTUM=no:
# Firefox does not offer that group, and each call must agree on another one. NARROW_HEAL=no: the relay
# leaves black holes alone.
# TURNPIKE_TEST_SERVER=coturn counts without a verdict: it shows the behaviour of others.
browser=$1
. "$(dirname "$0")/../_init.sh"

case $browser in
chromium) e2e_need chromium certutil ;;
firefox) e2e_need firefox-esr certutil ;;
esac
e2e_begin

# leg SIDE MTU: of the link between that side and the router.
leg()
{
	e2e_run "$1" ip link set eth0 mtu "$2"
	e2e_run net ip link set "${1}0" mtu "$2"
}

# silence: the router tells nobody that a packet was too long.
silence()
{
	e2e_run net nft -f - <<-END
		table inet silence {
			chain output {
				type filter hook output priority 0;
				icmp type destination-unreachable icmp code frag-needed counter drop
				icmpv6 type packet-too-big counter drop
			}
		}
	END
}

# silence_end: it tells them again.
silence_end()
{
	e2e_run net nft -f - <<-END
		table inet silence
		delete table inet silence
	END
}

# counted NAME: the relay's counter of that name.
counted()
{
	"${relayctl[@]}" -t counter show | awk -v name="$1" '$1 == name { gsub(",", "", $2); n += $2 }
		END { print n + 0 }'
}

calls()
{
	local options=(--post-quantum "${NARROW_POST_QUANTUM:-yes}")

	[ "$E2E_SERVER" != turnpike ] || options+=(--relayctl "${relayctl[*]}")
	python3 "$E2E_TOP/tests/e2e/browser/narrow.py" --lab "$E2E_LAB" --browser "$browser" \
		--server "$TP_RELAY4" --user demo --password-file "$TP_PASSWORD_FILE" \
		--netns-a "$TP_NS_A" --netns-b "$TP_NS_B" --netns-net "$TP_NS_NET" --link-net r0 \
		--calls "${NARROW_CALLS:-5}" "${options[@]}"
}

# Calls without a relay say nothing of it.
coturn_keep()
{
	e2e_wait 30 e2e_run a timeout 10 turnutils_stunclient "$TP_RELAY4" > /dev/null 2>&1 && return
	echo "coturn no longer answers: it is started again"
	e2e_coturn_restart
}

relayctl=("$E2E_BUILD/tools/relayctl/relayctl" -s "${TP_SOCKET:-}")
if [ "$E2E_SERVER" = turnpike ] && [ "${NARROW_HEAL:-yes}" = no ]; then
	sed -i 's/^protocol:/&\n    heal_black_holes: false/' "$TP_CONFIG"
	"${relayctl[@]}" config reload > "$E2E_TMP/reload" || { cat "$E2E_TMP/reload"; exit 1; }
fi

for icmp in ${NARROW_ICMP:-told silent}; do
	silence_end
	[ "$icmp" = told ] || silence
	for legs in ${NARROW_LEGS:-a b ab}; do
		for side in a b; do
			[[ $legs == *$side* ]] && leg $side 1280 || leg $side 1500
		done
		echo "$browser, 1,280 at $legs, senders $icmp"
		if [ "$E2E_SERVER" = turnpike ]; then
			healed=$(counted mtu_black_hole)
			told=$(counted too_big)
			e2e_check "$browser, 1,280 at $legs, senders $icmp" calls
			echo "black holes healed: $(($(counted mtu_black_hole) - healed))," \
				"senders told by the relay: $(($(counted too_big) - told)) times"
		else
			calls
			e2e_ok "counted"
			coturn_keep || exit 1
		fi
	done
done
if [ "$E2E_SERVER" = turnpike ]; then
	"${relayctl[@]}" drop show
	grep mtu_black_hole "$TP_LAB_DIR"/*.log | tail -n 5
fi

# SPDX-License-Identifier: BSD-3-Clause
# The router's forward filter: the addresses that a side may reach. The router itself (the call
# page) stays reachable in every mode. A side's rules hold in both directions and for both families.

firewall_init()
{
	state_set firewall_a relay-only
	state_set firewall_b relay-only
	firewall_load
}

firewall_command()
{
	local mode=${1:-} side=${2:-}

	case $mode in
	open | relay-only | tcp443) ;;
	*) lab_die "firewall '$mode': open, relay-only or tcp443, then a or b" ;;
	esac
	case $side in
	a | b) ;;
	*) lab_die "firewall side '$side': a or b" ;;
	esac
	lab_need_root
	lab_need_up
	state_set "firewall_$side" "$mode"
	firewall_load
}

# firewall_side SIDE MODE: two chains, for packets from the side and for packets to it.
firewall_side()
{
	local from to

	case $2 in
	open)
		from=return
		to=return
		;;
	relay-only)
		from='oifname "r0" return'
		to='iifname "r0" return'
		;;
	tcp443)
		from='oifname "r0" tcp dport 443 return'
		to='iifname "r0" tcp sport 443 return
		iifname "r0" icmp type { destination-unreachable, time-exceeded } return
		iifname "r0" icmpv6 type { destination-unreachable, packet-too-big, time-exceeded } return'
		;;
	esac
	cat <<-END
	chain from_$1 {
		$from
		counter reject with icmpx type admin-prohibited
	}
	chain to_$1 {
		$to
		counter reject with icmpx type admin-prohibited
	}
	END
}

firewall_load()
{
	{
		echo "table inet lab { }"
		echo "delete table inet lab"
		echo "table inet lab {"
		firewall_side a "$(state_get firewall_a)"
		firewall_side b "$(state_get firewall_b)"
		cat <<-END
		chain forward {
			type filter hook forward priority 0; policy accept;
			iifname "a0" jump from_a
			iifname "b0" jump from_b
			oifname "a0" jump to_a
			oifname "b0" jump to_b
		}
		}
		END
	} | ip netns exec "$NS_NET" nft -f - || lab_die "nft refused the firewall of $NS_NET"
}

firewall_status()
{
	echo "  firewall       a $(state_get firewall_a), b $(state_get firewall_b)"
}

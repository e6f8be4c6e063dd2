# SPDX-License-Identifier: BSD-3-Clause
# Namespaces, veth pairs, addresses, routes and hosts files.
#
# Everything here lives inside the lab's own namespaces, so deleting those takes it all back; only
# /etc/netns/NAMESPACE/ is outside.

NET_HOSTS_MARK="# made by tools/lab"

net_list_possible()
{
	echo "$NS_NET" "$NS_A" "$NS_B" "$NS_RELAY" "$NS_RELAY2"
}

net_list()
{
	echo "$NS_NET" "$NS_A" "$NS_B" "$NS_RELAY" $([ "$(state_get nodes)" != 2 ] || echo "$NS_RELAY2")
}

net_of_side()
{
	case $1 in
	a) echo "$NS_A" ;;
	b) echo "$NS_B" ;;
	net) echo "$NS_NET" ;;
	relay) echo "$NS_RELAY" ;;
	relay2) echo "$NS_RELAY2" ;;
	*) lab_die "'$1' is no side: a, b, relay, relay2 or net" >&2 ;;
	esac
}

# A namespace or hosts file of that name which no lab made is somebody else's: refuse, do not clear.
net_need_free()
{
	local ns

	for ns in $(net_list_possible); do
		[ ! -e "/run/netns/$ns" ] ||
			lab_die "namespace $ns exists, but no lab '$LAB_NAME': tools/lab down$(lab_name_option)" \
				"clears what a lab left; else choose another --name"
		if [ -n "$(ls -A "/etc/netns/$ns" 2>/dev/null)" ] && ! net_hosts_ours "$ns"; then
			lab_die "/etc/netns/$ns exists and is not a lab's; choose another --name"
		fi
	done
}

net_hosts_ours()
{
	grep -qsxF "$NET_HOSTS_MARK" "/etc/netns/$1/hosts"
}

# Chromium asks for a TURN server's name with a dot at its end, which DNS knows and this file must.
net_hosts()
{
	mkdir -p "/etc/netns/$1"
	# The marked file appears whole or not at all: `up` may be killed here.
	cat > "/etc/netns/$1/.hosts.lab" <<-END
	$NET_HOSTS_MARK
	127.0.0.1 localhost
	::1 localhost
	10.77.0.1 relay.lab.turnpike relay.lab.turnpike.
	fd77::1 relay.lab.turnpike relay.lab.turnpike.
	10.77.0.11 relay2.lab.turnpike relay2.lab.turnpike.
	fd77::11 relay2.lab.turnpike relay2.lab.turnpike.
	10.77.0.254 call.lab.turnpike
	END
	mv "/etc/netns/$1/.hosts.lab" "/etc/netns/$1/hosts"
	: > "/etc/netns/$1/resolv.conf"
}

net_namespace()
{
	local ns=$1 forwarding=0

	[ "$ns" != "$NS_NET" ] || forwarding=1
	net_hosts "$ns"
	ip netns add "$ns"
	# Before any link exists, so that each link inherits it. accept_dad 0 covers link-local ones.
	ip netns exec "$ns" sh -e -c "
		cd /proc/sys/net
		for c in all default; do
			echo 0 > ipv4/conf/\$c/rp_filter
			echo 0 > ipv6/conf/\$c/accept_ra
			echo 0 > ipv6/conf/\$c/accept_dad
			echo $forwarding > ipv6/conf/\$c/forwarding
		done
		echo $forwarding > ipv4/ip_forward"
	ip -n "$ns" link set lo up
}

# net_veth NAMESPACE1 LINK1 NAMESPACE2 LINK2
net_veth()
{
	ip link add "$2" netns "$1" mtu "$LAB_MTU" type veth peer name "$4" netns "$3" mtu "$LAB_MTU"
	net_link "$1" "$2"
	net_link "$3" "$4"
}

# Made beforehand, as an operator's network manager does: addresses and routes outlive the process
# that takes the interface.
net_tap()
{
	ip -n "$1" tuntap add dev "$2" mode tap
	# The process that reads it may be off its core for a while.
	ip -n "$1" link set "$2" txqueuelen 10000 up
}

# A veth leaves checksums, segmentation and tags to its reader, which AF_XDP and AF_PACKET readers
# see.
net_link()
{
	ip netns exec "$1" ethtool -K "$2" tx off tso off gso off gro off \
		rxvlan off txvlan off >/dev/null 2>&1 ||
		lab_die "ethtool cannot turn off the offloads of $2 in $1"
	ip -n "$1" link set "$2" up
}

# net_address NAMESPACE LINK ADDRESS/LENGTH...
net_address()
{
	local ns=$1 link=$2 address

	shift 2
	for address; do
		case $address in
		*:*) ip -n "$ns" address add "$address" dev "$link" nodad ;;
		*) ip -n "$ns" address add "$address" dev "$link" ;;
		esac
	done
}

net_default_route()
{
	ip -n "$1" route add default via "$2"
	ip -n "$1" -6 route add default via "$3"
}

# The second node shares the relay's segment, so r0 becomes a bridge with a port for each node.
net_relay_links()
{
	if [ -n "$LAB_TWIN" ]; then
		net_tap "$NS_NET" r0
		net_tap "$NS_RELAY" nic0
		return
	fi
	if [ "$LAB_NODES" = 1 ]; then
		net_veth "$NS_NET" r0 "$NS_RELAY" nic0
		return
	fi
	ip -n "$NS_NET" link add r0 mtu "$LAB_MTU" type bridge forward_delay 0
	ip -n "$NS_NET" link set r0 up
	net_veth "$NS_NET" r1 "$NS_RELAY" nic0
	net_veth "$NS_NET" r2 "$NS_RELAY2" nic0
	ip -n "$NS_NET" link set r1 master r0
	ip -n "$NS_NET" link set r2 master r0
}

net_router_links()
{
	net_veth "$NS_NET" a0 "$NS_A" eth0
	net_veth "$NS_NET" b0 "$NS_B" eth0
	net_relay_links
	net_address "$NS_NET" a0 10.77.1.1/24 fd77:1::1/64
	net_address "$NS_NET" b0 10.77.2.1/24 fd77:2::1/64
	net_address "$NS_NET" r0 10.77.0.254/24 fd77::fe/64
}

# The relay takes the router's addresses on both sides: its neighbours notice no difference.
net_direct_links()
{
	net_veth "$NS_RELAY" nic0 "$NS_A" eth0
	net_veth "$NS_RELAY" nic1 "$NS_B" eth0
	net_address "$NS_RELAY" nic0 10.77.1.1/24 fd77:1::1/64
	net_address "$NS_RELAY" nic1 10.77.2.1/24 fd77:2::1/64
}

# Further relay addresses are a prefix routed to the relay, as a provider would do it.
net_relay_addresses()
{
	local i

	[ "$LAB_RELAY_ADDRESSES" -gt 0 ] || return 0
	if [ -z "$LAB_DIRECT" ]; then
		ip -n "$NS_NET" route add 10.77.3.0/24 via 10.77.0.1
		ip -n "$NS_NET" -6 route add fd77:3::/64 via fd77::1
	fi
	for ((i = 1; i <= LAB_RELAY_ADDRESSES; i++)); do
		net_address "$NS_RELAY" nic0 "10.77.3.$i/32" "fd77:3::$(printf %x $i)/128"
	done
}

net_up()
{
	local ns

	for ns in "$NS_NET" "$NS_A" "$NS_B" "$NS_RELAY"; do
		net_namespace "$ns"
	done
	[ "$LAB_NODES" = 1 ] || net_namespace "$NS_RELAY2"

	if [ -n "$LAB_DIRECT" ]; then
		net_direct_links
	else
		net_router_links
	fi
	net_address "$NS_A" eth0 10.77.1.2/24 fd77:1::2/64
	net_address "$NS_B" eth0 10.77.2.2/24 fd77:2::2/64
	net_address "$NS_RELAY" nic0 10.77.0.1/24 10.77.0.2/24 fd77::1/64 fd77::2/64
	net_default_route "$NS_A" 10.77.1.1 fd77:1::1
	net_default_route "$NS_B" 10.77.2.1 fd77:2::1
	[ -n "$LAB_DIRECT" ] || net_default_route "$NS_RELAY" 10.77.0.254 fd77::fe
	if [ "$LAB_NODES" = 2 ]; then
		net_address "$NS_RELAY2" nic0 10.77.0.11/24 10.77.0.12/24 fd77::11/64 fd77::12/64
		net_default_route "$NS_RELAY2" 10.77.0.254 fd77::fe
	fi
	net_relay_addresses
	net_wait_carrier
}

# A packet sent before the far end's link-local address is settled would be lost.
net_wait_carrier()
{
	local i side sides="a b relay" router=10.77.0.254

	# The relay's cable does not hang yet where its card is a process.
	[ -z "$LAB_TWIN" ] || sides="a b"
	[ -z "$LAB_DIRECT" ] || { sides="a b" router=10.77.0.1; }
	for side in $sides; do
		for ((i = 0; i < 100; i++)); do
			ip netns exec "$(net_of_side $side)" ping -c 1 -W 1 -q $router >/dev/null 2>&1 && break
			sleep 0.05
		done
		[ $i -lt 100 ] || lab_die "side $side does not reach the router $router"
	done
}

net_addresses()
{
	ip -n "$1" -br address show scope global | sed 's/@[^ ]*//' | awk '{
		printf "%s%s", (NR > 1 ? "; " : ""), $1
		for (i = 3; i <= NF && i < 9; i++) if ($i ~ /\//) printf " %s", $i }'
}

net_down()
{
	local ns

	for ns in $(net_list_possible); do
		if [ -e "/run/netns/$ns" ] && { [ -e "$LAB_DIR/state" ] || net_hosts_ours "$ns"; }; then
			net_report_strangers "$ns"
			ip netns del "$ns"
		fi
		if net_hosts_ours "$ns"; then
			rm -f "/etc/netns/$ns/hosts" "/etc/netns/$ns/resolv.conf"
		fi
		rm -f "/etc/netns/$ns/.hosts.lab"
		# Empty: made by an `up` that was killed just then.
		rmdir "/etc/netns/$ns" 2>/dev/null
	done
	rmdir /etc/netns 2>/dev/null || true
}

# Started past the lab (by hand with `ip netns exec`): named, never ended.
net_report_strangers()
{
	local pid

	for pid in $(ip netns pids "$1" 2>/dev/null); do
		lab_say "left running in $1, not started by the lab: pid $pid $(tr '\0' ' ' < /proc/$pid/cmdline)"
	done
}

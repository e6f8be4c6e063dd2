# SPDX-License-Identifier: BSD-3-Clause
# The relay's configuration in the lab. Passwords and secrets go by file.

config_runtime()
{
	[ "$1" = 1 ] && echo "$LAB_DIR" || echo "$LAB_DIR/node$1"
}

config_socket()
{
	echo "$(config_runtime "$1")/control.sock"
}

# The segment's directory: hugepages where the lab has them, else a link into /dev/shm. One path
# for both, so that a configuration can be written before `up`.
config_segment()
{
	echo "$LAB_DIR/huge"
}

config_file()
{
	echo "$LAB_DIR/turnpike$([ "$1" = 1 ] || echo "$1").yaml"
}

# config_addresses NODE: the node's listener addresses.
config_addresses()
{
	case $1 in
	1) echo 10.77.0.1 10.77.0.2 fd77::1 fd77::2 ;;
	2) echo 10.77.0.11 10.77.0.12 fd77::11 fd77::12 ;;
	esac
}

# Relay addresses: the node's first of each family, or the routed prefix where one was asked for.
config_relay_addresses()
{
	local i

	if [ "$LAB_RELAY_ADDRESSES" -gt 0 ] && [ "$1" = 1 ]; then
		for ((i = 1; i <= LAB_RELAY_ADDRESSES; i++)); do
			echo "10.77.3.$i" "fd77:3::$(printf %x $i)"
		done
	else
		config_addresses "$1" | awk '{ print $1, $3 }'
	fi
}

config_port()
{
	if [ -n "$LAB_TWIN" ]; then
		echo "{device: \"net_memif0,role=client,socket-abstract=no,rsize=12,$(
			)socket=$LAB_DIR/card.sock,mac=02:00:00:4d:00:01\", kernel: nic0}"
	else
		echo "{device: \"net_af_xdp0,iface=nic0\", interface: nic0$(
			)${TURNPIKE_LAB_XDP:+, xdp: $TURNPIKE_LAB_XDP}}"
	fi
}

# config_streams NODE: listeners of streams, and their certificate.
config_streams()
{
	local address

	for address in $(config_addresses "$1"); do
		echo "    - {transport: tcp, address: \"$address\", port: 3478}"
		echo "    - {transport: tls, address: \"$address\", port: 5349}"
		echo "    - {transport: tcp, address: \"$address\", port: 443}"
		echo "    - {transport: tls, address: \"$address\", port: 443}"
		echo "    - {transport: dtls, address: \"$address\", port: 3478}"
		echo "    - {transport: dtls, address: \"$address\", port: 5349}"
	done
	echo "edge:"
	echo "    certificates: [{certificate: $LAB_DIR/relay.pem, key: $LAB_DIR/relay.key}]"
}

config_generate()
{
	local node=$1 suffix= address port

	[ "$node" = 1 ] || suffix=$node
	echo "# Written by tools/lab; this lab's credentials exist nowhere else."
	echo "instance: $LAB_NAME$suffix"
	echo "runtime_directory: $(config_runtime "$node")"
	echo "realm: lab.turnpike"
	echo "dataplane:"
	echo "    workers: $([ -n "$LAB_TWIN" ] && echo 2 || echo 1)"
	echo "    poll: adaptive"
	[ ! -e "$LAB_DIR/state" ] || [ "$(state_get huge)" = yes ] || echo "    hugepages: never"
	echo "    ports:"
	echo "        - $(config_port)"
	[ -z "$LAB_DIRECT" ] || echo "        - {device: \"net_af_xdp1,iface=nic1\", interface: nic1}"
	echo "listeners:"
	for address in $(config_addresses "$node"); do
		for port in 3478 3479; do
			echo "    - {transport: udp, address: \"$address\", port: $port}"
		done
	done
	[ -z "$LAB_STREAMS" ] || config_streams "$node"
	echo "relay:"
	echo "    addresses:"
	for address in $(config_relay_addresses "$node"); do
		echo "        - \"$address\""
	done
	echo "    ports: $LAB_RELAY_PORTS"
	echo "users:"
	echo "    - {name: demo, password_file: $LAB_DIR/demo.password}"
	echo "secrets:"
	echo "    - {id: lab, secret_file: $LAB_DIR/lab.secret}"
	echo "peers:"
	echo "    allow: [\"10.77.0.0/16\", \"fd77::/16\"]"
	# Debian's coturn client binds channels up to 0x7fff.
	echo "protocol:"
	echo "    channel_max: 0x7fff"
	echo "segment:"
	echo "    directory: $(config_segment)"
}

# Dies before anything is made if --config names an interface that this lab will not have.
config_need_interfaces()
{
	local name have="nic0"

	[ -n "$LAB_CONFIG" ] || return 0
	[ -z "$LAB_DIRECT" ] || have="nic0 nic1"
	for name in $(sed 's/#.*//' "$LAB_CONFIG" |
		grep -oE '(interface|kernel): *["'\'']?[A-Za-z0-9._-]+|iface=[A-Za-z0-9._-]+' |
		sed "s/.*[:= \"']//" | sort -u); do
		[[ " $have " == *" $name "* ]] && continue
		lab_die "$LAB_CONFIG names the interface $name; this lab's relay has $have" \
			"$([ "$name" != nic1 ] || echo "(nic1: with --direct)")"
	done
}

config_install()
{
	local node

	(umask 077 && printf 'demo-password\n' > "$LAB_DIR/demo.password")
	(umask 077 && printf 'lab-secret\n' > "$LAB_DIR/lab.secret")
	# Read again at each reload, as the control process's user.
	[ -n "$LAB_NO_RELAY" ] ||
		chown turnpike-control "$LAB_DIR/demo.password" "$LAB_DIR/lab.secret"
	[ -z "$LAB_STREAMS" ] || chown turnpike-edge "$LAB_DIR/relay.key"
	for ((node = 1; node <= LAB_NODES; node++)); do
		mkdir -p "$(config_runtime $node)"
		if [ -n "$LAB_CONFIG" ] && [ $node = 1 ]; then
			cp "$LAB_CONFIG" "$(config_file 1)"
		else
			config_generate $node > "$(config_file $node)"
		fi
	done
}

config_print()
{
	if [ -e "$(config_file "$LAB_NODE")" ]; then
		cat "$(config_file "$LAB_NODE")"
	else
		config_generate "$LAB_NODE"
	fi
}

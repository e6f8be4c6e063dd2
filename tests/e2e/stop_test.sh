#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# SIGTERM ends each process (10 s are a failure) and leaves nothing of ours: no XDP program, no nft table, no
# reserved ports, no socket. The previous state is restored.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
e2e_begin

relay_sh()
{
	e2e_run relay sh -c "$1"
}

# ends PROCESS: by SIGTERM.
ends()
{
	e2e_lab kill "$1" --signal TERM
}

xdp_attached()
{
	ip -n "$TP_NS_RELAY" -d link show nic0 | grep -q 'xdp'
}

table_present()
{
	relay_sh "nft list tables" | grep -q turnpike
}

e2e_stream "$E2E_TMP/stream.json" --peer "$TP_B4" --rate 500 --seconds 3
e2e_holds "$E2E_TMP/stream.json" "a stream passes before" "r['up']['lost'] == 0"
e2e_check "while it runs the program is attached" xdp_attached
e2e_check "while it runs the kernel keeps off the relay's ports" \
	grep -q 49152-65535 <(relay_sh "cat /proc/sys/net/ipv4/ip_local_reserved_ports")
e2e_check "while it runs promiscuous mode is off" \
	e2e_not grep -q PROMISC <(ip -n "$TP_NS_RELAY" link show nic0)

e2e_check "control ends" ends control
e2e_check "the data plane ends" ends dataplane
e2e_check "no XDP program is left" e2e_not xdp_attached
e2e_check "no nft table is left" e2e_not table_present
e2e_check "the reserved ports are as before" \
	[ -z "$(relay_sh "cat /proc/sys/net/ipv4/ip_local_reserved_ports")" ]
e2e_check "no socket is left" [ -z "$(find "$TP_LAB_DIR" -type s)" ]
e2e_check "no process is left" [ -z "$(ip netns pids "$TP_NS_RELAY")" ]

e2e_check "both start again" e2e_lab start dataplane
e2e_check "both start again" e2e_lab start control
e2e_stream "$E2E_TMP/stream.json" --peer "$TP_B4" --rate 500 --seconds 3
e2e_holds "$E2E_TMP/stream.json" "a stream passes again" \
	"r['up']['lost'] == 0 and r['down']['lost'] == 0"

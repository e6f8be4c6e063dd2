#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The host changes under the running relay: its steering program, its nft table, its interface.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
e2e_begin
ctl="$E2E_BUILD/tools/relayctl/relayctl -s $TP_LAB_DIR/control.sock"
log=$TP_LAB_DIR/dataplane.log

# answered: whether a Binding request of the client's side is answered.
answered()
{
	e2e_run a timeout 2 turnutils_stunclient "$TP_RELAY4" > /dev/null 2>&1
}

logged()
{
	grep -q " $1 .*$2" "$log"
}

e2e_need turnutils_stunclient
e2e_check "the relay answers" e2e_wait 120 answered
e2e_check "the mode of XDP is shown" \
	grep -qE "native|generic" <($ctl -t port show)

# "xdp off" leaves a generic program where it is.
e2e_run relay ip link set nic0 xdp off
e2e_run relay ip link set nic0 xdpgeneric off
e2e_check "a steering program that was taken off is put back" \
	e2e_wait 120 logged steering_lost "done: attached again"
e2e_check "and the relay answers" e2e_wait 120 answered

e2e_run relay nft flush ruleset
e2e_check "a guard that was flushed is made again" e2e_wait 120 logged guard_lost "done: made again"
e2e_check "with its rules" \
	grep -q "udp dport @listeners4" <(e2e_run relay nft list ruleset)

e2e_run relay ip link set nic0 address 02:00:00:00:12:34
e2e_check "another MAC address is followed" e2e_wait 120 logged port_changed "another MAC address"
# A substituted process would be read once, and only the first attempt would see it.
shown()
{
	$ctl -t port show | grep -q "$1"
}
e2e_check "and shown" e2e_wait 120 shown 02:00:00:00:12:34
e2e_run net ip neigh flush all
e2e_check "and the relay answers from it" e2e_wait 120 answered

# Older kernels rename no interface that is up.
if e2e_run relay ip link set nic0 name nic7; then
	e2e_check "another name is followed" e2e_wait 120 logged port_changed "another name"
	e2e_check "and shown" e2e_wait 120 shown nic7
	e2e_check "and the relay answers" e2e_wait 120 answered
	e2e_run relay ip link set nic7 name nic0
	e2e_check "and back" e2e_wait 120 shown nic0
fi

e2e_run relay ip link set nic0 mtu 1400
e2e_check "another MTU is followed" e2e_wait 120 logged port_changed "another MTU"

e2e_run relay ip link del nic0
e2e_check "a removed interface is reported" e2e_wait 120 logged port_link "up=false"
e2e_run relay ip link add nic0 type veth peer name nic9
e2e_check "one made again ends the process, with the reason" \
	e2e_wait 120 logged port_changed "removed and made again"
gone()
{
	[ -z "$(e2e_pid_of dataplane)" ]
}
e2e_check "so that its next start opens it" e2e_wait 120 gone

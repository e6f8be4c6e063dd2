#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# relayctl status before an operator whose relay has lost everything: the cause is named first, with
# its remedy; before and after, the relay is ok. Then addresses that no interface has.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
e2e_need ethtool
e2e_begin
relayctl=$E2E_BUILD/tools/relayctl/relayctl
control=$E2E_BUILD/control/turnpike-control

# status EXPRESSION: whether it holds for s, the JSON of `relayctl status`, and f, its first warning.
status()
{
	"$relayctl" -s "$TP_SOCKET" -j status > "$E2E_TMP/status.json" 2>&1 &&
		python3 -c 'import json, sys
s = json.load(open(sys.argv[1]))
f = (s["warnings"] or [{"what": "", "next": ""}])[0]
sys.exit(0 if eval("(" + sys.argv[2] + ")") else 1)' "$E2E_TMP/status.json" "$1"
}

# told NAME EXPRESSION: within some seconds.
told()
{
	if e2e_wait 120 status "$2"; then
		e2e_ok "$1"
	else
		e2e_not_ok "$1"
		cat "$E2E_TMP/status.json"
	fi
}

ok='s["verdict"] == "ok"'

# binding [COUNT]: so many Binding requests of the client's side; whether one is answered.
binding()
{
	e2e_run a python3 -c "
import os, socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(0.3)
for _ in range(int(sys.argv[1])):
    s.sendto(struct.pack('!HHI', 1, 0, 0x2112A442) + os.urandom(12), ('$TP_RELAY4', 3478))
    try:
        sys.exit(0 if s.recv(1500) else 1)
    except TimeoutError:
        pass
sys.exit(1)" "${1:-1}"
}

logged()
{
	grep -q " $1 .*$2" "$TP_LAB_DIR/control.log"
}

# unfinished on|off: whether the links of the client's side leave checksums to a card.
unfinished()
{
	e2e_run a ethtool -K eth0 tx "$1"
	e2e_run net ethtool -K a0 tx "$1"
	e2e_run net ethtool -K r0 tx "$1"
}

e2e_check "the relay answers" e2e_wait 120 binding
told "a quiet relay is ok" "$ok"

# --- checksums that a card would have finished, three packets a second
unfinished on > /dev/null
binding 100 &
asking=$!
told "unfinished checksums are named first" \
	's["verdict"] == "down" and "bad_udp_checksum" in f["what"] and "veth" in f["next"]'
e2e_check "no request with an unfinished checksum is answered" kill -0 "$asking"
unfinished off > /dev/null
e2e_check "finished ones are answered" wait "$asking"
told "then the relay is ok" "$ok"

# --- another XDP program in the place of ours
e2e_background relay foreign.log python3 "$E2E_TOP/tests/e2e/foreign_xdp.py" nic0
foreign=$e2e_pid
if e2e_wait 120 grep -q held "$E2E_TMP/foreign.log"; then
	told "another program in the place of ours is named first" \
		's["verdict"] == "down" and "steering program is off" in f["what"] and
			"xdp off" in f["next"]'
	pkill -P "$foreign"
	kill "$foreign"
	wait "$foreign" 2>/dev/null
	told "without it the relay is ok" "$ok"
	e2e_check "and answers" e2e_wait 120 binding
else
	echo "not run: $(cat "$E2E_TMP/foreign.log")"
fi

# --- the guard
e2e_run relay nft flush ruleset
e2e_check "a flushed guard is reported" e2e_wait 120 grep -q " guard_lost " "$TP_LAB_DIR/dataplane.log"
told "and back: the relay is ok" "$ok"

# --- a data plane that stands still
pid=$(e2e_pid_of dataplane)
kill -STOP "$pid"
told "a data plane that stands still is named first" \
	's["verdict"] == "down" and ("no sign of life" in f["what"] or "is stuck" in f["what"]) and
		"restart turnpike-dataplane" in f["next"]'
kill -CONT "$pid"
told "when it goes on the relay is ok" "$ok"

# --- an address that no interface has
e2e_check "--check says nothing of the lab's configuration" \
	e2e_not grep -q "no interface" <(e2e_run relay "$control" --check "$TP_CONFIG")
cp "$TP_CONFIG" "$E2E_TMP/before.yaml"
python3 - "$TP_CONFIG" <<'PYTHON'
import re, sys
text = open(sys.argv[1]).read()
text = re.sub(r"(?m)^(listeners:\n)(\s+)- ", r"\1\2- {address: 10.77.0.91}\n\2- ", text, 1)
open(sys.argv[1], "w").write(re.sub(r"(?ms)^(relay:\n(\s+)addresses:).*?(?=^\S|^\s+\w+:)",
                                    r"\1 [10.77.0.92]\n", text, 1))
PYTHON
e2e_run relay "$control" --check "$TP_CONFIG" > "$E2E_TMP/check" 2>&1
e2e_check "--check warns of an absent listener's address" \
	grep -q "^warning: .*listeners\[0\].address: no interface of this host has 10.77.0.91" \
	"$E2E_TMP/check"
e2e_check "and of an absent relay address" \
	grep -q "^warning: .*relay.addresses\[0\]: no interface of this host has 10.77.0.92" \
	"$E2E_TMP/check"
e2e_check "and calls the file usable" grep -q ": ok$" "$E2E_TMP/check"
kill -HUP "$(e2e_pid_of control)"
e2e_check "the reload reports the listener" e2e_wait 120 logged address_absent 10.77.0.91
e2e_check "and the relay address" e2e_wait 120 logged address_absent 10.77.0.92
told "status names both" \
	's["verdict"] == "warning" and
		{"10.77.0.91", "10.77.0.92"} <= {w["what"].split()[-1] for w in s["warnings"]}'
e2e_check "no allocation is made on an absent address" \
	e2e_not e2e_stream "$E2E_TMP/absent.json" --peer "$TP_B4" --rate 10 --seconds 1
e2e_check "but refused, with the cause" e2e_wait 120 logged ports_exhausted "no relay port"
ip -n "$TP_NS_RELAY" address add 10.77.0.92/24 dev nic0
e2e_check "an address that comes is reported" e2e_wait 120 logged address_present 10.77.0.92
e2e_check "and serves" e2e_stream "$E2E_TMP/present.json" --peer "$TP_B4" --rate 10 --seconds 1
ip -n "$TP_NS_RELAY" address del 10.77.0.92/24 dev nic0
e2e_check "one that leaves while the relay runs is reported again" \
	e2e_wait 120 eval '[ "$(grep -c " address_absent .*10.77.0.92" "$TP_LAB_DIR/control.log")" = 2 ]'
cp "$E2E_TMP/before.yaml" "$TP_CONFIG"
kill -HUP "$(e2e_pid_of control)"
told "with the old configuration the relay is ok" "$ok"

# --- the interface
ip -n "$TP_NS_RELAY" link set nic0 down
told "an interface that is down is named first" \
	's["verdict"] == "down" and "has no link" in f["what"] and
		"ip link set nic0 up" in f["next"]'

#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The operator's view of running traffic: relayctl top and relayctl trace start.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
e2e_begin
ctl="$E2E_BUILD/tools/relayctl/relayctl -s $TP_LAB_DIR/control.sock"

# ask EXPRESSION FILE: whether it holds for the JSON documents of a file, one a line or one in all.
ask()
{
	python3 - "$1" "$2" <<'PYTHON'
import json, sys
text = open(sys.argv[2]).read()
try:
    d = json.loads(text)
except json.JSONDecodeError:
    d = [json.loads(line) for line in text.splitlines()]
sys.exit(0 if eval(sys.argv[1]) else 1)
PYTHON
}

e2e_stream_open "$E2E_TMP/stream.json" --peer "$TP_B4:5000" --rate 200 --size 160

$ctl -j top -n 3 > "$E2E_TMP/top.json"
e2e_check "top prints a line each second" ask 'len(d) == 3' "$E2E_TMP/top.json"
e2e_check "top sees the packets" ask 'max(x["packets_per_s"] for x in d) > 200' "$E2E_TMP/top.json"
e2e_check "top names the busy allocation" \
	ask "d[-1]['hot'] and d[-1]['hot'][0]['client'].startswith('$TP_A4:')" "$E2E_TMP/top.json"

$ctl -j trace start --client "$TP_A4" -n 10 > "$E2E_TMP/trace.json"
e2e_check "as many packets as asked for" ask 'len(d) == 10' "$E2E_TMP/trace.json"
e2e_check "both ways, with their addresses" \
	ask "({x['way'] for x in d} == {'channel_to_peer', 'peer_to_channel'} and
		all('$TP_A4' in x['from'] + x['sent_to'] and x['cycles'] > 0 for x in d))" \
	"$E2E_TMP/trace.json"

# A channel that nobody bound.
e2e_background b stranger.log python3 -c "
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('$TP_B4', 7777))
while True:
    s.sendto(bytes.fromhex('4077000461626364'), ('$TP_RELAY4', 3478))
    time.sleep(0.2)"
$ctl -j trace start --client "$TP_B4:7777" -n 1 --seconds 60 > "$E2E_TMP/drop.json"
e2e_check "a drop is told with its reason and a remedy" \
	ask 'len(d) == 1 and d[0]["reason"] == "no_channel" and d[0]["next"]' "$E2E_TMP/drop.json"
e2e_stream_close
e2e_check "the stream lost nothing of it" \
	ask 'd["up"]["lost"] == 0 and d["down"]["lost"] == 0' "$E2E_TMP/stream.json"

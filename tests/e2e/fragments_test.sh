#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Datagrams that do not fit: every way through the relay with lengths up to 4,000 bytes, requests in
# fragments, coturn's client with 1,450 bytes; and fragments of every bad kind beside a call, which
# takes no harm.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
e2e_begin

relayctl="$E2E_BUILD/tools/relayctl/relayctl -s $TP_SOCKET"
fragments()
{
	python3 "$E2E_TOP/tests/e2e/fragments.py" "$1" --server4 "$TP_RELAY4" --server6 "$TP_RELAY6" \
		--a4 "$TP_A4" --a6 "$TP_A6" --b4 "$TP_B4" --b6 "$TP_B6" --netns-a "$TP_NS_A" \
		--netns-b "$TP_NS_B" --password-file "$TP_PASSWORD_FILE" "${@:2}"
}

# drops PATTERN: packets dropped by these reasons so far.
drops()
{
	$relayctl -j drop show all > "$E2E_TMP/drops.json"
	python3 - "$E2E_TMP/drops.json" "$1" <<-'END'
		import json, re, sys
		print(sum(d["packets"] for d in json.load(open(sys.argv[1]))
		          if re.fullmatch(sys.argv[2], d["reason"])))
	END
}

memory()
{
	awk '/^Rss(Anon|Shmem)/ {n += $2} END {print n}' "/proc/$(e2e_pid_of dataplane)/status"
}

# echo_run NAME LOST OPTION...: of coturn's client's 40 messages all but LOST come back.
echo_run()
{
	local log=$E2E_TMP/uclient.log received

	e2e_run a timeout 120 turnutils_uclient -c -m 2 -n 20 -z 30 -l 1450 -u demo -w demo-password \
		"${@:3}" > "$log" 2>&1
	received=$(sed -n 's/.*tot_recv_msgs=\([0-9]*\)$/\1/p' "$log" | tail -n 1)
	if [ "${received:-0}" -ge $((40 - $2)) ]; then
		e2e_ok "$1"
	else
		e2e_not_ok "$1"
		tail -n 8 "$log"
	fi
}

e2e_check "every way, 1,200 to 4,000 bytes" fragments matrix
e2e_check "a CreatePermission of 126 peers" fragments request
e2e_background b peer.log turnutils_peer -L "$TP_B4" -p 3480
if command -v turnutils_uclient > /dev/null; then
	echo_run "coturn's client, channels of 1,450 bytes" 0 -e "$TP_B4" "$TP_RELAY4"
	# The echo comes with DF and has no room for the indication's header: the peer is told by its
	# first packet, which is lost.
	echo_run "coturn's client, indications of 1,450 bytes" 1 -s -e "$TP_B4" "$TP_RELAY4"
fi

# Packets that the machine lost before the relay saw them, or behind it.
machine_losses()
{
	python3 - "$relayctl" "$TP_NS_A" "$TP_NS_B" "$TP_NS_NET" "$TP_NS_RELAY" <<-END
		import argparse, sys
		sys.path.insert(0, "$E2E_TOP/tests/e2e")
		import hostile
		print(hostile.machine_losses(argparse.Namespace(relayctl=sys.argv[1], netns=sys.argv[2:])))
	END
}

seconds=${E2E_LONG:+60}
seconds=${seconds:-5}
rate=${FRAGMENTS_RATE:-100000}
mac_of()
{
	ip -n "$1" -br link show "$2" | awk '{ print $3 }'
}
# flood SECONDS: bad fragments of both families from the peer's side, past its kernel.
flood()
{
	e2e_run b "$E2E_BUILD/tests/e2e/fragment_flood" eth0 "$(mac_of "$TP_NS_B" eth0)" \
		"$(mac_of "$TP_NS_NET" b0)" "$TP_B4" "$TP_RELAY4" "$TP_B6" "$TP_RELAY6" 3478 "$rate" "$1"
}
flood 3 > /dev/null
# Housekeeping reads the counters of the ports once a second.
sleep 1.2
before=$(memory)
missed=$(machine_losses)
flood "$seconds" > "$E2E_TMP/flood" &
e2e_stream "$E2E_TMP/call.json" --rate 100 --seconds "$seconds" --peer "$TP_B4"
wait $!
sleep 1.2
missed=$(($(machine_losses) - missed))
after=$(memory)
echo "bad fragments in $seconds s: $(cat "$E2E_TMP/flood"); memory $before kB before, $after kB after," \
	"$missed packets lost by the machine"
e2e_json "$E2E_TMP/call.json" "'of the call: %d of %d packets lost' % (
	r['up']['lost'] + r['down']['lost'], r['up']['sent'] + r['down']['sent'])"
$relayctl drop show
e2e_check "the fragments were dropped by name" [ "$(drops 'fragment_[a-z]+')" -gt 1000 ]
e2e_check "the memory stays" [ "$after" -le $((before + 1024)) ]
e2e_holds "$E2E_TMP/call.json" "no packet of the call is lost by the relay" \
	"all(r[d]['lost'] <= $missed and r[d]['corrupt'] == 0 for d in ('up', 'down'))"

#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Peers on the relay's own host (peers.local): a media server's sockets on the relay's addresses. It
# sees the relayed transport addresses, its answers come back, by channels and by indications, in
# both families, and over restarts of either process. Ports that are not listed stay closed, and so
# do the listeners.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
config=$(mktemp)
"$E2E_TOP/tools/lab" --name "$E2E_LAB" config > "$config"
sed -i 's/^peers:$/&\n    local: ["10.77.0.1:20000-20009", "[fd77::1]:20000-20009", "10.77.0.2:20000"]/' "$config"
e2e_begin --config "$config"
rm -f "$config"

# local_stream NAME SERVER PEER OPTION...: a stream to a socket on the relay's host, which sends one of its
# own.
local_stream()
{
	E2E_STREAM_SERVER=$2 e2e_stream "$E2E_TMP/$1.json" --rate 100 --seconds 4 --peer "$3" \
		--peer-netns "$TP_NS_RELAY" "${@:4}" 2> "$E2E_TMP/$1.err" ||
		{ e2e_not_ok "$1: set-up: $(cat "$E2E_TMP/$1.err")"; return 1; }
}

open()
{
	local_stream "$@" || return
	e2e_holds "$E2E_TMP/$1.json" "$1: all arrives, unchanged, from the relayed address" \
		"all(r[d]['sent'] > 390 and r[d]['lost'] == 0 and r[d]['duplicated'] == 0 and
		r[d]['corrupt'] == 0 for d in ('up', 'down')) and
		r['strange'] == 0 and r['other_source'] == 0"
}

# By a channel the request is refused, by indications each packet is dropped.
closed()
{
	if local_stream "$@" --data send; then
		e2e_holds "$E2E_TMP/$1.json" "$1: nothing passes" \
			"r['up']['sent'] > 0 and r['up']['received'] == r['down']['received'] == 0"
	fi
	E2E_STREAM_SERVER=$2 e2e_stream "$E2E_TMP/$1.json" --seconds 1 --peer "$3" \
		--peer-netns "$TP_NS_RELAY" "${@:4}" 2> "$E2E_TMP/$1.err"
	e2e_check "$1: no channel to it" grep -q 403 "$E2E_TMP/$1.err"
}

for data in channel send; do
	open "4-$data" "$TP_RELAY4" "$TP_RELAY4:20000" --data $data
	open "6-$data" "$TP_RELAY6" "[$TP_RELAY6]:20001" --family 6 --data $data
	open "4-to-6-$data" "$TP_RELAY4" "[$TP_RELAY6]:20009" --family 6 --data $data
done
open "another of its addresses" "$TP_RELAY4" "10.77.0.2:20000"
open "large" "$TP_RELAY4" "$TP_RELAY4:20002" --size 1400

closed "IPv4, a port that is not listed" "$TP_RELAY4" "$TP_RELAY4:20010"
closed "IPv6, a port that is not listed" "$TP_RELAY6" "[$TP_RELAY6]:20010" --family 6
closed "an address with another port" "$TP_RELAY4" "10.77.0.2:20001"
# The relay itself is no peer.
closed "a listener's port" "$TP_RELAY4" "$TP_RELAY4:3478"
"$E2E_BUILD/tools/relayctl/relayctl" -s "$TP_SOCKET" drop show > "$E2E_TMP/drops"
e2e_check "the drops have a name" grep -q own_address "$E2E_TMP/drops"

# Over restarts.
report=$E2E_TMP/stream.json
e2e_stream_open "$report" --peer "$TP_RELAY4:20003" --peer-netns "$TP_NS_RELAY" --rate 100
e2e_stream_works "works before"
for process in dataplane control; do
	e2e_check "$process killed" e2e_lab kill $process
	e2e_check "$process starts again" e2e_lab start $process
	e2e_stream_works "works after a restart of $process"
done
e2e_stream_close

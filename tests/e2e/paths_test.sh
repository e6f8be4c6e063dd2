#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Every packet path, judged by the stream: families on both sides, channels and indications, both
# ends relayed (the hairpin). Nothing lost, doubled or changed, and the peer sees the relayed address.
. "$(dirname "$0")/_init.sh"

e2e_begin

# path NAME SERVER OPTION...: in the background; verdicts are collected by path_verdicts.
paths=()
path_pids=()
path()
{
	local name=$1

	E2E_STREAM_SERVER=$2 e2e_stream "$E2E_TMP/$name.json" --rate 100 --seconds 4 "${@:3}" \
		2> "$E2E_TMP/$name.err" &
	paths+=("$name")
	path_pids+=($!)
}

path_verdicts()
{
	local name

	for name in "${paths[@]}"; do
		if [ ! -s "$E2E_TMP/$name.json" ]; then
			e2e_not_ok "$name: $(cat "$E2E_TMP/$name.err")"
			continue
		fi
		e2e_holds "$E2E_TMP/$name.json" "$name" \
			"all(r[d]['sent'] > 390 and r[d]['lost'] == 0 and r[d]['duplicated'] == 0 and
			r[d]['corrupt'] == 0 for d in ('up', 'down')) and
			r['strange'] == 0 and r['other_source'] == 0"
	done
}

for data in channel send; do
	path "4-to-4-$data" "$TP_RELAY4" --peer "$TP_B4" --data $data
	path "4-to-6-$data" "$TP_RELAY4" --peer "$TP_B6" --family 6 --data $data
	path "6-to-4-$data" "$TP_RELAY6" --peer "$TP_B4" --data $data
	path "6-to-6-$data" "$TP_RELAY6" --peer "$TP_B6" --family 6 --data $data
	path "hairpin-4-$data" "$TP_RELAY4" --peer-relay --data $data
	path "hairpin-6-$data" "$TP_RELAY6" --peer-relay --family 6 --data $data
done
path "hairpin-4-clients-6" "$TP_RELAY6" --peer-relay
path "odd-size" "$TP_RELAY4" --peer "$TP_B4" --size 161
path "large" "$TP_RELAY4" --peer "$TP_B4" --size 1400
path "large-indications" "$TP_RELAY4" --peer "$TP_B4" --size 1400 --data send
wait "${path_pids[@]}"
path_verdicts

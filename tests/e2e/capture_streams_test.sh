#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# relayctl capture and trace of clients by TCP, TLS and DTLS: their messages in the clear, with their
# own addresses and transport, and without the values that prove their identity.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_streams.sh"

e2e_need_turnpike
e2e_begin --streams

two_live()
{
	relayctl -j allocation list > "$E2E_TMP/list.json" &&
		[ "$(e2e_json "$E2E_TMP/list.json" 'len(r)')" = 2 ]
}

answered()
{
	read -r -t 240 answer <&"${TALK[0]}" && [[ $answer = $1* ]] || { echo "got $answer"; false; }
}

# capture_begins NAME: of $id, to NAME.pcapng, until the allocation ends.
capture_begins()
{
	relayctl capture "$id" -n 1000000 --seconds 600 -w "$E2E_TMP/$1.pcapng" 2> "$E2E_TMP/$1.err" 9>&- &
	reader=$!
	e2e_wait 120 test -s "$E2E_TMP/$1.pcapng"
}

captured()
{
	wait "$reader" && python3 "$E2E_TOP/tests/e2e/pcapng.py" "$E2E_TMP/$1.pcapng" > "$E2E_TMP/$1.json"
}

# messages NAME TEXT EXPRESSION: of the packets m that are messages, not frames of a port.
messages()
{
	e2e_holds "$E2E_TMP/$1.json" "$1: $2" "(lambda m: $3)([p for p in r['packets']
		if r['interfaces'][p['interface']]['name'] == 'turnpike-edge'])"
}

for transport in tcp tls dtls; do
	listener=$TP_RELAY4:5349 protocol=6
	[ $transport != tcp ] || listener=$TP_RELAY4:3478
	[ $transport != dtls ] || protocol=17
	coproc TALK { e2e_run a python3 "$E2E_TOP/tests/e2e/talk.py" "$TP_RELAY4" --transport $transport \
		--ca "$TP_LAB_DIR/ca.pem" --password-file "$TP_PASSWORD_FILE" 2>&1; }
	talk=$TALK_PID
	e2e_check "$transport: two clients talk" answered ready
	e2e_check "$transport: both are listed" e2e_wait 60 two_live
	id=$(e2e_json "$E2E_TMP/list.json" 'r[0]["id"]')
	client=$(e2e_json "$E2E_TMP/list.json" 'r[0]["client"]')
	e2e_check "$transport: a capture begins" capture_begins $transport
	echo >&"${TALK[1]}"
	e2e_check "$transport: both refresh meanwhile" answered ready
	relayctl -j trace start --client "$client" -n 40 > "$E2E_TMP/$transport.trace" 2>&1
	e2e_holds "$E2E_TMP/$transport.trace" "$transport: a trace shows what comes from the client" \
		"any(p['transport'] == '$transport' and p['from'] == '$client' and p['to'] == '$listener'
			and p['message'] == 'ChannelData 0x4000' and p['result'] == 'to stream' for p in r)"
	e2e_holds "$E2E_TMP/$transport.trace" "$transport: and what goes to it" \
		"any(p.get('sent_transport') == '$transport' and p['sent_to'] == '$client'
			and p['sent_from'] == '$listener' for p in r)"
	exec {TALK[1]}>&-
	e2e_check "$transport: nothing was lost" answered "all "
	wait $talk
	e2e_check "$transport: a valid pcapng file" captured $transport
	messages $transport "messages both ways, with the client's addresses" \
		"{(p['direction'], p['from'], p['to']) for p in m} ==
			{('in', '$client', '$listener'), ('out', '$listener', '$client')}"
	messages $transport "by its protocol, and named" \
		"all(p['protocol'] == $protocol and p['comment'].startswith('$transport client') for p in m)"
	messages $transport "ChannelData in the clear" \
		"sum(p['payload'].startswith('4000') for p in m) > 50"
	messages $transport "requests and their answers" \
		"{'0004', '0104'} <= {p['payload'][:4] for p in m} and
			any('to turnpike-control' in p['comment'] for p in m)"
	messages $transport "whose integrity is zeroes" \
		"all('00080014' + '00' * 20 in p['payload'] for p in m if p['payload'][:4] == '0004')"
	e2e_holds "$E2E_TMP/$transport.json" "$transport: none is missed" \
		'all(s["dropped"] == 0 for s in r["statistics"])'
done

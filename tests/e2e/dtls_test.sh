#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# coturn's own client over DTLS, on a port of its own and beside plain UDP: nothing lost, also while
# the control process is killed, and no new handshake when the data plane is; the rules of DTLS;
# garbage that costs nothing.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_streams.sh"

e2e_need turnutils_uclient turnutils_peer openssl python3
e2e_need_turnpike
e2e_begin --streams
clients=20
messages=${E2E_LONG:+500}
messages=${messages:-50}
e2e_background b peer.log turnutils_peer -L "$TP_B4" -p 3480

# edge_counter NAME, drop NAME: as relayctl prints them; 0 where there is none.
edge_counter()
{
	relayctl --json edge show | python3 -c '
import json, sys
for c in json.load(sys.stdin)["counters"]:
    if c["counter"] == sys.argv[1]:
        print(c["value"])' "$1"
}

drop()
{
	relayctl drop show | awk -v name="$1" '$1 == name { gsub(",", "", $2); n = $2 } END { print n + 0 }'
}

# uclient OPTION...: its count of received messages is the verdict.
uclient()
{
	local log=$E2E_TMP/uclient.log received

	e2e_run a timeout 120 turnutils_uclient -c -m $clients -n $messages -z 20 -u demo \
		-w demo-password -e "$TP_B4" "$@" "$TP_RELAY4" > "$log" 2>&1
	received=$(sed -n 's/.*tot_send_msgs=[0-9]*, tot_recv_msgs=\([0-9]*\)$/\1/p' "$log" | tail -n 1)
	[ "${received:-0}" = $((clients * messages)) ] && grep -q 'Total lost packets 0 ' "$log"
}

# Long enough for all that happens meanwhile.
longer()
{
	local messages=200

	uclient "$@"
}

both_at_once()
{
	local messages=100 udp

	uclient -S -p 3478 &
	udp=$!
	(
		E2E_TMP=$(mktemp -d "$E2E_TMP/udp.XXXX")
		uclient
	) && wait $udp
}

messages_are_more_than()
{
	[ "$(edge_counter messages_out)" -gt "$1" ]
}

# No client has to begin anew: the edge's counts of handshakes stay, and messages go on.
dataplane_is_killed()
{
	local accepted client messages=1500

	uclient -S -p 5349 &
	client=$!
	e2e_wait 60 messages_are_more_than $(($(edge_counter messages_out) + 500)) || return 1
	accepted=$(edge_counter accepted)
	e2e_lab kill dataplane && e2e_lab start dataplane || return 1
	e2e_wait 60 messages_are_more_than $(($(edge_counter messages_out) + 500)) || return 1
	[ "$(edge_counter accepted)" = "$accepted" ] || return 1
	# It counts the losses meanwhile.
	wait $client || true
}

handshake()
{
	e2e_run a timeout 20 openssl s_client -connect "$TP_RELAY4:5349" -brief \
		-CAfile "$TP_LAB_DIR/ca.pem" "$@" < /dev/null 2>&1
}

control_is_killed()
{
	local i

	for i in 1 2 3; do
		sleep 1
		e2e_lab kill control && e2e_lab start control
	done
}

# Records that no client sends, records of nobody's association, and ClientHellos without a cookie.
garbage()
{
	e2e_run a python3 - "$TP_RELAY4" <<- 'END'
		import os, socket, struct, sys

		def record(kind, epoch, body):
		    return struct.pack("!BHHHIH", kind, 0xfefd, epoch, 0, 1, len(body)) + body

		hello = b"\xfe\xfd" + os.urandom(32) + b"\0\0" + b"\0\2\xc0\x2b\1\0"
		hello = struct.pack("!BBHHBHBH", 1, 0, len(hello), 0, 0, 0, 0, len(hello)) + hello
		s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		for i in range(500):
		    for port in (5349, 3478):
		        s.sendto(bytes([20 + i % 44]) + os.urandom(60), (sys.argv[1], port))
		        s.sendto(record(23, 1, os.urandom(40)), (sys.argv[1], port))
		    if i % 10 == 0:
		        t = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
		        t.sendto(record(22, 0, hello), (sys.argv[1], 5349))
		        t.settimeout(5)
		        answer = t.recv(2048)
		        if answer[13] != 3 or len(answer) >= 13 + len(hello):
		            sys.exit("not a HelloVerifyRequest shorter than the ClientHello")
	END
}

e2e_check "the edge has found both processes" e2e_wait 20 edge_runs
e2e_check "channels over DTLS" uclient -S -p 5349
e2e_check "indications over DTLS" uclient -S -s -p 5349
e2e_check "channels over DTLS beside UDP on its port" both_at_once
e2e_check "20 handshakes each, each with a cookie" [ "$(edge_counter handshakes)" -ge 60 ]
e2e_check "no datagram was lost to a ring" [ "$(edge_counter datagrams_full)" = 0 ]
control_is_killed > /dev/null 2>&1 &
killer=$!
e2e_check "channels over DTLS while control is killed" longer -S -p 5349
wait $killer
e2e_check "associations outlive the data plane" dataplane_is_killed

handshake -dtls1_2 > "$E2E_TMP/dtls12"
e2e_check "DTLS 1.2" grep -q 'Protocol version: DTLSv1.2' "$E2E_TMP/dtls12"
e2e_check "the certificate is verified" grep -q 'Verification: OK' "$E2E_TMP/dtls12"
handshake -dtls1 > "$E2E_TMP/dtls1"
e2e_check "no DTLS 1.0" e2e_not grep -q 'CONNECTION ESTABLISHED' "$E2E_TMP/dtls1"
handshake -dtls1_2 -alpn h2 > "$E2E_TMP/alpn"
e2e_check "no other protocol" e2e_not grep -q 'CONNECTION ESTABLISHED' "$E2E_TMP/alpn"
handshake -dtls1_2 -mtu 256 > "$E2E_TMP/mtu"
e2e_check "small datagrams" grep -q 'Protocol version: DTLSv1.2' "$E2E_TMP/mtu"

before=$(edge_counter accepted)
e2e_check "ClientHellos without a cookie get one" garbage
e2e_check "and nothing is kept for them" [ "$(edge_counter accepted)" = "$before" ]
e2e_check "garbage ends in the data plane by name" [ "$(drop dtls_bad)" -ge 1000 ]
e2e_check "records of nobody are counted" [ "$(edge_counter datagrams_stray)" -ge 500 ]
e2e_check "channels over DTLS after it" uclient -S -p 5349
e2e_check "no call was denied" e2e_not grep -h call_denied "$TP_LAB_DIR"/*.log

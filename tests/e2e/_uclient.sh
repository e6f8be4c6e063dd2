# SPDX-License-Identifier: BSD-3-Clause
# The runs of coturn's own client in each lab; sourced after e2e_begin.

clients=20
messages=${E2E_LONG:+500}
messages=${messages:-100}
at_a_time=4
uclient_jobs=()
e2e_background b peer.log turnutils_peer -L "$TP_B4" -L "$TP_B6" -p 3480

# uclient exits 0 with everything lost: its count of received messages is the verdict.
uclient_verdict()
{
	local log=$1 received

	received=$(sed -n 's/.*tot_send_msgs=[0-9]*, tot_recv_msgs=\([0-9]*\)$/\1/p' "$log" | tail -n 1)
	[ "${received:-0}" = $((clients * messages)) ] &&
		grep -q 'Total lost packets 0 ' "$log"
}

uclient_run()
{
	e2e_run a timeout 300 turnutils_uclient -c -m $clients -n $messages -z 20 -u demo "${@:2}" \
		> "$1" 2>&1
}

# uclient binds a channel of a random number to the peer's next port, then one of another random
# number to the peer. The two may be the same: the relay must refuse the second, and says why.
uclient_chose_twice()
{
	grep -q 'channel bind: error 400' "$1" &&
		grep -qs 'code=400 reason="the channel has another peer' "$TP_LAB_DIR/control.log"
}

# uclient NAME OPTION...: several run at a time, since each spends most of its time connecting.
running=0
uclient()
{
	(
		what=$1
		shift
		log=$(mktemp "$E2E_TMP/uclient.XXXXXX")
		uclient_run "$log" "$@"
		if uclient_chose_twice "$log"; then
			echo "$what: the client gave one channel to two peers, as one of 16,384 does"
			uclient_run "$log" "$@"
		fi
		if uclient_verdict "$log"; then
			echo "ok - $what: $((clients * messages)) messages there and back"
		else
			echo "not ok - $what"
			tail -n 12 "$log"
		fi > "$log.verdict"
	) 9>&- &
	uclient_jobs+=($!)
	running=$((running + 1))
	[ $running -lt $at_a_time ] || uclient_wait
}

uclient_wait()
{
	# A bare wait would wait for the echo peer.
	[ $running -gt 0 ] || return 0
	wait "${uclient_jobs[@]}"
	for verdict in "$E2E_TMP"/uclient.*.verdict; do
		cat "$verdict"
		if grep -q '^ok' "$verdict"; then
			e2e_passed=$((e2e_passed + 1))
		else
			e2e_failed=$((e2e_failed + 1))
		fi
		rm "$verdict"
	done
	uclient_jobs=()
	running=0
}

# uclient_refused NAME OPTION...: nothing may come through.
uclient_refused()
{
	local what=$1 log=$E2E_TMP/uclient.log received

	shift
	e2e_run a timeout 20 turnutils_uclient -c -m 1 -n 5 -z 10 -u demo "$@" > "$log" 2>&1
	received=$(sed -n 's/.*tot_recv_msgs=\([0-9]*\)$/\1/p' "$log" | tail -n 1)
	e2e_check "$what is refused" [ "${received:-0}" = 0 ]
}

password="-w demo-password"
uclient "channels" $password -e "$TP_B4" "$TP_RELAY4"
uclient "indications" $password -s -e "$TP_B4" "$TP_RELAY4"
uclient "relay to relay" $password -y "$TP_RELAY4"
uclient "relay to relay, indications" $password -y -s "$TP_RELAY4"
uclient "IPv6 relayed address and peer" $password -x -e "$TP_B6" "$TP_RELAY4"
uclient "relay reached over IPv6, IPv4 peer" $password -e "$TP_B4" "$TP_RELAY6"
uclient "two relayed addresses" $password -Z -e "$TP_B4" "$TP_RELAY4"
uclient "1300 octets" $password -l 1300 -e "$TP_B4" "$TP_RELAY4"
uclient "padded channel data" $password -D -l 101 -e "$TP_B4" "$TP_RELAY4"
uclient_wait
uclient_refused "a wrong password" -w wrong -e "$TP_B4" "$TP_RELAY4"
uclient_refused "a peer without permission" $password -I -s -e "$TP_B4" "$TP_RELAY4"
[ "$E2E_SERVER" != coturn ] || e2e_coturn_restart --use-auth-secret --static-auth-secret=lab-secret
uclient "time-limited credentials" -W lab-secret -e "$TP_B4" "$TP_RELAY4"
uclient_wait
uclient_refused "another secret" -W other-secret -e "$TP_B4" "$TP_RELAY4"

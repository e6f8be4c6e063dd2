#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Clients of other projects, one row for each way of calling them: coturn's turnutils_uclient and
# turnutils_natdiscovery, and relay-only calls of aioice, libnice and GStreamer's webrtcbin. The rows
# run against coturn as well (TURNPIKE_TEST_SERVER=coturn), where they have no verdict but the figures;
# rows.py makes the table of docs/coturn.md from both.
. "$(dirname "$0")/_init.sh"

e2e_need turnutils_uclient turnutils_peer turnutils_natdiscovery sqlite3
e2e_begin
clients=4
messages=25
rows=${TURNPIKE_TEST_ROWS:-$E2E_TMP/rows}
: > "$rows"
password="-u demo -w demo-password"
e2e_background b peer.log turnutils_peer -L "$TP_B4" -L "$TP_B6" -p 3480

# row NAME RIGHT RESULT: RIGHT is a command's exit code.
row()
{
	printf '%s\t%s\n' "$1" "$3" >> "$rows"
	if [ "$2" = 0 ]; then
		e2e_ok "$1: $3"
	elif [ "$E2E_SERVER" = turnpike ]; then
		e2e_not_ok "$1: $3"
	else
		e2e_ok "$1, of $E2E_SERVER: $3"
	fi
}

# ---- turnutils_uclient --------------------------------------------------------------------------

# uclient LOG OPTION...
uclient()
{
	e2e_run a timeout 90 turnutils_uclient -m $clients -n $messages -z 20 "${@:2}" \
		"$TP_RELAY4" > "$1" 2>&1
}

# uclient_seen LOG STATUS: sent, received, and how the client ended.
uclient_seen()
{
	local totals error

	totals=$(grep -o 'tot_send_msgs=[0-9]*, tot_recv_msgs=[0-9]*$' "$1" | tail -n 1 | tr -dc '0-9,')
	sent=${totals%,*} received=${totals#*,}
	seen="${received:-0} of ${sent:-0} messages"
	case $2 in
	0) ;;
	124) seen="$seen, the client does not end in 90 s" ;;
	*)
		error=$(grep -o 'error [0-9][0-9][0-9] .*' "$1" | tail -n 1)
		seen="$seen, the client gives up${error:+: $error}"
		;;
	esac
}

lost_nothing()
{
	[ "${received:-0}" = "${sent:-none}" ] && [ "$received" -ge $((clients * messages)) ]
}

# relays NAME OPTION...: nothing is lost.
relays()
{
	uclient "$E2E_TMP/uclient.log" "${@:2}"
	uclient_seen "$E2E_TMP/uclient.log" $?
	lost_nothing
	row "$1" $? "$seen"
}

# survives NAME OPTION...: a client that sends wrong requests; the next one is served as before.
survives()
{
	local log=$E2E_TMP/uclient.log first

	uclient "$log" "${@:2}"
	uclient_seen "$log" $?
	first=$seen
	uclient "$log" -c $password -e "$TP_B4"
	uclient_seen "$log" $?
	lost_nothing &&
		{ [ "$E2E_SERVER" != turnpike ] || e2e_lab status > /dev/null; }
	row "$1" $? "$first; the next client: $seen"
}

relays "\`-c\`" -c $password -e "$TP_B4"
relays "no option" $password -e "$TP_B4"
for c in "-c " ""; do
	for option in -G "-D -l 101" -X; do
		relays "\`$c$option\`" $c $option $password -e "$TP_B4"
	done
	relays "\`$c-x\`" $c -x $password -e "$TP_B6"
	for option in -N -R; do
		survives "\`$c$option\`" $c $option $password -e "$TP_B4"
	done
done
# Implies -c.
relays "\`-Z\`" -Z $password -e "$TP_B4"

# The client's own keys, of which it uses the first 32 or 16 bytes.
tokens_take()
{
	local id algorithm key

	[ "$E2E_SERVER" = coturn ] ||
		printf 'tokens:\n  server_name: relay.turnpike\n  keys:\n' >> "$TP_CONFIG"
	while read -r id algorithm key; do
		if [ "$E2E_SERVER" = coturn ]; then
			sqlite3 "$E2E_TMP/coturn.db" "insert or replace into oauth_key values
				('$id', '$(printf %s "$key" | base64)', 0, 0, '$algorithm', 'lab.turnpike')"
			continue
		fi
		install -m 0640 -g turnpike-control /dev/null "$TP_LAB_DIR/$id.key"
		printf %s "$key" | base64 > "$TP_LAB_DIR/$id.key"
		echo "    - {id: $id, algorithm: $algorithm, key_file: $TP_LAB_DIR/$id.key}" \
			>> "$TP_CONFIG"
	done <<-END
		north A256GCM 01234567890123456789012345678901
		union A128GCM 1234567890123456
		oldempire A256GCM 12345678901234567890123456789012
	END
	if [ "$E2E_SERVER" = coturn ]; then
		e2e_coturn_restart -a -u demo:demo-password --oauth --server-name=relay.turnpike
	else
		"$E2E_BUILD/tools/relayctl/relayctl" -s "$TP_SOCKET" config reload > /dev/null
	fi
}

cp "${TP_CONFIG:-/dev/null}" "$E2E_TMP/config"
tokens_take
for c in "-c " ""; do
	relays "\`$c-J\`" $c -J -u nobody -w nothing -e "$TP_B4"
done

# ---- turnutils_natdiscovery ---------------------------------------------------------------------

# discovers NAME PATTERN OPTION...: the client's verdict, which must be that of a path without a NAT.
discovers()
{
	local answer

	answer=$(e2e_run a timeout 120 turnutils_natdiscovery "${@:3}" 2>&1)
	answer=$(grep -oiE "$2" <<< "$answer" | tail -n 1)
	grep -qiE "no nat|independent" <<< "$answer"
	row "$1" $? "${answer:-no verdict}"
}

if [ "$E2E_SERVER" = coturn ]; then
	e2e_coturn_restart -a -u demo:demo-password -L 10.77.0.2 --alt-listening-port=3479
else
	cat "$E2E_TMP/config" > "$TP_CONFIG"
	sed -i 's/^protocol:/&\n    nat_discovery: true/' "$TP_CONFIG"
	"$E2E_BUILD/tools/relayctl/relayctl" -s "$TP_SOCKET" config reload > /dev/null
fi
discovers "\`turnutils_natdiscovery -m\`" "No NAT!?|NAT with [a-z -]*mapping" -m "$TP_RELAY4"
discovers "\`turnutils_natdiscovery -f\`" "NAT with [a-z -]*filtering" -f "$TP_RELAY4"
discovers "\`turnutils_natdiscovery -f -P\`" "NAT with [a-z -]*filtering" -f -P "$TP_RELAY4"

# ---- libraries of ICE ---------------------------------------------------------------------------

# ice_call KIND: both sides by the relay alone.
ice_call()
{
	local status way=$E2E_TMP/ice.sock

	rm -f "$way"
	e2e_background b ice.log timeout 180 "$E2E_TOP/tests/e2e/ice_peer.py" "$1" answer "$way" \
		"$TP_RELAY4"
	e2e_run a timeout 180 "$E2E_TOP/tests/e2e/ice_peer.py" "$1" offer "$way" \
		"$TP_RELAY4" 2> "$E2E_TMP/ice.errors"
	status=$?
	wait $e2e_pid
	[ $status = 0 ] || cat "$E2E_TMP/ice.log" "$E2E_TMP/ice.errors" >&2
	return $status
}

# ices NAME KIND TRIES: one of so many calls must succeed.
ices()
{
	local answer status=1 i

	for ((i = 0; i < $3; i++)); do
		answer=$(ice_call "$2")
		status=$?
		[ $status = 0 ] || [ $status = 77 ] && break
	done
	if [ $status = 77 ]; then
		echo "skipped: $1: $answer (tools/packages install clients)"
		return
	fi
	row "$1" $status "$(tail -n 1 <<< "$answer")"
}

ices "aioice, relayed candidates alone" aioice 1
# libnice, which webrtcbin uses, gives up some calls at their start, with coturn as well.
ices "libnice, relayed candidates alone" libnice 3
ices "GStreamer's webrtcbin, relayed candidates alone, a data channel" webrtcbin 3

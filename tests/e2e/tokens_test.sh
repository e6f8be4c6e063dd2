#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Third-party authorization (RFC 7635) with coturn's client, which makes tokens by keys of its own:
# allocations with them, and none once the keys have left the configuration.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
e2e_need turnutils_uclient
e2e_begin
relayctl=("$E2E_BUILD/tools/relayctl/relayctl" -s "$TP_SOCKET")

# The client's own keys, of which it uses the first 32 or 16 bytes.
cp "$TP_CONFIG" "$E2E_TMP/without"
cp "$TP_CONFIG" "$E2E_TMP/with"
printf 'tokens:\n  server_name: relay.turnpike\n  keys:\n' >> "$E2E_TMP/with"
# key ID ALGORITHM BYTES
key()
{
	install -m 0640 -g turnpike-control /dev/null "$TP_LAB_DIR/$1.key"
	printf %s "$3" | base64 > "$TP_LAB_DIR/$1.key"
	echo "    - {id: $1, algorithm: $2, key_file: $TP_LAB_DIR/$1.key}" >> "$E2E_TMP/with"
}
key north A256GCM 01234567890123456789012345678901
key union A128GCM 1234567890123456
key oldempire A256GCM 12345678901234567890123456789012

take()
{
	cat "$E2E_TMP/$1" > "$TP_CONFIG"
	"${relayctl[@]}" config reload
}

# Each of its Refresh requests brings a token of its own: another MAC key, under any of the three keys.
calls()
{
	e2e_run a timeout 120 turnutils_uclient -J -u nobody -w nothing -e "$TP_B4" -r 3480 \
		-c -n 50 -m 6 -z 20 "$TP_RELAY4" > "$E2E_TMP/client.log" 2>&1
	grep -q 'tot_send_msgs=300, tot_recv_msgs=300$' "$E2E_TMP/client.log" &&
		grep -q 'Total lost packets 0 ' "$E2E_TMP/client.log"
}

allocate()
{
	e2e_run a timeout 60 turnutils_uclient -J -u nobody -w nothing -e "$TP_B4" -r 3480 \
		-c -n 1 -m 2 "$TP_RELAY4" > "$E2E_TMP/client.log" 2>&1
}

e2e_background b peer.log turnutils_peer -L "$TP_B4" -p 3480
take with > "$E2E_TMP/reload" 2>&1
e2e_check "a reload adds the keys" grep -q "3 added" "$E2E_TMP/reload"
e2e_check "turnutils_uclient -J calls and loses nothing" calls
e2e_check "the requests are counted as tokens'" sh -c \
	"'${relayctl[0]}' -s '$TP_SOCKET' counter show | grep -q 'tokens  *[1-9]'"
e2e_check "its allocations passed to its new tokens" sh -c \
	"'${relayctl[0]}' -s '$TP_SOCKET' counter show | grep -q 'tokens_renewed  *[1-9]'"
e2e_check "no request was refused but for its nonce" e2e_not grep -hE \
	'request_refused .*code=(400|401|437|441|486)' "$TP_LAB_DIR/control.log"
"${relayctl[@]}" counter show > "$E2E_TMP/before"
take without > /dev/null
allocate
"${relayctl[@]}" counter show > "$E2E_TMP/after"
e2e_check "without the keys it does not" cmp <(grep -w tokens "$E2E_TMP/before") \
	<(grep -w tokens "$E2E_TMP/after")

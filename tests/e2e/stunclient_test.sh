#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A Binding request is answered with the sender's own address, on every listener; one of RFC 3489 too.
. "$(dirname "$0")/_init.sh"

e2e_need turnutils_stunclient
e2e_begin

for side in a b; do
	case $side in
	a) own4=$TP_A4 own6=$TP_A6 ;;
	b) own4=$TP_B4 own6=$TP_B6 ;;
	esac
	for server in "$TP_RELAY4" "$TP_RELAY6"; do
		own=$own4
		[ "$server" = "$TP_RELAY4" ] || own=$own6
		answer=$(e2e_run $side timeout 120 turnutils_stunclient "$server" 2>&1)
		if grep -qE "reflexive addr: \[?$own\]?:[0-9]+" <<< "$answer"; then
			e2e_ok "$side asks $server and is told $own"
		else
			e2e_not_ok "$side asks $server: $answer"
		fi
	done
done

# classic SIDE: the address in the answer to an RFC 3489 Binding request, which ends with a
# CHANGE-REQUEST that changes nothing, as Debian's stun-client sends it.
classic()
{
	e2e_run "$1" python3 -c 'import os, socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect((sys.argv[1], 3478))
s.settimeout(1)
asked = struct.pack("!HH", 1, 8) + b"\1" + os.urandom(15) + struct.pack("!HHI", 3, 4, 0)
for _ in range(10):
    s.send(asked)
    try:
        answer = s.recv(2048)
        break
    except TimeoutError:
        continue
assert answer[:2] == b"\1\1" and answer[4:20] == asked[4:20] and answer[20:26] == b"\0\1\0\10\0\1"
assert struct.unpack_from("!H", answer, 26)[0] == s.getsockname()[1]
print(socket.inet_ntoa(answer[28:32]))' "$TP_RELAY4"
}

for side in a b; do
	[ $side = a ] && own=$TP_A4 || own=$TP_B4
	e2e_check "$side asks by RFC 3489 and is told $own" [ "$(classic $side)" = "$own" ]
done
if command -v stun >/dev/null; then
	answer=$(e2e_run a timeout 300 stun "$TP_RELAY4" 1 -v 2>&1)
	e2e_check "Debian's stun-client is told $TP_A4" grep -q "MappedAddress = $TP_A4:" <<< "$answer"
fi

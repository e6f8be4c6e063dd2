#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Mobility (RFC 8016) by a client of this test with both paths open: make before break, refusals,
# from transport to transport, over kills of control, data plane and edge, and off.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_streams.sh"

e2e_need_turnpike
e2e_begin --streams

# client_run PART: the lines of the client's checks go to a file.
client_run()
{
	e2e_run a timeout 240 python3 "$E2E_TOP/tests/e2e/mobility.py" "$TP_RELAY4" "$TP_B4" \
		--peer-netns "$TP_NS_B" --password-file "$TP_PASSWORD_FILE" \
		--ca "$TP_LAB_DIR/ca.pem" --part "$1" > "$E2E_TMP/client.$1" 2>&1
}

client_passed()
{
	[ "$1" = 0 ] && grep -q '^ok' "$2" && ! grep -q '^not ok' "$2" || { cat "$2"; false; }
}

# client PART
client()
{
	local status=0

	client_run "$1" || status=$?
	e2e_check "$1: all checks of the client" client_passed $status "$E2E_TMP/client.$1"
}

# client_begin PART: until client_end; the client waits for lines.
client_begin()
{
	mkfifo "$E2E_TMP/go"
	client_run "$1" < "$E2E_TMP/go" &
	job=$!
	exec 6> "$E2E_TMP/go"
	rm "$E2E_TMP/go"
}

# client_end PART: lets it go on to its end.
client_end()
{
	local status=0

	echo go >&6
	exec 6>&-
	wait $job || status=$?
	e2e_check "$1: all checks of the client" client_passed $status "$E2E_TMP/client.$1"
}

client_is()
{
	e2e_wait 120 grep -qsx "$2" "$E2E_TMP/client.$1"
}

no_allocations()
{
	! relayctl -t allocation list | grep -q "$TP_A4"
}

sed -i "s|^\( *\)- {name: demo, .*|&\n\1- {name: second, password_file: $TP_PASSWORD_FILE}|" "$TP_CONFIG"
e2e_check "a second user" relayctl config reload
e2e_check "the edge has found both processes" e2e_wait 60 edge_runs
client make_before_break
client refusals

client_begin killed
e2e_check "a move is under way" client_is killed ready
e2e_check "control is killed and starts again" e2e_lab kill control
e2e_lab start control > /dev/null 6>&-
echo go >&6
e2e_check "the move is finished" client_is killed "ready again"
e2e_lab kill control > /dev/null 6>&-
e2e_lab start control > /dev/null 6>&-
e2e_lab kill dataplane > /dev/null 6>&-
e2e_lab start dataplane > /dev/null 6>&-
client_end killed

e2e_check "the edge has found both processes again" e2e_wait 60 edge_runs
client_begin streams
e2e_check "connections came and went" client_is streams ready
e2e_lab kill edge > /dev/null 6>&-
e2e_lab start edge > /dev/null 6>&-
e2e_check "the edge has found both processes once more" e2e_wait 60 edge_runs
client_end streams

e2e_check "moves are logged" grep -q allocation_moved "$TP_LAB_DIR/control.log"
e2e_check "no allocation is left" e2e_wait 60 no_allocations
sed -i 's/^protocol:/&\n    mobility: false/' "$TP_CONFIG"
e2e_check "a reload turns it off" relayctl config reload
client off

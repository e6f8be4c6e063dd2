#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Without segment.directory, as an operator has it, the control process chooses where the tables lie.
# The others follow it behind their walls, and the last one takes the files away.
. "$(dirname "$0")/_init.sh"

e2e_need turnutils_uclient
e2e_need_turnpike
# A mount of huge pages in the run directory would be chosen, and that one is never behind a wall.
e2e_begin --streams --no-huge

passed()
{
	e2e_run a timeout 120 turnutils_uclient -c -m 2 -n 20 -z 20 -u demo -w demo-password "$@" \
		-e "$TP_B4" "$TP_RELAY4" > "$E2E_TMP/uclient" 2>&1
	grep -q 'tot_recv_msgs=40$' "$E2E_TMP/uclient" || { tail -n 5 "$E2E_TMP/uclient"; false; }
}

knows_both()
{
	[ "$(e2e_run relay "$E2E_BUILD/tools/relayctl/relayctl" -s "$TP_SOCKET" edge show |
		grep -cE '^(control|data plane) runs +yes$')" = 2 ]
}

e2e_background b peer.log turnutils_peer -L "$TP_B4" -p 3480
for process in edge dataplane control; do
	e2e_lab kill $process --signal TERM
done
sed -i '/^segment:/,+1d' "$TP_CONFIG"
# The lab's own has the name that the relay gives to its directory.
rm -rf "/dev/shm/turnpike-$E2E_LAB"
for process in control dataplane edge; do
	e2e_check "$process starts" e2e_lab start $process
done
directory=$(sed -n 's/.*segment_created directory=\([^ ]*\).*/\1/p' "$TP_LAB_DIR/control.log" | tail -n 1)
e2e_check "another directory was chosen" [ "${directory%/huge}" != "$TP_LAB_DIR" ]
e2e_check "the tables lie there" [ -n "$(find "$directory" -name 'turnpike-*')" ]
e2e_check "the edge finds both" e2e_wait 60 knows_both
e2e_check "messages by UDP" passed
e2e_check "messages by TCP" passed -t
for process in edge dataplane control; do
	e2e_lab kill $process --signal TERM
done
nothing_left()
{
	[ -n "$directory" ] && [ -z "$(find "$directory" -name 'turnpike-*' 2> /dev/null)" ]
}
e2e_check "nothing is left there" e2e_wait 30 nothing_left

#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Many allocations, some replaced every second, traffic on all, Binding and 401 floods beside it:
# no media packet is lost that the generator did not lose itself. TURNPIKE_TEST_LONG=1 asks for ten
# minutes of 200,000 allocations, and that residence in the relay hardly grows; in the few seconds
# otherwise a pause of the machine would decide that. Sizes by environment.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
if [ -n "$E2E_LONG" ]; then
	: "${MULTITUDE_ALLOCATIONS:=200000}" "${MULTITUDE_SECONDS:=600}" "${MULTITUDE_QUIET:=60}"
	: "${MULTITUDE_CHURN:=2000}" "${MULTITUDE_RATE:=20000}" "${MULTITUDE_FLOOD:=5000}"
else
	: "${MULTITUDE_ALLOCATIONS:=2000}" "${MULTITUDE_SECONDS:=5}" "${MULTITUDE_QUIET:=3}"
	: "${MULTITUDE_CHURN:=50}" "${MULTITUDE_RATE:=2000}" "${MULTITUDE_FLOOD:=500}"
fi
allocations=$MULTITUDE_ALLOCATIONS
# Half of each address's ports stay free, so that the search for a port is not measured.
relays=$((allocations / 8000 + 1))
clients=100
[ -x "$E2E_BUILD/tools/relaybench/relaybench" ] || e2e_skip "no relaybench built"

config=$(mktemp)
e2e_lab --relay-addresses $relays config > "$config"
cat >> "$config" <<-END
limits:
    allocations: $((allocations + allocations / 8 + 1000))
END
# The lab's own number is for a few thousand allocations.
export TURNPIKE_LAB_HUGEPAGES=$((160 + allocations / 1000))
e2e_begin --relay-addresses $relays --config "$config"
rm -f "$config"

# The cores are shared with the generator and all other processes here: the relay goes first.
for process in dataplane control; do
	echo -20 > "/proc/$(e2e_pid_of $process)/autogroup" 2>/dev/null
done
# Off the worker's core, as docs/operating.md asks.
taskset -apc 0 "$(e2e_pid_of control)" > /dev/null
e2e_check "$allocations allocations, $MULTITUDE_CHURN replaced per second for $MULTITUDE_SECONDS s" \
	python3 "$E2E_TOP/tests/e2e/multitude.py" \
	--relaybench "$E2E_BUILD/tools/relaybench/relaybench" \
	--relayctl "ip netns exec $TP_NS_RELAY $E2E_BUILD/tools/relayctl/relayctl -s $TP_SOCKET" \
	--seconds "$MULTITUDE_SECONDS" --quiet "$MULTITUDE_QUIET" --rate "$MULTITUDE_RATE" \
	--churn "$MULTITUDE_CHURN" --flood "$MULTITUDE_FLOOD" \
	--netns "$TP_NS_A" --netns "$TP_NS_B" --netns "$TP_NS_NET" --netns "$TP_NS_RELAY" \
	${E2E_LONG:+--judge-residence} ${MULTITUDE_OUTPUT:+--output "$MULTITUDE_OUTPUT"} -- \
	--server "$TP_RELAY4" --peer "$TP_B4" --client-netns "$TP_NS_A" --peer-netns "$TP_NS_B" \
	--client 10.77.1.20 --client-addresses $clients --flood-addresses 20 --core 0 \
	--password-file "$TP_PASSWORD_FILE" --allocations "$allocations" --window 256 \
	--setup-limit 600
e2e_run relay "$E2E_BUILD/tools/relayctl/relayctl" -s "$TP_SOCKET" drop show

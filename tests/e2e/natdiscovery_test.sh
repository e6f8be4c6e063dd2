#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# NAT behaviour discovery (RFC 5780) by coturn's client, through no NAT: answers come by the listener
# asked for, and by none when the option is off.
. "$(dirname "$0")/_init.sh"

e2e_need turnutils_natdiscovery
e2e_begin

discover()
{
	e2e_run a timeout 120 turnutils_natdiscovery "$@" 2>&1
}

# discovers NAME PATTERN OPTION...: the client's verdict.
discovers()
{
	local answer

	answer=$(discover "${@:3}")
	if grep -qE "$2" <<< "$answer"; then
		e2e_ok "$1"
	else
		e2e_not_ok "$1: $answer"
	fi
}

if [ "$E2E_SERVER" = coturn ]; then
	e2e_coturn_restart -a -u demo:demo-password -L 10.77.0.2 --alt-listening-port=3479
else
	relayctl=("$E2E_BUILD/tools/relayctl/relayctl" -s "$TP_SOCKET")
	answer=$(discover -m "$TP_RELAY4")
	e2e_check "without the option the client learns nothing" \
		e2e_not grep -qi "other addr\|no nat" <<< "$answer"
	sed -i 's/^protocol:/&\n    nat_discovery: true/' "$TP_CONFIG"
	e2e_check "a reload turns it on" "${relayctl[@]}" config reload
fi
discovers "there is no NAT" "No NAT|[Ii]ndependent [Mm]apping" -m "$TP_RELAY4"
discovers "nothing filters" "[Ii]ndependent [Ff]iltering" -f "$TP_RELAY4"
discovers "padded answers arrive" "[Ii]ndependent [Ff]iltering" -f -P "$TP_RELAY4"

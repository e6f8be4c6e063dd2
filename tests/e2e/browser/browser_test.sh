#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Two Chromiums in a lab of their own hold a call through the relay.
#
#   browser_test.sh [--relay turnpike|coturn] [--permission-follows-channel true|false]
#                   [--name LAB] [OPTION OF hold_call.py...]
#
# Without --relay: turnpike where it is built, else coturn in its place, which tests the page and
# this test alone; the first line says which. $TURNPIKE_BUILD is the build directory.
# Exit status 77: cannot run here, and why.
set -u -o pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../../.." && pwd)
build=${TURNPIKE_BUILD:-$top/build}
relay='' follows='' name=call$$ options=()

skip()
{
	echo "skipped: $*"
	exit 77
}

while [ $# -gt 0 ]; do
	case $1 in
	--relay) relay=${2:?--relay needs a name}; shift ;;
	--permission-follows-channel) follows=${2:?$1 needs true or false}; shift ;;
	--name) name=${2:?--name needs a name}; shift ;;
	*) options+=("$1") ;;
	esac
	shift
done

[ "$(id -u)" = 0 ] || skip "needs root for namespaces"
for program in chromium certutil ip nft ethtool openssl; do
	command -v $program >/dev/null || skip "no $program; tools/packages install lab browser"
done
/usr/bin/python3 -c 'import aiohttp' 2>/dev/null ||
	skip "no python3-aiohttp; tools/packages install browser"
unshare --net true 2>/dev/null || skip "the kernel gives no network namespace"
if [ -z "$relay" ]; then
	relay=coturn
	[ -x "$build/control/turnpike-control" ] && [ -x "$build/dataplane/turnpike-dataplane" ] &&
		relay=turnpike
fi
[ "$relay" != coturn ] || command -v turnserver >/dev/null || skip "no turnserver to relay with"
echo "relay: $relay"
[ "$relay" = turnpike ] || [ -z "$follows" ] || skip "permission_follows_channel is Turnpike's"

lab=("$top/tools/lab" --name "$name")
finish()
{
	local status=$?

	trap - EXIT
	if [ $status != 0 ]; then
		for log in "$TP_LAB_DIR"/{voicecall,coturn,dataplane,control}.log; do
			[ -s "$log" ] && echo "--- the end of $log" && tail -n 15 "$log"
		done
	fi
	"${lab[@]}" down
	rm -f "$config"
	exit $status
}

# The lab's own configuration with the option put in.
config_write()
{
	"${lab[@]}" config | awk -v line="    permission_follows_channel: $follows" '
		{ print }
		/^protocol:/ { print line; put = 1 }
		END { if (!put) print "protocol:\n" line }'
}

eval "$("${lab[@]}" env)"
config=$(mktemp)
trap finish EXIT
trap 'exit 1' INT TERM
up=(up)
[ "$relay" = turnpike ] || up+=(--no-relay)
if [ -n "$follows" ]; then
	config_write > "$config"
	up+=(--config "$config")
fi
"${lab[@]}" "${up[@]}" || exit 1

serve=(serve --lab "$name" --test-pages)
case $relay in
coturn)
	(umask 077 && cat > "$TP_LAB_DIR/coturn.conf") <<-END
	listening-ip=$TP_RELAY4
	relay-ip=$TP_RELAY4
	realm=$TP_REALM
	use-auth-secret
	static-auth-secret=$(cat "$TP_SECRET_FILE")
	allowed-peer-ip=10.77.0.0-10.77.255.255
	no-cli
	no-tls
	no-dtls
	log-file=stdout
	pidfile=$TP_LAB_DIR/coturn.pid
	END
	"${lab[@]}" run relay -- turnserver -c "$TP_LAB_DIR/coturn.conf" \
		< /dev/null > "$TP_LAB_DIR/coturn.log" 2>&1 &
	serve+=(--secret-file "$TP_SECRET_FILE"
		--turn-uri "turn:$TP_RELAY_NAME:3478?transport=udp")
	;;
turnpike)
	relayctl=$build/tools/relayctl/relayctl
	serve+=(--relayctl "$relayctl")
	options+=(--counter "'$relayctl' -s '$TP_SOCKET' -t counter show | awk -F'\t' '
		\$1 ~ /(channel_to_peer|peer_to_channel)\$/ { n += \$2 } END { print n + 0 }'")
	;;
*)
	echo "--relay $relay: turnpike or coturn"
	exit 2
	;;
esac

"$top/tools/voicecall/voicecall" "${serve[@]}" \
	< /dev/null > /dev/null 2> "$TP_LAB_DIR/voicecall.log" &
for ((i = 0; i < 100; i++)); do
	[ -e "$TP_LAB_DIR/voicecall.json" ] && break
	sleep 0.1
done
"$here/hold_call.py" --lab "$name" ${options[@]+"${options[@]}"}

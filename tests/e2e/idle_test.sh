#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Clients by TLS that ask nothing, held at once by one edge process: each is answered while all of them
# are there, the edge's memory of each is small, and goes when they go. TURNPIKE_TEST_LONG=1: 50,000.
#
# The limit of open files is of a table of descriptors. Where the hard one is too low for the edge, each
# of its threads has a table of its own (descriptors.c), without the system call filter; a generator
# has one thread, so there are several.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_streams.sh"

e2e_need_turnpike
[ -x "$E2E_BUILD/tools/relaybench/relaybench" ] || e2e_skip "no relaybench built"
: "${IDLE_CLIENTS:=${E2E_LONG:+50000}}"
: "${IDLE_CLIENTS:=2000}" "${IDLE_SECONDS:=${E2E_LONG:+30}}"
: "${IDLE_SECONDS:=3}"
generators=4
each=$((IDLE_CLIENTS / generators))
clients=$((each * generators))
files=$(ulimit -Hn)
[ "$files" != unlimited ] || files=$((1 << 20))
[ $((each + 1000)) -le "$files" ] ||
	e2e_skip "$clients clients: the hard limit of open files is $files; raise it (LimitNOFILE=, ulimit -Hn)"
ulimit -Sn "$files"

# The build with another edge: of the connections that an edge may have, a quarter is for others.
preloaded_build()
{
	local name

	mkdir -p "$1/control/edge"
	for name in dataplane tools; do
		ln -s "$E2E_BUILD/$name" "$1/$name"
	done
	ln -s "$E2E_BUILD/control/turnpike-control" "$1/control/turnpike-control"
	cat > "$1/control/edge/turnpike-edge" <<-END
	#!/bin/sh
	DESCRIPTORS_TABLES=$generators LD_PRELOAD=$E2E_BUILD/tests/e2e/libdescriptors.so exec \\
		$E2E_BUILD/control/edge/turnpike-edge "\$@" --no-sandbox
	END
	chmod 755 "$1" "$1/control" "$1/control/edge" "$1/control/edge/turnpike-edge"
}

build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
if [ $((clients * 4 / 3 + 1000)) -gt "$files" ]; then
	preloaded_build "$build"
	export TURNPIKE_BUILD=$build
	echo "each thread of the edge has a table of descriptors of its own"
fi
config=$(mktemp)
e2e_lab --direct --streams config | sed "s/^edge:/&\n    threads: $generators\n$(
	)    connections: $((clients + clients / 7 + 100))\n    connections_per_prefix: 0\n$(
	)    handshake_rate: 0\n    handshake_rate_per_prefix: 0\n    handshake_timeout: 600\n$(
	)    idle_timeout: 3600/" > "$config"
e2e_begin --direct --streams --config "$config"
trap 'rm -rf "$build"; e2e_end' EXIT
rm -f "$config"
e2e_check "the edge has found both processes" e2e_wait 60 edge_runs
edge=$(e2e_pid_of edge)

# resident: of the edge, in KiB.
resident()
{
	sed -n 's/^Rss: *\([0-9]*\) kB/\1/p' "/proc/$edge/smaps_rollup"
}

# shown CONNECTIONS ANSWERS: all of these at once, and so many messages for clients so far, or more.
shown()
{
	relayctl -j edge show > "$E2E_TMP/edge.json" 2> /dev/null &&
		[ "$(e2e_json "$E2E_TMP/edge.json" "r['connections'] == $1 and
			sum(c['value'] for c in r['counters'] if c['counter'] == 'messages_out') >= $2")" = true ]
}

# over COMMAND...: it succeeds, or a generator has ended.
over()
{
	"$@" || ! kill -0 "${pids[@]}" 2> /dev/null
}

before=$(resident)
for ((i = 0; i < generators; i++)); do
	"$E2E_BUILD/tools/relaybench/relaybench" streams --transport tls --server "$TP_RELAY4:5349" \
		--client-netns "$TP_NS_A" --peer-netns "$TP_NS_B" --client "10.77.1.2$i" \
		--measure idle --clients $each --window 32 --seconds "$IDLE_SECONDS" \
		--stay "$IDLE_SECONDS" --setup-limit 1200 --no-boost -o "$E2E_TMP/idle$i.json" \
		> "$E2E_TMP/idle$i.log" 2>&1 9>&- &
	pids[i]=$!
done
e2e_wait 1200 over shown $clients $clients
e2e_check "$clients clients by TLS are held at once" shown $clients $clients
held=$(resident)
# One answer of the set-up, and one now.
e2e_wait 600 over shown $clients $((2 * clients))
e2e_check "each is answered again, and all are there" shown $clients $((2 * clients))
for ((i = 0; i < generators; i++)); do
	wait "${pids[i]}" || cat "$E2E_TMP/idle$i.log"
	e2e_holds "$E2E_TMP/idle$i.json" "generator $i: all held, all answered, none closed" \
		"r['measured']['held'] == r['measured']['answered'] == $each and
		r['measured']['closed'] == 0"
done
e2e_check "all have left" e2e_wait 120 shown 0 $((2 * clients))
printf '{"before": %s, "held": %s, "clients": %s}\n' "$before" "$held" "$clients" > "$E2E_TMP/memory.json"
e2e_holds "$E2E_TMP/memory.json" "the edge has less than 20 KiB of memory for each" \
	"r['held'] - r['before'] < 20 * r['clients']"

# returned: a tenth of it, and what a process grows by that has worked, at most.
returned()
{
	left=$(resident)
	[ "$left" -lt $((before + (held - before) / 10 + 8192)) ]
}

e2e_check "and gives it back" e2e_wait 60 returned
echo "resident set of the edge in KiB: $before before, $held with $clients clients, $left after"

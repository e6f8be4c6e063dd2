#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The data plane stands still under traffic: the packets that its port had no room for are counted
# as missed, exactly as many as are missing at the ends, and relayctl reports it with the remedy.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
e2e_begin

relay()
{
	e2e_run relay "$E2E_BUILD/tools/relayctl/relayctl" -s "$TP_SOCKET" -j "$@"
}

# missed FILE: of all ports and, apart, as a drop reason.
missed()
{
	relay port show > "$E2E_TMP/ports.json"
	relay drop show all > "$E2E_TMP/drops.json"
	relay status > "$E2E_TMP/status.json"
	python3 - "$E2E_TMP" > "$1" <<-'END'
		import json, sys
		ports, drops, status = (json.load(open("%s/%s.json" % (sys.argv[1], n)))
		                        for n in ("ports", "drops", "status"))
		json.dump({"port": sum(p["missed"] for p in ports),
		           "no_buffer": sum(p["no_buffer"] for p in ports),
		           "drops": {d["reason"]: d["packets"] for d in drops},
		           "remedy": [d["next"] for d in drops if d["reason"] == "port_missed"][0],
		           "warnings": json.dumps(status["warnings"])}, sys.stdout)
	END
}

# Datagrams that the ends' own sockets had no room for, because the stream did not get the processor.
overrun()
{
	{ e2e_run a cat /proc/net/snmp; e2e_run b cat /proc/net/snmp; } |
		awk '$1 == "Udp:" && $2 ~ /^[0-9]/ { n += $6 } END { print n + 0 }'
}

before=$E2E_TMP/before.json
after=$E2E_TMP/after.json
report=$E2E_TMP/stream.json
pid=$(e2e_pid_of dataplane)

# Housekeeping counts once a second: an earlier second must not count for the test.
sleep 1.2
missed "$before"
overrun=$(overrun)
e2e_holds "$before" "nothing is missed before" "r['port'] == 0 and 'lost packets' not in r['warnings']"
e2e_stream_open "$report" --peer "$TP_B4" --rate 10000
e2e_stream_works "packets pass before"
kill -STOP "$pid"
# 2,048 buffers for received packets last for 0.1 s.
sleep 0.4
kill -CONT "$pid"
e2e_stream_works "and afterwards"
e2e_stream_close
both()
{
	missed "$after"
	python3 - "$report" "$before" "$after" $(($(overrun) - overrun)) > "$E2E_TMP/both.json" <<-'END'
		import json, sys
		stream, before, after = (json.load(open(name)) for name in sys.argv[1:4])
		json.dump({"sent": stream["up"]["sent"] + stream["down"]["sent"],
		           "lost": stream["up"]["lost"] + stream["down"]["lost"] - int(sys.argv[4]),
		           "overrun": int(sys.argv[4]),
		           "missed": after["port"] - before["port"], "after": after,
		           "dropped": {n: d - before["drops"][n] for n, d in after["drops"].items()
		                       if d > before["drops"][n]}}, sys.stdout)
	END
	[ "$(e2e_json "$E2E_TMP/both.json" "r['missed'] == r['lost']")" = true ]
}
e2e_wait 120 both
e2e_json "$E2E_TMP/both.json" \
	"'%d sent, %d lost, %d missed by the port, %d more by the ends' % (
		r['sent'], r['lost'], r['missed'], r['overrun'])"
e2e_holds "$E2E_TMP/both.json" "packets are lost" "r['lost'] > 1000"
e2e_holds "$E2E_TMP/both.json" "the port missed exactly those" "r['missed'] == r['lost']"
e2e_holds "$E2E_TMP/both.json" "they are a drop reason, the only one" \
	"r['dropped'] == {'port_missed': r['missed']}"
e2e_holds "$after" "with a remedy" "'cores' in r['remedy']"
e2e_holds "$after" "status warns" "'lost packets before a worker took them' in r['warnings']"
e2e_check "and the log says so" grep -q port_missed "$TP_LAB_DIR/dataplane.log"

#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# 2,000 Allocate requests per second of time-limited users for five seconds, in which the server of
# other users, an HTTP server or Redis, is stopped, answers after five seconds, or is killed: the 10,000
# have their allocations with one retransmission at most, and a call loses nothing.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
e2e_need redis-server redis-cli
e2e_begin
. "$(dirname "$0")/_directory.sh"
chmod 755 "$E2E_TMP"

http_start()
{
	rm -f "$E2E_TMP/http.log"
	e2e_run relay python3 "$directory_py" serve 8099 $directory_realm 1000 > "$E2E_TMP/http.log" 2>&1 9>&- 7>&- &
	e2e_wait 60 grep -q serves "$E2E_TMP/http.log"
	server_pid=$(sed -n 's/^serves, pid //p' "$E2E_TMP/http.log")
	source_keys='url: "http://127.0.0.1:8099/turn"'
}

redis_start()
{
	redis-server --port 0 --unixsocket "$E2E_TMP/redis.sock" --unixsocketperm 777 --save "" \
		--dir "$E2E_TMP" > "$E2E_TMP/redis.log" 2>&1 9>&- 7>&- &
	server_pid=$!
	e2e_wait 60 redis-cli -s "$E2E_TMP/redis.sock" ping > /dev/null &&
		python3 "$directory_py" redis $directory_realm 1000 |
			redis-cli -s "$E2E_TMP/redis.sock" --pipe > /dev/null
	install -m 0640 -g turnpike-directory /dev/null "$E2E_TMP/connection"
	echo "ip=$E2E_TMP/redis.sock" > "$E2E_TMP/connection"
	source_keys="connection_file: $E2E_TMP/connection"
}

# The allocations of the newcomers go with the tables.
relay_anew()
{
	e2e_lab kill control --signal TERM > /dev/null
	e2e_lab kill dataplane --signal TERM > /dev/null
	e2e_lab start dataplane > /dev/null && e2e_lab start control > /dev/null &&
		e2e_wait 60 directory_is_up
}

happen()
{
	case $1 in
	stopped) kill -STOP "$server_pid" ;;
	slow)
		# It runs for a moment each five seconds.
		while sleep 5; do kill -CONT "$server_pid"; sleep 0.05; kill -STOP "$server_pid"; done &
		slow_pid=$!
		kill -STOP "$server_pid"
		;;
	killed) kill -KILL "$server_pid" ;;
	esac
}

happened()
{
	case $1 in
	stopped) kill -CONT "$server_pid" ;;
	slow)
		kill $slow_pid
		wait $slow_pid 2> /dev/null
		kill -CONT "$server_pid"
		;;
	esac
}

recovered()
{
	directory_allocate "$E2E_TMP/all" --users 0-19 --threads 8
	directory_all_of "$E2E_TMP/all" 20
}

newcomers_lost_nothing()
{
	e2e_holds "$E2E_TMP/newcomers" "$1" \
		"r['allocated'] == 10000 and set(r) == {'allocated', 'most_resent', 'behind'} and r['most_resent'] <= 1"
}

for kind in http redis; do
	e2e_check "$kind: the server starts with 1,000 users" ${kind}_start
	directory_configure "{name: $kind, type: $kind, $source_keys, life: 1, negative_life: 0}"
	if [ -z "${directory_pid:-}" ]; then
		e2e_check "the directory starts" directory_start
	else
		kill -HUP "$directory_pid"
	fi
	for event in stopped slow killed; do
		e2e_check "$kind: its users allocate" e2e_wait 60 recovered
		e2e_stream_open "$E2E_TMP/call" --peer "$TP_B4" --rate 50 --size 200
		happen $event
		directory_allocate "$E2E_TMP/users" --users 100-399 --threads 20 &
		users=$!
		e2e_run a python3 "$E2E_TOP/tests/e2e/newcomers.py" "$TP_RELAY4" \
			--secret-file "$TP_LAB_DIR/lab.secret" > "$E2E_TMP/newcomers"
		happened $event
		wait $users
		cat "$E2E_TMP/newcomers" "$E2E_TMP/users"
		newcomers_lost_nothing "$kind, $event: 10,000 others have their allocations"
		e2e_check "$kind, $event: its own users get 500 or wait" \
			[ "$(directory_count "$E2E_TMP/users" 500)" -gt 0 ]
		e2e_stream_works "$kind, $event: the call goes on"
		e2e_stream_close
		e2e_holds "$E2E_TMP/call" "$kind, $event: it lost nothing" "r['up']['lost'] == r['down']['lost'] == 0"
		e2e_check "the relay starts anew" relay_anew
	done
done
e2e_check "no call was denied" e2e_not grep -h call_denied "$E2E_TMP/directory.log"
directory_end TERM

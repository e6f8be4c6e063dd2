#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# 1,000 users each in PostgreSQL, in Redis and behind an HTTP server: each server is silent, then
# killed and started again under Allocate requests of others, who lose nothing.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
e2e_need redis-server redis-cli psql
postgresql=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -n 1)
[ -n "$postgresql" ] || e2e_skip "no postgresql (tools/packages install lab)"
e2e_begin
. "$(dirname "$0")/_directory.sh"
chmod 755 "$E2E_TMP"

export PGPASSWORD=hunter2-sql REDISCLI_AUTH=hunter2-redis

# ---- servers ------------------------------------------------------------------------------------

# No function: in the background it would be a shell between the test and the server, and that shell
# would get the server's signals.
as_postgres=(setpriv --reuid postgres --regid postgres --clear-groups)

postgresql_start()
{
	"${as_postgres[@]}" "$postgresql/postgres" -D "$E2E_TMP/pg/data" -k "$E2E_TMP/pg" -h "" -F \
		> "$E2E_TMP/pg.log" 2>&1 9>&- 7>&- &
	server_pid=$!
	e2e_wait 120 "$postgresql/pg_isready" -q -h "$E2E_TMP/pg"
}

postgresql_make()
{
	install -d -o postgres -m 0755 "$E2E_TMP/pg"
	echo "$PGPASSWORD" > "$E2E_TMP/pg.secret"
	"${as_postgres[@]}" "$postgresql/initdb" -D "$E2E_TMP/pg/data" -U turn --pwfile "$E2E_TMP/pg.secret" \
		-A scram-sha-256 --no-sync > /dev/null && postgresql_start || return 1
	{
		cat /usr/share/coturn/schema.sql
		python3 "$directory_py" sql $directory_realm 1000
	} | psql -q -h "$E2E_TMP/pg" -U turn postgres > /dev/null
	source_text="host=$E2E_TMP/pg dbname=postgres user=turn password=$PGPASSWORD"
}

redis_start()
{
	redis-server --port 0 --unixsocket "$E2E_TMP/redis.sock" --unixsocketperm 777 --save "" \
		--requirepass "$REDISCLI_AUTH" --dir "$E2E_TMP" > "$E2E_TMP/redis.log" 2>&1 9>&- 7>&- &
	server_pid=$!
	e2e_wait 60 redis-cli -s "$E2E_TMP/redis.sock" ping > /dev/null &&
		python3 "$directory_py" redis $directory_realm 1000 |
			redis-cli -s "$E2E_TMP/redis.sock" --pipe > /dev/null
}

redis_make()
{
	redis_start
	source_text="ip=$E2E_TMP/redis.sock password=$REDISCLI_AUTH"
}

http_start()
{
	e2e_run relay python3 "$directory_py" serve 8099 $directory_realm 1000 > "$E2E_TMP/http.log" 2>&1 9>&- 7>&- &
	e2e_wait 60 grep -q serves "$E2E_TMP/http.log"
	server_pid=$(sed -n 's/^serves, pid //p' "$E2E_TMP/http.log")
}

http_make()
{
	http_start
}

# silence KIND STOP|CONT: all processes of the server.
silence()
{
	kill "-$2" $server_pid $(pgrep -P $server_pid)
}

server_kill()
{
	if [ "$1" = postgresql ]; then
		# Its own way of a crash takes its children along.
		kill -QUIT $server_pid
	else
		kill -KILL $server_pid
	fi
	wait $server_pid 2>/dev/null
	[ "$1" != http ] || rm -f "$E2E_TMP/http.log"
}

# ---- the test -----------------------------------------------------------------------------------

configure()
{
	local more="connection_file: $E2E_TMP/connection"

	if [ "$1" = http ]; then
		more="url: \"http://127.0.0.1:8099/turn\""
	else
		install -m 0640 -g turnpike-directory /dev/null "$E2E_TMP/connection"
		echo "$source_text" > "$E2E_TMP/connection"
	fi
	directory_configure "{name: $1, type: $1, $more, life: 1, negative_life: 0}"
}

recovered()
{
	directory_allocate "$E2E_TMP/again" --users "$1" --threads 20
	directory_all_of "$E2E_TMP/again" 20
}

for kind in postgresql redis http; do
	e2e_check "$kind: the server starts with 1,000 users" ${kind}_make
	configure $kind
	if [ -z "${directory_pid:-}" ]; then
		e2e_check "the directory starts" directory_start
	else
		kill -HUP "$directory_pid"
		e2e_check "$kind: the directory reads its configuration again" \
			e2e_wait 60 grep -q " config_reloaded " "$E2E_TMP/directory.log"
	fi
	directory_steady_start
	recovered 0-19
	directory_allocate "$E2E_TMP/all" --users 0-999 --threads 16
	cat "$E2E_TMP/all"
	e2e_check "$kind: 1,000 users allocate" directory_all_of "$E2E_TMP/all" 1000
	sleep 2
	silence $kind STOP
	directory_allocate "$E2E_TMP/silent" --users 20-39 --threads 20
	cat "$E2E_TMP/silent"
	silence $kind CONT
	e2e_check "$kind: a silent server's users get 500" [ "$(directory_count "$E2E_TMP/silent" 500)" -gt 0 ]
	e2e_check "$kind: with an event" grep -q " source_failed .*source=$kind" "$E2E_TMP/directory.log"
	e2e_check "$kind: they allocate when it speaks again" e2e_wait 60 recovered 40-59
	server_kill $kind
	directory_allocate "$E2E_TMP/gone" --users 60-79 --threads 20
	e2e_check "$kind: a killed server's users get 500" [ "$(directory_count "$E2E_TMP/gone" 500)" = 20 ]
	${kind}_start
	e2e_check "$kind: and allocate when it is back" e2e_wait 60 recovered 80-99
	directory_steady_end
	e2e_check "$kind: other users lost nothing" directory_steady_lost_nothing
	server_kill $kind
done
e2e_check "no password is in a log" e2e_not grep -qhE "hunter2|pw-u" "$E2E_TMP/directory.log" "$TP_LAB_DIR"/*.log
e2e_check "no call was denied" e2e_not grep -h call_denied "$E2E_TMP/directory.log"
directory_end TERM

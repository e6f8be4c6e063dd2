#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Users of a turndb, made by coturn's schema and read by coturn beside us: 1,000 of them allocate, also
# while the directory or the database is killed, locked or replaced; users of another kind notice
# nothing.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
e2e_need turnserver turnadmin sqlite3
e2e_begin
. "$(dirname "$0")/_directory.sh"

db=$E2E_TMP/turndb
chmod 755 "$E2E_TMP"
python3 "$directory_py" sqlite "$db" $directory_realm 1000
turnadmin -a -b "$db" -u admin7 -r $directory_realm -p pw-admin7 > /dev/null 2>&1
chmod 644 "$db"
before=$(sha256sum < "$db")
directory_configure "{name: main, type: sqlite, path: $db, life: 1, negative_life: 0}"
e2e_check "the reload takes the source" grep -q "directory.sources" "$E2E_TMP/reload"
e2e_check "status says that the directory is missing" directory_is_down
e2e_check "and the warning has a remedy" sh -c \
	"'$E2E_BUILD/tools/relayctl/relayctl' -s '$TP_SOCKET' status | grep -q 'systemctl start turnpike-directory'"
e2e_check "the directory starts" directory_start
e2e_check "without a capability, under a filter" sh -c \
	"grep -q 'CapEff:.*0000000000000000' /proc/$directory_pid/status && \
	grep -q 'Seccomp:.*2' /proc/$directory_pid/status && \
	grep -q \"^Uid:.*$(id -u turnpike-directory)\" /proc/$directory_pid/status"
e2e_check "the socket is control's alone" [ "$(stat -c %U:%a "$TP_LAB_DIR/directory.sock")" = turnpike-control:600 ]

directory_steady_start
directory_allocate "$E2E_TMP/all" --users 0-999 --threads 16
cat "$E2E_TMP/all"
e2e_check "1,000 users of the database allocate" directory_all_of "$E2E_TMP/all" 1000
directory_allocate "$E2E_TMP/made" --prefix admin --users 7-7
e2e_check "so does the one that turnadmin made" directory_all_of "$E2E_TMP/made" 1
directory_allocate "$E2E_TMP/none" --prefix nobody --users 0-19
e2e_check "users that are not there get 401" [ "$(directory_count "$E2E_TMP/none" 401)" = 20 ]

directory_end KILL
directory_allocate "$E2E_TMP/dead" --users 0-19 --threads 20 &
waiting=$!
sleep 1
e2e_check "a killed directory starts again" directory_start
wait $waiting
cat "$E2E_TMP/dead"
e2e_check "users that asked meanwhile allocate" directory_all_of "$E2E_TMP/dead" 20

python3 - "$db" "$E2E_TMP/locked" <<'END' &
import sqlite3, sys, time
db = sqlite3.connect(sys.argv[1], timeout=60)
db.execute("BEGIN EXCLUSIVE")
open(sys.argv[2], "w").close()
time.sleep(8)
db.rollback()
END
locker=$!
e2e_wait 60 [ -e "$E2E_TMP/locked" ]
directory_allocate "$E2E_TMP/slow" --users 20-39 --threads 20
cat "$E2E_TMP/slow"
e2e_check "a locked database: its users get 500" [ "$(directory_count "$E2E_TMP/slow" 500)" -gt 0 ]
e2e_check "with an event" grep -q ' source_failed .*locked' "$E2E_TMP/directory.log"
wait $locker
recovered()
{
	directory_allocate "$E2E_TMP/again" --users 40-59 --threads 20
	directory_all_of "$E2E_TMP/again" 20
}
e2e_check "and allocate when it is unlocked" e2e_wait 60 recovered
e2e_check "with an event" grep -q ' source_recovered ' "$E2E_TMP/directory.log"
directory_steady_end
e2e_check "all the while other users lost nothing" directory_steady_lost_nothing

e2e_background b coturn.log turnserver -n --no-cli --no-tls --no-dtls --simple-log --log-file=stdout \
	--pidfile="$E2E_TMP/coturn.pid" --userdb="$db" -a -r $directory_realm -L 10.77.2.2 \
	-E 10.77.2.2 --allow-loopback-peers
coturn=$e2e_pid
coturn_allocates()
{
	e2e_run b timeout 30 python3 "$directory_py" allocate --server 10.77.2.2 --users 0-19 > "$E2E_TMP/coturn"
	directory_all_of "$E2E_TMP/coturn" 20
}
e2e_check "coturn reads the same file" e2e_wait 60 coturn_allocates
kill $coturn

e2e_check "the file is as it was" [ "$(sha256sum < "$db")" = "$before" ]
e2e_check "no password or key is in a log" e2e_not grep -qhE \
	"pw-u|$(sqlite3 "$db" "SELECT hmackey FROM turnusers_lt WHERE name = 'u0'")" \
	"$E2E_TMP/directory.log" "$TP_LAB_DIR"/*.log
e2e_check "no call was denied" e2e_not grep -h call_denied "$E2E_TMP/directory.log"
directory_end TERM
e2e_check "it stops in order" grep -q ' process_stopped ' "$E2E_TMP/directory.log"
e2e_lab kill control --signal TERM
e2e_check "and control removes its socket" e2e_wait 120 [ ! -e "$TP_LAB_DIR/directory.sock" ]

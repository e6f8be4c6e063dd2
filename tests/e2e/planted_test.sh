#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Planted secrets: passwords, keys, tokens, tickets and the integrity of messages are in no log, though
# all is logged, in no capture, in no answer of relayctl, and in no core dump, of which there is none.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_streams.sh"

e2e_need_turnpike
e2e_need turnutils_uclient sqlite3 setpriv
# Cores would be made here.
ulimit -c unlimited
cores=$(mktemp -d)
chmod 1777 "$cores"
cd "$cores" || exit 1
e2e_begin --streams
cores_end()
{
	local status=$?

	cd / && rm -rf "$cores"
	(exit $status)
	e2e_end
}
trap cores_end EXIT
. "$E2E_TOP/tests/e2e/_directory.sh"
planted=$E2E_TOP/tests/e2e/planted.py
list=$E2E_TMP/planted
out=$E2E_TMP/out
mkdir "$out"

# plant NAME FILE: a text of its own in a file of the configuration.
plant()
{
	printf 'planted-%s-%s\n' "$1" "$(openssl rand -hex 8)" > "$2"
	python3 "$planted" text "$1" "$list" < "$2"
}

plant password "$TP_PASSWORD_FILE"
plant rest-secret "$TP_SECRET_FILE"
python3 "$planted" key "$TP_LAB_DIR/relay.key" "$list"
# Those of coturn's client.
printf 01234567890123456789012345678901 | python3 "$planted" text token-key "$list"
install -m 0640 -g turnpike-control /dev/null "$TP_LAB_DIR/north.key"
printf 01234567890123456789012345678901 | base64 > "$TP_LAB_DIR/north.key"
cat >> "$TP_CONFIG" <<-END
tokens:
  server_name: relay.turnpike
  keys: [{id: north, algorithm: A256GCM, key_file: $TP_LAB_DIR/north.key}]
log: {level: debug}
END
db=$E2E_TMP/turndb
chmod 755 "$E2E_TMP"
python3 "$directory_py" sqlite "$db" $directory_realm 10
chmod 644 "$db"
sqlite3 "$db" "SELECT hmackey FROM turnusers_lt WHERE name = 'u0'" |
	python3 "$planted" text database-key "$list"
directory_configure "{name: main, type: sqlite, path: $db}"
for process in edge control dataplane; do
	e2e_lab kill $process --signal TERM
done
for process in dataplane control edge; do
	e2e_lab start $process
done
e2e_check "all processes run with the planted secrets" e2e_wait 120 edge_runs
e2e_check "the directory starts" directory_start

# ---- calls --------------------------------------------------------------------------------------

e2e_background net watch.log python3 "$planted" watch r0 "$list.seen"
e2e_check "the router watches" e2e_wait 60 grep -q watches "$E2E_TMP/watch.log"
mkfifo "$E2E_TMP/go"
e2e_run a timeout 300 python3 "$planted" client "$list" --server "$TP_RELAY4" --peer "$TP_B4" \
	--password-file "$TP_PASSWORD_FILE" --secret-file "$TP_SECRET_FILE" --ca "$TP_CA" \
	< "$E2E_TMP/go" > "$E2E_TMP/client" 2>&1 9>&- &
client=$!
exec 6> "$E2E_TMP/go"
allocated()
{
	[ "$(grep -c allocated "$E2E_TMP/client")" = 3 ]
}
asked()
{
	[ "$(grep -c asked "$E2E_TMP/client")" = "$1" ]
}
captured()
{
	[ "$(stat -c %s "$1")" -gt 1000 ]
}
e2e_check "calls by UDP, TCP and TLS" e2e_wait 120 allocated
n=0
for relayed in $(sed -n 's/^allocated //p' "$E2E_TMP/client"); do
	n=$((n + 1))
	"${relayctl[@]}" capture "$relayed" --seconds 600 -w "$out/capture.$n" 2> "$out/capture.$n.err" 6>&- &
	capture=$!
	e2e_wait 60 [ -s "$out/capture.$n" ]
	echo go >&6
	e2e_check "requests are captured: $relayed" e2e_wait 120 asked $n
	e2e_check "the capture has them" e2e_wait 60 captured "$out/capture.$n"
	kill -INT $capture
	wait $capture
done
e2e_run a timeout 120 turnutils_uclient -J -u nobody -w nothing -e "$TP_B4" -r 3480 -c -n 2 -m 2 \
	"$TP_RELAY4" > "$E2E_TMP/uclient" 2>&1
directory_allocate "$E2E_TMP/users" --users 0-9
e2e_check "users of the database allocate" directory_all_of "$E2E_TMP/users" 10
"${relayctl[@]}" trace start --client "$TP_A4" -n 50 > "$out/trace" 2>&1 6>&- &
trace=$!
# The trace begins some time after its command.
traced()
{
	echo go >&6
	n=$((n + 1))
	e2e_wait 120 asked $n && grep -q "STUN .*$TP_A4" "$out/trace"
}
e2e_check "requests are traced" e2e_wait 120 traced
for command in status top "allocation list" "worker show" "drop show" "port show" "nexthop list" \
	"secret list" "ban list" "policy explain 10.77.2.2" "config check" "counter show" "edge show" \
	"certificate show" "log level" "config reload"; do
	for form in -t -j; do
		timeout 20 "${relayctl[@]}" $form $command > "$out/${command// /-}$form" 2>&1 < /dev/null
	done
done
"${relayctl[@]}" -t allocation list | awk '$1 ~ /^[0-9a-f]/ { print $1 }' | while read -r id; do
	"${relayctl[@]}" allocation show "$id" > "$out/allocation-$id" 2>&1
done
kill $trace 2>/dev/null
wait $trace
# A refused command has no secret in its answer.
answered()
{
	local file

	for file; do
		[ -s "$file" ] && ! grep -H '^relayctl: ' "$file" || { echo "$file is no answer"; return 1; }
	done
}
e2e_check "all answers of relayctl have lines" answered "$out"/*-[tj] "$out"/allocation-[0-9a-f]*

# ---- where they are not -------------------------------------------------------------------------

cat "$list.seen" >> "$list"
cp "$TP_LAB_DIR"/*.log "$E2E_TMP/directory.log" "$out"
for name in password rest-secret rest-password token-key tls-key integrity access-token ticket \
	reservation-token key database-key; do
	e2e_check "there was a secret of the kind $name" grep -q "^$name " "$list"
done
nowhere()
{
	python3 "$planted" "$1" "$list" "${@:2}" > "$E2E_TMP/found" 2>&1
	local status=$?

	tail -n 20 "$E2E_TMP/found"
	return $status
}
e2e_check "no log, capture or answer of relayctl has one" nowhere find "$out"/*
for form in raw hexadecimal base64; do
	python3 "$planted" show "$list" ticket $form > "$E2E_TMP/leak"
	e2e_check "one that were there would be found: $form" e2e_not nowhere find "$E2E_TMP/leak"
done

# ---- core dumps ---------------------------------------------------------------------------------

# A process of the same user, which hides nothing, shows whether this machine writes cores here.
python3 "$planted" show "$list" password raw > "$E2E_TMP/known"
(setpriv --reuid turnpike-control --regid turnpike-control --clear-groups \
	sh -c 'read -r kept; kill -ABRT $$' < "$E2E_TMP/known") > /dev/null 2>&1
core=$(ls "$cores" | head -n 1)
if [ -n "$core" ]; then
	e2e_check "the core of another process has its secret" e2e_not nowhere find-raw "$cores/$core"
	rm -f "$cores"/*
else
	echo "this machine writes no core here: $(cat /proc/sys/kernel/core_pattern)"
fi
pids="$(for process in control dataplane edge; do e2e_pid_of $process; done) $directory_pid"
for pid in $pids; do
	name=$(cat "/proc/$pid/comm")
	# Those that are not dumpable belong to root.
	e2e_check "$name is not dumpable" [ "$(stat -c %U "/proc/$pid/environ")" = root ]
	e2e_check "and has no core by its limits" grep -qE '^Max core file size +0 +0 ' "/proc/$pid/limits"
	kill -ABRT "$pid"
	e2e_check "$name ends" e2e_wait 60 [ ! -e "/proc/$pid" ]
done
exec 6>&-
wait $client
e2e_check "no core is left" [ -z "$(ls "$cores")" ]
[ -z "${SECRETS_KEEP:-}" ] || cp -r "$E2E_TMP" "$SECRETS_KEEP"

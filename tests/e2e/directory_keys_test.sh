#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Secrets of turn_secret and keys of oauth_key in a turndb, by coturn's own tools: a new row lets its
# clients in, a removed one lets them in no longer, a database that is away changes nothing.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
e2e_need turnutils_uclient turnadmin sqlite3
e2e_begin
. "$(dirname "$0")/_directory.sh"

db=$E2E_TMP/turndb
chmod 755 "$E2E_TMP"
python3 "$directory_py" sqlite "$db" $directory_realm 1
chmod 644 "$db"

# Written as coturn's operators do.
secret()
{
	turnadmin "$1" "$2" -b "$db" -r $directory_realm > /dev/null 2>&1
}

# counted NAME: the relay's counter.
counted()
{
	"${relayctl[@]}" counter show | awk -v name="$1" '$1 == name { n = $2 } END { print n + 0 }'
}

# try_client OPTION...: one that is refused asks again and again.
try_client()
{
	opened=$(counted allocations_opened)
	refused=$(counted integrity_failed)
	e2e_run a timeout 8 turnutils_uclient "$@" -e "$TP_B4" -r 3480 -c -n 1 -m 1 \
		"$TP_RELAY4" > "$E2E_TMP/client.log" 2>&1
}

is_let_in()
{
	try_client "$@"
	[ "$(counted allocations_opened)" -gt "$opened" ]
}

is_refused()
{
	try_client "$@"
	[ "$(counted allocations_opened)" = "$opened" ] && [ "$(counted integrity_failed)" -gt "$refused" ]
}

secret -s first-planted
echo "INSERT INTO oauth_key VALUES ('north', '$(printf 01234567890123456789012345678901 | base64)', 0, 0, 'A256GCM', '');
INSERT INTO oauth_key VALUES ('union', '$(printf 1234567890123456 | base64)', 0, 0, 'A128GCM', '$directory_realm');" |
	sqlite3 "$db"
printf 'tokens: {server_name: relay.turnpike}\n' >> "$TP_CONFIG"
directory_configure "{name: main, type: sqlite, path: $db, life: 1, negative_life: 0, secrets: true, token_keys: true}"
e2e_check "the directory starts" directory_start
e2e_check "the keys come with an event" e2e_wait 60 grep -q \
	" realm_keys .*secrets=1 token_keys=2" "$TP_LAB_DIR/control.log"
e2e_check "a secret of the database lets in" is_let_in -W first-planted -u carol
e2e_check "so does the configuration's own" is_let_in -W "$(cat "$TP_LAB_DIR/lab.secret")" -u carol
e2e_check "another one does not" e2e_wait 60 is_refused -W second-planted -u carol
secret -s second-planted
e2e_check "a new row does" e2e_wait 120 is_let_in -W second-planted -u carol
e2e_check "beside the old one" is_let_in -W first-planted -u carol
secret -X first-planted
e2e_check "a removed one no longer" e2e_wait 120 is_refused -W first-planted -u carol
e2e_check "but the other" is_let_in -W second-planted -u carol
e2e_check "relayctl tells the secrets by made-up names" sh -c \
	"'${relayctl[0]}' -s '$TP_SOCKET' secret list | grep -qE 'db-[0-9a-f]{8}'"

directory_end KILL
e2e_check "without the directory the last ones stay" is_let_in -W second-planted -u carol
e2e_check "the directory starts again" directory_start
mv "$db" "$db.away"
e2e_check "a database that is away has an event" e2e_wait 60 grep -q ' source_failed ' "$E2E_TMP/directory.log"
e2e_check "and its last secrets stay" is_let_in -W second-planted -u carol
mv "$db.away" "$db"
secret -s third-planted
e2e_check "they change again when it is back" e2e_wait 120 is_let_in -W third-planted -u carol

e2e_lab kill control --signal TERM > /dev/null
e2e_lab start control > /dev/null
e2e_check "a control process that starts gets them" e2e_wait 120 is_let_in -W third-planted -u carol
e2e_check "a reload may leave them out" sh -c \
	"sed -i 's/, secrets: true, token_keys: true/, secrets: false, token_keys: true/' '$TP_CONFIG' &&
	'${relayctl[0]}' -s '$TP_SOCKET' config reload > /dev/null"
e2e_check "takes the secrets away" e2e_wait 120 is_refused -W third-planted -u carol
e2e_check "no secret or key is in a log" e2e_not grep -qhE \
	"planted|01234567890123456789|MDEyMzQ1Njc4OTAxMjM0NTY3" "$E2E_TMP/directory.log" "$TP_LAB_DIR"/*.log
directory_end TERM

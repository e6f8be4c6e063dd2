#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Bans: a banned user's call ends, a new one is refused, other users' calls go on, and a killed
# control process forgets none of it. A killed call leaves a ban of its credential.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
e2e_begin
relayctl=("$E2E_BUILD/tools/relayctl/relayctl" -s "$TP_SOCKET")

cat > "$E2E_TMP/caller.py" <<'END'
# Holds a call; refreshes it and makes another one at each line of input, prints both codes.
import sys
sys.path.insert(0, sys.argv[1])
import hostile
from directory import User
server, name, password = sys.argv[2:]
def client():
    c = User(server, name)
    c.password = password
    return c
first = client()
print(first.allocate(), flush=True)
for line in sys.stdin:
    print(first.refresh(), client().allocate(), flush=True)
END
here=$(cd "$(dirname "$0")" && pwd)

# call NAME PASSWORD: another caller, as file descriptors of the coprocess.
coproc BANNED { e2e_run a python3 "$E2E_TMP/caller.py" "$here" "$TP_RELAY4" demo demo-password; }
read -r -t 60 code <&"${BANNED[0]}"
e2e_check "a user has a call" [ "$code" = 0 ]
ask()
{
	echo >&"${BANNED[1]}"
	read -r -t 60 answer <&"${BANNED[0]}" && [ "$answer" = "$1" ] || { echo "got $answer"; return 1; }
}
# calls N: so many are live. A command that fails is no answer.
calls()
{
	"${relayctl[@]}" -j allocation list > "$E2E_TMP/calls" &&
		[ "$(e2e_json "$E2E_TMP/calls" 'len(r)')" = "$1" ]
}
e2e_check "which goes on, and makes another" ask "0 0"
calls 0
e2e_holds "$E2E_TMP/calls" "they are listed" "len(r) > 0"
"${relayctl[@]}" ban add demo --for 1h > "$E2E_TMP/ban"
e2e_check "the ban is shown" sh -c "'${relayctl[0]}' -s '$TP_SOCKET' ban list | grep -q demo"
e2e_check "its calls end" e2e_wait 60 calls 0
e2e_check "Refresh is 437, Allocate 401" ask "437 401"
e2e_check "the file is the user's own" sh -c \
	"[ \$(stat -c %a '$(dirname "$TP_SOCKET")/bans') = 600 ]"
e2e_lab kill control --signal KILL > /dev/null
e2e_lab start control > /dev/null
e2e_check "a killed control process knows it" e2e_wait 60 sh -c \
	"'${relayctl[0]}' -s '$TP_SOCKET' ban list | grep -q demo"
e2e_check "and refuses" ask "437 401"
"${relayctl[@]}" ban remove demo > /dev/null
e2e_check "lifted, the user is back" ask "437 0"
exec {BANNED[1]}>&-

#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# Two realms in one relay: clients of one listener, or of one ORIGIN, have users and limits of their
# own, and a user of one realm is none of the other.
. "$(dirname "$0")/_init.sh"

e2e_need_turnpike
e2e_need turnutils_uclient
e2e_begin
relayctl=("$E2E_BUILD/tools/relayctl/relayctl" -s "$TP_SOCKET")
install -m 0640 -g turnpike-control /dev/null "$TP_LAB_DIR/business.password"
echo business-password > "$TP_LAB_DIR/business.password"
python3 - "$TP_CONFIG" "$TP_LAB_DIR/business.password" <<'END'
import sys
path, password = sys.argv[1:]
text = open(path).read().replace('address: "10.77.0.1", port: 3479',
                                 'address: "10.77.0.1", port: 3479, realm: business.turnpike')
text += f"""realms:
    - name: business.turnpike
      origins: ["https://meet.example"]
      users: [{{name: carol, password_file: {password}}}]
      peers: {{allow: ["10.77.0.0/16"]}}
      user_quota: 1
"""
open(path, "w").write(text)
END
"${relayctl[@]}" config reload --dry-run > "$E2E_TMP/dry" 2>&1
e2e_check "a dry run says that a realm needs a restart" grep -q "business.turnpike added" "$E2E_TMP/dry"
e2e_lab kill control --signal TERM > /dev/null
e2e_lab start control > /dev/null
e2e_check "control starts with two realms" e2e_wait 60 sh -c \
	"'${relayctl[0]}' -s '$TP_SOCKET' -j status | grep -q business.turnpike"

cat > "$E2E_TMP/client.py" <<'END'
import os, sys
sys.path.insert(0, sys.argv[1])
import hostile
from directory import User
server, port, name, password, origin = sys.argv[2:]
hostile.PORT = int(port)
if origin:
    plain = hostile.message
    # Before the integrity, as all attributes.
    hostile.message = lambda kind, txid, attributes, key=None: plain(
        kind, txid, [*attributes, (0x802f, origin.encode())], key)
def client():
    c = User(server, name)
    c.password = password
    return c
first, second = client(), client()
code = first.allocate()
print(code, first.realm.decode(), second.allocate())
END
# as PORT NAME PASSWORD ORIGIN: two allocations of a user; prints code, realm and second code.
as()
{
	e2e_run a python3 "$E2E_TMP/client.py" "$(cd "$(dirname "$0")" && pwd)" "$TP_RELAY4" "$@"
}

is()
{
	local want=$1 got

	got=$(as "${@:2}")
	[ "$got" = "$want" ] || { echo "got $got"; return 1; }
}

e2e_check "the file's own realm goes on" is "0 lab.turnpike 0" 3478 demo demo-password ""
e2e_check "a listener's realm has its own user and quota" \
	is "0 business.turnpike 486" 3479 carol business-password ""
e2e_check "no user of the other" is "401 business.turnpike 401" 3479 demo demo-password ""
e2e_check "and the other way round" is "401 lab.turnpike 401" 3478 carol business-password ""
e2e_check "an origin chooses the realm, where the quota is used" \
	is "486 business.turnpike 486" 3478 carol business-password https://meet.example
e2e_check "another origin does not" \
	is "401 lab.turnpike 401" 3478 carol business-password https://other.example
sed -i 's/user_quota: 1/user_quota: 3/' "$TP_CONFIG"
"${relayctl[@]}" config reload > "$E2E_TMP/reload" 2>&1
e2e_check "its quota is raised in force" grep -q "user_quota: 1 to 3" "$E2E_TMP/reload"
e2e_check "and holds" is "0 business.turnpike 0" 3479 carol business-password ""
e2e_check "status counts by realm" sh -c "'${relayctl[0]}' -s '$TP_SOCKET' -j status |
	python3 -c 'import json, sys
r = json.load(sys.stdin)[\"realms\"]
sys.exit(not (r[0][\"allocations_live\"] == 2 and r[1][\"allocations_live\"] == 3))'"

#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A media server on the relay's own host (peers.local): Debian's Janus on a relay address echoes the
# video of a browser that may use the relay alone. Packets of that server's ports pass, both ways.
. "$(dirname "$0")/../_init.sh"

e2e_need_turnpike
e2e_need chromium certutil janus curl
config=$(mktemp)
"$E2E_TOP/tools/lab" --name "$E2E_LAB" config > "$config"
sed -i 's/^peers:$/&\n    local: ["10.77.0.1:20000-20099"]/' "$config"
e2e_begin --config "$config"
rm -f "$config"

mkdir "$E2E_TMP/janus"
cat > "$E2E_TMP/janus/janus.jcfg" <<END
general: { admin_secret = "none" }
nat: { ice_enforce_list = "$TP_RELAY4", full_trickle = false }
media: { rtp_port_range = "20000-20099" }
transports: { disable = "libjanus_websockets.so,libjanus_pfunix.so,libjanus_mqtt.so,libjanus_nanomsg.so,libjanus_rabbitmq.so" }
END
cat > "$E2E_TMP/janus/janus.transport.http.jcfg" <<END
general: { http = true, port = 8088, ip = "$TP_RELAY4" }
END
e2e_background relay janus.log janus -C "$E2E_TMP/janus/janus.jcfg" -F "$E2E_TMP/janus"
janus_pid=$e2e_pid

# Its signalling passes the kernel, beside the relay.
serves()
{
	e2e_run a curl -s -m 5 "http://$TP_RELAY4:8088/janus/info" | grep -q '"server_info"'
}

call()
{
	python3 "$E2E_TOP/tests/e2e/browser/janus.py" --lab "$E2E_LAB" --server "$TP_RELAY4" \
		--user demo --password-file "$TP_PASSWORD_FILE" --media "http://$TP_RELAY4:8088/janus"
}

e2e_check "the media server answers beside the relay" e2e_wait 120 serves
e2e_check "the browser's video comes back from it" call
kill "$janus_pid"
[ $e2e_failed = 0 ] || tail -n 20 "$E2E_TMP/janus.log"

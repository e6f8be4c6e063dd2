# SPDX-License-Identifier: BSD-3-Clause
# The relay that serves stream clients, as its operator sees it; sourced after _init.sh.

# relayctl COMMAND...: in the relay's network.
relayctl()
{
	e2e_run relay "$E2E_BUILD/tools/relayctl/relayctl" -s "$TP_LAB_DIR/control.sock" "$@"
}

# Whether the edge has found the other two.
edge_runs()
{
	[ "$(relayctl edge show 2> /dev/null | grep -cE '^(control|data plane) runs +yes$')" = 2 ]
}

# listener_change TRANSPORT PORT KEYS: more keys for a listener of the first address.
listener_change()
{
	local line="{transport: $1, address: \"$TP_RELAY4\", port: $2}"

	grep -qF -- "$line" "$TP_CONFIG" && sed -i "s|$line|${line%\}}, $3}|" "$TP_CONFIG"
}

# proxy_start PORT [OPTION...]: haproxy in front of port 3478, with options of its `bind`.
proxy_start()
{
	cat > "$E2E_TMP/haproxy.cfg" <<-END
		defaults
			mode tcp
			timeout connect 10s
			timeout client 600s
			timeout server 600s
		frontend turn
			bind $TP_RELAY4:$*
			default_backend relay
		backend relay
			server relay $TP_RELAY4:3478 send-proxy-v2
	END
	e2e_background relay haproxy.log haproxy -db -f "$E2E_TMP/haproxy.cfg"
}

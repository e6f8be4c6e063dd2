#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# A call page, its signaling and its media all by TCP to port 443 of the relay, which is all that the
# browsers' firewalls let out: the page by a web server behind the relay's port, the media by TLS. A
# third browser loads pages meanwhile, and control process and data plane are killed: no browser
# connects again. Where the edge is killed, signaling goes another way, and an ICE restart brings the
# call back. Then a proxy in front ends TLS.
. "$(dirname "$0")/../_init.sh"
. "$(dirname "$0")/../_streams.sh"

e2e_need chromium certutil nginx haproxy
/usr/bin/python3 -c 'import aiohttp' 2> /dev/null ||
	e2e_skip "no python3-aiohttp (tools/packages install browser)"
e2e_need_turnpike
e2e_begin --streams
web=call.lab.turnpike
direct=https://$TP_NET4:8443
large=20000000
kills=${E2E_LONG:+20}
kills=${kills:-3}
others=${E2E_LONG:+5}
others=${others:-1}
dataplane_kills=${E2E_LONG:+12}

web_server_start()
{
	mkdir -p "$E2E_TMP/www" "$E2E_TMP/nginx"
	head -c $large /dev/urandom > "$E2E_TMP/www/large"
	cat > "$E2E_TMP/nginx.conf" <<-END
		daemon off;
		user root;
		worker_processes 1;
		pid $E2E_TMP/nginx/pid;
		error_log $E2E_TMP/nginx/error.log;
		events { }
		http {
			access_log $E2E_TMP/nginx/access.log;
			client_body_temp_path $E2E_TMP/nginx;
			proxy_temp_path $E2E_TMP/nginx;
			fastcgi_temp_path $E2E_TMP/nginx;
			uwsgi_temp_path $E2E_TMP/nginx;
			scgi_temp_path $E2E_TMP/nginx;
			server {
				listen 127.0.0.1:8443 ssl http2 proxy_protocol;
				set_real_ip_from 127.0.0.1;
				real_ip_header proxy_protocol;
				ssl_certificate $TP_LAB_DIR/call.pem;
				ssl_certificate_key $TP_LAB_DIR/call.key;
				location = /large { root $E2E_TMP/www; }
				location / {
					proxy_pass $direct;
					proxy_set_header Host \$host;
					proxy_http_version 1.1;
					proxy_set_header Upgrade \$http_upgrade;
					proxy_set_header Connection upgrade;
					proxy_read_timeout 600s;
				}
			}
		}
	END
	e2e_background relay nginx.log nginx -c "$E2E_TMP/nginx.conf"
	nginx=$e2e_pid
}

call_server_start()
{
	e2e_background net voicecall.log "$E2E_TOP/tools/voicecall/voicecall" serve \
		--listen "$TP_NET4:8443" --certificate "$TP_LAB_DIR/call.pem" \
		--key "$TP_LAB_DIR/call.key" --origin "https://$web" --origin "$direct" --test-pages \
		--relayctl "$E2E_BUILD/tools/relayctl/relayctl" --relay-socket "$TP_SOCKET" \
		--turn-uri "turns:$TP_RELAY_NAME:443?transport=tcp" --links-file "$E2E_TMP/links"
	e2e_wait 60 test -s "$E2E_TMP/links"
}

relay_shares()
{
	listener_change tls 443 "backends: [{names: [$web], address: 127.0.0.1, port: 8443,$(
		) proxy_protocol: true}]" &&
		listener_change tcp 3478 "proxies: [$TP_RELAY4]" &&
		e2e_lab kill edge --signal TERM && e2e_lab start edge
}

# The page's name is that of the relay's address.
names_change()
{
	local side

	for side in "$TP_NS_A" "$TP_NS_B"; do
		sed -i "s/.* $web\$/$TP_RELAY4 $web/" "/etc/netns/$side/hosts"
	done
}

# calls ORIGIN OPTION...: a call by a page of that origin.
calls()
{
	local link

	link=$(e2e_json "$E2E_TMP/links" 'next(iter(r.values()))')
	python3 "$E2E_TOP/tests/e2e/browser/kill_call.py" --lab "$E2E_LAB" \
		--lab-command "$E2E_TOP/tools/lab" \
		--relayctl "$E2E_BUILD/tools/relayctl/relayctl" --socket "$TP_SOCKET" \
		--link "$1/${link#https://*/}" "${@:2}"
}

through_proxy()
{
	python3 "$E2E_TOP/tests/e2e/browser/stream_call.py" --lab "$E2E_LAB" \
		--url "turns:$TP_RELAY_NAME:8447?transport=tcp" --user demo \
		--password-file "$TP_PASSWORD_FILE" --netns-a "$TP_NS_A" --netns-b "$TP_NS_B" \
		--bytes $((1 << 20)) --meanwhile "$E2E_TOP/tools/lab --name $E2E_LAB run relay -- $(
			)$E2E_BUILD/tools/relayctl/relayctl -s $TP_SOCKET -j allocation list > $E2E_TMP/list"
}

web_server_start
names_change
e2e_check "the configuration is changed" relay_shares
e2e_check "the edge has found both processes" e2e_wait 60 edge_runs
e2e_check "the call's server runs" call_server_start
for side in a b; do
	e2e_lab firewall tcp443 $side
done
e2e_check "a call by port 443 outlives control process and data plane" calls "https://$web" \
	--page "https://$web/" --large $large --pages $((others + 1)) --control "$kills" \
	--dataplane "${dataplane_kills:-1}"
e2e_check "the web server knows the browsers' addresses" \
	eval 'grep -q "^$TP_A4 " "$E2E_TMP/nginx/access.log" && grep -q "^$TP_B4 " "$E2E_TMP/nginx/access.log"'
kill "$(cat "$E2E_TMP/nginx/pid")"
wait $nginx
e2e_check "a call comes back after the edge was killed" calls "$direct" --edge "$others"
for side in a b; do
	e2e_lab firewall relay-only $side
done
cat "$TP_LAB_DIR/relay.pem" "$TP_LAB_DIR/relay.key" > "$E2E_TMP/proxy.pem"
proxy_start 8447 ssl crt "$E2E_TMP/proxy.pem"
e2e_check "a call by a proxy that ends TLS" through_proxy
e2e_check "whose header names the browsers" \
	eval 'grep -q "$TP_A4" "$E2E_TMP/list" && grep -q "$TP_B4" "$E2E_TMP/list"'
e2e_check "no call was denied" e2e_not grep -h call_denied "$TP_LAB_DIR"/*.log

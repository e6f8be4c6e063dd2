#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
# The edge's rules of TLS and DTLS as `openssl s_client` sees them: versions, ciphers, ALPN, resumption,
# also after the edge was started again, no early data, no renegotiation; certificates that can't be
# taken, a stapled OCSP response, and the renewal hooks of docs/operating.md as they stand there.
. "$(dirname "$0")/_init.sh"
. "$(dirname "$0")/_streams.sh"

e2e_need_turnpike
e2e_begin --streams

# client PORT OPTION...: the output of s_client; its input is "$e2e_input".
e2e_input=
client()
{
	printf "$e2e_input" | e2e_run a timeout 60 openssl s_client -connect "$TP_RELAY4:$1" \
		-CAfile "$TP_LAB_DIR/ca.pem" -servername "$TP_RELAY_NAME" "${@:2}" 2>&1
}

# client_stays PORT [OPTION...]: its input stays open until the client has read the ticket of
# TLS 1.3, where -sess_out as the last option names a file for it.
client_stays()
{
	local ticket=

	[[ " $* " != *" -sess_out "* ]] || { ticket=${!#}; rm -f "$ticket"; }
	(until [ -z "$ticket" ] || [ -s "$ticket" ]; do sleep 0.1; done; sleep 1; echo Q) |
		e2e_run a timeout 60 openssl s_client -connect "$TP_RELAY4:$1" \
			-CAfile "$TP_LAB_DIR/ca.pem" -servername "$TP_RELAY_NAME" "${@:2}" 2>&1
}

says()
{
	grep -qE "$1" "$E2E_TMP/said" || { cat "$E2E_TMP/said"; return 1; }
}

says_not()
{
	! grep -qE "$1" "$E2E_TMP/said"
}

# accepts NAME PATTERN CLIENT...: the handshake is done, and the client says so.
accepts()
{
	"${@:3}" > "$E2E_TMP/said"
	e2e_check "$1" says "$2"
}

refuses()
{
	"${@:2}" > "$E2E_TMP/said"
	e2e_check "$1" says 'Cipher is \(NONE\)'
}

# issue NAME SIGNER EXTENSIONS: a certificate of 20 days and its key, signed by another's key.
issue()
{
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" \
		-keyout "$ca/$1.key" -out "$ca/$1.csr" 2> /dev/null &&
		openssl x509 -req -in "$ca/$1.csr" -CA "$ca/$2.crt" -CAkey "$ca/$2.key" -set_serial 4660 \
			-days 20 -extfile <(echo "$3") -out "$ca/$1.crt" 2> /dev/null
}

# An authority of our own, another one that it has signed, whose certificate of the relay's name stands
# before its own in new.pem, and a response about it.
ca=$E2E_TMP/ca
authority_make()
{
	mkdir -p "$ca"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=root \
		-keyout "$ca/root.key" -out "$ca/root.crt" 2> /dev/null &&
		issue middle root basicConstraints=critical,CA:TRUE &&
		issue "$TP_RELAY_NAME" middle "subjectAltName=DNS:$TP_RELAY_NAME" &&
		cat "$ca/$TP_RELAY_NAME.crt" "$ca/middle.crt" > "$ca/new.pem" &&
		mv "$ca/$TP_RELAY_NAME.key" "$ca/new.key" &&
		printf 'V\t%s\t\t1234\tunknown\t/CN=%s\n' "$(date -u -d '+20 days' +%y%m%d%H%M%SZ)" \
			"$TP_RELAY_NAME" > "$ca/index" &&
		openssl ocsp -index "$ca/index" -CA "$ca/middle.crt" -rsigner "$ca/middle.crt" \
			-rkey "$ca/middle.key" -issuer "$ca/middle.crt" -cert "$ca/$TP_RELAY_NAME.crt" \
			-ndays 7 -respout "$ca/ocsp.der" > /dev/null 2>&1
}

# hook WORD: the text of a renewal hook in docs/operating.md, for this lab.
hook()
{
	awk -v word="$1" '
		/^    / && index($0, word) { on = 1 }
		on && !/^    / { exit }
		on { sub(/^    /, ""); print }' "$E2E_TOP/docs/operating.md" |
		sed "s|/etc/turnpike/fullchain.pem|$TP_LAB_DIR/relay.pem|; $(
			)s|/etc/turnpike/privkey.pem|$TP_LAB_DIR/relay.key|"
}

# hook_runs COMMAND...: with a relayctl of this lab in the path.
hook_runs()
{
	mkdir -p "$E2E_TMP/bin"
	printf '#!/bin/sh\nexec "%s" -s "%s" "$@"\n' "$E2E_BUILD/tools/relayctl/relayctl" \
		"$TP_LAB_DIR/control.sock" > "$E2E_TMP/bin/relayctl"
	chmod 755 "$E2E_TMP/bin/relayctl"
	e2e_run relay env PATH="$E2E_TMP/bin:$PATH" "$@"
}

# shows_end FILE: what the hook printed names the second in which the certificate ends.
shows_end()
{
	local on
	on=$(date -u -d "$(openssl x509 -noout -enddate -in "$1" | cut -d= -f2)" +%Y-%m-%dT%H:%M:%SZ)
	grep -q "^on  *$on$" "$E2E_TMP/hook"
}

certbot_hook()
{
	mkdir -p "$E2E_TMP/lineage"
	cp "$ca/new.pem" "$E2E_TMP/lineage/fullchain.pem"
	cp "$ca/new.key" "$E2E_TMP/lineage/privkey.pem"
	hook '#!/bin/sh' > "$E2E_TMP/certbot"
	chmod 755 "$E2E_TMP/certbot"
	hook_runs env RENEWED_LINEAGE="$E2E_TMP/lineage" "$E2E_TMP/certbot" > "$E2E_TMP/hook" 2>&1 &&
		shows_end "$ca/new.pem" || { cat "$E2E_TMP/certbot" "$E2E_TMP/hook"; return 1; }
}

# lego runs the command by a shell, with the names of the files in its environment.
lego_hook()
{
	hook --renew-hook | tr '\n' ' ' | sed "s/.*--renew-hook '//; s/' *$//" > "$E2E_TMP/lego"
	hook_runs env LEGO_CERT_PATH="$E2E_TMP/first.pem" LEGO_CERT_KEY_PATH="$E2E_TMP/first.key" \
		sh -e "$E2E_TMP/lego" > "$E2E_TMP/hook" 2>&1 &&
		shows_end "$E2E_TMP/first.pem" || { cat "$E2E_TMP/lego" "$E2E_TMP/hook"; return 1; }
}

serial_is()
{
	client 443 2> /dev/null < /dev/null | openssl x509 -noout -serial | grep -q "^serial=$1$"
}

e2e_check "the edge has found both processes" e2e_wait 60 edge_runs
cp "$TP_LAB_DIR/relay.pem" "$E2E_TMP/first.pem"
cp "$TP_LAB_DIR/relay.key" "$E2E_TMP/first.key"

accepts "TLS 1.3" 'Protocol *: TLSv1.3|^New, TLSv1.3' client 443 -tls1_3
e2e_check "the certificate is verified" says 'Verify return code: 0 \(ok\)'
e2e_check "no compression" says 'Compression: NONE'
accepts "TLS 1.2" '^New, TLSv1.2' client 443 -tls1_2
e2e_check "safe renegotiation is known" says 'Secure Renegotiation IS supported'
for version in tls1_1 tls1; do
	refuses "no $version" client 443 -$version -cipher ALL:@SECLEVEL=0
done
for cipher in AES128-GCM-SHA256 ECDHE-ECDSA-AES128-SHA256 ECDHE-ECDSA-AES256-SHA \
	AECDH-AES128-SHA; do
	refuses "no $cipher" client 443 -tls1_2 -cipher "$cipher:@SECLEVEL=0"
done
for cipher in ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-ECDSA-AES256-GCM-SHA384 \
	ECDHE-ECDSA-CHACHA20-POLY1305; do
	accepts "$cipher" "Cipher is $cipher" client 443 -tls1_2 -cipher $cipher
done
for protocol in stun.turn stun.nat-discovery; do
	accepts "ALPN $protocol" "ALPN protocol: $protocol" client 443 -alpn "h2,$protocol"
done
accepts "no ALPN" 'No ALPN negotiated' client 443
refuses "no other protocol" client 443 -alpn h2,http/1.1

for version in 2 3; do
	client_stays 443 -tls1_$version -sess_out "$E2E_TMP/session$version" > "$E2E_TMP/said"
	accepts "TLS 1.$version sessions are resumed" "^Reused, TLSv1.$version" \
		client_stays 443 -tls1_$version -sess_in "$E2E_TMP/session$version"
done
accepts "a ticket of TLS 1.3" 'Max Early Data: ' client_stays 443 -tls1_3 -sess_out "$E2E_TMP/session3"
e2e_check "it allows no early data" says_not 'Max Early Data: [1-9]'
printf hello > "$E2E_TMP/early"
client_stays 443 -tls1_3 -sess_in "$E2E_TMP/session3" -early_data "$E2E_TMP/early" > "$E2E_TMP/said"
e2e_check "and none is sent" says 'Early data was not sent'
e2e_input='R\n'
accepts "no renegotiation" 'no renegotiation|unexpected message|:error:|closed' client 443 -tls1_2
e2e_check "the client asked for one" says RENEGOTIATING
e2e_input=

accepts "DTLS 1.2" 'Protocol *: DTLSv1.2' client 5349 -dtls1_2
e2e_check "without compression" says 'Compression: NONE'
refuses "no DTLS 1.0" client 5349 -dtls1 -cipher ALL:@SECLEVEL=0
refuses "DTLS: no CBC" client 5349 -dtls1_2 -cipher ECDHE-ECDSA-AES128-SHA256
client 5349 -dtls1_2 -sess_out "$E2E_TMP/session" > "$E2E_TMP/said"
accepts "DTLS sessions are resumed" '^Reused, ' client 5349 -dtls1_2 -sess_in "$E2E_TMP/session"
e2e_input='R\n'
accepts "DTLS: no renegotiation" 'no renegotiation|unexpected message|:error:|closed' \
	client 5349 -dtls1_2
e2e_input=

# A fleet shares the file; so does an edge with the one before it.
head -c 48 /dev/urandom > "$TP_LAB_DIR/tickets.key"
chown turnpike-edge "$TP_LAB_DIR/tickets.key"
chmod 600 "$TP_LAB_DIR/tickets.key"
edge_restart()
{
	e2e_lab kill edge && e2e_lab start edge && e2e_wait 60 edge_runs
}
client 443 -tls1_2 -sess_out "$E2E_TMP/session" > "$E2E_TMP/said"
sed -i "s|^edge:|&\\n    ticket_key_file: $TP_LAB_DIR/tickets.key|" "$TP_CONFIG"
e2e_check "the edge starts with a file of ticket keys" edge_restart
accepts "sessions of other keys are made anew" '^New, TLSv1.2' \
	client 443 -tls1_2 -sess_in "$E2E_TMP/session"
client 443 -tls1_2 -sess_out "$E2E_TMP/session" > "$E2E_TMP/said"
e2e_check "it is started again" edge_restart
accepts "its sessions are resumed" '^Reused, TLSv1.2' client 443 -tls1_2 -sess_in "$E2E_TMP/session"
head -c 48 /dev/urandom > "$TP_LAB_DIR/tickets.key"
kill -HUP "$(e2e_pid_of edge)"
e2e_check "SIGHUP reads the file again" \
	e2e_wait 60 grep -q config_reloaded "$TP_LAB_DIR/edge.log"
accepts "sessions before it are made anew" '^New, TLSv1.2' \
	client 443 -tls1_2 -sess_in "$E2E_TMP/session"

e2e_check "another authority's certificate" authority_make
chown root: "$TP_LAB_DIR/relay.key"
e2e_check "a key that can't be read is refused" e2e_not relayctl certificate reload
e2e_check "the log names it" grep -q 'certificate_refused.*relay.key' "$TP_LAB_DIR/edge.log"
accepts "and the one before serves" 'Verify return code: 0 \(ok\)' client 443
e2e_check "certbot's hook works as it stands" certbot_hook
e2e_check "and its certificate is shown" serial_is 1234
accepts "with the chain to its root" 'Verify return code: 0 \(ok\)' \
	client 443 -CAfile "$ca/root.crt" -verify_hostname "$TP_RELAY_NAME"
e2e_check "lego's hook works as it stands" lego_hook
e2e_check "and its certificate is shown, too" e2e_not serial_is 1234
e2e_check "certbot's again" certbot_hook
sed -i "s|\(certificate: [^,]*relay.pem\),|\1, ocsp: $TP_LAB_DIR/ocsp.der,|" "$TP_CONFIG"
install -m 0644 "$ca/ocsp.der" "$TP_LAB_DIR/ocsp.der"
e2e_check "a response is taken" relayctl certificate reload
accepts "and stapled" 'OCSP Response Status: successful' client 443 -status
accepts "to DTLS clients, too" 'OCSP Response Status: successful' client 5349 -dtls1_2 -status
accepts "clients ask for none" '^New, TLSv1.3' client 443
e2e_check "and get none" says_not "OCSP Response Status"
cp "$E2E_TMP/first.pem" "$TP_LAB_DIR/relay.pem"
cp "$E2E_TMP/first.key" "$TP_LAB_DIR/relay.key"
e2e_check "a response about another certificate is refused" e2e_not relayctl certificate reload
e2e_check "no call was denied" e2e_not grep -h call_denied "$TP_LAB_DIR"/*.log

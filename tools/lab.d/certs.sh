# SPDX-License-Identifier: BSD-3-Clause
# A certificate authority that lives as long as the lab, and the certificates of its two names.

# certs_leaf FILE COMMON-NAME SUBJECT-ALTERNATIVE-NAMES
certs_leaf()
{
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$2" \
		-keyout "$LAB_DIR/$1.key" -out "$LAB_DIR/$1.csr" 2>/dev/null
	openssl x509 -req -in "$LAB_DIR/$1.csr" -CA "$LAB_DIR/ca.pem" -CAkey "$LAB_DIR/ca.key" \
		-set_serial "0x$(openssl rand -hex 16)" -days 30 -out "$LAB_DIR/$1.pem" \
		-extfile <(printf '%s\n' "basicConstraints=critical,CA:FALSE" \
			"keyUsage=critical,digitalSignature" "extendedKeyUsage=serverAuth" \
			"subjectAltName=$3") 2>/dev/null
	chmod 600 "$LAB_DIR/$1.key"
	rm -f "$LAB_DIR/$1.csr"
}

certs_make()
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 \
		-subj "/O=Turnpike lab/CN=Turnpike lab authority" \
		-addext basicConstraints=critical,CA:TRUE,pathlen:0 \
		-addext keyUsage=critical,keyCertSign,cRLSign \
		-keyout "$LAB_DIR/ca.key" -out "$LAB_DIR/ca.pem" 2>/dev/null
	certs_leaf relay relay.lab.turnpike "DNS:relay.lab.turnpike,DNS:relay2.lab.turnpike,$(
		)IP:10.77.0.1,IP:10.77.0.2,IP:fd77::1,IP:fd77::2,$(
		)IP:10.77.0.11,IP:10.77.0.12,IP:fd77::11,IP:fd77::12"
	certs_leaf call call.lab.turnpike "DNS:call.lab.turnpike,IP:10.77.0.254"
	# Nobody signs anything further: a browser's store trusts this authority.
	rm -f "$LAB_DIR/ca.key"
}

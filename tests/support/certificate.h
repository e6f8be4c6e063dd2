// SPDX-License-Identifier: BSD-3-Clause
// Certificates that sign themselves, made for one test.
#pragma once

enum certificate_kind {
	CERTIFICATE_ECDSA,
	CERTIFICATE_RSA,
};

// Writes CERTIFICATE and KEY (mode 0600) as PEM files; valid from an hour ago until `seconds` from
// now. Exits the test with a message where that fails.
void certificate_make(
	enum certificate_kind kind, long seconds, const char *certificate, const char *key);

// The same, valid from so many seconds from now.
void certificate_make_from(enum certificate_kind kind, long from, long until,
	const char *certificate, const char *key);

// Writes an OCSP response of the certificate about itself, in DER, good until `seconds` from now.
void certificate_staple(
	const char *certificate, const char *key, long seconds, const char *response);

// SPDX-License-Identifier: BSD-3-Clause
#include "certificate.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

static void require(int ok, const char *text)
{
	if (ok)
		return;
	fprintf(stderr, "certificate: %s\n", text);
	exit(1);
}

static X509 *certificate_sign(EVP_PKEY *key, long from, long until)
{
	static long serial;
	X509 *x = X509_new();
	X509_NAME *name;

	require(x != NULL, "no memory");
	name = X509_get_subject_name(x);
	require(X509_set_version(x, X509_VERSION_3) &&
			ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial) &&
			X509_gmtime_adj(X509_getm_notBefore(x), from) != NULL &&
			X509_gmtime_adj(X509_getm_notAfter(x), until) != NULL &&
			X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
				(const unsigned char *)"relay.example", -1, -1, 0) &&
			X509_set_issuer_name(x, name) && X509_set_pubkey(x, key) &&
			X509_sign(x, key, EVP_sha256()) > 0,
		"can't be made");
	return x;
}

void certificate_make_from(
	enum certificate_kind kind, long from, long until, const char *certificate, const char *key)
{
	EVP_PKEY *pair = kind == CERTIFICATE_RSA ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
	X509 *x;
	FILE *f;
	int fd;

	require(pair != NULL, "no key");
	x = certificate_sign(pair, from, until);
	f = fopen(certificate, "w");
	require(f != NULL && PEM_write_X509(f, x) && fclose(f) == 0, "can't be written");
	unlink(key);
	fd = open(key, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	require(f != NULL && PEM_write_PrivateKey(f, pair, NULL, NULL, 0, NULL, NULL) &&
			fclose(f) == 0,
		"the key can't be written");
	X509_free(x);
	EVP_PKEY_free(pair);
}

void certificate_make(
	enum certificate_kind kind, long seconds, const char *certificate, const char *key)
{
	certificate_make_from(kind, -3600, seconds, certificate, key);
}

static OCSP_BASICRESP *answer_sign(X509 *x, EVP_PKEY *key, long seconds)
{
	OCSP_BASICRESP *basic = OCSP_BASICRESP_new();
	OCSP_CERTID *id = OCSP_cert_to_id(EVP_sha1(), x, x);
	ASN1_TIME *from = X509_gmtime_adj(NULL, -3600), *until = X509_gmtime_adj(NULL, seconds);

	require(basic != NULL && id != NULL && from != NULL && until != NULL &&
			OCSP_basic_add1_status(
				basic, id, V_OCSP_CERTSTATUS_GOOD, 0, NULL, from, until) != NULL &&
			OCSP_basic_sign(basic, x, key, EVP_sha256(), NULL, 0) == 1,
		"no OCSP response");
	OCSP_CERTID_free(id);
	ASN1_TIME_free(from);
	ASN1_TIME_free(until);
	return basic;
}

void certificate_staple(
	const char *certificate, const char *key, long seconds, const char *response)
{
	FILE *a = fopen(certificate, "r"), *b = fopen(key, "r");
	X509 *x = a == NULL ? NULL : PEM_read_X509(a, NULL, NULL, NULL);
	EVP_PKEY *pair = b == NULL ? NULL : PEM_read_PrivateKey(b, NULL, NULL, NULL);
	OCSP_BASICRESP *basic;
	OCSP_RESPONSE *r;
	BIO *out = BIO_new_file(response, "wb");

	require(x != NULL && pair != NULL && out != NULL, "can't be read");
	basic = answer_sign(x, pair, seconds);
	r = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
	require(r != NULL && i2d_OCSP_RESPONSE_bio(out, r) == 1, "can't be written");
	BIO_free(out);
	OCSP_RESPONSE_free(r);
	OCSP_BASICRESP_free(basic);
	X509_free(x);
	EVP_PKEY_free(pair);
	fclose(a);
	fclose(b);
}

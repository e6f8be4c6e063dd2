// SPDX-License-Identifier: BSD-3-Clause
// OCSP responses from files, for clients that ask for one (RFC 6066 8, RFC 6960).
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ocsp.h>

#define RESPONSE_MAX 65536

static uint64_t seconds_of(const ASN1_GENERALIZEDTIME *t)
{
	struct tm tm = {0};

	return t != NULL && ASN1_TIME_to_tm(t, &tm) == 1 ? (uint64_t)timegm(&tm) : UINT64_MAX;
}

// The answer about this certificate. Its signature is the client's to check.
static const char *response_check(OCSP_RESPONSE *r, const X509 *leaf, uint64_t *until_s)
{
	OCSP_BASICRESP *basic = OCSP_response_get1_basic(r);
	const char *problem = "holds no answer about its certificate";

	if (OCSP_response_status(r) != OCSP_RESPONSE_STATUS_SUCCESSFUL || basic == NULL)
		problem = "the responder refused to answer";
	for (int i = 0; basic != NULL && i < OCSP_resp_count(basic); i++) {
		OCSP_SINGLERESP *one = OCSP_resp_get0(basic, i);
		ASN1_GENERALIZEDTIME *until = NULL;
		ASN1_INTEGER *serial = NULL;
		OCSP_CERTID *id = (OCSP_CERTID *)(uintptr_t)OCSP_SINGLERESP_get0_id(one);

		(void)OCSP_id_get0_info(NULL, NULL, NULL, &serial, id);
		if (serial == NULL || ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(leaf)) != 0)
			continue;
		(void)OCSP_single_get0_status(one, NULL, NULL, NULL, &until);
		*until_s = seconds_of(until);
		problem = NULL;
	}
	OCSP_BASICRESP_free(basic);
	return problem;
}

void tls_staple_fini(struct tls_staple *s)
{
	OPENSSL_free(s->bytes);
	*s = (struct tls_staple){.len = 0};
}

const char *tls_staple_read(struct tls_staple *s, const char *path, const X509 *leaf)
{
	BIO *file = BIO_new_file(path, "rb");
	const char *problem;
	OCSP_RESPONSE *r;
	int len;

	if (file == NULL)
		return "can't be read";
	r = d2i_OCSP_RESPONSE_bio(file, NULL);
	BIO_free(file);
	ERR_clear_error();
	if (r == NULL)
		return "is no OCSP response in DER";
	tls_staple_fini(s);
	problem = response_check(r, leaf, &s->until_s);
	len = i2d_OCSP_RESPONSE(r, &s->bytes);
	OCSP_RESPONSE_free(r);
	if (problem == NULL && (len <= 0 || len > RESPONSE_MAX))
		problem = "is longer than a response";
	s->len = problem == NULL ? (size_t)len : 0;
	return problem;
}

int tls_staple_give(SSL *ssl, const struct tls_staple *s)
{
	unsigned char *copy;

	if (s->len == 0 || s->until_s <= (uint64_t)time(NULL))
		return SSL_TLSEXT_ERR_NOACK;
	copy = OPENSSL_memdup(s->bytes, s->len);
	if (copy == NULL)
		return SSL_TLSEXT_ERR_NOACK;
	// The session frees it.
	SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)s->len);
	return SSL_TLSEXT_ERR_OK;
}

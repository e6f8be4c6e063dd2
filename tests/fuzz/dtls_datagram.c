// SPDX-License-Identifier: BSD-3-Clause
// A datagram of a stranger, as the ring hands it to the edge: judged, then read by an association
// of a server that has seen no ClientHello. No message comes of it, and no cookie is right by
// chance.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <dtls/dtls.h>

#include "certificate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct dtls_cookies *cookies;
static struct tls_context *context;

static void require(bool ok, const char *text)
{
	if (ok)
		return;
	fprintf(stderr, "dtls_datagram: %s\n", text);
	abort();
}

static void start(void)
{
	char directory[] = "/tmp/turnpike-fuzz-XXXXXX", certificate[64], key[64];
	struct tls_pair pair = {certificate, key};
	struct tls_error err;

	require(mkdtemp(directory) != NULL, "no directory");
	snprintf(certificate, sizeof(certificate), "%s/a.pem", directory);
	snprintf(key, sizeof(key), "%s/a.key", directory);
	certificate_make(CERTIFICATE_ECDSA, 86400, certificate, key);
	context = tls_context_create(
		TLS_DATAGRAM, &pair, 1, tls_tickets_create(NULL, 0, NULL, NULL), &err);
	cookies = dtls_cookies_create();
	unlink(certificate);
	unlink(key);
	rmdir(directory);
	require(context != NULL && cookies != NULL, "no context");
}

static void on_send(void *ctx, const uint8_t *datagram, size_t len)
{
	(void)ctx;
	(void)datagram;
	require(len > 0 && len <= DTLS_MTU, "length of a datagram");
}

static void on_message(void *ctx, const uint8_t *data, size_t len)
{
	(void)ctx;
	(void)data;
	(void)len;
	require(false, "a message of a stranger");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct dtls_events events = {NULL, on_send, on_message};
	const struct tp_addr remote = tp_addr_ipv4(0xc0000201, 4660);
	struct dtls_judged j;
	struct dtls *d;

	if (context == NULL)
		start();
	j = dtls_judge(cookies, 1000 * TP_NS_PER_S, 7, &remote, data, size);
	require(j.hello != DTLS_HELLO_PROVEN, "a cookie by chance");
	require(j.hello == DTLS_HELLO_NONE || size > sizeof(j.answer), "an answer that is longer");
	d = dtls_create(context, &events);
	require(d != NULL, "no memory");
	(void)dtls_feed(d, data, size);
	dtls_end(d);
	dtls_destroy(d);
	return 0;
}

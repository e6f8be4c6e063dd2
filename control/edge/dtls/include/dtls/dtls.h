// SPDX-License-Identifier: BSD-3-Clause
// Associations of DTLS 1.2 (RFC 6347), a server's side: datagrams in, datagrams out, no socket. A
// ClientHello must bring a cookie that this server made for its source, before anything is kept for
// it; ClientHellos in several fragments are judged by their first one, which holds the cookie.
//
// Threads: cookies are read-only once made. An association belongs to one thread. Its
// retransmission timer runs by the library's own clock.
#pragma once

#include <tls/tls.h>
#include <turnpike/addr.h>

// A datagram that leaves: records of a flight, or one message. Packets to clients stay below the
// least MTU of IPv6.
#define DTLS_MTU	1200u
// The answer to a ClientHello without a cookie; shorter than any ClientHello.
#define DTLS_ANSWER_LEN 44u

// ---- before there is an association -------------------------------------------------------------

struct dtls_cookies;

// A cookie is good for one to two minutes. NULL: no memory, or no random numbers.
struct dtls_cookies *dtls_cookies_create(void);
void dtls_cookies_destroy(struct dtls_cookies *c);
// Read and set the key, for the process that takes over: a client that has a cookie of the process
// before accepts no second one for the same ClientHello. Must be set before the first cookie is
// made.
#define DTLS_COOKIE_KEY_LEN 32u
void dtls_cookies_key(const struct dtls_cookies *c, uint8_t key[DTLS_COOKIE_KEY_LEN]);
void dtls_cookies_key_set(struct dtls_cookies *c, const uint8_t key[DTLS_COOKIE_KEY_LEN]);

enum dtls_hello {
	DTLS_HELLO_NONE,   // the datagram does not begin with a ClientHello
	DTLS_HELLO_BARE,   // one without a good cookie: send `answer`, keep nothing
	DTLS_HELLO_PROVEN, // the source has answered
};

struct dtls_judged {
	enum dtls_hello hello;
	uint8_t random[32];		 // the client's, the same in each copy of its ClientHello
	uint8_t answer[DTLS_ANSWER_LEN]; // BARE: a HelloVerifyRequest
};

// `now_ns`: CLOCK_BOOTTIME.
struct dtls_judged dtls_judge(const struct dtls_cookies *c, uint64_t now_ns, uint16_t listener_id,
	const struct tp_addr *remote, const uint8_t *datagram, size_t len);

// ---- associations ------------------------------------------------------------------------------

struct dtls;

struct dtls_events {
	void *ctx;
	// A datagram for the client, during any of the calls below.
	void (*send)(void *ctx, const uint8_t *datagram, size_t len);
	// A message of the client, whose record was authentic.
	void (*message)(void *ctx, const uint8_t *data, size_t len);
};

enum dtls_state {
	DTLS_SHAKING,
	DTLS_OPEN,
	DTLS_ENDED, // by the client's word, an error, or too many retransmissions
};

// For a ClientHello that is DTLS_HELLO_PROVEN, which is fed next. Events are borrowed for the life
// of the association. NULL: no memory.
struct dtls *dtls_create(struct tls_context *context, const struct dtls_events *events);
// Without a word to the client.
void dtls_destroy(struct dtls *d);

enum dtls_state dtls_feed(struct dtls *d, const uint8_t *datagram, size_t len);
// One message is one datagram. 0; -ENOTCONN before the association is open; -EMSGSIZE; -EIO.
int dtls_send(struct dtls *d, const uint8_t *data, size_t len);
// Sends a flight again when its time has come. To be called several times a second while the
// state is DTLS_SHAKING.
enum dtls_state dtls_tick(struct dtls *d);
// Whether it resumed a session. Of one that is open.
bool dtls_resumed(const struct dtls *d);
// Tells the client the end.
void dtls_end(struct dtls *d);

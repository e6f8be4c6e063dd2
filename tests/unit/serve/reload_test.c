// SPDX-License-Identifier: BSD-3-Clause
// Another configuration in a running edge: certificates, and listeners that come and leave.
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "certificate.h"
#include "world.h"

#define DAY 86400L

// A pair that does not fit keeps the old one; the next one that fits serves.
static void certificates_are_read_again(void **state)
{
	const char *certificate = world_certificate, *key = world_key;
	struct serve_changes changes;
	struct tls_error err;
	char file[64], other[64];
	struct world_client c;
	struct world w = {.unnamed = false};
	uint64_t expires_s;

	(void)state;
	world_start(&w, "");
	expires_s = serve_expires_s(w.serve, file, sizeof(file));
	assert_string_equal(file, certificate);
	snprintf(other, sizeof(other), "%s/b.pem", world_directory);
	certificate_make(CERTIFICATE_ECDSA, 60 * DAY, other, key);
	assert_int_equal(serve_reload(w.serve, w.conf, &changes, &err), -1);
	assert_non_null(strstr(err.problem, "the key is not that of the certificate"));
	assert_int_equal(serve_expires_s(w.serve, file, sizeof(file)), expires_s);
	world_client_start(&c, w.ports[0]);
	world_client_shake(&w, &c);
	world_client_end(&c);
	assert_int_equal(rename(other, certificate), 0);
	assert_int_equal(serve_reload(w.serve, w.conf, &changes, &err), 0);
	assert_true(serve_expires_s(w.serve, file, sizeof(file)) > expires_s + 29 * DAY);
	assert_true(serve_last_expires_s(w.serve) > expires_s + 29 * DAY);
	world_client_start(&c, w.ports[0]);
	world_client_shake(&w, &c);
	world_client_end(&c);
	world_stop(&w);
}

// A file with certificate and key, as a listener of its own has it.
static void pair_make(const char *name, long seconds)
{
	char key[64], line[256];
	FILE *from, *to;

	snprintf(key, sizeof(key), "%s/own.key", world_directory);
	certificate_make(CERTIFICATE_ECDSA, seconds, name, key);
	from = fopen(key, "r");
	to = fopen(name, "a");
	assert_true(from != NULL && to != NULL);
	while (fgets(line, sizeof(line), from) != NULL)
		assert_true(fputs(line, to) >= 0);
	fclose(from);
	assert_int_equal(fclose(to), 0);
	assert_int_equal(chmod(name, 0600), 0);
	unlink(key);
}

// One listener has a certificate of its own, which expires later.
static void the_last_expiry_is_told_beside_the_first(void **state)
{
	struct world w = {.shared_tls = ", certificate: own.pem"};
	char certificate[64], file[64];
	struct serve_changes changes;
	struct tls_error err;
	uint64_t first_s;

	(void)state;
	snprintf(certificate, sizeof(certificate), "%s/own.pem", world_directory);
	pair_make(certificate, 100 * DAY);
	world_start(&w, "");
	first_s = serve_expires_s(w.serve, file, sizeof(file));
	assert_string_equal(file, world_certificate);
	assert_true(serve_last_expires_s(w.serve) > first_s + 30 * DAY);
	pair_make(certificate, 300 * DAY);
	assert_int_equal(serve_reload(w.serve, w.conf, &changes, &err), 0);
	assert_int_equal(serve_expires_s(w.serve, file, sizeof(file)), first_s);
	assert_true(serve_last_expires_s(w.serve) > first_s + 200 * DAY);
	unlink(certificate);
	world_stop(&w);
}

// A message of the client arrives by the listener.
static void assert_serves(struct world *w, int fd, uint16_t listener_id)
{
	static const uint8_t binding[20] = {0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42};
	struct fake_edge_message m;

	world_write(fd, binding, sizeof(binding));
	world_take(w, &m);
	assert_int_equal(m.listener_id, listener_id);
}

static bool is_refused(uint16_t port)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool refused = connect(fd, (struct sockaddr *)&at, sizeof(at)) < 0 && errno == ECONNREFUSED;

	close(fd);
	return refused;
}

static struct conf *conf_of(const struct world *w, uint16_t more)
{
	char listeners[512];

	snprintf(listeners, sizeof(listeners),
		"  - {address: 127.0.0.1, transport: tcp, port: %u}\n"
		"  - {address: 127.0.0.1, transport: tls, port: %u}\n"
		"  - {address: 127.0.0.1, transport: tcp, port: %u}\n"
		"  - {address: 127.0.0.1, transport: dtls, port: %u}\n",
		w->ports[0], w->ports[0], more, more);
	return world_conf(listeners, "");
}

// Connections of listeners that stay go on; those of removed ones end.
static void listeners_come_and_go(void **state)
{
	struct world w = {.unnamed = false};
	struct serve_changes changes;
	struct tp_addr added;
	struct tls_error err;
	struct conf *other;
	uint16_t port;
	int stays, leaves, comes;

	(void)state;
	world_start(&w, "");
	world_ports(&port, 1);
	added = tp_addr_ipv4(INADDR_LOOPBACK, port);
	fake_edge_listener(w.link, 30, &added, TP_TRANSPORT_TCP);
	stays = world_connect(w.ports[0]);
	leaves = world_connect(w.ports[3]);
	assert_serves(&w, stays, WORLD_TCP);
	assert_serves(&w, leaves, WORLD_SHARED_TCP);
	other = conf_of(&w, port);
	assert_int_equal(serve_reload(w.serve, other, &changes, &err), 0);
	assert_int_equal(changes.added, 2);
	assert_int_equal(changes.removed, 3);
	assert_false(changes.others);
	world_closed(&w, leaves);
	assert_int_equal(world_closes(&w, SERVE_CLOSE_removed), 1);
	assert_true(is_refused(w.ports[3]));
	assert_serves(&w, stays, WORLD_TCP);
	comes = world_connect(port);
	assert_serves(&w, comes, 30);
	// The same again changes nothing.
	assert_int_equal(serve_reload(w.serve, other, &changes, &err), 0);
	assert_int_equal(changes.added + changes.removed, 0);
	assert_serves(&w, comes, 30);
	close(stays);
	close(comes);
	world_stop(&w);
	conf_free(other);
}

// A tls listener leaves a port whose tcp listener stays: its certificate is no reason to warn, and
// no client gets it.
static void tls_listeners_leave_their_port(void **state)
{
	struct world w = {.unnamed = false};
	struct serve_changes changes;
	struct world_client c;
	char listener[128], file[64];
	struct conf *without;
	struct tls_error err;
	int fd, stays;

	(void)state;
	world_start(&w, "");
	snprintf(listener, sizeof(listener), "  - {address: 127.0.0.1, transport: tcp, port: %u}\n",
		w.ports[0]);
	without = world_conf(listener, "");
	stays = world_connect(w.ports[0]);
	assert_serves(&w, stays, WORLD_TCP);
	world_client_start(&c, w.ports[0]);
	world_client_shake(&w, &c);
	assert_int_equal(serve_reload(w.serve, without, &changes, &err), 0);
	world_closed(&w, c.fd);
	world_client_end(&c);
	// The client on port 0 that came by TLS.
	assert_int_equal(world_closes(&w, SERVE_CLOSE_removed), 1);
	assert_serves(&w, stays, WORLD_TCP);
	close(stays);
	assert_int_equal(serve_expires_s(w.serve, file, sizeof(file)), 0);
	fd = world_connect(w.ports[0]);
	world_write(fd, "\x16\x03\x01\x02", 4);
	world_closed(&w, fd);
	assert_int_equal(world_closes(&w, SERVE_CLOSE_alien), 1);
	close(fd);
	assert_int_equal(serve_reload(w.serve, w.conf, &changes, &err), 0);
	assert_int_not_equal(serve_expires_s(w.serve, file, sizeof(file)), 0);
	world_client_start(&c, w.ports[0]);
	world_client_shake(&w, &c);
	world_client_end(&c);
	world_stop(&w);
	conf_free(without);
}

// Likewise the other way round.
static void tcp_listeners_leave_their_port(void **state)
{
	struct world w = {.unnamed = false};
	struct serve_changes changes;
	struct world_client c;
	char listener[128];
	struct conf *without;
	struct tls_error err;
	int plain, fresh;

	(void)state;
	world_start(&w, "");
	snprintf(listener, sizeof(listener), "  - {address: 127.0.0.1, transport: tls, port: %u}\n",
		w.ports[0]);
	without = world_conf(listener, "");
	plain = world_connect(w.ports[0]);
	assert_serves(&w, plain, WORLD_TCP);
	// It may become one of the other listener yet.
	world_client_start(&c, w.ports[0]);
	world_turns(&w, 2);
	assert_int_equal(serve_reload(w.serve, without, &changes, &err), 0);
	world_closed(&w, plain);
	assert_int_equal(world_closes(&w, SERVE_CLOSE_removed), 1);
	fresh = world_connect(w.ports[0]);
	world_write(fresh, world_media, sizeof(world_media));
	world_closed(&w, fresh);
	assert_int_equal(world_closes(&w, SERVE_CLOSE_alien), 1);
	world_client_shake(&w, &c);
	world_client_end(&c);
	assert_int_equal(serve_reload(w.serve, w.conf, &changes, &err), 0);
	plain = world_connect(w.ports[0]);
	assert_serves(&w, plain, WORLD_TCP);
	close(plain);
	world_stop(&w);
	conf_free(without);
}

// The certificate of a removed listener is no reason to warn.
static void removed_dtls_listeners_have_no_expiry(void **state)
{
	struct world w = {.unnamed = false};
	struct serve_changes changes;
	char listeners[256], file[64];
	struct conf *with, *without;
	struct tls_error err;

	(void)state;
	world_start(&w, "");
	snprintf(listeners, sizeof(listeners),
		"  - {address: 127.0.0.1, transport: tcp, port: %u, proxies: [127.0.0.0/8]}\n"
		"  - {address: 127.0.0.1, transport: dtls, port: %u}\n",
		w.ports[1], w.ports[2]);
	with = world_conf(listeners, "");
	strchr(listeners, '\n')[1] = '\0';
	without = world_conf(listeners, "");
	assert_int_equal(serve_reload(w.serve, with, &changes, &err), 0);
	assert_int_not_equal(serve_expires_s(w.serve, file, sizeof(file)), 0);
	assert_int_equal(serve_reload(w.serve, without, &changes, &err), 0);
	assert_int_equal(serve_expires_s(w.serve, file, sizeof(file)), 0);
	assert_int_equal(serve_reload(w.serve, with, &changes, &err), 0);
	assert_int_not_equal(serve_expires_s(w.serve, file, sizeof(file)), 0);
	world_stop(&w);
	conf_free(with);
	conf_free(without);
}

// All of them, or none.
static void a_listener_that_fails_changes_nothing(void **state)
{
	struct world w = {.unnamed = false};
	struct serve_changes changes;
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), stays, other_stays;
	struct tls_error err;
	struct conf *other;

	(void)state;
	assert_int_equal(bind(taken, (struct sockaddr *)&at, len), 0);
	assert_int_equal(listen(taken, 1), 0);
	assert_int_equal(getsockname(taken, (struct sockaddr *)&at, &len), 0);
	world_start(&w, "");
	other = conf_of(&w, ntohs(at.sin_port));
	stays = world_connect(w.ports[0]);
	assert_int_equal(serve_reload(w.serve, other, &changes, &err), -1);
	assert_non_null(strstr(err.problem, "can't listen"));
	assert_int_equal(changes.added + changes.removed, 0);
	assert_serves(&w, stays, WORLD_TCP);
	other_stays = world_connect(w.ports[3]);
	assert_serves(&w, other_stays, WORLD_SHARED_TCP);
	close(stays);
	close(other_stays);
	close(taken);
	world_stop(&w);
	conf_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(certificates_are_read_again),
		cmocka_unit_test(the_last_expiry_is_told_beside_the_first),
		cmocka_unit_test(listeners_come_and_go),
		cmocka_unit_test(tls_listeners_leave_their_port),
		cmocka_unit_test(tcp_listeners_leave_their_port),
		cmocka_unit_test(removed_dtls_listeners_have_no_expiry),
		cmocka_unit_test(a_listener_that_fails_changes_nothing),
	};

	return cmocka_run_group_tests(tests, world_setup, world_teardown);
}

// SPDX-License-Identifier: BSD-3-Clause
// The verdict of `status`: a loss of all packets is named first, with its cause and a remedy, at a
// few packets per second as at many; a quiet relay on a shared machine is ok.
#include "desk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <time.h>

#include <cmocka.h>

static void add(_Atomic uint64_t *counter, uint64_t n)
{
	atomic_fetch_add(counter, n);
}

// The verdict, and that the first warning says both texts.
static void assert_first(struct desk *d, const char *verdict, const char *what, const char *next)
{
	json_t *status = desk_ask(d, "status", NULL);
	const json_t *first = json_array_get(json_object_get(status, "warnings"), 0);
	const char *is = json_string_value(json_object_get(first, "what"));
	const char *then = json_string_value(json_object_get(first, "next"));

	if (is == NULL || strstr(is, what) == NULL)
		fail_msg("first is \"%s\", not \"%s\"", is == NULL ? "nothing" : is, what);
	if (strstr(then, next) == NULL)
		fail_msg("next is \"%s\", not \"%s\"", then, next);
	assert_string_equal(json_string_value(json_object_get(status, "verdict")), verdict);
	json_decref(status);
}

static void assert_ok(struct desk *d)
{
	json_t *status = desk_ask(d, "status", NULL);
	const json_t *first = json_array_get(json_object_get(status, "warnings"), 0);

	if (first != NULL)
		fail_msg("%s", json_string_value(json_object_get(first, "what")));
	assert_string_equal(json_string_value(json_object_get(status, "verdict")), "ok");
	json_decref(status);
}

static void quiet_is_ok(void **state)
{
	struct desk *d = desk_make(true);

	(void)state;
	// As on any shared machine without huge pages.
	atomic_store(&d->header->flags, TP_STATE_CORES_SHARED | TP_STATE_NO_HUGE);
	for (unsigned s = 0; s < 90; s++) {
		add(&d->workers[0].involuntary_switches, 500);
		// Chatter of the network, and a scan now and then.
		add(&d->workers[0].drops[TP_DROP_not_stun], 1);
		desk_second(d);
	}
	assert_ok(d);
	desk_free(d);
}

static void load_on_a_shared_machine_is_a_warning(void **state)
{
	struct desk *d = desk_make(true);

	(void)state;
	atomic_store(&d->header->flags, TP_STATE_NO_HUGE);
	add(&d->workers[0].rx_packets, 5000);
	add(&d->workers[0].path_packets[TP_PATH_channel_to_peer], 5000);
	desk_second(d);
	assert_first(d, "warning", "huge pages", "vm.nr_hugepages");
	desk_free(d);
}

// Four requests a second from containers of this host, none with a finished checksum.
static void unfinished_checksums(void **state)
{
	struct desk *d = desk_make(false);

	(void)state;
	atomic_store(&d->header->flags, TP_STATE_CORES_SHARED | TP_STATE_NO_HUGE);
	for (unsigned s = 0; s < 3; s++) {
		add(&d->workers[0].rx_packets, 4);
		add(&d->workers[0].drops[TP_DROP_bad_udp_checksum], 4);
		desk_second(d);
	}
	assert_first(d, "down", "12 of 12 were dropped, reason bad_udp_checksum", "veth");
	// Mended: the first answer ends it.
	add(&d->workers[0].path_packets[TP_PATH_channel_to_peer], 1);
	desk_second(d);
	assert_ok(d);
	desk_free(d);
}

// Answers show that the relay serves somebody; one given before the loss shows nothing.
static void answers_before_the_loss(void **state)
{
	struct desk *d = desk_make(false);

	(void)state;
	for (unsigned s = 0; s < 4; s++) {
		add(&d->workers[0].path_packets[TP_PATH_binding], 1);
		add(&d->workers[0].drops[TP_DROP_bad_udp_checksum], 4);
		desk_second(d);
	}
	assert_ok(d);
	for (unsigned s = 0; s < 3; s++) {
		add(&d->workers[0].drops[TP_DROP_bad_udp_checksum], 4);
		desk_second(d);
	}
	assert_first(d, "down", "28 of 28 were dropped, reason bad_udp_checksum", "veth");
	desk_free(d);
}

// It is history a minute after the last one.
static void an_old_loss_is_none(void **state)
{
	struct desk *d = desk_make(true);

	(void)state;
	// Fewer may be one client's mistake.
	add(&d->workers[0].drops[TP_DROP_no_route], 7);
	desk_second(d);
	assert_ok(d);
	add(&d->workers[0].drops[TP_DROP_no_route], 40);
	desk_second(d);
	assert_first(d, "down", "no_route", "ip route get");
	for (unsigned s = 0; s < 62; s++)
		desk_second(d);
	assert_ok(d);
	desk_free(d);
}

static void some_drops_beside_media_are_no_loss(void **state)
{
	struct desk *d = desk_make(true);

	(void)state;
	for (unsigned s = 0; s < 5; s++) {
		add(&d->workers[0].rx_packets, 100);
		add(&d->workers[0].path_packets[TP_PATH_peer_to_channel], 50);
		add(&d->workers[0].drops[TP_DROP_no_next_hop], 50);
		desk_second(d);
	}
	assert_ok(d);
	desk_free(d);
}

// Strangers send as they like; a client's own media ending is another matter.
static void strangers_bring_nothing_down(void **state)
{
	struct desk *d = desk_make(true);

	(void)state;
	for (unsigned s = 0; s < 5; s++) {
		add(&d->workers[0].rx_packets, 500);
		add(&d->workers[0].drops[TP_DROP_not_stun], 500);
		desk_second(d);
	}
	assert_ok(d);
	for (unsigned s = 0; s < 3; s++) {
		add(&d->workers[0].rx_packets, 50000);
		add(&d->workers[0].drops[TP_DROP_fragment_late], 50000);
		desk_second(d);
	}
	assert_first(d, "down", "reason fragment_late", "packet size");
	desk_free(d);
}

static void program_taken_away(void **state)
{
	struct desk *d = desk_make(true);

	(void)state;
	atomic_store(&d->header->flags, TP_STATE_STEERING_OFF);
	desk_second(d);
	assert_first(d, "down", "steering program is off", "xdp off");
	desk_free(d);
}

// As program_taken_away, where no flag says it: no worker sees the frames of the interface.
static void frames_of_the_interface_are_seen_by_none(void **state)
{
	struct desk *d = desk_make(true);

	(void)state;
	add(&d->workers[0].rx_packets, 200);
	add(&d->workers[0].path_packets[TP_PATH_channel_to_peer], 200);
	desk_second(d);
	// Two seconds without a packet are a pause.
	for (unsigned s = 0; s < 2; s++) {
		desk_second(d);
		d->op.rates.ports[0].interface_per_s = 200;
		assert_ok(d);
	}
	for (unsigned s = 0; s < 2; s++)
		desk_second(d);
	// The call is over, somebody works over SSH.
	d->op.rates.ports[0].interface_per_s = 30;
	assert_ok(d);
	d->op.rates.ports[0].interface_per_s = 200;
	assert_first(d, "down", "desk0 receives 200 frames", "restart turnpike-dataplane");
	desk_free(d);
}

// A client may name any address on a link; a gateway that does not answer is another matter.
static void an_absent_peer_is_no_warning(void **state)
{
	struct desk *d = desk_make(true);

	(void)state;
	d->on_link = true;
	d->mac_word = 0;
	desk_permit(d, 0x0a4d0063);
	assert_ok(d);
	tables_next_hop_set(d->tables, 1, 0);
	assert_first(d, "warning", "1 next hop is not resolved: 10.77.0.254", "nexthop list");
	desk_free(d);
}

static void guard_flushed(void **state)
{
	struct desk *d = desk_make(true);

	(void)state;
	atomic_store(&d->header->flags, TP_STATE_GUARD_OFF);
	desk_second(d);
	assert_first(d, "warning", "nft table", "guard_lost");
	desk_free(d);
}

static void interface_down(void **state)
{
	struct desk *d = desk_make(true);

	(void)state;
	atomic_store(&d->header->ports[0].link_up, 0);
	atomic_store(&d->header->flags, TP_STATE_GUARD_OFF);
	desk_second(d);
	assert_first(d, "down", "(desk0) has no link", "ip link set desk0 up");
	// One of two.
	d->link.state.n_ports = 2;
	atomic_store(&d->header->ports[1].link_up, 1);
	assert_first(d, "warning", "(desk0) has no link", "ip link set desk0 up");
	desk_free(d);
}

static void workers_stop(struct desk *d, unsigned n)
{
	for (unsigned w = 0; w < n; w++)
		atomic_store(&d->workers[w].heartbeat_ns, d->now_ns - TP_NS_PER_S);
}

// Its ring runs over, which is not the cause, and not needed for the verdict.
static void worker_stuck(void **state)
{
	struct desk *d = desk_make(true);

	(void)state;
	desk_second(d);
	workers_stop(d, DESK_WORKERS);
	assert_first(d, "down", "worker 0 is stuck", "restart turnpike-dataplane");
	add(&d->header->ports[0].rx_missed, 100);
	desk_second(d);
	workers_stop(d, DESK_WORKERS);
	assert_first(d, "down", "worker 0 is stuck", "restart turnpike-dataplane");
	desk_free(d);
}

static void one_of_two_workers_stuck(void **state)
{
	struct desk *d = desk_make(true);

	(void)state;
	workers_stop(d, 1);
	assert_first(d, "warning", "worker 0 is stuck", "restart turnpike-dataplane");
	desk_free(d);
}

static void assert_warnings(struct desk *d, size_t n)
{
	json_t *status = desk_ask(d, "status", NULL);

	assert_int_equal(json_array_size(json_object_get(status, "warnings")), n);
	json_decref(status);
}

static void data_plane_gone_or_silent(void **state)
{
	struct desk *d = desk_make(true);

	(void)state;
	d->now_ns += 5 * TP_NS_PER_S;
	assert_first(d, "down", "gave no sign of life for 5.0 s", "restart turnpike-dataplane");
	// Files of an earlier one: this one is young.
	d->link.up_ns = d->now_ns - TP_NS_PER_S;
	for (unsigned w = 0; w < DESK_WORKERS; w++)
		atomic_store(&d->workers[w].heartbeat_ns, d->now_ns);
	assert_warnings(d, 0);
	// Its last words, here of workers that stood still, are nobody's.
	d->link.up = false;
	workers_stop(d, DESK_WORKERS);
	assert_first(d, "down", "not running", "turnpike-dataplane --config");
	assert_warnings(d, 1);
	desk_free(d);
}

static void edge_and_its_certificate(void **state)
{
	struct desk *d = desk_make(true);

	(void)state;
	desk_second(d);
	d->edge.expires_s = (uint64_t)time(NULL) + 13 * 86400 + 3600;
	assert_first(d, "warning", "a certificate expires in 13 days", "certificate reload");
	d->edge.expires_s = (uint64_t)time(NULL) - 10;
	// Before warnings that are no loss.
	atomic_store(&d->header->flags, TP_STATE_GUARD_OFF);
	assert_first(d, "warning", "a certificate has expired", "certificate reload");
	d->edge = (struct link_edge){.fd = -1};
	assert_first(d, "warning", "turnpike-edge does not run", "start turnpike-edge");
	atomic_store(&d->header->flags, 0);
	d->edge = (struct link_edge){.fd = 0, .expires_s = (uint64_t)time(NULL) + 15 * 86400};
	assert_ok(d);
	desk_free(d);
}

static void transports_are(struct desk *d, enum conf_transport first, enum conf_transport second)
{
	struct conf_listener *l = (struct conf_listener *)d->settings->conf->listeners;

	assert_int_equal(d->settings->conf->n_listeners, 2);
	l[0].transport = first;
	l[1].transport = second;
}

// Without another listener it is a total loss.
static void the_only_way_in_is_lost(void **state)
{
	struct desk *d = desk_make(true);

	(void)state;
	transports_are(d, CONF_TRANSPORT_TCP, CONF_TRANSPORT_TLS);
	desk_second(d);
	assert_ok(d);
	d->edge.expires_s = (uint64_t)time(NULL) - 10;
	assert_first(d, "warning", "a certificate has expired", "certificate reload");
	transports_are(d, CONF_TRANSPORT_DTLS, CONF_TRANSPORT_TLS);
	assert_first(d, "down", "a certificate has expired", "certificate reload");
	// Another is good, then expires too.
	d->edge.last_expires_s = (uint64_t)time(NULL) + 86400;
	assert_first(d, "warning", "a certificate has expired", "certificate reload");
	d->edge.last_expires_s = (uint64_t)time(NULL) - 5;
	assert_first(d, "down", "a certificate has expired", "certificate reload");
	d->edge = (struct link_edge){.fd = -1};
	assert_first(d, "down", "turnpike-edge does not run", "start turnpike-edge");
	transports_are(d, CONF_TRANSPORT_UDP, CONF_TRANSPORT_TLS);
	assert_first(d, "warning", "turnpike-edge does not run", "start turnpike-edge");
	desk_free(d);
}

static void the_directory_is_away(void **state)
{
	struct lookup_client client = {.directory = "directory", .fd = -1};
	struct desk *d = desk_make(true);

	(void)state;
	d->op.sources.lookup = &client;
	atomic_store(&d->header->flags, TP_STATE_GUARD_OFF);
	desk_second(d);
	assert_first(d, "warning", "turnpike-directory does not run", "start turnpike-directory");
	// Nobody has a user elsewhere.
	d->settings->conf->n_secrets = 0;
	assert_first(d, "down", "turnpike-directory does not run", "start turnpike-directory");
	client.fd = 0;
	assert_first(d, "warning", "nft table", "guard_lost");
	d->settings->conf->n_secrets = 1;
	desk_free(d);
}

static void ban_is(struct desk *d, const char *command, const char *subject)
{
	json_decref(desk_ask(d, command, json_pack("{s:s}", "subject", subject)));
}

static void a_ban_of_everybody_is_a_loss(void **state)
{
	struct desk *d = desk_make(true);

	(void)state;
	ban_is(d, "ban add", "198.51.0.0/16");
	ban_is(d, "ban add", "2000::/3");
	// Its listeners are of IPv4.
	assert_first(d, "warning", "every client out that comes by IPv6", "ban remove 2000::/3");
	ban_is(d, "ban remove", "2000::/3");
	assert_ok(d);
	ban_is(d, "ban add", "0.0.0.0/0");
	assert_first(d, "down", "every client out that comes by IPv4", "ban remove 0.0.0.0/0");
	desk_free(d);
}

// The secret's times are the test's.
static void secrets_end(void **state)
{
	struct desk *d = desk_make(true);
	struct turn_secret *secret = (struct turn_secret *)d->settings->realms[0].secrets;
	uint64_t now_s = (uint64_t)time(NULL);

	(void)state;
	secret->not_after_s = now_s + 20 * 86400;
	assert_ok(d);
	secret->not_after_s = now_s + 5 * 86400 + 3600;
	assert_first(d, "warning", "the last secret of the realm desk.example ends in 5 days",
		"add its successor");
	secret->not_after_s = now_s - 10;
	assert_first(d, "down", "no secret of the realm desk.example is in force", "secret list");
	secret->not_after_s = 0;
	secret->not_before_s = now_s + 3600;
	assert_first(d, "down", "no secret of the realm desk.example is in force", "secret list");
	desk_free(d);
}

// A successor that begins before the end carries on, wherever it stands.
static void a_successor_carries_on(void **state)
{
	struct desk *d = desk_make(true);
	struct turn_realm_conf *realm = &d->settings->realms[0];
	const struct turn_secret *one = realm->secrets;
	uint64_t now_s = (uint64_t)time(NULL);
	struct turn_secret two[2] = {one[0], one[0]};

	(void)state;
	realm->secrets = two;
	realm->n_secrets = 2;
	two[0].not_before_s = now_s + 86400;
	two[1].not_after_s = now_s + 2 * 86400;
	assert_ok(d);
	two[0].not_before_s = now_s + 3 * 86400;
	assert_first(d, "warning", "ends in", "add its successor");
	realm->secrets = one;
	realm->n_secrets = 1;
	desk_free(d);
}

// One address of eight listeners is one line.
static void an_absent_address_is_named_once(void **state)
{
	struct desk *d = desk_make_of("realm: desk.example\n"
				      "dataplane: {ports: [{interface: lo}]}\n"
				      "listeners: [{address: 10.77.0.1}, {address: 10.77.0.1, "
				      "transport: tcp}, {address: 10.77.0.1, port: 3479}]\n"
				      "secrets: [{id: one, secret_file: secret}]\n"
				      "relay: {ports: 2000-2100}\n"
				      "limits: {allocations: 8, entries: 64}\n",
		false);

	(void)state;
	assert_warnings(d, 2);
	assert_first(d, "warning", "the listener's address 10.77.0.1", "ip address");
	desk_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quiet_is_ok),
		cmocka_unit_test(load_on_a_shared_machine_is_a_warning),
		cmocka_unit_test(unfinished_checksums),
		cmocka_unit_test(answers_before_the_loss),
		cmocka_unit_test(an_old_loss_is_none),
		cmocka_unit_test(some_drops_beside_media_are_no_loss),
		cmocka_unit_test(strangers_bring_nothing_down),
		cmocka_unit_test(program_taken_away),
		cmocka_unit_test(frames_of_the_interface_are_seen_by_none),
		cmocka_unit_test(an_absent_peer_is_no_warning),
		cmocka_unit_test(guard_flushed),
		cmocka_unit_test(interface_down),
		cmocka_unit_test(worker_stuck),
		cmocka_unit_test(one_of_two_workers_stuck),
		cmocka_unit_test(data_plane_gone_or_silent),
		cmocka_unit_test(edge_and_its_certificate),
		cmocka_unit_test(the_only_way_in_is_lost),
		cmocka_unit_test(the_directory_is_away),
		cmocka_unit_test(a_ban_of_everybody_is_a_loss),
		cmocka_unit_test(secrets_end),
		cmocka_unit_test(a_successor_carries_on),
		cmocka_unit_test(an_absent_address_is_named_once),
	};

	return cmocka_run_group_tests_name("operator verdict", tests, NULL, NULL);
}

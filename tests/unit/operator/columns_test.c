// SPDX-License-Identifier: BSD-3-Clause
// Every column of the command table is in the answer of its handler: the two are lists of the same
// names, kept apart.
#include "desk.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <proc/clock.h>

// The value of "a.b" in an object; NULL: there is none.
static const json_t *member(const json_t *object, const char *key)
{
	const char *dot = strchr(key, '.');
	char first[64];

	if (dot == NULL)
		return json_object_get(object, key);
	snprintf(first, sizeof(first), "%.*s", (int)(dot - key), key);
	return member(json_object_get(object, first), dot + 1);
}

static void assert_columns(
	const char *command, const struct ctl_column *columns, size_t n, const json_t *object)
{
	for (size_t i = 0; i < n; i++) {
		const struct ctl_column *c = &columns[i];
		const json_t *v = member(object, c->key);

		if (v == NULL)
			fail_msg("%s: nobody produces %s", command, c->key);
		if (c->format != CTL_FORMAT_ROWS)
			continue;
		if (json_array_size(v) == 0)
			fail_msg("%s: the test brings about no row of %s", command, c->key);
		assert_columns(command, c->rows, c->n_rows, json_array_get(v, 0));
	}
}

static json_t *arguments_of(const struct desk *d, const struct ctl_command *command)
{
	char id[32];

	snprintf(id, sizeof(id), "%llx",
		(unsigned long long)operator_allocation_id(&d->record, d->ref));
	if (strcmp(command->name, "trace start") == 0)
		return json_pack("{s:s}", "client", "198.51.100.1");
	if (strcmp(command->name, "capture") == 0)
		return json_pack("{s:s}", "allocation", id);
	if (strcmp(command->name, "credential mint") == 0)
		return json_pack("{s:s}", "user", "anna");
	if (strcmp(command->name, "ban add") == 0)
		return json_pack("{s:s}", "subject", "mallory");
	if (strcmp(command->name, "ban remove") == 0)
		return json_pack("{s:s}", "subject", "eve");
	if (strcmp(command->name, "budget reset") == 0 || strcmp(command->name, "user show") == 0)
		return json_pack("{s:s}", "user", "anna");
	if (strcmp(command->name, "policy explain") == 0)
		return json_pack("{s:s}", "address", "10.0.0.1");
	if (command->n_arguments > 0 && strcmp(command->arguments[0].name, "id") == 0)
		return json_pack("{s:s}", "id", id);
	return json_object();
}

// Something for each table within a table: a warning, a drop, a busy allocation.
static void busy_make(struct desk *d)
{
	struct turn_budget_view view;

	json_decref(desk_ask(d, "ban add", json_pack("{s:s}", "subject", "eve")));
	assert_int_equal(turn_charge(d->turn, d->now_ns, proc_wall_s(), d->ref, 500000, &view),
		TURN_CHARGED);
	json_decref(desk_ask(d, "top", NULL));
	for (unsigned s = 0; s < 4; s++) {
		for (unsigned w = 0; w < DESK_WORKERS; w++) {
			d->workers[w].drops[TP_DROP_no_channel] += 5;
			shm_state_cell(&d->link.state, w, d->channel)->packets += 500;
		}
		desk_second(d);
		json_decref(desk_ask(d, "top", NULL));
	}
	// A second read of the same part, then one with the rates of a whole second.
	atomic_store(&d->header->flags, TP_STATE_GUARD_OFF);
	for (unsigned w = 0; w < DESK_WORKERS; w++)
		shm_state_cell(&d->link.state, w, d->channel)->packets += 500;
	d->workers[0].drops[TP_DROP_no_channel] += 5;
	d->op.config = "/none"; // one mistake
	desk_second(d);
}

static void every_column_has_a_producer(void **state)
{
	struct desk *d = desk_make(true);

	(void)state;
	busy_make(d);
	for (size_t i = 0; i < ctl_command_count(); i++) {
		const struct ctl_command *command = ctl_command_at(i);
		json_t *answer;

		// It would take the allocation of the others away; the edge has an end of its own.
		if (command->edge || strcmp(command->name, "allocation kill") == 0)
			continue;
		answer = desk_ask(d, command->name, arguments_of(d, command));
		if (command->shape == CTL_SHAPE_LIST && json_array_size(answer) == 0)
			fail_msg("%s: the test brings about no row", command->name);
		assert_columns(command->name, command->columns, command->n_columns,
			command->shape == CTL_SHAPE_LIST ? json_array_get(answer, 0) : answer);
		json_decref(answer);
	}
	desk_free(d);
}

static void a_killed_allocation_is_named(void **state)
{
	struct desk *d = desk_make(true);
	const struct ctl_command *command = ctl_command_find("allocation kill");
	json_t *answer = desk_ask(d, command->name, arguments_of(d, command));

	(void)state;
	assert_columns(command->name, command->columns, command->n_columns, answer);
	assert_int_equal(turn_allocation_count(d->turn), 0);
	json_decref(answer);
	desk_free(d);
}

// An operator tells the clients of a firewalled network from the others.
static void an_allocation_names_its_transport(void **state)
{
	static const char *const names[] = {"udp", "tcp", "tls", "dtls"};

	(void)state;
	for (unsigned i = 0; i < TP_ARRAY_LEN(names); i++) {
		struct desk *d = desk_make(true);
		const struct ctl_command *show = ctl_command_find("allocation show");
		json_t *list, *one;

		tables_shm(d->tables)->locals[d->record.client.listener_id].transport =
			(uint8_t)(TP_TRANSPORT_UDP + i);
		list = desk_ask(d, "allocation list", NULL);
		one = desk_ask(d, show->name, arguments_of(d, show));
		assert_string_equal(
			json_string_value(member(json_array_get(list, 0), "transport")), names[i]);
		assert_string_equal(json_string_value(member(one, "transport")), names[i]);
		json_decref(list);
		json_decref(one);
		desk_free(d);
	}
}

// The data plane's own age, not that of its files or of the connection.
static void the_data_plane_has_an_age(void **state)
{
	struct desk *d = desk_make(false);
	json_t *status = desk_ask(d, "status", NULL);

	(void)state;
	assert_int_equal(json_integer_value(member(status, "dataplane.uptime_s")), 91);
	json_decref(status);
	// One that says nothing has none.
	atomic_store(&d->header->started_ns, 0);
	status = desk_ask(d, "status", NULL);
	assert_null(member(status, "dataplane.uptime_s"));
	json_decref(status);
	desk_free(d);
}

// The remedy of no_next_hop points here: a neighbour that does not answer.
static void unresolved_next_hops_are_listed(void **state)
{
	struct desk *d;
	json_t *list;
	const json_t *row;

	(void)state;
	d = desk_make(true);
	tables_next_hop_set(d->tables, 1, 0);
	list = desk_ask(d, "nexthop list", NULL);
	row = json_array_get(list, 0);
	assert_string_equal(json_string_value(json_object_get(row, "address")), "10.77.0.254");
	assert_string_equal(json_string_value(json_object_get(row, "state")), "unresolved");
	assert_true(json_is_null(json_object_get(row, "mac")));
	json_decref(list);
	desk_free(d);
}

// The octets of a busy allocation are known as soon as it is shown.
static void a_busy_allocation_has_its_octets(void **state)
{
	struct desk *d = desk_make(true);
	json_t *top = desk_ask(d, "top", NULL);
	unsigned shown = 0;
	const json_t *one;

	(void)state;
	json_decref(top);
	for (unsigned tenth = 0; tenth < 40; tenth++) {
		struct tp_cell *cell = shm_state_cell(&d->link.state, 0, d->channel);

		cell->packets += 10;
		cell->octets += 1000;
		d->now_ns += TP_NS_PER_S / 10;
		operator_tick(&d->op, d->now_ns);
		top = desk_ask(d, "top", NULL);
		one = json_array_get(json_object_get(top, "hot"), 0);
		// 100 packets of 100 bytes a second; its other entries are still.
		if (one != NULL)
			assert_int_equal(
				json_integer_value(json_object_get(one, "bits_per_s")), 80000);
		shown += one != NULL;
		json_decref(top);
	}
	assert_true(shown >= 30);
	desk_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_column_has_a_producer),
		cmocka_unit_test(a_killed_allocation_is_named),
		cmocka_unit_test(an_allocation_names_its_transport),
		cmocka_unit_test(the_data_plane_has_an_age),
		cmocka_unit_test(unresolved_next_hops_are_listed),
		cmocka_unit_test(a_busy_allocation_has_its_octets),
	};

	return cmocka_run_group_tests_name("operator columns", tests, NULL, NULL);
}

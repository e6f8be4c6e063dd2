// SPDX-License-Identifier: BSD-3-Clause
// The operator's view.
#include "allocation.h"

#include "cap.h"

#include <errno.h>

const char *turn_refusal_text(enum turn_refusal_cause cause)
{
	static const char *const texts[] = {[TURN_REFUSED_NOT] = "not refused",
#define TURN_REFUSAL_TEXT(id, text) [TURN_REFUSED_##id] = text,
		TURN_REFUSALS(TURN_REFUSAL_TEXT)
#undef TURN_REFUSAL_TEXT
	};

	return cause < TP_ARRAY_LEN(texts) ? texts[cause] : "unknown cause";
}

const struct turn_counters *turn_get_counters(const struct turn_server *s)
{
	return &s->counters;
}

const struct turn_realm_counters *turn_get_realm_counters(
	const struct turn_server *s, uint16_t realm_id)
{
	const struct turn_realm *realm = turn_realm_by_id(&s->realms, realm_id);

	return realm != NULL ? &realm->counters : NULL;
}

bool turn_secret_next(const struct turn_server *s, uint16_t realm_id, size_t *cursor,
	struct turn_secret_view *view)
{
	const struct turn_realm *realm = turn_realm_by_id(&s->realms, realm_id);
	const struct turn_secret_use *use;

	if (realm == NULL || *cursor >= realm->n_uses)
		return false;
	use = &realm->uses[*cursor];
	*view = (struct turn_secret_view){
		.name = use->name,
		.secret = *cursor < realm->conf.n_secrets ? &realm->conf.secrets[*cursor] : NULL,
		.requests = use->requests,
		.last_s = use->last_s,
		.n_allocations = use->n_allocations,
	};
	++*cursor;
	return true;
}

int turn_user_find(const struct turn_server *s, uint16_t realm_id, enum turn_identity_kind kind,
	const char *name, size_t len, struct turn_user_view *view)
{
	struct turn_realm *realm = turn_realm_by_id(&s->realms, realm_id);
	const struct turn_account_key key = {.realm = realm, .name = {name, len}, .kind = kind};
	const struct turn_account *a = realm != NULL ? turn_account_find(&s->accounts, &key) : NULL;

	if (a == NULL)
		return -ENOENT;
	*view = (struct turn_user_view){
		.kind = kind,
		.allocations = a->n_allocations,
		.allocations_max = realm->conf.user_quota,
		.ports = a->n_allocations + a->n_cooling,
		.ports_max = realm->conf.user_ports,
		.connections = a->n_data,
		.connections_max = s->conf.data_per_user,
		.entries = a->n_entries,
		.cap = turn_account_cap(a),
	};
	return 0;
}

int turn_realm_find(const struct turn_server *s, uint16_t realm_id, struct turn_user_view *view)
{
	const struct turn_realm *realm = turn_realm_by_id(&s->realms, realm_id);

	if (realm == NULL)
		return -ENOENT;
	*view = (struct turn_user_view){
		.allocations = realm->n_held,
		.allocations_max = realm->conf.max_allocations,
		.connections = realm->n_data,
		.connections_max = realm->conf.max_connections,
		.cap = realm->conf.realm_cap,
	};
	return 0;
}

size_t turn_allocation_count(const struct turn_server *s)
{
	return s->n_allocations;
}

static void permissions_count(
	const struct turn_allocation *a, size_t *n_permissions, size_t *n_channels)
{
	*n_permissions = 0;
	*n_channels = a->n_channels;
	for (struct ds_list *l = a->permissions.next; l != &a->permissions; l = l->next)
		*n_permissions += DS_CONTAINER(l, struct turn_permission, link)->in_store;
}

static void view_fill(
	struct turn_server *s, const struct turn_allocation *a, struct turn_allocation_view *view)
{
	turn_allocation_record(s, a, &s->outs.record);
	view->record = &s->outs.record;
	view->ref = a->ref;
	view->path_mtu = a->leg.mtu;
	view->mtu_source = (enum turn_mtu_source)a->leg.source;
	permissions_count(a, &view->n_permissions, &view->n_channels);
}

bool turn_allocation_next(
	struct turn_server *s, uint64_t *cursor, struct turn_allocation_view *view)
{
	while (*cursor < ds_pool_end(&s->allocation_pool)) {
		const struct turn_allocation *a =
			ds_pool_at(&s->allocation_pool, (uint32_t)(*cursor)++);

		if (a->live) {
			view_fill(s, a, view);
			return true;
		}
	}
	return false;
}

int turn_allocation_find(struct turn_server *s, uint32_t ref, struct turn_allocation_view *view)
{
	const struct turn_allocation *a = turn_allocation_by_ref(s, ref);

	if (a == NULL)
		return -ENOENT;
	view_fill(s, a, view);
	return 0;
}

struct views {
	struct turn_permission_view *out;
	size_t max;
	size_t n;
};

static void view_add(struct views *v, struct turn_permission_view view)
{
	if (v->n < v->max)
		v->out[v->n] = view;
	v->n++;
}

static void permission_views(struct views *v, const struct turn_permission *p)
{
	if (p->in_store)
		view_add(v, (struct turn_permission_view){.peer = p->peer,
				    .expires_s = p->expires_s,
				    .ref = p->ref,
				    .path_mtu = p->leg.mtu,
				    .mtu_source = (enum turn_mtu_source)p->leg.source});
	for (struct ds_list *l = p->channels.next; l != &p->channels; l = l->next) {
		const struct turn_channel *c = DS_CONTAINER(l, struct turn_channel, link);

		view_add(v, (struct turn_permission_view){.peer = c->peer,
				    .expires_s = c->expires_s,
				    .ref = c->ref,
				    .channel = c->number,
				    .path_mtu = p->leg.mtu,
				    .mtu_source = (enum turn_mtu_source)p->leg.source});
	}
}

size_t turn_permissions_of(
	const struct turn_server *s, uint32_t ref, struct turn_permission_view *out, size_t max)
{
	const struct turn_allocation *a = turn_allocation_by_ref(s, ref);
	struct views v = {.out = out, .max = max};

	if (a == NULL)
		return 0;
	for (struct ds_list *l = a->permissions.next; l != &a->permissions; l = l->next)
		permission_views(&v, DS_CONTAINER(l, struct turn_permission, link));
	return v.n;
}

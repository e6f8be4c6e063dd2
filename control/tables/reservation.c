// SPDX-License-Identifier: BSD-3-Clause
// The private records of reservations. A writer killed in the middle leaves an empty one, or one
// that is whole.
#include "recover.h"

#include <errno.h>

static uint32_t expires_s_of(const struct tables *t, uint32_t i)
{
	return atomic_load_explicit(&t->priv.reservations[i].expires_s, memory_order_acquire);
}

static bool is_known(const struct tables *t, uint32_t ref)
{
	return ref != 0 && ref < t->priv.n_reservations && expires_s_of(t, ref) != 0;
}

int tables_reservation_add(void *ctx, const struct turn_reservation_record *rec, uint32_t *ref)
{
	struct tables *t = ctx;
	struct reservation *v;
	uint32_t i, block = 0;

	if (rec->expires_s == 0 || rec->username_len > NAME_BLOCK_SIZE)
		return -EINVAL;
	i = tables_pool_take(&t->reservations);
	if (i == 0)
		return -ENOSPC;
	if (rec->username_len > RECORD_NAME_INLINE) {
		if (tables_pool_spare(&t->names) > RECORDS_SPARE)
			block = tables_pool_take(&t->names);
		if (block == 0) {
			tables_pool_give(&t->reservations, i);
			return -ENOSPC;
		}
	}
	v = &t->priv.reservations[i];
	memcpy(v->token, rec->token, sizeof(v->token));
	memcpy(v->txid, rec->txid, sizeof(v->txid));
	v->secret_id = rec->secret_id;
	v->relay_id = rec->relay_id;
	v->port = rec->port;
	v->realm_id = rec->realm_id;
	v->identity_kind = rec->identity_kind;
	v->username_len = rec->username_len;
	v->name_block = block;
	memcpy(name_of(t, block, v->username), rec->username, rec->username_len);
	atomic_store_explicit(&v->used, rec->used, memory_order_relaxed);
	atomic_store_explicit(&v->expires_s, rec->expires_s, memory_order_release);
	*ref = i;
	return 0;
}

void tables_reservation_use(void *ctx, uint32_t ref)
{
	struct tables *t = ctx;

	if (is_known(t, ref))
		atomic_store_explicit(&t->priv.reservations[ref].used, 1, memory_order_relaxed);
}

void tables_reservation_del(void *ctx, uint32_t ref)
{
	struct tables *t = ctx;
	struct reservation *v;

	if (!is_known(t, ref))
		return;
	v = &t->priv.reservations[ref];
	atomic_store_explicit(&v->expires_s, 0, memory_order_release);
	if (v->name_block != 0)
		tables_pool_give(&t->names, v->name_block);
	tables_pool_give(&t->reservations, ref);
}

static void record_read(
	const struct tables *t, struct reservation *v, struct turn_reservation_record *rec)
{
	memset(rec, 0, sizeof(*rec));
	memcpy(rec->token, v->token, sizeof(rec->token));
	memcpy(rec->txid, v->txid, sizeof(rec->txid));
	rec->expires_s = atomic_load_explicit(&v->expires_s, memory_order_relaxed);
	rec->secret_id = v->secret_id;
	rec->relay_id = v->relay_id;
	rec->port = v->port;
	rec->realm_id = v->realm_id;
	rec->identity_kind = v->identity_kind;
	rec->used = atomic_load_explicit(&v->used, memory_order_relaxed) != 0;
	rec->username_len = v->username_len;
	memcpy(rec->username, name_of(t, v->name_block, v->username), v->username_len);
}

static bool name_is_sound(const struct scan *s, const struct reservation *v)
{
	if (v->username_len <= RECORD_NAME_INLINE)
		return v->name_block == 0;
	return v->username_len <= TURN_USERNAME_MAX && v->name_block != 0 &&
	       v->name_block < s->t->priv.n_names && !s->names[v->name_block];
}

void tables_reservations_verify(struct scan *s)
{
	for (uint32_t i = 1; i < s->t->priv.n_reservations; i++) {
		struct reservation *v = &s->t->priv.reservations[i];

		if (expires_s_of(s->t, i) == 0)
			continue;
		if (!name_is_sound(s, v)) {
			atomic_store_explicit(&v->expires_s, 0, memory_order_release);
			s->result->corrupt++;
		} else if (v->name_block != 0) {
			s->names[v->name_block] = 1;
		}
	}
}

void tables_reservations_visit(struct tables *t, const struct tables_visitor *v)
{
	for (uint32_t i = t->priv.n_reservations - 1; i >= 1; i--) {
		struct turn_reservation_record rec;

		if (expires_s_of(t, i) == 0) {
			tables_pool_give(&t->reservations, i);
			continue;
		}
		record_read(t, &t->priv.reservations[i], &rec);
		if (v->reservation == NULL || v->reservation(v->ctx, &rec, i) < 0)
			tables_reservation_del(t, i);
	}
}
